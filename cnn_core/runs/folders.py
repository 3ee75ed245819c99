"""A run as a folder: making it, its owner's wishes, adding events, tidying it away.

settings.json    what is trained
run.json         when it was submitted, by whom (a hash), and the device
initial.safetensors  the weights that it begins from, if they were brought along
label.json       name and note that its owner gave it; may be missing
control.json     what its owner wants of it: a `Wish`
events.jsonl     what has happened, one event to a line
checkpoint/      parameters and optimizer state, after each epoch, each pause and a stop
glimpse.safetensors  parameters of the first layers, each second while it trains
"""

import contextlib
import errno
import functools
import hashlib
import json
import math
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import platformdirs
from safetensors.numpy import save as to_bytes

from cnn_core.inspection.parameters import Parameters
from cnn_core.training import initial
from cnn_core.training.checkpoints import replace_file
from cnn_core.training.events import Event, Failed, Finished, Paused, Stopped, to_json
from cnn_core.training.settings import Settings

MAX_RUNS = 1000
MAX_DAYS = 30
MAX_GIGABYTES = 2
HOUR = 3600
_ID = r"[A-Za-z0-9_-]{22}"
_FILES = {"settings", "run", "initial", "label", "control", "events", "checkpoint", "glimpse"}
_ENDS = tuple(f'{{"event": "{kind.__name__}"'.encode() for kind in (Finished, Failed, Stopped, Paused))


class RunRefused(RuntimeError):  # noqa: N818
    """What is asked of a run cannot be done; the message says why."""


class UnknownRun(LookupError):  # noqa: N818
    """There is no run of that id."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the owner of a run wants of it, and which attempt at it is the one that counts.

    Attributes:
        want: "run", "pause" or "stop".
        step: Pause when so many steps are done; 0 at once.
        learning_rates: All that were set by hand so far; the last one is to hold.
        attempt: Only the attempt of this number may write into the folder: a worker that was given up for
            dead, and is not, finds out by it.
    """

    want: str = "run"
    step: int = 0
    learning_rates: tuple[float, ...] = ()
    attempt: int = 0

    def goes_beyond(self, step: int) -> bool:
        """Tell whether a run that has done so many steps is to do more."""
        return self.want == "run" or (self.want == "pause" and step < self.step)


_CONTROL_LOCK = threading.Lock()


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
    if isinstance(run_id, str) and re.fullmatch(_ID, run_id):
        path = runs_folder().absolute() / run_id
        if path.is_dir():
            return path
    raise UnknownRun(f"run {str(run_id)[:40]!r} is not on this machine: it may have been tidied away")


def create(settings: Settings, *, owner: str, device: str | None, weights: Parameters | None = None) -> str:
    """Make the folder of a new run, all at once, also if the power is cut, and return its id.

    Raises:
        OSError: If it cannot be written; nothing is left.
    """
    run_id = secrets.token_urlsafe(16)
    draft = runs_folder() / f".{run_id}"
    record = {"created": time.time(), "owner": hash_owner(owner), "device": device}
    try:
        draft.mkdir(parents=True)
        replace_file(draft / "settings.json", settings.to_json().encode())
        replace_file(draft / "run.json", json.dumps(record).encode())
        replace_file(draft / "control.json", json.dumps(asdict(Wish())).encode())
        (draft / "events.jsonl").touch()
        if weights is not None:
            replace_file(draft / initial.FILE_NAME, to_bytes(dict(weights)))
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


def read_wish(folder: Path) -> Wish:
    """Read what the owner of a run wants of it.

    Raises:
        OSError: If it cannot be read.
        UnknownRun: If it is damaged.
    """
    content = (folder / "control.json").read_bytes()
    try:
        values = json.loads(content)
        return Wish(**values | {"learning_rates": tuple(values.get("learning_rates", ()))})
    except (ValueError, TypeError, AttributeError) as error:
        raise UnknownRun(f"run {folder.name} is damaged (control.json: {error}): start it again") from None


def change_wish(folder: Path, *, learning_rate: float | None = None, **changes) -> Wish:
    """Write down what the owner of a run wants of it now, and return it.

    Args:
        folder: The run's folder.
        learning_rate: One more learning rate, set by hand.
        changes: Fields of `Wish`.

    Raises:
        OSError: If it cannot be written; what was wanted before stays.
        UnknownRun: If what was wanted before is damaged.
    """
    with _CONTROL_LOCK:
        wish = replace(read_wish(folder), **changes)
        if learning_rate is not None:
            wish = replace(wish, learning_rates=(*wish.learning_rates, learning_rate))
        replace_file(folder / "control.json", json.dumps(asdict(wish)).encode())
        return wish


def write_label(folder: Path, label: dict[str, str]) -> None:
    """Write down name and note.

    Raises:
        OSError: If they cannot be written; those from before stay.
    """
    replace_file(folder / "label.json", json.dumps(label).encode())


def read_label(folder: Path) -> dict[str, str]:
    """Read name and note; there may be none."""
    try:
        return json.loads((folder / "label.json").read_bytes())
    except FileNotFoundError:
        return {}


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


def ids(owner: str | None = None) -> list[str]:
    """Return the ids of all runs, or of one owner's; the newest first."""
    wanted, created = owner and hash_owner(owner), {}
    with contextlib.suppress(OSError), os.scandir(runs_folder()) as entries:
        for entry in entries:
            with contextlib.suppress(OSError, ValueError):
                owner_hash, when = _record(entry.path)
                if wanted in (None, owner_hash) and not entry.name.startswith("."):
                    created[entry.name] = when
    return sorted(created, key=created.get, reverse=True)


@functools.lru_cache(maxsize=4 * MAX_RUNS)
def _record(folder: str) -> tuple[str, float]:
    """Read whose a run is and when it was submitted; that never changes."""
    record = json.loads(Path(folder, "run.json").read_bytes())
    return record["owner"], record["created"]


def remove(folder: Path) -> None:
    """Remove a run, all at once for who looks.

    Raises:
        OSError: If it cannot be removed.
    """
    doomed = folder.with_name(f".{folder.name}")
    folder.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def tidy(*, keep: Collection[str]) -> None:
    """Remove old runs: those that nothing happened to for CNN_RUNS_MAX_DAYS, those past `MAX_RUNS` and, with the
    newest ones first, those past CNN_RUNS_MAX_GB. What is left of others that are damaged goes with them.

    A run of the last hour that has not come to an end may be another app's, and stays.

    Args:
        keep: Ids that stay in any case.

    Raises:
        RunRefused: If one of the two variables is not a number greater than 0.
    """
    max_seconds, max_bytes = limits()
    num_bytes, found = 0, ids()
    for number, run_id in enumerate(found):
        folder = runs_folder() / run_id
        with contextlib.suppress(OSError):
            status = (folder / "events.jsonl").stat()
            num_bytes += _size(folder, status.st_size, status.st_mtime_ns)
            age = time.time() - status.st_mtime
            is_old = number >= MAX_RUNS or age > max_seconds or num_bytes > max_bytes
            if is_old and run_id not in keep and (age > HOUR or _has_ended(folder)):
                remove(folder)
    _sweep(known=found)


@functools.lru_cache(maxsize=4 * MAX_RUNS)
def _size(folder: Path, num_bytes: int, changed: int) -> int:
    """Add up what lies in a run's folder. That is measured again when its events have another size or time."""
    return sum(path.stat().st_size for path in folder.rglob("*"))


def _has_ended(folder: Path) -> bool:
    """Tell whether the last that is known of a run is an end or a pause."""
    lines = (folder / "events.jsonl").read_bytes().splitlines()
    return bool(lines) and lines[-1].startswith(_ENDS)


def _sweep(*, known: Collection[str]) -> None:
    """Remove what a crash while a run was made or removed has left, as soon as nobody can be at it any more."""
    with contextlib.suppress(OSError), os.scandir(runs_folder()) as entries:
        for entry in entries:
            if entry.name not in known and re.fullmatch(rf"\.?{_ID}", entry.name):
                with contextlib.suppress(OSError):
                    # A name of 22 letters may be somebody's own: all in it has to be a run's.
                    names = {name.strip(".").split(".")[0] for name in os.listdir(entry)}
                    if names <= _FILES and time.time() - entry.stat().st_mtime > HOUR:
                        shutil.rmtree(entry, ignore_errors=True)


def limits() -> tuple[float, float]:
    """Return for how many seconds a run is kept to which nothing happens, and how many bytes all may have.

    Raises:
        RunRefused: If one of the two variables is not a number greater than 0.
    """
    return 24 * 3600 * _limit("CNN_RUNS_MAX_DAYS", MAX_DAYS), 1e9 * _limit("CNN_RUNS_MAX_GB", MAX_GIGABYTES)


def _limit(variable: str, usual: float) -> float:
    text = os.environ.get(variable) or str(usual)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not number > 0:
        raise RunRefused(f"{variable} {text!r} must be a number greater than 0")
    return number
