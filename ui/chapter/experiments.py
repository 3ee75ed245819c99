"""The trainings of an experiment: results that are kept with the app, and the same trainings again, live.

Those that a visitor starts are runs like any other. Their ids stand in the address: a reload and a link find them.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

import streamlit as st

from cnn_core import experiments, runs
from cnn_core.experiments import Experiment, Outcome, Results, Trial
from cnn_core.training import Settings
from ui import controls, visitor
from ui.chapter import experiments_words

# How often the trainings are looked at while one trains, and while all wait.
TRAINS_SECONDS, WAITS_SECONDS = 1.0, 2.0
SOURCE, OWN, SHIPPED = "w-results", "trained here", "kept with the app"
ID_LENGTH, SEPARATOR = 22, "."
_REFUSED = "experiment-refused"


@dataclass(frozen=True)
class Followed:
    """An experiment and those of its trainings that a visitor follows.

    Attributes:
        experiment: What the page shows; it may be a part of the whole one.
        found: The runs that the address names, by label; there may be some of the whole experiment beyond it.
        num_gone: How many ids of the address name none of these.
    """

    experiment: Experiment
    found: Mapping[str, runs.Run]
    num_gone: int

    @property
    def is_active(self) -> bool:
        """Whether one of them waits, trains or is paused."""
        return any(not run.is_over for run in self.found.values())

    @property
    def pace(self) -> float | None:
        """Seconds until they are worth another look; None if nothing more will happen."""
        if not self.is_active:
            return None
        return TRAINS_SECONDS if any(run.state == "running" for run in self.found.values()) else WAITS_SECONDS

    @property
    def is_own(self) -> bool:
        """Whether they are the visitor's."""
        return all(run.belongs_to(visitor.owner()) for run in self.found.values())

    @property
    def trials(self) -> list[tuple[Trial, runs.Run | None]]:
        """The experiment's trainings, each with its run if there is one."""
        return [(trial, self.found.get(trial.label)) for trial in self.experiment.trials]

    @property
    def unfinished(self) -> list[Trial]:
        """The trainings that are neither finished nor on their way."""
        return [trial for trial, run in self.trials if run is None or run.can_go_on]

    @property
    def stage(self) -> tuple[bool, int, int]:
        """What the buttons depend on."""
        return self.is_active, len(self.found), len(self.unfinished)

    @property
    def outcomes(self) -> list[Outcome]:
        """What has come of those that have begun."""
        return [
            experiments.of_events(trial, _events(run), created=run.created)
            for trial, run in self.trials
            if run and run.started
        ]


def _events(run: runs.Run) -> list:
    return [run.started, *run.epochs, *([run.result] if run.result else [])]


def follow(experiment: Experiment) -> Followed:
    """Read the runs that the address names, as they are in this moment."""
    return read(experiment, _ids(experiment))


def read(experiment: Experiment, ids: Sequence[str]) -> Followed:
    """Read runs; one that does not train what the experiment does, as it does, is none of its trainings."""
    trials = {trial.settings: trial.label for trial in experiments.find(experiment.name).trials}
    found = {}
    for run_id in ids:
        with contextlib.suppress(runs.UnknownRun):
            run = runs.get(run_id)
            is_changed = run.rate_changes or run.initial_file
            if run.settings in trials and not is_changed:
                found[trials[run.settings]] = run
    return Followed(experiment, found, len(ids) - len(found))


def _key(experiment: Experiment) -> str:
    """Name the hidden control: not as those of the page, so that no setting to try forgets the runs."""
    return f"why-{experiment.name}"


def _ids(experiment: Experiment) -> list[str]:
    most = len(experiments.find(experiment.name).trials) * (ID_LENGTH + len(SEPARATOR))
    text = controls.hidden(key=_key(experiment), max_chars=most)
    return [each for each in text.split(SEPARATOR) if each]


def choose(followed: Followed) -> bool:
    """Draw what the visitor can have done, and choose whose results are shown.

    Returns:
        Whether these are those of the runs, not the ones kept with the app.
    """
    shows_own = bool(followed.found) and (
        controls.choice("Results", [OWN, SHIPPED], key=SOURCE, help=experiments_words.HELP) == OWN
    )
    if followed.num_gone:
        st.warning(experiments_words.gone(followed.num_gone), icon=":material/link_off:")
    is_mine = followed.is_own and bool(followed.found)
    with st.container(horizontal=True):
        if is_mine and followed.unfinished:
            _button("Go on", "play_arrow", _go_on, followed)
        if is_mine and followed.is_active:
            _button("Stop all", "stop", _stop, followed)
        else:
            _button("Train these again", "model_training", _start, followed)
    words = experiments_words.what_the_buttons_do(
        shipped_outcomes(followed.experiment), is_mine=followed.is_own, is_active=followed.is_active
    )
    st.caption(words)
    if refused := st.session_state.pop(_REFUSED, ""):
        st.error(refused, icon=":material/error:")
    return shows_own


def _button(words: str, icon: str, action: Callable[[Followed], None], followed: Followed) -> None:
    key = f"why-{words.lower().replace(' ', '-')}"
    st.button(words, key=key, icon=f":material/{icon}:", on_click=action, args=(followed,))


def _start(followed: Followed) -> None:
    """Submit all trainings anew; those that were followed until now stay in the visitor's list of runs."""
    _train(followed.experiment, {})


def _go_on(followed: Followed) -> None:
    """Have those go on that ended before their time, and submit those that are missing."""
    _train(followed.experiment, followed.found)


def _train(experiment: Experiment, found: Mapping[str, runs.Run]) -> None:
    owner, ids = visitor.owner(), {label: run.id for label, run in found.items()}
    try:
        for trial in experiment.trials:
            run = found.get(trial.label)
            if run is None:
                ids[trial.label] = runs.submit(trial.settings, owner=owner)
                runs.label(ids[trial.label], owner=owner, name=trial.label)
            elif run.can_go_on:
                runs.control(run.id, "run", owner=owner)
    except (runs.RunRefused, runs.UnknownRun) as error:
        st.session_state[_REFUSED] = experiments_words.refused(error, len(ids), len(experiment.trials))
    if ids:
        controls.set_values({_key(experiment): SEPARATOR.join(ids.values()), SOURCE: OWN})


def _stop(followed: Followed) -> None:
    for run in followed.found.values():
        if not run.is_over:
            try:
                runs.control(run.id, "stop", owner=visitor.owner())
            except (runs.RunRefused, runs.UnknownRun) as error:
                st.session_state[_REFUSED] = str(error)


def panel(
    followed: Followed,
    draw: Callable[[Sequence[Outcome]], None],
    *,
    shows_own: bool,
    cell: Callable[[Trial], tuple[str, str]],
) -> None:
    """Draw the results; while trainings go on, again and again, and the whole page when they have ended.

    Args:
        followed: As the rest of the page knows it.
        draw: Draws the figure and its line from what has come so far.
        shows_own: As `choose` has it.
        cell: Row and column of a training in the table of the runs.
    """
    ids = [run.id for run in followed.found.values()]

    def live() -> None:
        now = read(followed.experiment, ids)
        if (now.stage, now.pace) != (followed.stage, followed.pace):
            st.rerun()
        shipped = shipped_outcomes(now.experiment)
        outcomes = now.outcomes if shows_own else shipped
        if now.is_active:
            _show_progress(now)
        draw(outcomes)
        for line in experiments_words.made(now.experiment, outcomes, is_shipped=not shows_own):
            st.caption(line)
        if shows_own and (same := experiments_words.compared(outcomes, shipped)):
            st.caption(same)
        if now.found:
            _where_they_are(now, cell)

    st.fragment(live, run_every=followed.pace)()


def shipped_outcomes(experiment: Experiment) -> list[Outcome]:
    """Return the results that are kept with the app, of the trainings of this experiment."""
    labels = {trial.label for trial in experiment.trials}
    return [each for each in _shipped(experiment.name).outcomes if each.label in labels]


@st.cache_resource(max_entries=len(experiments.EXPERIMENTS), show_spinner=False)
def _shipped(name: str) -> Results:
    return experiments.shipped(name)


def _show_progress(now: Followed) -> None:
    """Say how far the trainings are, all in all."""
    trials = now.trials
    part = sum(1 if run.result else run.progress for _, run in trials if run) / len(trials)
    st.progress(min(part, 1.0), experiments_words.progress(trials))


def _where_they_are(now: Followed, cell: Callable[[Trial], tuple[str, str]]) -> None:
    """Say how far each training is, with the way to its own page, and why some failed."""
    trials = now.trials
    st.markdown(experiments_words.table([(*cell(trial), run) for trial, run in trials]))
    several = " Seeds stand side by side." if len({trial.settings.seed for trial, _ in trials}) > 1 else ""
    st.caption(
        f"A number is a test accuracy. Each entry leads to its training in the LeNet trainer.{several}"
    )
    for reason, labels in experiments_words.failures(trials).items():
        st.error(f"{reason} ({', '.join(labels)}). Go on tries again.", icon=":material/error:")


def in_a_terminal(experiment: Experiment) -> None:
    """Show the commands that do the whole experiment, and one of its trainings."""
    trial = next(each for each in experiment.trials[::-1] if each.settings.seed == 0)
    st.caption(f"In a terminal: the whole experiment, and one training of it ({trial.label})")
    st.code(
        f"python -m cnn_core experiment {experiment.name} --save results.json\n"
        f"python -m cnn_core train --device cpu --threads 1 {_options(trial.settings)}",
        language="bash",
        wrap_lines=True,
    )


def _options(settings: Settings) -> str:
    """Write what differs from the usual settings as options of the terminal."""
    usual, words = Settings(), []
    for field in fields(Settings):
        value = getattr(settings, field.name)
        if value != getattr(usual, field.name):
            flag = "--" + field.name.removeprefix("num_").replace("_", "-")
            words.append(flag if value is True else f"{flag} {value}")
    return " ".join(words)
