"""Runs: trainings that go on while nobody looks. A run is a folder; this module is the door to all of them.

Pages know `submit`, `get`, `list` and `control`. What executes the runs, one worker process with torch loaded
and a fair queue in front of it, stays behind the door. Nothing here imports torch.
"""

import atexit
import contextlib

from cnn_core.runs import folders
from cnn_core.runs.folders import Run, RunRefused, UnknownRun
from cnn_core.runs.service import MAX_QUEUED, Machine, QueueFull, Service
from cnn_core.training.settings import Settings

__all__ = [
    "MAX_QUEUED",
    "Machine",
    "QueueFull",
    "Run",
    "RunRefused",
    "UnknownRun",
    "control",
    "get",
    "list",
    "machine",
    "shut_down",
    "submit",
    "warm_up",
]

_SERVICE = Service()


def submit(settings: Settings, *, owner: str, device: str | None = None) -> str:
    """Put a training into the queue.

    Args:
        settings: What to train.
        owner: Whoever asks, by any text that tells visitors apart; kept only as a hash. The queue takes turns
            between owners.
        device: A name in `Machine.devices`; None for the usual one.

    Returns:
        The run's id, which cannot be guessed.

    Raises:
        QueueFull: If `MAX_QUEUED` runs are waiting.
        RunRefused: If the folder of the runs cannot be written.
    """
    folders.tidy(keep=_SERVICE.active_ids())
    return _SERVICE.submit(settings, owner=owner, device=device)


def get(run_id: str) -> Run:
    """Read a run. It is cheap enough to call twice a second for each visitor.

    Raises:
        UnknownRun: If there is no such run, or the text is no id at all.
    """
    place = _SERVICE.place(run_id)
    return folders.read(run_id, place=place, failure=_SERVICE.failures.get(run_id, ""))


def list(owner: str | None = None) -> tuple[Run, ...]:
    """Read all runs, or those of one owner; the newest first."""
    found = []
    for run_id in folders.ids(owner):
        with contextlib.suppress(UnknownRun):  # tidied away meanwhile
            found.append(get(run_id))
    return tuple(found)


def control(run_id: str, want: str) -> None:
    """Tell a run what its owner wants: "stop".

    A waiting run leaves the queue; a running one ends within a moment, and its checkpoint is saved.

    Raises:
        UnknownRun: If there is no such run.
        RunRefused: If the folder of the run cannot be written.
        ValueError: If `want` is something else.
    """
    try:
        folders.write_control(run_id, want)
        _SERVICE.cancel(run_id)
    except OSError as error:
        raise folders.cannot_write(error) from None


def warm_up() -> None:
    """Start the worker, so that torch is loaded before the first run is submitted. It returns at once."""
    _SERVICE.warm_up()


def machine() -> Machine | None:
    """Return what the worker says of the machine; None while it has not yet started."""
    return _SERVICE.machine


def shut_down() -> None:
    """End the worker. What runs is left as it is: interrupted, with its last checkpoint."""
    _SERVICE.shut_down()


atexit.register(shut_down)
