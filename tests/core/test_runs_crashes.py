"""What dies takes as little with it as can be: a worker, the scheduler, the app; and a disk may be full."""

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest

from cnn_core import data, runs
from cnn_core.runs.service import NO_WORKER, Service
from cnn_core.training import checkpoints
from tests.core.running import (
    LONG,
    ROOT,
    SMALL,
    SeparateCluster,
    finish,
    is_process,
    wait_for,
    wait_for_workers,
    workers_below,
)


class Engine:
    """An engine on Dask, with what a test needs to hurt it."""

    def __init__(self, kind, folder):
        self.separate = SeparateCluster(folder) if kind == "cluster" else None
        self.scheduler = self.separate.address if self.separate else ""

    def workers(self):
        keeper = self.separate.processes["worker"] if self.separate else runs._SERVICE._engine
        return workers_below(keeper.pid)

    def kill_scheduler(self):
        pid = self.separate.processes["scheduler"].pid if self.separate else runs._SERVICE._engine.pid
        os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module", params=["local", "cluster"])
def engine(request, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        engine = Engine(request.param, tmp_path_factory.mktemp("cluster"))
        patch.setenv("CNN_RUNS_DIR", str(tmp_path_factory.mktemp("runs")))
        patch.setenv("CNN_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("CNN_WORKERS", "2")
        patch.setenv("CNN_SCHEDULER", engine.scheduler)
        patch.setattr(runs, "_SERVICE", Service())
        runs.warm_up()
        wait_for(runs.machine)
        wait_until_whole(engine)
        yield engine
        runs.shut_down()
        if engine.separate:
            engine.separate.end()


def wait_until_whole(engine):
    """Wait until there are two workers, and both have loaded torch."""
    wait_for(lambda: len(engine.workers()) == 2)
    wait_for_workers(2)


def start_two():
    """Start two runs beside each other, and wait until each has a checkpoint."""
    ids = [runs.submit(LONG, owner=owner, device="cpu") for owner in ("A", "B")]
    wait_for(lambda: all((runs.get(run_id).checkpoint / checkpoints.FILE_NAME).exists() for run_id in ids))
    return ids


def is_hurt(ids):
    return any(runs.get(run_id).state != "running" for run_id in ids)


def stop(*ids):
    for run_id in ids:
        runs.control(run_id, "stop", owner=next(each for each in "AB" if runs.get(run_id).belongs_to(each)))
    assert {finish(run_id).state for run_id in ids} <= {"stopped", "failed"}


def test_a_killed_worker_costs_one_run_the_steps_since_its_checkpoint(engine):
    ids = start_two()
    waiting = [runs.submit(SMALL, owner=owner, device="cpu") for owner in "CDEFG"]
    engine.workers()[0].kill()
    wait_for(lambda: is_hurt(ids))
    victim, survivor = sorted(ids, key=lambda run_id: runs.get(run_id).state == "running")
    hurt = runs.get(victim)
    assert (hurt.state, hurt.position) == ("queued", 1)
    assert runs.get(survivor).state == "running"
    assert [runs.get(run_id).position for run_id in waiting] == [2, 3, 4, 5, 6]
    wait_for(lambda: runs.get(victim).step > hurt.step)
    resumed = runs.get(victim)
    assert resumed.state == "running"
    # It may have died between telling of an epoch and keeping it.
    assert resumed.started.step in [0, *(epoch.step for epoch in hurt.epochs)][-2:]
    assert [epoch.epoch for epoch in resumed.epochs] == list(range(1, len(resumed.epochs) + 1))
    stop(*ids)
    assert {finish(run_id).state for run_id in waiting} == {"finished"}


@pytest.mark.skipif("fashion-mnist" not in data.available(), reason="Fashion-MNIST is not on this machine")
def test_a_run_that_takes_two_workers_down_without_an_epoch_between_fails_with_words(engine):
    wait_until_whole(engine)
    settings = replace(LONG, data="fashion-mnist", network="lenet", batch_size=32, num_epochs=2)
    run_id = runs.submit(settings, owner="A", device="cpu")
    for num_starts in (1, 2):
        wait_for(lambda num_starts=num_starts: runs.get(run_id).num_starts >= num_starts)
        for worker in engine.workers():
            with contextlib.suppress(psutil.NoSuchProcess):
                worker.kill()
        wait_for(lambda: runs.get(run_id).state != "running")
    run = finish(run_id)
    assert run.state == "failed"
    assert "failed twice, its process ended unexpectedly: killed, or out of memory" in run.error
    assert finish(runs.submit(SMALL, owner="B")).state == "finished"


def kill_workers_before_the_next_run(engine, monkeypatch):
    """Have all workers die in the moment in which the next run is handed to one of them."""
    cluster = runs._SERVICE._engine
    execute = cluster.execute

    def execute_too_late(*arguments):
        monkeypatch.undo()
        for worker in engine.workers():
            worker.kill()
        wait_for(lambda: not cluster._client.sync(cluster._client.scheduler.ncores))
        return execute(*arguments)

    monkeypatch.setattr(cluster, "execute", execute_too_late)


def test_a_run_handed_over_when_the_last_worker_has_just_died_is_tried_again(engine, monkeypatch):
    wait_until_whole(engine)
    kill_workers_before_the_next_run(engine, monkeypatch)
    assert finish(runs.submit(SMALL, owner="A", device="cpu")).state == "finished"


def test_a_run_whose_next_worker_dies_in_the_moment_in_which_it_is_handed_over_is_tried_again(
    engine, monkeypatch
):
    """When a machine dies, its workers do so one after another, and the run has lost one of them before."""
    wait_until_whole(engine)
    ids = start_two()
    kill_workers_before_the_next_run(engine, monkeypatch)
    engine.workers()[0].kill()
    wait_for(lambda: all(runs.get(run_id).num_starts == 2 or runs.get(run_id).is_over for run_id in ids))
    assert {runs.get(run_id).state for run_id in ids} == {"running"}
    stop(*ids)


@pytest.mark.parametrize("num_bytes", [100, 3000], ids=["events", "checkpoint"])
def test_a_full_disk_ends_the_run_and_not_the_worker(engine, num_bytes):
    wait_until_whole(engine)
    finish(runs.submit(SMALL, owner="A"))
    pids = [worker.pid for worker in engine.workers()]
    _, hard = resource.prlimit(pids[0], resource.RLIMIT_FSIZE)
    for pid in pids:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (num_bytes, hard))
    run = finish(runs.submit(SMALL, owner="A"))
    for pid in pids:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
    assert run.state == "failed"
    assert "the run could not be saved" in run.error
    assert "free some space" in run.error
    assert list(run.checkpoint.glob("*")) == []
    assert finish(runs.submit(SMALL, owner="A")).state == "finished"
    assert [worker.pid for worker in engine.workers()] == pids


APP = """
import json, sys, time
from cnn_core import runs
from cnn_core.training import Settings
run_id = runs.submit(Settings(network="mlp", num_epochs=1000), owner="A")
while not runs.get(run_id).steps:
    time.sleep(0.05)
engine = getattr(runs._SERVICE._engine, "pid", 0)
print(json.dumps({"run": run_id, "engine": engine, "modules": list(sys.modules)}), flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_with_the_app_its_runs_end_and_so_does_its_cluster(engine, end):
    app = subprocess.Popen(
        [sys.executable, "-c", APP], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with app:
        told = json.loads(app.stdout.readline())
        assert {"torch", "torchvision", "streamlit"}.isdisjoint(told["modules"])
        pids = [told["engine"]] if told["engine"] else []
        pids += [each.pid for pid in pids for each in psutil.Process(pid).children(recursive=True)]
        assert all(map(is_process, pids))
        app.send_signal(end)
    wait_for(lambda: not any(map(is_process, pids)))
    run = runs.get(told["run"])
    assert run.state == "interrupted"
    assert run.steps
    wait_for(lambda: run.checkpoint.exists() or not engine.separate)
    assert finish(runs.submit(SMALL, owner="B")).state == "finished"


@pytest.mark.parametrize("engine", ["cluster"], indirect=True)  # a local cluster is gone with its machine
def test_a_machine_that_dies_with_all_its_workers_costs_no_run(engine):
    """They wait until another machine comes."""
    wait_until_whole(engine)
    ids = start_two()
    engine.separate.lose_machine()
    wait_for(
        lambda: runs.trouble() == NO_WORKER and all(runs.get(run_id).state != "running" for run_id in ids)
    )
    assert {runs.get(run_id).state for run_id in ids} == {"queued"}
    engine.separate.processes["worker"] = engine.separate.start_workers()
    wait_for(lambda: all(runs.get(run_id).num_starts == 2 for run_id in ids))
    assert all(runs.get(run_id).started.step > 0 for run_id in ids)
    stop(*ids)


UNLUCKY_APP = """
import os, signal, time
from cnn_core import runs
from cnn_core.training import Settings
ids = [runs.submit(Settings(network="mlp", num_epochs=1000), owner=owner) for owner in "AB"]
while not all(runs.get(run_id).steps for run_id in ids):
    time.sleep(0.05)
os.kill(runs._SERVICE._engine.pid, signal.SIGKILL)
while any(runs.get(run_id).state == "running" for run_id in ids):
    time.sleep(0.01)
"""


def test_an_app_that_has_lost_its_cluster_still_comes_to_its_end(tmp_path):
    environment = os.environ | {"CNN_SCHEDULER": "", "CNN_WORKERS": "2", "CNN_RUNS_DIR": str(tmp_path)}
    for _ in range(3):
        app = subprocess.run(
            [sys.executable, "-c", UNLUCKY_APP], cwd=ROOT, env=environment, timeout=270, capture_output=True
        )
        assert app.returncode == 0, app.stderr.decode()


def test_a_killed_scheduler_takes_no_run_with_it(engine):
    """It comes last: the separate cluster does not live through it."""
    ids = start_two()
    engine.kill_scheduler()
    wait_for(lambda: is_hurt(ids))
    if engine.separate:
        assert {finish(run_id).state for run_id in ids} == {"failed"}
        assert "does not answer" in runs.get(ids[0]).error
        assert runs.get(ids[0]).can_go_on
        return
    assert {runs.get(run_id).state for run_id in ids} == {"queued"}
    steps = {run_id: runs.get(run_id).step for run_id in ids}
    # A worker that was left behind may do some more steps before it ends.
    wait_for(lambda: all(run.started.step > 0 and run.step > steps[run.id] for run in map(runs.get, ids)))
    stop(*ids)
