"""The process beside the app, as the app sees it: started, asked, timed, and replaced when it died."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

COMMAND = (sys.executable, "-m", "cnn_core.beside.worker")

IDLE_SECONDS = 600
"""How long the process waits for a request before it ends by itself."""

START_SECONDS = 120
"""How long it may take to load torch."""


class Failed(RuntimeError):  # noqa: N818
    """The process beside the app could not do what was asked; the message says why and what to do."""


class Died(Failed):
    """The process ended before it answered."""


class Process:
    """The one process that all callers share; requests wait for each other.

    Args:
        idle_seconds: How long it waits for a request before it ends by itself.
    """

    def __init__(self, *, idle_seconds: float = IDLE_SECONDS):
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._worker: Worker | None = None

    @property
    def pid(self) -> int | None:
        """Id of the process; None if it is not ready."""
        worker = self._worker
        return worker.pid if worker and worker.is_ready else None

    @property
    def is_ready(self) -> bool:
        """Whether it is there with torch loaded."""
        return self.pid is not None

    def ask(self, request: str, *, seconds: float) -> bytes:
        """Wait for the answer to a request. If the process ends meanwhile, a new one is asked once more.

        Args:
            request: One line of JSON, as `cnn_core.beside.worker` takes it.
            seconds: How long to wait while others are served, and how long for the answer.

        Raises:
            TypeError, ValueError: As the task does.
            Failed: If there is no answer.
        """
        with self._turn(START_SECONDS + seconds):
            try:
                return self._ready_worker().ask(request, seconds=seconds)
            except Died:  # it may have been killed, or have ended for want of requests in this very moment
                return self._ready_worker().ask(request, seconds=seconds)

    def warm_up(self) -> None:
        """Start it if there is none, without waiting."""
        if not self.is_ready and not self._lock.locked():
            threading.Thread(target=self._start, name="cnn-beside", daemon=True).start()

    def shut_down(self) -> None:
        """End it, unless it is busy: then it ends with this process."""
        with contextlib.suppress(Failed), self._turn(1):
            if self._worker:
                self._worker.end()
            self._worker = None

    def _start(self) -> None:
        with contextlib.suppress(Failed), self._turn(START_SECONDS):  # who asks is told why
            self._ready_worker()

    @contextlib.contextmanager
    def _turn(self, seconds: float) -> Iterator[None]:
        """Wait for those who asked before."""
        if not self._lock.acquire(timeout=seconds):
            raise Failed(f"others were being served for {seconds:g} s: try again in a minute")
        try:
            yield
        finally:
            self._lock.release()

    def _ready_worker(self) -> "Worker":
        """Return the worker, or a new one in place of one that ended."""
        if self._worker and not self._worker.is_ready:
            self._worker.end()
            self._worker = None
        if self._worker is None:
            try:
                self._worker = Worker(idle_seconds=self._idle_seconds)
            except OSError as error:
                raise Failed(f"no process can be started ({error.strerror}): try again in a minute") from None
            self._worker.wait_until_ready()
        return self._worker


class Worker:
    """A process that loads torch: requests go to its stdin, answers come from its stdout.

    It is started by `python -m`, never by multiprocessing, whose children would run a page's script again. As
    its stdin is a pipe from this process, it ends with this process, however that ends.
    """

    def __init__(self, *, idle_seconds: float):
        self._process = subprocess.Popen(
            [*COMMAND, str(idle_seconds)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._has_torch = False

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._process.pid

    @property
    def is_ready(self) -> bool:
        """Whether the process is there with torch loaded."""
        return self._has_torch and self._process.poll() is None

    def wait_until_ready(self) -> None:
        """Wait until torch is loaded."""
        self._answer(seconds=START_SECONDS)
        self._has_torch = True

    def ask(self, request: str, *, seconds: float) -> bytes:
        """Wait for the answer to a request; a process that takes longer is ended."""
        with contextlib.suppress(OSError):  # a dead worker is found by its missing answer
            self._process.stdin.write(request.encode() + b"\n")
            self._process.stdin.flush()
        return self._answer(seconds=seconds)

    def end(self) -> None:
        """End the process, even in the middle of a request."""
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def _answer(self, *, seconds: float) -> bytes:
        is_late = threading.Event()

        def give_up():
            is_late.set()
            self._process.kill()

        timer = threading.Timer(seconds, give_up)
        timer.daemon = True  # the app may end in the middle of a request
        timer.start()
        try:
            error, content = self._read()
        except EOFError:
            raise self._failure(seconds if is_late.is_set() else None) from None
        except BaseException:  # an interrupt: the answer would be taken for that to the next request
            self.end()
            raise
        finally:
            timer.cancel()
        if error:
            raise {"TypeError": TypeError, "ValueError": ValueError}.get(error, Failed)(content.decode())
        return content

    def _read(self) -> tuple[str, bytes]:
        """Read an answer: a line that names the error, if any, and counts the bytes that follow."""
        header = self._process.stdout.readline()
        if not header.endswith(b"\n"):
            raise EOFError
        values = json.loads(header)
        content = self._process.stdout.read(values["num_bytes"])
        if len(content) < values["num_bytes"]:
            raise EOFError
        return values["error"], content

    def _failure(self, late_after: float | None) -> Failed:
        """Say why the process ended."""
        status = self._process.wait()
        if late_after is not None:
            return Failed(f"there was no answer in {late_after:g} s: try again, or try something smaller")
        cause = f"signal {-status}" if status < 0 else f"exit status {status}"
        return Died(f"the process that does this ended unexpectedly ({cause}): try again")
