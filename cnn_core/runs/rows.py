"""Many runs at a glance: a short row for each, cheap to ask for again. What has ended is read once."""

import contextlib
import functools
from collections.abc import Iterable
from dataclasses import dataclass

from cnn_core import runs
from cnn_core.runs import folders
from cnn_core.runs.reading import Run
from cnn_core.training.events import LearningRateChanged
from cnn_core.training.settings import Settings

MAX_KEPT = 4096


@dataclass(frozen=True, kw_only=True)
class Row:
    """What a table says of a run.

    Attributes:
        id: The run.
        settings: What is trained.
        state: As in `Run`.
        created: When it was submitted, in seconds since 1970.
        owner_hash: Whose it is.
        name: What its owner calls it; may be empty.
        is_over: As in `Run`.
        progress: Part of the steps that is done, from 0 to 1.
        position: Place in the queue; None if it does not wait.
        seconds: Time of the steps.
        best_accuracy: Largest validation accuracy of its epochs; None if there is none.
        test_accuracy: None unless it is finished.
        begins_from_file: As in `Run`.
        rate_changes: As in `Run`.
    """

    id: str
    settings: Settings
    state: str
    created: float
    owner_hash: str
    name: str
    is_over: bool
    progress: float
    position: int | None
    seconds: float
    best_accuracy: float | None
    test_accuracy: float | None
    begins_from_file: bool
    rate_changes: tuple[LearningRateChanged, ...]


def rows(owner: str, also: Iterable[str] = ()) -> list[Row]:
    """Return a row for each run of an owner, and for some others, the newest first.

    Args:
        owner: As in `runs.list`.
        also: Ids of further runs; those that are no longer here are left out.
    """
    found = []
    for run_id in {*folders.ids(owner), *also}:
        with contextlib.suppress(runs.UnknownRun, OSError):  # tidied away meanwhile
            found.append(_ended(run_id, _stamp(run_id)) or row_of(runs.get(run_id)))
    return sorted(found, key=lambda row: row.created, reverse=True)


def row_of(run: Run) -> Row:
    """Sum up a run."""
    accuracies = [each.validation_accuracy for each in run.epochs if each.validation_accuracy is not None]
    return Row(
        id=run.id,
        settings=run.settings,
        state=run.state,
        created=run.created,
        owner_hash=run.owner_hash,
        name=run.name,
        is_over=run.is_over,
        progress=run.progress,
        position=run.position,
        seconds=run.seconds,
        best_accuracy=max(accuracies, default=None),
        test_accuracy=run.result.test_accuracy if run.result else None,
        begins_from_file=run.begins_from_file,
        rate_changes=run.rate_changes,
    )


def _stamp(run_id: str) -> tuple[tuple[int, int], ...]:
    """Return what changes whenever something is written into a run's folder that its row shows."""
    folder, stamp = folders.path_of(run_id), []
    for name in ("events.jsonl", "label.json"):
        with contextlib.suppress(FileNotFoundError):
            status = (folder / name).stat()
            stamp.append((status.st_size, status.st_mtime_ns))
    return tuple(stamp)


@functools.lru_cache(maxsize=MAX_KEPT)
def _ended(run_id: str, stamp: tuple) -> Row | None:
    """Return the row of a run that stays as it is until something is written into its folder; else None."""
    run = runs.get(run_id)
    return row_of(run) if run.state in ("finished", "stopped", "failed") else None
