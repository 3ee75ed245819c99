"""Engines: what executes runs. All keep the same contract, so that nobody in front needs to know which it is."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from cnn_core.runs import folders

HERE = "here"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a worker has to train with.

    Attributes:
        devices: Where a run can be executed, the fastest first.
        num_threads: Threads that a run uses on the CPU.
        versions: Version of Python and torch.
    """

    devices: tuple[str, ...]
    num_threads: int
    versions: dict[str, str]


class EngineFailed(folders.RunRefused):
    """There is no engine, or it is gone; the message says why."""


class WorkerDied(RuntimeError):  # noqa: N818
    """The process that executed a run ended, although nobody asked it to."""


class Engine(Protocol):
    """What executes runs. Only one thread uses it, but for `dismiss`."""

    def start(self) -> Machine:
        """Start, and wait until a run would find torch loaded.

        Raises:
            EngineFailed: If that cannot be done.
        """

    def num_slots(self) -> int:
        """Return how many runs are executed at a time, just now.

        Raises:
            EngineFailed: If the engine is gone, and with it all that it executed.
        """

    def execute(self, folder: Path, attempt: int, on_end: Callable[[], None]) -> "Future[str]":
        """Execute a run as `worker.execute` does, and return what it returns, later.

        Args:
            folder: The run's folder.
            attempt: Number of the attempt.
            on_end: Called in any thread, as soon as the result is there; it is `WorkerDied` if the process ended.
        """

    def dismiss(self) -> None:
        """Have the engine end soon, also while it starts; any thread may call this."""

    def end(self) -> None:
        """End the engine and what it executes: that stays as it is, with its last checkpoint."""


class Here:
    """Executes one run at a time in a thread of this process: for notebooks and tests, not for an app."""

    def __init__(self):
        self._is_wanted = True
        self._threads: list[threading.Thread] = []

    def start(self) -> Machine:
        """Load torch."""
        from cnn_core.runs import worker

        return Machine(**worker.describe())

    def num_slots(self) -> int:
        """Return 1."""
        return 1

    def execute(self, folder: Path, attempt: int, on_end: Callable[[], None]) -> "Future[str]":
        """Start a thread for the run."""
        from cnn_core.runs import worker

        future: Future[str] = Future()
        future.add_done_callback(lambda _: on_end())

        def work() -> None:
            future.set_result(worker.execute(folder, attempt, lambda: self._is_wanted))

        thread = threading.Thread(target=work, name=f"run-{folder.name}", daemon=True)
        self._threads = [each for each in self._threads if each.is_alive()] + [thread]
        thread.start()
        return future

    def dismiss(self) -> None:
        """Have the run end after its next event."""
        self._is_wanted = False

    def end(self) -> None:
        """Wait for the run's end."""
        self.dismiss()
        for thread in self._threads:
            thread.join(timeout=5)


def choose() -> Engine:
    """Return the engine that CNN_SCHEDULER names.

    It is "here", the address of a scheduler of Dask such as tls://teacher:8786, or nothing for a cluster on this
    machine.

    Raises:
        EngineFailed: If it is something else, or CNN_WORKERS or CNN_THREADS is no whole number from 1 on.
    """
    from cnn_core.runs import cluster

    name = os.environ.get("CNN_SCHEDULER", "")
    if name == HERE:
        return Here()
    if not name:
        for variable in ("CNN_WORKERS", "CNN_THREADS"):
            _check_number(variable)
        return cluster.LocalCluster()
    if _is_address(name):
        return cluster.Cluster(name)
    raise EngineFailed(f"CNN_SCHEDULER {name!r} must be tcp://host:port, tls://host:port, {HERE!r} or empty")


def _is_address(name: str) -> bool:
    """Tell whether a text is tcp://host:port or tls://host:port.

    Example:
        >>> [_is_address(name) for name in ("tls://teacher:8786", "tcp://[::1]:1", "tcp://teacher", "tcp://:1")]
        [True, True, False, False]
    """
    try:
        parts = urlsplit(name)
        is_whole = bool(parts.hostname and parts.port)
    except ValueError:  # the port is no number, or none of a port
        return False
    return is_whole and name in (f"tcp://{parts.netloc}", f"tls://{parts.netloc}")


def _check_number(variable: str) -> None:
    text = os.environ.get(variable, "")
    if text and not (text.isdecimal() and int(text) > 0):
        raise EngineFailed(f"{variable} {text!r} must be a whole number greater than 0")
