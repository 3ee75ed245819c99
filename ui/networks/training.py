"""The live panel of a training: where it stands, its curves, its last numbers."""

import math
from typing import NamedTuple

import streamlit as st

from cnn_core import runs
from cnn_core.network import LENET, PRESETS, BatchNorm, Sigmoid
from cnn_core.network import format as format_network
from cnn_core.training import Settings
from ui.networks import learned, live_control, live_look, recipe, runs_words
from ui.networks.training_charts import chance, show_charts
from ui.wording import OPTIMIZER_NAMES, count

# How often a training is looked at. Most of a class waits while a few train; who waits need not ask so often, and
# of a paused training its owner's own orders are seen at once.
POLL_SECONDS = {"queued": 2.0, "running": 0.5, "paused": 2.0}
# Steps after which the published LeNet leaves its plateau, measured with SGD and learning rate 0.1.
PLATEAU_STEPS = {"fashion-mnist": 1000, "mnist-5k": 3000}
# From so many sigmoids on, without batch norm, the loss hardly fell in 500 steps on the digits (SGD, learning rate
# 0.1); with fewer it did.
PLATEAU_SIGMOIDS = 3
MAX_NOTATION = 100


def describe(run: runs.Run) -> str:
    """Say in one line what is trained and how."""
    settings = run.settings
    momentum = f", momentum {settings.momentum:g}" if settings.optimizer == "sgd" else ""
    also = "".join(f", {words}" for words in [*recipe.unusual(settings), *runs_words.beside_settings(run)])
    return (
        f"{_network_words(settings)} on {settings.spec.title}, {OPTIMIZER_NAMES[settings.optimizer]}, "
        f"learning rate {settings.learning_rate:g}{momentum}, batches of {settings.batch_size:,}, "
        f"{count(settings.num_epochs, 'epoch')}, seed {settings.seed}{also}"
    )


def _network_words(settings: Settings) -> str:
    """Call a preset by its title, any other network by its layers."""
    if settings.network in PRESETS:
        return PRESETS[settings.network].title
    notation = format_network(settings.layers)
    shortened = notation if len(notation) <= MAX_NOTATION else notation[:MAX_NOTATION] + "…"
    return f"A network of {count(len(settings.layers.layers), 'layer')}, `{shortened}`,"


def may_stand_still(settings: Settings) -> bool:
    """Tell whether a training may stand at chance for long: several sigmoids, trained by SGD."""
    kinds = [type(layer) for layer in settings.layers.layers]
    return settings.optimizer == "sgd" and kinds.count(Sigmoid) >= PLATEAU_SIGMOIDS and BatchNorm not in kinds


def plateau_warning(settings: Settings) -> str:
    """Say how long a training with these settings may stand still, and what to do."""
    loss, steps = f"{chance('loss', settings):.3f}", PLATEAU_STEPS.get(settings.data)
    if settings.layers == LENET and steps:
        begin = (
            f"**This will stand still at first.** With sigmoids and SGD the loss stays near {loss}, which is "
            f"guessing: on {settings.spec.title}, with learning rate 0.1, for about {steps:,} steps."
        )
    else:
        num_sigmoids = sum(isinstance(layer, Sigmoid) for layer in settings.layers.layers)
        begin = (
            f"**This may stand still at first.** With {num_sigmoids} sigmoids and SGD the loss can stay near "
            f"{loss}, which is guessing, for many steps."
        )
    return (
        f"{begin} These settings make {settings.num_steps:,} steps. "
        "What happens here, below, says why. Adam, or ReLU with max pooling, gets away much sooner."
    )


def panel(run: runs.Run | None, settings: Settings) -> None:
    """Draw where a training stands; it redraws itself until the training is over, then the whole page.

    Args:
        run: The run to show, or None if there is none yet.
        settings: Those of the controls, for the empty charts.
    """

    def live() -> None:
        try:
            now = run and runs.get(run.id)
        except runs.UnknownRun:  # removed in this moment: the page says so
            st.rerun()
        if now and (_form(now), runs.trouble()) != (form, trouble):
            st.rerun()
        with st.container():  # in one piece, so that the charts below keep their place and are not built anew
            _status(now)
        if not form.is_empty:
            show_rest(now)

    def show_rest(now: runs.Run | None) -> None:
        _numbers(now)
        show_charts(now, now.settings if now else settings)
        if now and not now.is_over:
            live_look.show(now)

    form, trouble = _form(run), runs.trouble()
    st.fragment(live, run_every=form.pace)()
    if form.is_empty:
        show_rest(run)


class _Form(NamedTuple):
    """How the panel is drawn: with another form the whole page is drawn anew."""

    pace: float | None
    is_empty: bool  # most of a class waits: what stays empty meanwhile is drawn once


def _form(run: runs.Run | None) -> _Form:
    if run is None:
        return _Form(None, False)
    return _Form(POLL_SECONDS.get(run.state), run.state == "queued" and not run.steps)


def _status(run: runs.Run | None) -> None:
    """Say in what state a run is, and what that means."""
    if run is None:
        _nothing_yet()
        return
    _STATES[run.state](run)
    live_control.show(run)
    st.caption(describe(run) + _where(run))
    if may_stand_still(run.settings) and not run.is_over:
        st.info(plateau_warning(run.settings), icon=":material/hourglass:")


def _nothing_yet() -> None:
    st.markdown(":gray-badge[:material/hourglass_empty: Nothing trained yet]")
    st.markdown(
        "Press **Start**. Loss and accuracy draw themselves here while the network learns. "
        "Then you find here what it learned: the accuracy on pictures it has never seen, its feature maps, "
        "its kernels and its errors."
    )


def _where(run: runs.Run) -> str:
    """Say on what a run is executed, once it is known."""
    if not run.started:
        return ""
    if run.started.device != "cpu":
        return f"; on {run.started.device}"
    return f"; on cpu, {count(run.started.num_threads, 'thread')}"


def _queued(run: runs.Run) -> None:
    st.markdown(f":gray-badge[:material/hourglass: Waiting] place {run.position} in the queue")
    st.progress(min(run.progress, 1.0), _when_it_begins(run))


def _when_it_begins(run: runs.Run) -> str:
    if runs.trouble():
        return "It begins as soon as a training can be executed."
    if run.position == 1 and runs.machine() is None:
        return "PyTorch is being loaded, once. Then it begins."
    if run.seconds_to_start is None:
        return "It begins when those before it are done."
    if run.seconds_to_start < 1:
        return "It begins now."
    return f"It begins in about {_duration(run.seconds_to_start)}."


def _paused(run: runs.Run) -> None:
    st.markdown(":gray-badge[:material/pause: Paused] It keeps what it has learned.")
    epoch = run.steps[-1].epoch if run.steps else 1
    st.progress(
        min(run.progress, 1.0),
        f"{run.step:,} of {run.settings.num_steps:,} steps done, in epoch {epoch} of {run.settings.num_epochs}",
    )


def _running(run: runs.Run) -> None:
    st.markdown(":primary-badge[:material/play_arrow: Running] It goes on while you look at other pages.")
    st.progress(min(run.progress, 1.0), _progress_text(run))


def _progress_text(run: runs.Run) -> str:
    if not run.started:
        if runs.machine() is None:
            return "Loading PyTorch. That takes some seconds, once."
        return "Reading the pictures."
    if not run.steps:
        return f"The first steps of {run.settings.num_steps:,} are being done."
    if run.step == run.settings.num_steps:
        return "Trained. Looking at the test pictures, for the first and only time."
    last = run.steps[-1]
    may_end_before = run.settings.target_accuracy or run.settings.patience
    most = "at most " if may_end_before else ""
    return (
        f"Epoch {last.epoch} of {run.settings.num_epochs}, "
        f"{round(last.examples_per_second, -2):,.0f} examples a second, "
        f"{most}about {_duration(run.seconds_left)} left"
    )


def _finished(run: runs.Run) -> None:
    right = sum(row[index] for index, row in enumerate(run.result.confusion))
    early = "" if run.result.reason == "epochs" else f" early: {run.result.reason}"
    st.success(
        f"Finished{early}. The network names **{right:,} of {len(run.result.predictions):,}** test pictures right: "
        f"test accuracy **{run.result.test_accuracy:.3f}**.",
        icon=":material/check_circle:",
    )
    if run.result.test_accuracy < 2 * chance("accuracy", run.settings):
        st.info(_no_better_than_chance(run), icon=":material/casino:")


def _no_better_than_chance(run: runs.Run) -> str:
    settings = run.settings
    if may_stand_still(settings):
        return (
            f"That is guessing: after {settings.num_steps:,} steps it has not left the plateau. "
            "Train it longer, or choose Adam, or a network with ReLU and max pooling."
        )
    smaller, (least, _) = settings.learning_rate / 10, recipe.RANGES["learning_rate"]
    if max((each.learning_rate for each in run.rate_changes), default=0.0) > settings.learning_rate:
        smaller = settings.learning_rate  # by hand it was larger
    advice = f"a smaller learning rate, such as {smaller:g}, or " if smaller >= least else ""
    return (
        "That is hardly better than guessing. Perhaps the steps were too large and overshot, or there were too "
        f"few, or the network learns slowly. Try {advice}more epochs."
    )


def _stopped(run: runs.Run) -> None:
    done = f"after {run.step:,} of {run.settings.num_steps:,} steps" if run.steps else "before its first step"
    kept = " What it learned until then is kept: look at its feature maps and kernels below." * bool(
        run.steps
    )
    st.info(f"Stopped {done}.{kept} The test pictures were not looked at.", icon=":material/stop_circle:")


def _failed(run: runs.Run) -> None:
    again = " With the same learning rate it would happen again." * ("diverged" in run.error)
    st.error(f"This training failed: {run.error}. {_what_is_kept(run)}{again}", icon=":material/error:")


def _interrupted(run: runs.Run) -> None:
    st.warning(
        f"Interrupted: the app, or what trains for it, ended in the middle of this training. {_what_is_kept(run)}",
        icon=":material/power_off:",
    )


def _what_is_kept(run: runs.Run) -> str:
    """Say from where a training can go on: from its checkpoint, which may be older than the last that it told."""
    if not run.checkpoint.is_dir():
        return "Nothing of it is kept: it can only begin anew."
    try:
        kept = learned.read(run)
    except (ValueError, runs.UnknownRun):
        return "What is kept of it cannot be read."
    words = f"What it learned in its first {count(kept.num_steps, 'step')} is kept."
    last = next((each for each in run.epochs if each.epoch == kept.num_epochs), None)
    if last is None:
        return f"{words} It had not come to the end of an epoch then."
    accuracy = last.validation_accuracy
    reached = "" if accuracy is None else f", with validation accuracy {accuracy:.3f}"
    return f"{words} The last whole epoch among them is number {last.epoch}{reached}."


_STATES = {
    "queued": _queued,
    "running": _running,
    "paused": _paused,
    "finished": _finished,
    "stopped": _stopped,
    "failed": _failed,
    "interrupted": _interrupted,
}


def _numbers(run: runs.Run | None) -> None:
    """Show the accuracies: of the last epoch, and the test's, which comes once."""
    last = run.epochs[-1] if run and run.epochs else None
    test = f"{run.result.test_accuracy:.3f}" if run and run.result else "—"
    validation = last.validation_accuracy if last else None
    with st.container(horizontal=True):
        st.metric("Training accuracy", f"{last.train_accuracy:.3f}" if last else "—", border=True)
        st.metric("Validation accuracy", "—" if validation is None else f"{validation:.3f}", border=True)
        st.metric("Test accuracy", test, border=True, help="Measured once, when the training is complete.")


def _duration(seconds: float) -> str:
    return f"{math.ceil(seconds)} s" if seconds < 90 else f"{seconds / 60:.0f} min"
