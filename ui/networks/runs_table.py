"""The section of a visitor's runs: a table to tick some in, and what can be done with those."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st

from cnn_core import runs
from cnn_core.inspection import Parameters
from cnn_core.runs import rows
from cnn_core.runs.folders import hash_owner
from cnn_core.runs.rows import Row
from cnn_core.training import Settings
from ui import visitor
from ui.networks import runs_again, runs_together, runs_words

# How often the table looks by itself while one of the visitor's own runs trains, and while others go on or wait.
TRAINS_SECONDS, WAITS_SECONDS = 5.0, 10.0
TABLE = "t-runs"
_SHOWN = "trainer-shown-runs"
_DATES = {"format": "distance", "help": "When it was started."}
_COLUMNS = {
    "name": st.column_config.TextColumn("Name", width=285),
    "state": st.column_config.TextColumn("State", width=115),
    "best": st.column_config.NumberColumn(
        "Validation", format="%.3f", width=90, help="Best validation accuracy of its epochs."
    ),
    "test": st.column_config.NumberColumn(
        "Test", format="%.3f", width=65, help="Test accuracy, measured once, at the end."
    ),
    "seconds": st.column_config.NumberColumn("Time", format="%.1f s", width=75, help="Time of its steps."),
    "settings": st.column_config.TextColumn("Other settings", width=330),
    "created": st.column_config.DatetimeColumn("Started", width=130, **_DATES),
    "whose": st.column_config.TextColumn("Whose", width=110),
}


def section(owner: str, opened: runs.Run | None, settings: Settings, weights: Parameters | None) -> None:
    """Draw the section. While a run waits or trains, it draws itself again now and then.

    Args:
        owner: The visitor.
        opened: The run that the page shows.
        settings: Those that Start would train now.
        weights: Those of a file, that Start would begin with; None for those that the seed draws.
    """
    st.subheader("Runs", anchor=False)

    just_read = [rows.rows(owner, visitor.opened_ids())]
    going_on = [row for row in just_read[0] if not row.is_over]
    trains = any(row.state == "running" and row.owner_hash == hash_owner(owner) for row in going_on)

    def draw() -> None:
        runs_again.redraw_page()
        found = just_read.pop() if just_read else rows.rows(owner, visitor.opened_ids())
        if found:
            ticked, names = _table(found, owner)
            if len(ticked) == 1:
                with st.container(border=True):
                    runs_again.show(
                        ticked[0],
                        found,
                        names,
                        owner=owner,
                        opened_id=opened.id if opened else "",
                        settings=settings,
                        weights=weights,
                    )
            elif ticked:
                runs_together.show(ticked, names)
        else:
            _nothing_yet()

    pace = TRAINS_SECONDS if trains else WAITS_SECONDS
    st.fragment(draw, run_every=pace if going_on else None)()


def _nothing_yet() -> None:
    st.markdown(":gray-badge[:material/table_rows: No runs yet]")
    st.markdown(
        "Each training that you start is kept here, with its settings, its accuracy and its weights. "
        "So is one that you open by a link. You can then lay their curves over each other, train one again with "
        "another seed, or check that the same seed gives the same network, bit by bit."
    )


def _table(found: Sequence[Row], owner: str) -> tuple[list[Row], dict[str, str]]:
    """Draw the table; return what is ticked, and what each run is called, by id."""
    names = runs_words.unique_names(found)
    st.caption("Tick one to name it, to train it again or to delete it. Tick several to compare them.")
    _move_ticks([row.id for row in found])
    whose = hash_owner(owner)
    created = pd.to_datetime([row.created for row in found], unit="s", utc=True)
    table = pd.DataFrame(
        {
            "name": [names[row.id] for row in found],
            "state": [runs_words.state(row) for row in found],
            "best": [row.best_accuracy for row in found],
            "test": [row.test_accuracy for row in found],
            "seconds": [row.seconds or None for row in found],
            "created": created.tz_convert(_zone(st.context.timezone)),
            "settings": [
                ", ".join([runs_words.the_rest(row.settings), *runs_words.beside_settings(row)])
                for row in found
            ],
            "whose": ["yours" if row.owner_hash == whose else "by a link" for row in found],
        }
    )
    all_own = all(row.owner_hash == whose for row in found)
    chosen = st.dataframe(
        table.drop(columns="whose") if all_own else table,
        key=TABLE,
        hide_index=True,
        column_config=_COLUMNS,
        on_select="rerun",
        selection_mode="multi-row",
        placeholder="–",
        alt="your runs, the newest first",
    )
    st.button("Refresh", key="t-runs-refresh", type="tertiary", icon=":material/refresh:")
    return [found[index] for index in chosen.selection.rows if index < len(found)], names


def _zone(name: str | None) -> ZoneInfo:
    """Return the time zone that a browser names; UTC where it is none that is known here, as Etc/Unknown."""
    try:
        return ZoneInfo(name or "UTC")
    except (LookupError, ValueError, OSError):
        return ZoneInfo("UTC")


def _move_ticks(ids: list[str]) -> None:
    """Let the ticks go with their runs when rows have come or gone: the table knows them by their places only."""
    before = st.session_state.get(_SHOWN, [])
    if ids == before:
        return
    places = st.session_state[TABLE]["selection"]["rows"] if TABLE in st.session_state else []
    ticked = [before[place] for place in places if place < len(before)]
    st.session_state[TABLE] = {"selection": {"rows": [ids.index(each) for each in ticked if each in ids]}}
    st.session_state[_SHOWN] = ids
