"""One run: its name and note, the ways to train it again, and the way to delete it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import streamlit as st
from safetensors.numpy import save as to_safetensors

from cnn_core import data, runs
from cnn_core.inspection import Parameters
from cnn_core.runs import compare
from cnn_core.runs.rows import Row
from cnn_core.training import Settings, checkpoints, initial
from ui import controls, page, visitor
from ui.networks import recipe, runs_together, runs_words, training, training_files, training_uploads
from ui.wording import count

MAX_REPEATS = 5
_SAID = "trainer-said-of-run"
_IS_OLD = "trainer-page-is-old"


def show(
    row: Row,
    found: Sequence[Row],
    names: Mapping[str, str],
    *,
    owner: str,
    opened_id: str,
    settings: Settings,
    weights: Parameters | None,
) -> None:
    """Draw what can be done with a run.

    Args:
        row: The run.
        found: All in the table.
        names: What each of these is called, by id.
        owner: The visitor.
        opened_id: The run that the page shows; may be empty.
        settings: Those that Start would train now.
        weights: Those of a file, that Start would begin with; None for those that the seed draws.
    """
    try:
        run = runs.get(row.id)
    except runs.UnknownRun:  # removed in this moment
        st.rerun()
    st.markdown(f"**{runs_words.plain(names[run.id])}**")
    st.caption(training.describe(run))
    if run.belongs_to(owner):
        _name_and_note(run, owner)
    elif run.note:
        st.text(run.note)
    _again(run, [each.settings for each in found], owner)
    with st.container(horizontal=True):
        _open(run, opened_id)
        _take_away(run, opened_id)
        if run.belongs_to(owner):
            _delete(run, owner)
    _what_was_said(run)
    _first_weights(run, settings, weights)
    repeats = [each for each in found if each.id != run.id and _is_repeat(each, run)]
    for each in repeats[:MAX_REPEATS]:
        older, newer = sorted([row, each], key=lambda one: one.created)
        runs_together.repetition(older, newer, names)
    if len(repeats) > MAX_REPEATS:
        st.caption(f"{count(len(repeats) - MAX_REPEATS, 'older run')} with these settings: tick to compare.")


def _is_repeat(row: Row, run: runs.Run) -> bool:
    return not compare.differing([row.settings, run.settings])


def _name_and_note(run: runs.Run, owner: str) -> None:
    keys = {"name": f"t-run-name-{run.id}", "note": f"t-run-note-{run.id}"}

    def save(what: str) -> None:
        _try(run, lambda: runs.label(run.id, owner=owner, **{what: st.session_state[keys[what]].strip()}))

    left, right = st.columns([2, 3])
    left.text_input(
        "Name",
        run.name,
        runs.MAX_NAME,
        key=keys["name"],
        placeholder=runs_words.usual_name(run.settings),
        on_change=save,
        args=("name",),
    )
    right.text_input(
        "Note",
        run.note,
        runs.MAX_NOTE,
        key=keys["note"],
        placeholder="What did you want to find out?",
        on_change=save,
        args=("note",),
    )


def redraw_page() -> None:
    """Draw the whole page again if a button here has changed more than the section of the runs.

    A button's callback cannot do that, and the button itself may be gone with its run.
    """
    if st.session_state.pop(_IS_OLD, False):
        st.rerun()


def _again(run: runs.Run, others: Sequence[Settings], owner: str) -> None:
    """Offer three ways to train it again; the last one only sets the controls."""
    device = run.started.device if run.started else None

    def submit(seed: int) -> None:
        if run.settings.data not in data.available():
            _say(run, f"{run.settings.spec.title} is not on this machine any more.", is_error=True)
            return
        again = replace(run.settings, seed=seed)
        if _try(run, lambda: runs.submit(again, owner=owner, device=device, weights=_weights_of_file(run))):
            _say(run, f"Submitted: the same settings with seed {seed}.")
            st.session_state[_IS_OLD] = True

    def show_settings() -> None:
        def take() -> None:
            values = recipe.control_values(run.settings)
            training_uploads.begin_from(run.initial_file)
            controls.set_values(values)

        st.session_state[_IS_OLD] = _try(run, take)

    also = ", and begins from the weights of its file" * (run.initial_file is not None)
    seed = compare.next_seed(run.settings, others)
    with st.container(horizontal=True):
        st.button(
            "Again with another seed",
            key=f"t-run-other-seed-{run.id}",
            icon=":material/casino:",
            help=f"Trains the same settings with seed {seed}. How much of the accuracy is luck?",
            on_click=submit,
            args=(seed,),
        )
        st.button(
            "Again with the same seed",
            key=f"t-run-same-seed-{run.id}",
            icon=":material/repeat:",
            help="Trains it once more. At the end both are compared, bit by bit.",
            on_click=submit,
            args=(run.settings.seed,),
        )
        st.button(
            "Same initial weights, other settings",
            key=f"t-run-settings-{run.id}",
            icon=":material/tune:",
            help=f"Sets the controls of this page to those of this run{also}. Change what you like, and press Start.",
            on_click=show_settings,
        )


def _weights_of_file(run: runs.Run) -> Parameters | None:
    """Read the weights that a run began with, if they came from a file."""
    if run.initial_file is None:
        return None
    try:
        return initial.load(run.initial_file, run.settings.layers, run.settings.spec.input_shape)
    except OSError as error:
        raise ValueError(
            f"its initial weights cannot be read ({error.strerror}): it cannot be repeated"
        ) from None


def _open(run: runs.Run, opened_id: str) -> None:
    def open_it() -> None:
        visitor.follow(run.id)
        st.session_state[_IS_OLD] = True

    is_open = run.id == opened_id
    st.button(
        "Open",
        key=f"t-run-open-{run.id}",
        icon=":material/open_in_full:",
        disabled=is_open,
        help="It is shown above." if is_open else "Shows its curves and what it learned, above.",
        on_click=open_it,
    )


def _take_away(run: runs.Run, opened_id: str) -> None:
    """Offer the files of a run that is over; those of the opened one stand above."""
    if run.id == opened_id or not run.is_over:
        return
    place = st.popover(
        "Take away", key=f"t-run-files-{run.id}", icon=":material/download:", on_change="rerun"
    )
    if place.open:
        with place:
            has_weights = run.checkpoint.is_dir()
            training_files.offer_files(
                run,
                (lambda: to_safetensors(checkpoints.load_weights(run.checkpoint))) if has_weights else None,
                suffix="-ticked",
            )


def _delete(run: runs.Run, owner: str) -> None:
    def delete() -> None:
        if _try(run, lambda: runs.delete(run.id, owner=owner)):
            visitor.forget(run.id)
            st.session_state[_IS_OLD] = True

    with st.popover("Delete", key=f"t-run-delete-{run.id}", icon=":material/delete:"):
        if not run.is_over:
            st.markdown("It is not over. Stop it first: open it, and press Stop.")
            return
        st.markdown("Its curves, its weights and its note are removed. Nobody can bring them back.")
        st.button("Delete for good", key=f"t-run-delete-now-{run.id}", type="primary", on_click=delete)


def _first_weights(run: runs.Run, settings: Settings, weights: Parameters | None) -> None:
    """Say whether Start would begin with the weights that this run began with."""
    changed = compare.changes_first_weights(run.settings, settings)
    if weights is not None:
        is_same = run.started is not None and run.started.initial_sha256 == initial.sha256(weights)
        text = "those of your file." + " This run began with others." * (not is_same)
        st.caption(f"Start would begin with {'the same weights as this run, ' * is_same}{text}")
    elif run.initial_file is not None:
        st.caption(
            "This run began with the weights of a file. Start would begin with those that the seed draws."
        )
    elif changed:
        st.caption(
            "Start would begin with other weights than this run, because of another "
            f"{' and another '.join(changed)}."
        )
    else:
        st.caption(
            "Start would begin with the same weights as this run, whatever else you change: network, shape of the "
            "pictures and seed decide them, and these agree."
        )


def _try(run: runs.Run, action: Callable[[], object]) -> bool:
    """Do something; where it is refused, keep the reason, to be shown in place."""
    st.session_state.pop(_SAID, None)
    try:
        action()
    except (runs.RunRefused, runs.UnknownRun, ValueError) as error:
        _say(run, str(error), is_error=True)
        return False
    return True


def _say(run: runs.Run, text: str, *, is_error: bool = False) -> None:
    st.session_state[_SAID] = (run.id, text, is_error)


def _what_was_said(run: runs.Run) -> None:
    run_id, text, is_error = st.session_state.get(_SAID, ("", "", False))
    if run_id != run.id:
        return
    if is_error:
        page.refusal(RuntimeError(text))
    else:
        st.caption(f":material/check: {text}")
