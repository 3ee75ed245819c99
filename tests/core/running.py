"""What the tests of the runs share."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil

from cnn_core import runs
from cnn_core.training import Settings, Started

ROOT = Path(__file__).parents[2]
SMALL = Settings(network="conv4k5s2-relu-max2-flatten-10", num_epochs=1, batch_size=100)
LONG = replace(SMALL, num_epochs=1000)
STARTED = Started(
    device="cpu",
    num_threads=1,
    versions={},
    num_train=SMALL.num_train,
    num_validation=SMALL.num_validation,
    num_params=100,
    steps_per_epoch=SMALL.steps_per_epoch,
    data_sha256="",
)
"""What a run of `SMALL` tells first."""


def wait_for(condition, *, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def wait_for_workers(number):
    """Wait until so many workers of Dask have loaded torch."""
    wait_for(lambda: runs._SERVICE._engine.num_slots() == number)


def finish(run_id):
    wait_for(lambda: runs.get(run_id).is_over)
    return runs.get(run_id)


def is_process(pid):
    """Tell whether a process runs; one that has ended and waits to be collected does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, ProcessLookupError):  # psutil lets some of the latter through
        return False


class SeparateCluster:
    """A scheduler and two workers of one machine on loopback, with the options that docs/cluster.md has."""

    def __init__(self, folder: Path):
        self.file = folder / "scheduler.json"
        self._log = (folder / "cluster.log").open("w")
        self.processes = {
            "scheduler": self._start("scheduler", "--port", "0"),
            "worker": self.start_workers(),
        }

    def start_workers(self) -> subprocess.Popen:
        """Start a machine with two workers."""
        return self._start(
            "worker", "--nthreads", "1", "--nworkers", "2", "--preload", "cnn_core.runs.worker"
        )

    def _start(self, name: str, *options: str) -> subprocess.Popen:
        common = ["--host", "127.0.0.1", "--scheduler-file", str(self.file)]
        closed = ["--no-dashboard", "--dashboard-address", "127.0.0.1:0"]
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{name}", *common, *closed, *options],
            cwd=ROOT,
            env=os.environ | {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"},
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,  # so that its workers can be killed with it, all at once
        )

    def lose_machine(self) -> None:
        """Kill all workers and their keepers, as a loss of power does."""
        os.killpg(self.processes["worker"].pid, signal.SIGKILL)
        self.processes["worker"].wait()

    @property
    def address(self) -> str:
        """The scheduler's, as soon as both workers have loaded torch."""
        from distributed import Client

        with Client(scheduler_file=str(self.file), timeout=120, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=120)
            return client.scheduler.address

    def end(self):
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._log.close()


def workers_below(pid):
    """Return the workers' processes, by the processes that their keepers are."""
    found = []
    for child in psutil.Process(pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended in this moment
            if is_process(child.pid) and "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found
