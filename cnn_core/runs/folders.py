"""A run as a folder: making it, adding events, reading it bit by bit, tidying it away.

settings.json    what is trained
run.json         when it was submitted, by whom (a hash), and the device
control.json     what its owner wants: {"want": "run"} or {"want": "stop"}
events.jsonl     what has happened, one event to a line
checkpoint/      parameters and optimizer state, after each epoch and after a stop
"""

import contextlib
import errno
import functools
import hashlib
import json
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from cnn_core.data.registry import unknown
from cnn_core.training.checkpoints import replace_file
from cnn_core.training.events import (
    EpochEnded,
    Event,
    Failed,
    Finished,
    Started,
    StepLogged,
    Stopped,
    from_json,
    to_json,
)
from cnn_core.training.settings import Settings

WANTS = ("run", "stop")
MAX_RUNS = 200
MAX_AGE_SECONDS = 30 * 24 * 3600
MAX_BYTES = 2_000_000_000
MAX_READERS = 64


class RunRefused(RuntimeError):  # noqa: N818
    """A run cannot be taken; the message says why."""


class UnknownRun(LookupError):  # noqa: N818
    """There is no run of that id."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What is known of a run at one moment.

    Attributes:
        id: Its name in addresses.
        settings: What is trained.
        state: "queued", "running", "finished", "stopped", "failed", or "interrupted" (the app ended
            before it did).
        created: When it was submitted, in seconds since 1970.
        owner_hash: Whose it is; see `belongs_to`.
        position: Place in the queue, 1 for the next one; None if it is not waiting.
        started: Device, threads and versions, as soon as the data set is loaded.
        steps: Loss and accuracy of the steps.
        epochs: Loss and accuracy of the epochs.
        result: The test result of a finished run.
        error: Why a failed run failed.
        checkpoint: Folder of its last checkpoint, for `checkpoints.load_weights`.
    """

    id: str
    settings: Settings
    state: str
    created: float
    owner_hash: str
    position: int | None
    started: Started | None
    steps: tuple[StepLogged, ...]
    epochs: tuple[EpochEnded, ...]
    result: Finished | None
    error: str
    checkpoint: Path

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state not in ("queued", "running")

    @property
    def step(self) -> int:
        """Steps done so far."""
        return self.steps[-1].step if self.steps else 0

    @property
    def progress(self) -> float:
        """Part of the steps that is done, from 0 to 1."""
        return self.step / self.settings.num_steps

    @property
    def seconds_left(self) -> float | None:
        """Estimate of the time to the end of a running run; None before its first steps."""
        if self.state != "running" or not self.steps:
            return None
        recent = self.steps[-20:]
        speed = sum(each.examples_per_second for each in recent) / len(recent)
        return (1 - self.progress) * self.settings.num_epochs * self.settings.num_train / speed

    def belongs_to(self, owner: str) -> bool:
        """Tell whether this owner submitted the run."""
        return secrets.compare_digest(self.owner_hash, hash_owner(owner))


def runs_folder() -> Path:
    """Return where the runs are kept: CNN_RUNS_DIR, else the user's data."""
    return Path(
        os.environ.get("CNN_RUNS_DIR") or platformdirs.user_data_path("cnn-workbench", False) / "runs"
    )


def hash_owner(owner: str) -> str:
    """Return what is kept of an owner."""
    return hashlib.sha256(owner.encode()).hexdigest()


def path_of(run_id: str) -> Path:
    """Return a run's folder.

    Raises:
        UnknownRun: If the text is not an id, or there is no such folder.
    """
    if isinstance(run_id, str) and re.fullmatch(r"[A-Za-z0-9_-]{22}", run_id):
        path = runs_folder().absolute() / run_id
        if path.is_dir():
            return path
    raise UnknownRun(f"run {str(run_id)[:40]!r} is not on this machine: it may have been tidied away")


def create(settings: Settings, *, owner: str, device: str | None) -> str:
    """Make the folder of a new run, all at once, and return its id.

    Raises:
        OSError: If it cannot be written; nothing is left.
    """
    run_id = secrets.token_urlsafe(16)
    draft = runs_folder() / f".{run_id}"
    record = {"created": time.time(), "owner": hash_owner(owner), "device": device}
    try:
        draft.mkdir(parents=True)
        (draft / "settings.json").write_text(settings.to_json(), encoding="utf-8")
        (draft / "run.json").write_text(json.dumps(record), encoding="utf-8")
        (draft / "control.json").write_text(json.dumps({"want": "run"}), encoding="utf-8")
        (draft / "events.jsonl").touch()
        draft.rename(runs_folder() / run_id)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return run_id


def cannot_write(error: OSError) -> RunRefused:
    """Word the error for a folder that cannot be written."""
    return RunRefused(
        f"the folder of the runs, {runs_folder()}, cannot be written ({error.strerror}): "
        "free some space, or name another folder in the environment variable CNN_RUNS_DIR"
    )


def write_control(run_id: str, want: str) -> None:
    """Write down what the owner of a run wants."""
    if want not in WANTS:
        raise unknown("wish", want, WANTS)
    replace_file(path_of(run_id) / "control.json", json.dumps({"want": want}).encode())


def wants_stop(folder: Path) -> bool:
    """Tell whether the owner wants the run to end."""
    return json.loads((folder / "control.json").read_bytes()) == {"want": "stop"}


def append(folder: Path, event: Event) -> None:
    """Add an event to a run. Only one process does this at a time.

    Raises:
        OSError: If it cannot be written; no part of a line is left.
    """
    with (folder / "events.jsonl").open("a+b", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        broken = file.read(1) not in (b"\n", b"")  # a killed worker may leave part of a line
        line = b"\n" * broken + to_json(event).encode() + b"\n"
        if file.write(line) < len(line):
            file.truncate(size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class _Reader:
    """What has been read of a run so far; it reads each line once."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.settings = Settings.from_json((folder / "settings.json").read_text(encoding="utf-8"))
        self.record = json.loads((folder / "run.json").read_bytes())
        self.events: dict[type, list] = {}
        self._offset = 0
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """Read the lines that are new and complete."""
        with self._lock, (self.folder / "events.jsonl").open("rb") as file:
            file.seek(self._offset)
            content = file.read()
            end = content.rfind(b"\n") + 1
            self._offset += end
            for line in content[:end].splitlines():
                with contextlib.suppress(ValueError):
                    event = from_json(line.decode(errors="replace"))
                    self.events.setdefault(type(event), []).append(event)

    def last(self, kind: type) -> Event | None:
        """Return the last event of a kind."""
        return self.events[kind][-1] if kind in self.events else None


_reader = functools.lru_cache(maxsize=MAX_READERS)(_Reader)


def read(run_id: str, *, place: int | None, failure: str) -> Run:
    """Read a run.

    Args:
        run_id: Its id.
        place: Where the service has it: 0 if it is running, its place in the queue, or None.
        failure: Why the service gave it up, if that could not be written into the folder.

    Raises:
        UnknownRun: If there is no such run, or its folder is damaged.
    """
    folder = path_of(run_id)
    try:
        reader = _reader(folder)
        reader.refresh()
    except (OSError, ValueError, TypeError) as error:
        raise UnknownRun(f"run {run_id} cannot be read ({error}): start it again") from None
    failed = reader.last(Failed)
    error = failed.message if failed else failure
    return Run(
        id=run_id,
        settings=reader.settings,
        state=_state(reader, place, error),
        created=reader.record["created"],
        owner_hash=reader.record["owner"],
        position=place or None,
        started=reader.last(Started),
        steps=tuple(reader.events.get(StepLogged, ())),
        epochs=tuple(reader.events.get(EpochEnded, ())),
        result=reader.last(Finished),
        error=error,
        checkpoint=folder / "checkpoint",
    )


def _state(reader: _Reader, place: int | None, error: str) -> str:
    if reader.last(Finished):
        return "finished"
    if error:
        return "failed"
    if reader.last(Stopped):
        return "stopped"
    if place is None:
        return "interrupted"
    return "queued" if place else "running"


def ids(owner: str | None = None) -> list[str]:
    """Return the ids of all runs, or of one owner's; the newest first."""
    created = {}
    for path in runs_folder().glob("*/run.json"):
        with contextlib.suppress(OSError, ValueError):
            record = json.loads(path.read_bytes())
            if owner is None or record["owner"] == hash_owner(owner):
                created[path.parent.name] = record["created"]
    return sorted((run_id for run_id in created if not run_id.startswith(".")), key=created.get, reverse=True)


def tidy(*, keep: Collection[str]) -> None:
    """Remove old runs: those past `MAX_RUNS`, `MAX_AGE_SECONDS` or, the newest first, `MAX_BYTES`.

    Args:
        keep: Ids that stay in any case.
    """
    num_bytes = 0
    for number, run_id in enumerate(ids()):
        folder = runs_folder() / run_id
        with contextlib.suppress(OSError):
            num_bytes += sum(path.stat().st_size for path in folder.rglob("*"))
            age = time.time() - (folder / "events.jsonl").stat().st_mtime
            if run_id not in keep and (number >= MAX_RUNS or age > MAX_AGE_SECONDS or num_bytes > MAX_BYTES):
                shutil.rmtree(folder)
