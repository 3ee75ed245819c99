"""Reading a run from its folder, bit by bit: each line of its events is read once."""

import contextlib
import json
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from cnn_core.runs import folders
from cnn_core.training import initial
from cnn_core.training.events import (
    EpochEnded,
    Event,
    Failed,
    Finished,
    LearningRateChanged,
    Paused,
    Resumed,
    Started,
    StepLogged,
    Stopped,
    from_json,
)
from cnn_core.training.settings import Settings

MAX_BYTES = 24_000_000
"""Events of about 500 runs of ten epochs, or of 10 of the longest. In memory they take 60 MB."""

_ENDS = {Finished: "finished", Failed: "failed", Stopped: "stopped", Paused: "paused"}


@dataclass(frozen=True, kw_only=True)
class Run:
    """What is known of a run at one moment.

    Attributes:
        id: Its name in addresses.
        settings: What is trained.
        state: "queued", "running", "paused", "finished", "stopped", "failed", or "interrupted" (the app or the
            cluster ended before it did).
        created: When it was submitted, in seconds since 1970.
        owner_hash: Whose it is; see `belongs_to`.
        name: What its owner calls it; may be empty.
        note: What its owner wrote about it; may be empty.
        position: Place in the queue, 1 for the next one; None if it is not waiting.
        seconds_to_start: Estimate of the time until a waiting run starts; None if nothing can be said yet.
        started: Device, threads and versions, as soon as the data set is loaded.
        num_starts: How many attempts at it have come so far.
        steps: Loss and accuracy of the steps.
        epochs: Loss and accuracy of the epochs.
        rate_changes: Learning rates that were set by hand.
        next_rate: The learning rate that was set by hand last, as long as it is not among these; else None.
        result: The test result of a finished run.
        error: Why a failed run failed.
        checkpoint: Folder of its last checkpoint, for `checkpoints.load_weights`.
        initial_file: The weights that it begins from, for `initial.load`; None if the seed draws them.
    """

    id: str
    settings: Settings
    state: str
    created: float
    owner_hash: str
    name: str
    note: str
    position: int | None
    seconds_to_start: float | None
    started: Started | None
    num_starts: int
    steps: tuple[StepLogged, ...]
    epochs: tuple[EpochEnded, ...]
    rate_changes: tuple[LearningRateChanged, ...]
    next_rate: float | None
    result: Finished | None
    error: str
    checkpoint: Path
    initial_file: Path | None

    @property
    def folder(self) -> Path:
        """Where everything that is known of it lies."""
        return self.checkpoint.parent

    @property
    def begins_from_file(self) -> bool:
        """Whether its first weights come from a file, and not from the seed."""
        return self.initial_file is not None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it, unless its owner has it go on."""
        return self.state not in ("queued", "running", "paused")

    @property
    def can_go_on(self) -> bool:
        """Whether it has ended or waits before its time, so that `control` with "run" has it go on."""
        return self.state in ("paused", "stopped", "failed", "interrupted")

    @property
    def step(self) -> int:
        """Steps done so far."""
        return self.steps[-1].step if self.steps else 0

    @property
    def progress(self) -> float:
        """Part of the steps that is done, from 0 to 1."""
        return self.step / self.settings.num_steps

    @property
    def seconds(self) -> float:
        """Time of the steps: that of its epochs, and of the logged steps since the last of them."""
        seconds = sum(epoch.seconds for epoch in self.epochs)
        before = self.epochs[-1].step if self.epochs else 0
        for step in self.steps:
            if step.step > before:
                seconds += (step.step - before) * self.settings.batch_size / step.examples_per_second
                before = step.step
        return seconds

    @property
    def seconds_left(self) -> float | None:
        """Estimate of the time to the end of a running run, at most; None before its first steps."""
        if self.state != "running" or not self.steps:
            return None
        recent = self.steps[-20:]
        speed = sum(each.examples_per_second for each in recent) / len(recent)
        left = (1 - self.progress) * self.settings.num_epochs * self.settings.num_train / speed
        if self.settings.max_minutes:
            left = min(left, max(0.0, 60 * self.settings.max_minutes - self.seconds))
        return left

    def belongs_to(self, owner: str) -> bool:
        """Tell whether this owner submitted the run."""
        return secrets.compare_digest(self.owner_hash, folders.hash_owner(owner))


class Reader:
    """What has been read of a run so far."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.settings = Settings.from_json((folder / "settings.json").read_text(encoding="utf-8"))
        self.record = json.loads((folder / "run.json").read_bytes())
        path = folder / initial.FILE_NAME
        self.initial_file = path if path.exists() else None
        self.events: dict[type, list] = {}
        self.turn: Event | None = None  # the last event that says whether the run goes on
        self._offset = 0
        self._lock = threading.Lock()

    @property
    def num_bytes(self) -> int:
        """What has been read, in bytes of text, as a measure of the memory that it takes: about three times that."""
        return self._offset + 5000

    def refresh(self) -> None:
        """Read the lines that are new and complete."""
        with self._lock, (self.folder / "events.jsonl").open("rb") as file:
            file.seek(self._offset)
            content = file.read()
            end = content.rfind(b"\n") + 1
            self._offset += end
            for line in content[:end].splitlines():
                with contextlib.suppress(ValueError):
                    self._add(from_json(line.decode(errors="replace")))

    def _add(self, event: Event) -> None:
        """Take one more event; a start from a checkpoint takes back what had been done since that.

        A checkpoint at the last step of an epoch does not know that the epoch is over: its end comes again.
        """
        if isinstance(event, Started):
            for kind in (StepLogged, EpochEnded, LearningRateChanged):
                self.events[kind] = [each for each in self.events.get(kind, ()) if each.step <= event.step]
        if isinstance(event, EpochEnded):
            epochs = self.events.get(EpochEnded, [])
            while epochs and epochs[-1].epoch >= event.epoch:
                epochs.pop()
        if isinstance(event, Started | Resumed | Finished | Failed | Stopped | Paused):
            self.turn = event
        self.events.setdefault(type(event), []).append(event)

    def all(self, kind: type) -> tuple:
        """Return the events of a kind."""
        return tuple(self.events.get(kind, ()))

    def state(self, place: int | None) -> str:
        """Say in what state the run is, in the service's place."""
        if type(self.turn) in _ENDS:
            return _ENDS[type(self.turn)]
        if place is None:
            return "interrupted"
        return "queued" if place else "running"


class _Readers:
    """The readers that were used last, as many as have read `MAX_BYTES` together."""

    def __init__(self):
        self._kept: OrderedDict[Path, Reader] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, folder: Path) -> Reader:
        """Return the reader of a folder, with what it has read so far."""
        with self._lock:
            reader = self._kept.get(folder)
        reader = reader or Reader(folder)
        with self._lock:
            reader = self._kept.setdefault(folder, reader)
            self._kept.move_to_end(folder)
            num_bytes = sum(each.num_bytes for each in self._kept.values())
            while num_bytes > MAX_BYTES and len(self._kept) > 1:
                num_bytes -= self._kept.popitem(last=False)[1].num_bytes
        return reader

    def clear(self) -> None:
        """Forget everything that was read."""
        with self._lock:
            self._kept.clear()


_readers = _Readers()


def read(
    run_id: str, *, place: int | None = None, seconds_to_start: float | None = None, failure: str = ""
) -> Run:
    """Read a run.

    Args:
        run_id: Its id.
        place: Where the service has it: 0 if it is running, its place in the queue, or None.
        seconds_to_start: When the service expects it to start.
        failure: Why the service gave it up, if that could not be written into the folder.

    Raises:
        UnknownRun: If there is no such run, or its folder is damaged.
    """
    folder = folders.path_of(run_id)
    try:
        reader = _readers.get(folder)
        reader.refresh()
        label = folders.read_label(folder)
    except (OSError, ValueError, TypeError) as error:
        raise folders.UnknownRun(f"run {run_id} cannot be read ({error}): start it again") from None
    if isinstance(reader.turn, Failed):
        failure = reader.turn.message
    return Run(
        id=run_id,
        settings=reader.settings,
        state="failed" if failure else reader.state(place),
        created=reader.record["created"],
        owner_hash=reader.record["owner"],
        name=label.get("name", ""),
        note=label.get("note", ""),
        position=place or None,
        seconds_to_start=seconds_to_start,
        started=next(iter(reader.all(Started)[-1:]), None),
        num_starts=len(reader.all(Started)),
        steps=reader.all(StepLogged),
        epochs=reader.all(EpochEnded),
        rate_changes=reader.all(LearningRateChanged),
        next_rate=_next_rate(folder, len(reader.all(LearningRateChanged))),
        result=next(iter(reader.all(Finished)[-1:]), None),
        error=failure,
        checkpoint=folder / "checkpoint",
        initial_file=reader.initial_file,
    )


def _next_rate(folder: Path, num_changes: int) -> float | None:
    """Return the last learning rate that its owner has set, unless a worker has taken it."""
    with contextlib.suppress(OSError, folders.UnknownRun):
        rates = folders.read_wish(folder).learning_rates
        return rates[-1] if len(rates) > num_changes else None
