"""Several runs beside each other: their curves, the settings that differ, and whether one repeats another."""

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from cnn_core import runs
from cnn_core.plots import comparison, curves
from cnn_core.runs import compare
from cnn_core.runs.compare import Comparison
from cnn_core.runs.rows import Row
from ui import controls, page
from ui.networks import recipe, runs_words

HEIGHT = 340
LEGEND_HEIGHT = 18


def show(ticked: Sequence[Row], names: Mapping[str, str]) -> None:
    """Compare runs.

    Args:
        ticked: At least two.
        names: What each is called, by id.
    """
    shown = ticked[: comparison.MAX_CURVES]
    if len(shown) < len(ticked):
        st.caption(f"{len(shown)} of the {len(ticked)} ticked runs are shown: more cannot be told apart.")
    try:
        _curves([runs.get(row.id) for row in shown], [names[row.id] for row in shown])
    except runs.UnknownRun:  # removed in this moment
        st.rerun()
    _settings(shown, names)
    for group in _alike(shown):
        for row in group[1:]:
            repetition(group[0], row, names)


def repetition(first: Row, second: Row, names: Mapping[str, str]) -> None:
    """Say whether a run repeats another one with the same settings, bit by bit, as soon as both are finished."""
    pair = f"{runs_words.plain(names[first.id])} and {runs_words.plain(names[second.id])}"
    states = {first.state, second.state}
    if states == {"finished"}:
        try:
            found = _compared(first.id, second.id)
        except runs.UnknownRun:  # removed in this moment
            st.rerun()
        icon = ":material/check_circle:" if found.is_identical else ":material/difference:"
        st.markdown(f"{icon} {pair}: {runs_words.verdict(found)}")
    elif first.is_over and second.is_over:
        st.caption(f"{pair} are not compared bit by bit: not both are finished.")
    else:
        st.caption(
            f"{pair} have the same settings. When both are finished, they are compared here, bit by bit."
        )


@st.cache_data(max_entries=500, show_spinner="Comparing the two runs, bit by bit")
def _compared(first_id: str, second_id: str) -> Comparison:
    return compare.compare(runs.get(first_id), runs.get(second_id))


def _alike(rows: Sequence[Row]) -> list[list[Row]]:
    """Group runs whose settings are the same, the oldest first; those that stand alone are left out."""
    groups: list[list[Row]] = []
    for row in reversed(rows):
        for group in groups:
            if not compare.differing([group[0].settings, row.settings]):
                group.append(row)
                break
        else:
            groups.append([row])
    return [group for group in groups if len(group) > 1]


def _curves(shown: Sequence[runs.Run], names: Sequence[str]) -> None:
    quantity = controls.choice("Curves", comparison.QUANTITIES, key="t-runs-curves", format=str.capitalize)
    lines = [
        comparison.points(run.steps, run.epochs, quantity, steps_per_epoch=run.settings.steps_per_epoch)
        for run in shown
    ]
    table = pd.DataFrame(comparison.columns(lines, names))
    spec = comparison.comparison_spec(
        quantity,
        names,
        num_epochs=max(run.settings.num_epochs for run in shown),
        limit=_limit(quantity, shown, table),
        palette=page.palette(),
    )
    st.vega_lite_chart(
        table,
        spec,
        height=HEIGHT + LEGEND_HEIGHT * len(shown),
        key="t-runs-chart",
        alt=f"{quantity} of {len(shown)} runs against epochs",
    )
    for run, name, line in zip(shown, names, lines, strict=True):
        if not len(line):
            st.caption(f"{runs_words.plain(name)} has no curve here: {_why_without(run, quantity)}.")


def _why_without(run: runs.Run, quantity: str) -> str:
    """Say why a run has no curve of a quantity."""
    what = "step"
    if quantity.startswith("validation"):
        if not run.settings.num_validation:
            return "it keeps no pictures for validation"
        what = "epoch"
    return (
        f"it ended before its first {what} was done" if run.is_over else f"its first {what} is not done yet"
    )


def _limit(quantity: str, shown: Sequence[runs.Run], table: pd.DataFrame) -> float | None:
    """Return where the axis of a loss ends, if one of them explodes."""
    if not quantity.endswith("loss"):
        return None
    guessing = max(curves.chance("loss", num_classes=len(run.settings.spec.class_names)) for run in shown)
    limit = curves.LOSS_LIMIT * guessing
    return limit if table["value"].max() > limit else None


def _settings(shown: Sequence[Row], names: Mapping[str, str]) -> None:
    """Show only the settings that differ."""
    differing = compare.differing([row.settings for row in shown])
    table = {
        recipe.LABELS[name]: [runs_words.setting(name, row.settings) for row in shown] for name in differing
    }
    beside = [", ".join(runs_words.beside_settings(row)) or "–" for row in shown]
    if len(set(beside)) > 1:
        table["Beside the settings"] = beside
    if not table:
        st.markdown("Their settings are the same.")
        return
    table = {"Run": [names[row.id] for row in shown]} | table
    st.dataframe(
        pd.DataFrame(table),
        key="t-runs-settings",
        hide_index=True,
        width="content",
        alt="the settings in which the ticked runs differ",
    )
