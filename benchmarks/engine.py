"""Trainings through the engine against the bare loop: ``python -m benchmarks.engine``.

The bare loop and the run take the same steps from the same first parameters, each in a process of one thread, in
turns; what counts is the processor time of the steps as well as the clock. Then come the delays that a visitor feels:
from Start to the first logged step, and from Stop to a run that says so. Other programs should be idle.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import psutil

from cnn_core import runs
from cnn_core.training import Settings
from cnn_core.training.events import to_json
from tests.core.test_runs_merging import lines_of, slow

TRAINING = Settings(data="fashion-mnist", num_epochs=1, batch_size=256)
SMALL = Settings(num_epochs=1000)
HUNDRED = Settings(num_epochs=100, network="flatten-10")
LONG = Settings(data="fashion-mnist", network="lenet", num_epochs=100)
SLOW_STEP = 0.2

BARE = """
import os, sys, time
import torch
torch.set_num_threads(1)
os.nice(15)
from cnn_core.runs import worker
from cnn_core.training import Finished, Settings, Started, train
worker.rehearse()
for event in train(Settings.from_json(sys.argv[1]), device="cpu"):
    if isinstance(event, Started):
        began, used = time.monotonic(), time.process_time()
    if isinstance(event, Finished):
        print(time.monotonic() - began, time.process_time() - used)
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--starts", type=int, default=20)
    parser.add_argument("--stops", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"CNN_RUNS_DIR": folder, "CNN_WORKERS": "1", "CNN_THREADS": "1"}
        runs.warm_up()
        while not runs.machine():
            if trouble := runs.trouble():
                raise SystemExit(trouble)
            time.sleep(0.1)
        report_ratio(options.repeats)
        report_delays("Start to the first logged step", [start_delay() for _ in range(options.starts)])
        report_delays("Stop to a run that says so", [stop_delay(i) for i in range(options.stops)])
        report_events()
        runs.shut_down()


def report_ratio(repeats: int) -> None:
    """Print examples a second of the bare loop and of the engine."""
    clocks, processors = [], []
    for _ in range(repeats):
        bare_clock, bare_processor = bare()
        clock, processor = through_the_engine()
        clocks.append(bare_clock / clock)
        processors.append(bare_processor / processor)
        print(f"bare {bare_clock:.2f} s ({bare_processor:.2f}), engine {clock:.2f} s ({processor:.2f})")
    print(f"ratio by the clock {statistics.median(clocks):.3f}, by processor time {np.mean(processors):.3f}")


def bare() -> tuple[float, float]:
    """Return the seconds of a training without the engine, and its processor time."""
    command = [sys.executable, "-c", BARE, TRAINING.to_json()]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    clock, processor = answer.stdout.split()
    return float(clock), float(processor)


def through_the_engine() -> tuple[float, float]:
    """Return the same two for a run."""
    run_id = runs.submit(TRAINING, owner="A", device="cpu")
    wait(run_id, lambda run: run.started)
    began, used = time.monotonic(), worker_seconds()
    wait(run_id, lambda run: run.result)
    return time.monotonic() - began, worker_seconds() - used


def worker_seconds() -> float:
    """Return the processor time of the processes that the app has started."""
    times = [each.cpu_times() for each in psutil.Process().children(recursive=True)]
    return sum(each.user + each.system for each in times)


def start_delay() -> float:
    """Return the seconds from Start to the first logged step."""
    began = time.monotonic()
    run_id = runs.submit(SMALL, owner="A", device="cpu")
    wait(run_id, lambda run: run.steps)
    seconds = time.monotonic() - began
    stop(run_id)
    return seconds


def stop_delay(number: int) -> float:
    """Return the seconds from Stop, somewhere in an epoch, to a run that says so."""
    settings = replace(SMALL, data="fashion-mnist", batch_size=256) if number % 3 == 0 else SMALL
    run_id = runs.submit(settings, owner="A", device="cpu")
    wait(run_id, lambda run: run.steps)
    time.sleep(0.02 * (number % 7))
    return stop(run_id)


def stop(run_id: str) -> float:
    began = time.monotonic()
    runs.control(run_id, "stop", owner="A")
    wait(run_id, lambda run: run.state == "stopped")
    return time.monotonic() - began


def report_events() -> None:
    """Print the size of the events of a hundred epochs, how long it takes to read them anew, and how long they get."""
    run_id = runs.submit(HUNDRED, owner="A", device="cpu")
    num_bytes = (wait(run_id, lambda run: run.result).folder / "events.jsonl").stat().st_size
    runs.reading._readers.clear()
    began = time.monotonic()
    run = runs.get(run_id)
    print(
        f"{HUNDRED.num_epochs} epochs: {num_bytes / 1e6:.2f} MB of events, {len(run.steps):,} logged steps, "
        f"read in {1000 * (time.monotonic() - began):.0f} ms"
    )
    lines = lines_of(LONG, slow(LONG, seconds=SLOW_STEP))
    num_bytes = sum(len(to_json(line)) + 1 for line in lines)
    print(
        f"by arithmetic, {LONG.num_epochs} epochs of LeNet on Fashion-MNIST at {SLOW_STEP} s a step: "
        f"{num_bytes / 1e6:.2f} MB, {len(lines):,} logged steps"
    )


def report_delays(what: str, seconds: list[float]) -> None:
    middle, high = np.percentile(seconds, [50, 95])
    print(f"{what}: median {middle:.3f} s, p95 {high:.3f} s, worst {max(seconds):.3f} s of {len(seconds)}")


def wait(run_id: str, is_there: Callable[[runs.Run], object]) -> runs.Run:
    """Wait for what a run is to come to, and return it then; if it ends otherwise, end with its error."""
    while not is_there(run := runs.get(run_id)):
        if run.is_over:
            raise SystemExit(f"run {run_id} is {run.state}: {run.error}")
        time.sleep(0.005)
    return run


if __name__ == "__main__":
    main()
