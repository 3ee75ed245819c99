"""The engines on Dask: a cluster at an address, and one on this machine that lives as long as the app.

The package distributed is imported when an engine starts. It costs a process 35 MB, which a visitor of the
chapter alone does not pay.
"""

import asyncio
import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from pathlib import Path

from cnn_core.runs.engines import EngineFailed, Machine, WorkerDied

CONNECT_SECONDS = 10
ANSWER_SECONDS = 5
LOAD_SECONDS = 120
"""A worker that does not answer in this time does not come; loading torch takes 5 to 20 s, from a slow disk more."""


class Cluster:
    """Executes runs on the workers of a scheduler: as many at a time as these have threads."""

    def __init__(self, address: str):
        self.address = address
        self._client = None
        self._threads: dict[str, int] = {}
        self._tasks = {}

    def start(self) -> Machine:
        """Connect, and ask a worker what it has."""
        try:
            from distributed import Client
        except ImportError:
            raise EngineFailed("runs need the package distributed: pip install distributed") from None
        for name in ("distributed.client", "tornado.application"):  # a lost cluster is said in words
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            _check_certificate(self.address)
            self._client = Client(self.address, timeout=CONNECT_SECONDS, set_as_default=False)
            return self._ask()
        except EngineFailed:
            raise
        except (OSError, ValueError) as error:
            raise EngineFailed(f"the cluster {self.address} does not answer ({error})") from None
        except Exception as error:
            words = f"{type(error).__name__}: {error}"
            raise EngineFailed(
                f"the cluster {self.address} cannot be used ({words}): see docs/cluster.md"
            ) from None

    def _ask(self) -> Machine:
        """Ask a worker what it has."""
        workers = list(self._client.nthreads())
        if not workers:
            raise EngineFailed(f"the cluster {self.address} has no worker: start one (docs/cluster.md)")
        answers = self._client.sync(
            self._client.run, _describe, workers=workers[:1], callback_timeout=LOAD_SECONDS
        )
        return Machine(**answers[workers[0]])

    def num_slots(self) -> int:
        """Count the threads of all workers, and give up the tasks of those that are gone."""
        try:
            if self._client.status == "running":
                ask = self._client.scheduler.ncores
                self._threads = self._client.sync(ask, callback_timeout=ANSWER_SECONDS)
                for task, worker in [*self._tasks.values()]:
                    if worker not in self._threads:  # Dask tells of what it took down, not of what came after
                        task.cancel()
                return sum(self._threads.values())
        except (OSError, TimeoutError):
            pass
        raise EngineFailed(f"the cluster {self.address} is gone")

    def execute(self, folder: Path, attempt: int, on_end: Callable[[], None]) -> "Future[str]":
        """Submit a task that executes the run, to a worker with a free thread, and to no other.

        Left to itself, Dask may put two tasks on one worker while another has none. Where it may choose another than
        the one named, it does so once: if none is there at that moment, the task waits for the one named for ever.
        """
        key = f"run-{folder.name}-{attempt}"
        busy = Counter(worker for _, worker in [*self._tasks.values()])
        worker = max(self._threads, key=lambda each: self._threads[each] - busy[each])
        task = self._client.submit(_execute, str(folder), attempt, key=key, pure=False, workers=[worker])
        self._tasks[key] = (task, worker)  # Dask drops a task whose future nobody holds
        future: Future[str] = Future()

        async def conclude() -> None:
            await _pass_on(task, future)
            self._tasks.pop(key, None)
            await asyncio.to_thread(on_end)

        # In the client's loop, and not in a thread of Dask's: there, one that waits for a lost scheduler would wait
        # for ever, keep all later ones waiting, and keep this process from its end.
        self._client.loop.add_callback(conclude)
        return future

    def dismiss(self) -> None:
        """Do nothing: connecting ends by itself."""

    def end(self) -> None:
        """Disconnect; the scheduler then drops the tasks, and their attempts see that nobody wants them."""
        if self._client:
            with contextlib.suppress(OSError, TimeoutError):
                self._client.close(timeout=2)


class LocalCluster(Cluster):
    """A cluster on this machine, in processes of its own that end with this one, however that ends.

    It is started by `python -m`, never by multiprocessing, whose children would run a page's script again.
    """

    def __init__(self):
        super().__init__("")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cnn_core.runs.local_cluster"],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the app, whose end closes stdin
        )

    @property
    def pid(self) -> int:
        """Id of the process that has the scheduler."""
        return self._process.pid

    def start(self) -> Machine:
        """Wait until the workers have loaded torch, and connect."""
        too_late = threading.Timer(LOAD_SECONDS, self._process.kill)
        too_late.daemon = True
        too_late.start()
        line = self._process.stdout.readline()
        too_late.cancel()
        if not line:
            status = self._process.wait()
            raise EngineFailed(f"the cluster on this machine did not start (exit status {status})")
        self.address = json.loads(line)["address"]
        return super().start()

    def num_slots(self) -> int:
        """Count the workers that are alive."""
        if self._process.poll() is not None:
            raise EngineFailed("the cluster on this machine ended unexpectedly")
        return super().num_slots()

    def dismiss(self) -> None:
        """Have the processes end; they do so even in the middle of a run."""
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def end(self) -> None:
        """Disconnect, wait for the end of the process, and enforce it."""
        super().end()
        self.dismiss()
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


def _check_certificate(address: str) -> None:
    """Say what TLS wants and Dask has not been told: its own words do not."""
    from distributed.security import Security

    reason = ""
    try:
        if not address.startswith("tls://") or Security().get_connection_args("client")["ssl_context"]:
            return
    except OSError as error:
        reason = f" ({error})"
    raise EngineFailed(
        f"the cluster {address} wants a certificate{reason}: name your files in DASK_DISTRIBUTED__COMM__TLS__CA_FILE, "
        "..._TLS__CLIENT__CERT and ..._TLS__CLIENT__KEY (docs/cluster.md)"
    )


async def _pass_on(task, future: "Future[str]") -> None:
    """Give the result of a task of Dask to a future."""
    from distributed import KilledWorker

    try:
        future.set_result(await task)
    except (KilledWorker, CancelledError):
        future.set_exception(WorkerDied("its process ended unexpectedly: killed, or out of memory"))
    except Exception as error:
        future.set_exception(error)


def _describe() -> dict:
    """Say, on a worker, what it has."""
    from cnn_core.runs import worker

    return worker.describe()


def _execute(folder: str, attempt: int) -> str:
    """Execute a run on a worker, as long as the scheduler wants it there."""
    from distributed.worker import get_worker, thread_state

    from cnn_core.runs import worker

    task = get_worker().state.tasks[thread_state.key]
    return worker.execute(Path(folder), attempt, lambda: task.state == "executing")
