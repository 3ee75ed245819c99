"""Runs: trainings that go on while nobody looks. A run is a folder; this module is the door to all of them.

Pages know `submit`, `get`, `list` and `control`. What executes the runs stays behind the door: a fair queue, and
an engine, which is a cluster of Dask on this machine unless the environment variable CNN_SCHEDULER names another
(docs/engine.md). Nothing here imports torch.
"""

import atexit
import contextlib

from cnn_core.data.registry import unknown
from cnn_core.inspection.parameters import Parameters
from cnn_core.runs import folders
from cnn_core.runs.engines import EngineFailed, Machine
from cnn_core.runs.folders import RunRefused, UnknownRun
from cnn_core.runs.reading import Run, read
from cnn_core.runs.service import MAX_QUEUED, QueueFull, Service
from cnn_core.training import initial
from cnn_core.training.settings import Settings, check_learning_rate

__all__ = [
    "MAX_QUEUED",
    "WANTS",
    "EngineFailed",
    "Machine",
    "QueueFull",
    "Run",
    "RunRefused",
    "UnknownRun",
    "control",
    "delete",
    "get",
    "label",
    "list",
    "machine",
    "shut_down",
    "submit",
    "trouble",
    "warm_up",
]

WANTS = ("run", "pause", "stop", "step", "epoch")
MAX_NAME, MAX_NOTE = 60, 2000
_SERVICE = Service()


def submit(
    settings: Settings, *, owner: str, device: str | None = None, weights: Parameters | None = None
) -> str:
    """Put a training into the queue.

    Args:
        settings: What to train.
        owner: Whoever asks, by any text that tells visitors apart and cannot be guessed; kept only as a hash.
            The queue takes turns between owners and executes one run of each at a time.
        device: A name in `Machine.devices`; None for the usual one.
        weights: What the training begins from, instead of what the seed draws; see `training.train`.

    Returns:
        The run's id, which cannot be guessed.

    Raises:
        QueueFull: If `MAX_QUEUED` runs are waiting, or so many that the last places are kept for visitors who have
            fewer waiting; see docs/engine.md.
        RunRefused: If the folder of the runs cannot be written, or its limits are no numbers greater than 0.
        ValueError: If the weights do not fit the network.
    """
    if weights is not None:
        initial.check(weights, settings.layers, settings.spec.input_shape)
    folders.limits()
    return _SERVICE.submit(settings, owner=owner, device=device, weights=weights)


def get(run_id: str) -> Run:
    """Read a run. It is cheap enough to call twice a second for each visitor.

    Raises:
        UnknownRun: If there is no such run, or the text is no id at all.
    """
    place = _SERVICE.place(run_id)
    seconds = _SERVICE.seconds_to_start(run_id) if place else None
    failure = _SERVICE.failures.get(run_id, "")
    return read(run_id, place=place, seconds_to_start=seconds, failure=failure)


def list(owner: str | None = None) -> tuple[Run, ...]:
    """Read all runs, or those of one owner; the newest first."""
    found = []
    for run_id in folders.ids(owner):
        with contextlib.suppress(UnknownRun):  # tidied away meanwhile
            found.append(get(run_id))
    return tuple(found)


def control(run_id: str, want: str | None = None, *, owner: str, learning_rate: float | None = None) -> None:
    """Tell a run what its owner wants.

    Args:
        run_id: The run.
        want: "pause", "stop", or "run" to go on, also with a run that was interrupted or failed, from its last
            checkpoint; "step" or "epoch" to do one, or what is left of it, and pause then. None to leave that.
        owner: Who wants it.
        learning_rate: Learning rate of the next step; the rest of the schedule is scaled with it.

    A waiting run that is stopped or paused leaves the queue. A running one obeys after its next event, with a
    checkpoint; if it is paused for longer than some seconds it gives its place to another run, and goes on in its
    turn.

    Raises:
        UnknownRun: If there is no such run.
        QueueFull: If it would have to wait, and there is no place; see `submit`.
        RunRefused: If it is not this owner's, or its folder cannot be written.
        ValueError: If `want` is something else, or the learning rate is no finite number greater than 0.
    """
    run = _own(run_id, owner)
    if want is not None and want not in WANTS:
        raise unknown("wish", want, WANTS)
    changes = {}
    if want is not None:
        changes["want"] = "pause" if want in ("step", "epoch") else want
        length = {"step": 1, "epoch": run.settings.steps_per_epoch}.get(want)
        changes["step"] = (run.step // length + 1) * length if length else 0
    if learning_rate is not None:
        check_learning_rate(learning_rate)
        changes["learning_rate"] = learning_rate
    try:
        folders.change_wish(folders.path_of(run_id), **changes)
        if want is not None:
            _SERVICE.heed(run_id)
    except OSError as error:
        raise folders.cannot_write(error) from None


def label(run_id: str, *, owner: str, name: str | None = None, note: str | None = None) -> None:
    """Give a run a name, a note, or both; None leaves what is there.

    Raises:
        UnknownRun: If there is no such run.
        RunRefused: If it is not this owner's, or its folder cannot be written.
        ValueError: If the name or the note is too long.
    """
    run = _own(run_id, owner)
    texts = {"name": run.name if name is None else name, "note": run.note if note is None else note}
    for what, limit in (("name", MAX_NAME), ("note", MAX_NOTE)):
        if len(texts[what]) > limit:
            raise ValueError(f"{what} has {len(texts[what])} characters, more than {limit}")
    try:
        folders.write_label(folders.path_of(run_id), texts)
    except OSError as error:
        raise folders.cannot_write(error) from None


def delete(run_id: str, *, owner: str) -> None:
    """Remove a run with all that is kept of it.

    Raises:
        UnknownRun: If there is no such run.
        RunRefused: If it is not this owner's, it waits or runs, or its folder cannot be written.
    """
    _own(run_id, owner)
    if run_id in _SERVICE.active_ids():
        raise RunRefused("the run is not over: stop it first")
    try:
        folders.remove(folders.path_of(run_id))
    except OSError as error:
        raise folders.cannot_write(error) from None


def warm_up() -> None:
    """Start the engine, so that torch is loaded before the first run is submitted. It returns at once."""
    _SERVICE.warm_up()


def machine() -> Machine | None:
    """Return what a worker has to train with; None while none has yet started."""
    return _SERVICE.machine


def trouble() -> str:
    """Say why runs cannot be executed at present: no engine could be started, or it has no worker; "" if they can.

    It is what was found the last time that the engine was asked, which `warm_up` has it be.
    """
    return _SERVICE.trouble


def shut_down() -> None:
    """End the engine. What runs is left as it is: interrupted, with its last checkpoint."""
    _SERVICE.shut_down()


def _own(run_id: str, owner: str) -> Run:
    """Read a run that is this owner's."""
    run = get(run_id)
    if not run.belongs_to(owner):
        raise RunRefused("the run is somebody else's: it can be looked at, not changed")
    return run


atexit.register(shut_down)
