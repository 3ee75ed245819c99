"""What the page says of the trainings of an experiment: what made them, how far they are, what went wrong."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from cnn_core import experiments, runs
from cnn_core.experiments import LENET, MLP, Experiment, Outcome, Trial
from cnn_core.network import PRESETS
from cnn_core.training import Settings
from ui.wording import OPTIMIZER_NAMES, count

HELP = "Kept with the app: trained once, and shipped with it. Trained here: the runs below."
MONTHS = ("January", "February", "March", "April", "May", "June", "July")
MONTHS += ("August", "September", "October", "November", "December")


def what_the_buttons_do(kept: Sequence[Outcome], *, is_mine: bool, is_active: bool) -> str:
    """Say what pressing a button means here.

    Args:
        kept: What came of the same trainings, as it is kept with the app.
        is_mine: Whether the trainings that are followed, if there are any, are the visitor's.
        is_active: Whether they go on.
    """
    if not is_mine:
        return "Somebody else had these trained. You can look at them, and have your own trained."
    if is_active:
        return "They go on while you look at other pages. The address brings you back to them."
    return (
        f"{count(len(kept), 'training')}, one after another. "
        f"Those kept with the app took {_duration(sum(each.seconds for each in kept))} in all."
    )


def gone(number: int) -> str:
    """Say that the address names runs that are not here."""
    return (
        f"{count(number, 'training')} that this address names {'is' if number == 1 else 'are'} not on this machine, "
        "or not of this experiment. They may have been removed, or the address may be incomplete."
    )


def refused(error: Exception, num_taken: int, num_wanted: int) -> str:
    """Say why not all trainings were taken, and what to do."""
    if num_taken == num_wanted or num_taken == 0:
        return str(error)
    return f"{error}. {num_taken} of {num_wanted} trainings are here. Go on asks for the others."


def made(experiment: Experiment, outcomes: Sequence[Outcome], *, is_shipped: bool) -> list[str]:
    """Say when, where and with what results were made; what is not known yet is left out."""
    lines = [_how(experiment)]
    if outcomes:
        lines.insert(0, _where(outcomes, "Kept with the app: trained" if is_shipped else "Trained here"))
    if is_shipped:
        lines[0] += f" Made with `python -m cnn_core experiment {experiment.name}`."
    return lines


def _where(outcomes: Sequence[Outcome], begin: str) -> str:
    days = _joined(_day(each.date) for each in sorted(outcomes, key=lambda each: each.date))
    places = _joined(f"{each.device}, {count(each.num_threads, 'thread')}" for each in outcomes)
    versions = _joined(f"PyTorch {each.versions.get('torch', '?')}" for each in outcomes)
    seconds = sum(each.seconds for each in outcomes)
    return f"{begin} on {days} with {versions} on {places}, in {_duration(seconds)}."


def _how(experiment: Experiment) -> str:
    """Say what all trainings of an experiment have in common, and what they differ in."""
    settings = [trial.settings for trial in experiment.trials]
    first = settings[0]
    networks = {each.network: f"{_network(each)}" for each in settings}
    epochs = {each.num_epochs for each in settings}
    length = f"{first.num_steps:,} steps" + (f" ({first.num_epochs} epochs)" if len(epochs) == 1 else "")
    seeds = sorted({each.seed for each in settings})
    seeds_words = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {_joined(seeds)}"
    sizes = sorted({each.num_train for each in settings})
    pictures = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
    return (
        f"{first.spec.title}: {pictures} to train on, {first.num_validation:,} for validation, "
        f"{first.spec.num_test:,} for the test. {_joined(networks.values(), '; ')}. "
        f"{OPTIMIZER_NAMES[first.optimizer]}, learning rate {first.learning_rate:g}, batches of "
        f"{first.batch_size}, {length} each, {seeds_words}."
    )


def _network(settings: Settings) -> str:
    parameters = experiments.num_params(settings.layers)
    name = PRESETS[settings.network].title if settings.network in PRESETS else f"MLP `{settings.network}`"
    return f"{name}, {parameters:,} parameters"


def compared(outcomes: Sequence[Outcome], shipped: Sequence[Outcome]) -> str:
    """Say how many test accuracies are the shipped ones, exactly; empty while none is known."""
    before = {each.label: each.test_accuracy for each in shipped}
    done = [each for each in outcomes if each.test_accuracy is not None]
    if not done:
        return ""
    same = sum(each.test_accuracy == before[each.label] for each in done)
    text = f"The same test accuracy as kept with the app: {same} of {count(len(done), 'training')}."
    if same < len(done):
        text += (
            " Another processor, version or number of threads rounds in another way. In a training such small "
            "differences grow: the accuracy may be some pictures higher or lower."
        )
    return text


def progress(trials: Sequence[tuple[Trial, runs.Run | None]]) -> str:
    """Say in a line how far the trainings are."""
    found = [(trial, run) for trial, run in trials if run]
    done = f"{sum(run.result is not None for _, run in found)} of {count(len(trials), 'training')} finished"
    running = next(((trial, run) for trial, run in found if run.state == "running"), None)
    if running:
        trial, run = running
        return f"{done}. Now: {trial.label}, {run.progress:.0%}."
    positions = [run.position for _, run in found if run.position]
    if not positions:
        return f"{done}."
    if trouble := runs.trouble():
        return f"{done}. No training can be executed now: {trouble}."
    if runs.machine() is None:
        return f"{done}. PyTorch is being loaded, once. Then it begins."
    return f"{done}. The next one waits: place {min(positions)} in the queue."


def table(cells: Iterable[tuple[str, str, runs.Run | None]]) -> str:
    """Write the states of runs as a table in Markdown; each leads to its run.

    Args:
        cells: Row, column and run of each; those of one cell stand side by side.
    """
    rows: dict[str, dict[str, list[str]]] = {}
    columns: dict[str, None] = {}
    for row, column, run in cells:
        columns[column] = None
        rows.setdefault(row, {}).setdefault(column, []).append(_state(run))
    lines = [f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    lines += [
        f"| **{row}** | {' | '.join(' · '.join(entries.get(column, ())) for column in columns)} |"
        for row, entries in rows.items()
    ]
    return "\n".join(lines)


def _state(run: runs.Run | None) -> str:
    if run is None:
        return "not yet"
    words = run.state
    if run.result:
        words = f"{run.result.test_accuracy:.3f}"
    elif run.state == "running":
        words = f"{run.progress:.0%}"
    elif run.position:
        words = f"place {run.position}"
    return f"[{words}](lenet-trainer?run={run.id})"


def failures(trials: Iterable[tuple[Trial, runs.Run | None]]) -> Mapping[str, list[str]]:
    """Group what failed or was interrupted by the reason."""
    reasons: dict[str, list[str]] = {}
    for trial, run in trials:
        if run and run.state in ("failed", "interrupted"):
            reason = run.error or "The app, or what trains for it, ended in the middle"
            reasons.setdefault(reason[:1].upper() + reason[1:], []).append(trial.label)
    return reasons


def network_words(network: str) -> str:
    """Call a network as in the middle of a sentence."""
    return {LENET: LENET, MLP: f"the {MLP}"}[network]


def _day(date: str) -> str:
    """Write a date as text, in UTC: not by the machine's locale."""
    day = datetime.fromisoformat(date)
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def _joined(words: Iterable[object], between: str = ", ") -> str:
    return between.join(dict.fromkeys(map(str, words)))


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s of training" if seconds < 90 else f"{seconds / 60:.0f} min of training"
