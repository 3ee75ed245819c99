"""The hand of a visitor on his own training: pause, go on, single steps and epochs, stop, another learning rate."""

import time

import streamlit as st

from cnn_core import runs
from ui import visitor
from ui.networks import recipe

ANSWER_SECONDS, GLANCE_SECONDS = 0.5, 0.02
"""How long a paused training is waited for when it is told something, and how often it is asked meanwhile."""

_REFUSED = "trainer-refused-order"
_RATE = "t-live-rate"
_HELP = {
    "pause": "It keeps what it has learned, and gives its place to another training if it pauses for long.",
    "step": "One more step, on the next batch of pictures. Then it pauses again.",
    "epoch": "On to the end of the epoch. Then it pauses again.",
    "stop": "What the network has learned by then is kept.",
}


def show(run: runs.Run) -> None:
    """Draw what its owner can have a run do now; nothing for others, or when it has come to its end.

    Args:
        run: As it is in this moment.
    """
    if run.state == "finished" or not run.belongs_to(visitor.owner()):
        return
    row = st.container(horizontal=True, vertical_alignment="bottom")
    if run.can_go_on:
        words = "Try again" if run.is_over and not run.checkpoint.is_dir() else "Go on"
        _button(row, run, "run", words, "play_arrow", kind="secondary" if run.is_over else "primary")
    if run.state == "running":
        _button(row, run, "pause", "Pause", "pause")
    if run.state == "paused":
        _button(row, run, "step", "One step", "step")
        _button(row, run, "epoch", "One epoch", "last_page")
    if not run.is_over:
        _button(row, run, "stop", "Stop", "stop")
    if run.steps:
        _choose_rate(row, run)
    if run.next_rate is not None:
        st.caption(f"Learning rate next: {run.next_rate:g}, set by hand. It holds from the next step on.")
    if refused := st.session_state.pop(_REFUSED, ""):
        st.error(refused, icon=":material/error:")


def _button(row, run: runs.Run, want: str, words: str, icon: str, *, kind: str = "secondary") -> None:
    row.button(
        words,
        key=f"t-{want}",
        icon=f":material/{icon}:",
        type=kind,
        help=_HELP.get(want),
        on_click=_order,
        args=(run.id,),
        kwargs={"want": want},
    )


def _choose_rate(row, run: runs.Run) -> None:
    low, high = recipe.RANGES["learning_rate"]
    now = run.steps[-1].learning_rate  # files of old runs do not know it
    # In a form, which a browser sends once: a field alone, emptied from here, is sent again by the next redraw as
    # long as the browser does not know that it is empty.
    form = row.form("t-live-rate-form", clear_on_submit=True, border=False, width="content")
    form = form.container(horizontal=True, vertical_alignment="bottom")
    form.number_input(
        "New learning rate",
        key=_RATE,
        value=None,
        min_value=low,
        max_value=high,
        format="%g",
        step=None,
        placeholder="as it is" if now is None else f"now {now:.3g}",
        width=175,
        help="For the next step on. The rest of the schedule is scaled with it; the charts mark the place.",
    )
    form.form_submit_button("Set", key="t-live-rate-set", on_click=_change_rate, args=(run.id,))


def _change_rate(run_id: str) -> None:
    rate = st.session_state[_RATE]
    if rate is not None:
        _order(run_id, learning_rate=rate)


def _order(run_id: str, **wish) -> None:
    """Tell the run; say in place why it cannot be done."""
    try:
        before = runs.get(run_id)
        runs.control(run_id, owner=visitor.owner(), **wish)
        if before.state == "paused" and "want" in wish:
            _wait_for_answer(before)
    except (runs.RunRefused, runs.UnknownRun, ValueError) as error:
        st.session_state[_REFUSED] = str(error)


def _wait_for_answer(before: runs.Run) -> None:
    """Give a paused training a moment to do a step, so that this is what the page shows next."""
    end = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < end:
        now = runs.get(before.id)
        if now.step > before.step or now.is_over or now.state == "queued":
            return
        time.sleep(GLANCE_SECONDS)
