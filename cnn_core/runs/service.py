"""The queue of runs, and the one worker process that executes them."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from cnn_core.runs import folders
from cnn_core.training.events import Failed, Stopped
from cnn_core.training.settings import Settings

MAX_QUEUED = 60


class QueueFull(folders.RunRefused):
    """As many runs are waiting as the queue holds."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What the worker says of the machine.

    Attributes:
        devices: Where a run can be executed, the fastest first.
        num_threads: Threads that a run uses on the CPU.
        versions: Version of Python and torch.
    """

    devices: tuple[str, ...]
    num_threads: int
    versions: dict[str, str]


class WorkerDied(RuntimeError):  # noqa: N818
    """The worker process ended although nobody asked it to."""


class Worker:
    """A process with torch loaded: folders come on stdin, answers go to stdout, closing stdin ends it.

    It is started by `python -m`, never by multiprocessing, whose children would run a page's script again. As
    its stdin is a pipe from this process, it ends with this process, however that ends.
    """

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cnn_core.runs.worker"],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._process.pid

    def ask_machine(self) -> Machine:
        """Wait until torch is loaded, and return what the machine has."""
        answer = self._answer()
        return Machine(**answer | {"devices": tuple(answer["devices"])})

    @property
    def is_alive(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    def execute(self, folder: Path) -> str:
        """Execute a run to its end; return why it failed, if its folder could not be told."""
        with contextlib.suppress(OSError, ValueError):  # a dead worker is found by its missing answer
            self._process.stdin.write(json.dumps(str(folder)) + "\n")
            self._process.stdin.flush()
        return self._answer()["error"]

    def dismiss(self) -> None:
        """Have the process end; it does so even in the middle of a run."""
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def end(self) -> None:
        """Wait for the end of the process, and enforce it."""
        self.dismiss()
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _answer(self) -> dict:
        line = self._process.stdout.readline()
        if not line:
            status = self._process.wait()
            cause = f"signal {-status}" if status < 0 else f"exit status {status}"
            raise WorkerDied(f"the training process ended unexpectedly ({cause}): start the run again")
        return json.loads(line)


@dataclass(frozen=True, order=True)
class Ticket:
    """A run's place in the queue: tickets are served in their order.

    The runs of one owner get rounds one after another, so that owners take turns.
    """

    round: int
    number: int
    run_id: str
    owner: str


class Service:
    """Takes runs, keeps them in a fair order, and has a worker execute one after another.

    Nothing is started before the first `warm_up` or `submit`.
    """

    def __init__(self):
        self.machine: Machine | None = None
        self.failures: dict[str, str] = {}
        self._changed = threading.Condition()
        self._waiting: list[Ticket] = []
        self._running: Ticket | None = None
        self._round = 0
        self._number = 0
        self._thread: threading.Thread | None = None
        self._worker: Worker | None = None
        self._wants_worker = False

    def submit(self, settings: Settings, *, owner: str, device: str | None) -> str:
        """Make a run and put it into the queue; see `cnn_core.runs.submit`."""
        with self._changed:
            if len(self._waiting) >= MAX_QUEUED:
                raise QueueFull(
                    f"{len(self._waiting)} runs are waiting, as many as the queue holds: "
                    "try again when one has finished"
                )
            try:
                run_id = folders.create(settings, owner=owner, device=device)
            except OSError as error:
                raise folders.cannot_write(error) from None
            active = [*self._waiting, *([self._running] if self._running else [])]
            rounds = [ticket.round + 1 for ticket in active if ticket.owner == owner]
            self._number += 1
            self._waiting.append(Ticket(max([self._round, *rounds]), self._number, run_id, owner))
            self._waiting.sort()
        self.warm_up()
        return run_id

    def warm_up(self) -> None:
        """Have a worker started, if there is none."""
        with self._changed:
            self._wants_worker = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="cnn-runs", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def place(self, run_id: str) -> int | None:
        """Return 0 for a running run, the place in the queue (from 1) for a waiting one, else None."""
        return self._places().get(run_id)

    def active_ids(self) -> set[str]:
        """Return the runs that wait or run."""
        return set(self._places())

    def cancel(self, run_id: str) -> None:
        """Take a run out of the queue, if it waits there."""
        with self._changed:
            for ticket in self._waiting:
                if ticket.run_id == run_id:
                    self._waiting.remove(ticket)
                    folders.append(folders.path_of(run_id), Stopped())
                    return

    def shut_down(self) -> None:
        """End the worker and forget the queue."""
        with self._changed:
            thread, self._thread = self._thread, None
            self._waiting.clear()
            if self._worker:
                self._worker.dismiss()
            self._changed.notify_all()
        if thread:
            thread.join(timeout=5)

    def _places(self) -> dict[str, int]:
        with self._changed:
            running = [self._running] if self._running else []
            return {ticket.run_id: place for place, ticket in enumerate(self._waiting, start=1)} | {
                ticket.run_id: 0 for ticket in running
            }

    def _serve(self) -> None:
        """Start a worker and hand it one run after another, until `shut_down`."""
        while self._take():
            failure = ""
            try:
                worker = self._ready_worker()
                if self._running:
                    failure = worker.execute(folders.path_of(self._running.run_id))
            except (WorkerDied, OSError) as error:
                failure = str(error)
            except folders.UnknownRun:
                continue
            self._conclude(failure)
        if self._worker:
            self._worker.end()
            self._worker = None

    def _is_shut_down(self) -> bool:
        return self._thread is not threading.current_thread()

    def _take(self) -> bool:
        """Wait for something to do and take the next run, if one waits; return False to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._wants_worker or self._waiting or self._is_shut_down())
            self._wants_worker = False
            self._running = None
            if self._waiting and not self._is_shut_down():
                self._running = self._waiting.pop(0)
                self._round = self._running.round
            return not self._is_shut_down()

    def _ready_worker(self) -> Worker:
        """Return the worker, or a new one in place of one that died."""
        if self._worker is None or not self._worker.is_alive:
            if self._worker:
                self._worker.end()
            self._worker = Worker()
            self.machine = self._worker.ask_machine()
        return self._worker

    def _conclude(self, failure: str) -> None:
        """Close the run that was executed; write down a failure that the worker could not."""
        ticket = self._running
        if ticket and failure and not self._is_shut_down():
            try:
                folders.append(folders.path_of(ticket.run_id), Failed(message=failure))
            except (OSError, folders.UnknownRun):
                self.failures[ticket.run_id] = failure
        with self._changed:
            self._running = None
