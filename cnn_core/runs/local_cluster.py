"""The cluster on this machine: ``python -m cnn_core.runs.local_cluster``, started by `cnn_core.runs.cluster`.

A scheduler of Dask and as many single-thread workers as the machine bears, on the loopback interface alone. The
scheduler's address goes to stdout as JSON when the first worker has loaded torch. It ends when stdin closes, in the
middle of runs if need be: checkpoints are always whole. The workers end with it.
"""

import json
import os
import sys
import threading
import time

WORKER_BYTES = 800_000_000
"""Memory of a worker with torch, a data set and a training; see docs/engine.md."""
MAX_ON_GPU = 4
"""Workers that share a GPU: each holds a context of its own there, which takes some hundred megabytes of it."""
GPU_FILE = "/dev/nvidia0"
SCALE_SECONDS = 5
NICENESS = 10
"""How much all of this gives way to the app; the workers give way to the scheduler besides."""

_CONFIG = {
    # A worker that died is started again by its keeper; where that takes long, it must not be given up meanwhile.
    "distributed.deploy.lost-worker-timeout": "2 minutes",
    # The service tries a run again by itself, from its checkpoint.
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.worker.profile.enabled": False,
    # Looks at itself every few milliseconds would take the processor from the trainings.
    "distributed.admin.tick.interval": "500ms",
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.worker.memory.monitor-interval": "500ms",
    "distributed.scheduler.work-stealing": False,
    # Dask's usual setting has malloc give memory back at each step.
    "distributed.nanny.pre-spawn-environ": {"OMP_NUM_THREADS": 1},
    # A worker that needs too much memory is ended. One that only took no more runs would block the queue.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
}


def main() -> None:
    """Start the cluster, say its address, and wait for the end of stdin."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not get before the answer
    threading.Thread(target=_end_with_the_app, daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(NICENESS)  # also while the workers load torch
    # Workers that end at once leave semaphores to multiprocessing, which frees them and need not say so.
    os.environ["PYTHONWARNINGS"] = "ignore::UserWarning:multiprocessing.resource_tracker"
    import dask
    from distributed import LocalCluster
    from distributed.system import MEMORY_LIMIT

    dask.config.set(_CONFIG)
    wanted = num_workers()
    cluster = LocalCluster(
        host="127.0.0.1",
        n_workers=1,
        threads_per_worker=1,
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
        memory_limit=MEMORY_LIMIT // wanted,
        preload=["cnn_core.runs.worker"],
    )
    answers.write(json.dumps({"address": cluster.scheduler_address}) + "\n")
    answers.flush()
    while True:  # the first run need not wait for all; and one that dies while it starts is not started again
        cluster.scale(wanted)
        time.sleep(SCALE_SECONDS)


def num_workers() -> int:
    """Return CNN_WORKERS, else how many workers the processors, the memory and a GPU bear, at least one."""
    import psutil
    from dask.system import CPU_COUNT
    from distributed.system import MEMORY_LIMIT

    if os.environ.get("CNN_WORKERS"):
        return int(os.environ["CNN_WORKERS"])
    by_processors = CPU_COUNT // int(os.environ.get("CNN_THREADS") or "1")
    by_memory = min(MEMORY_LIMIT, psutil.virtual_memory().available) // WORKER_BYTES
    has_gpu = os.path.exists(GPU_FILE) and os.environ.get("CNN_DEVICE") != "cpu"
    return max(1, min(by_processors, by_memory, MAX_ON_GPU if has_gpu else by_processors))


def _end_with_the_app() -> None:
    """End this process when the app is gone; the workers watch it."""
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
