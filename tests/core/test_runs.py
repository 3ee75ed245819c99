import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cnn_core import runs, training
from cnn_core.runs import folders, service, worker
from cnn_core.training import EpochEnded, Failed, Finished, Settings, StepLogged, Stopped, checkpoints

ROOT = Path(__file__).parents[2]
SMALL = Settings(network="conv4k5s2-relu-max2-flatten-10", num_epochs=1, batch_size=100)
LONG = replace(SMALL, num_epochs=1000)
STEP = StepLogged(step=3, epoch=1, loss=2.0, accuracy=0.25, examples_per_second=1000.0)


def wait_for(condition, *, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CNN_RUNS_DIR", str(tmp_path / "runs"))
    return tmp_path / "runs"


class FakeWorker:
    """A worker that executes a run when it is told to."""

    pid = 0
    is_alive = True

    def __init__(self):
        self.executed = []
        self.may_finish = threading.Semaphore(0)

    def ask_machine(self):
        return service.Machine(devices=("cpu",), num_threads=1, versions={})

    def execute(self, path):
        self.executed.append(path.name)
        self.may_finish.acquire()
        if self.is_alive:
            folders.append(path, Stopped())
        return ""

    def dismiss(self):
        self.is_alive = False
        self.may_finish.release()

    def end(self):
        self.is_alive = False


@pytest.fixture
def fake(folder, monkeypatch):
    """The door with a fake worker behind it."""
    worker = FakeWorker()
    monkeypatch.setattr(service, "Worker", lambda: worker)
    fresh = service.Service()
    monkeypatch.setattr(runs, "_SERVICE", fresh)
    yield worker
    fresh.shut_down()


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """The door with its worker process, which all tests of this module share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNN_RUNS_DIR", str(tmp_path_factory.mktemp("runs")))
        patch.setenv("CNN_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(runs, "_SERVICE", service.Service())
        runs.warm_up()
        yield
        runs.shut_down()


def finish(run_id):
    wait_for(lambda: runs.get(run_id).is_over)
    return runs.get(run_id)


# The folder


@pytest.mark.parametrize(
    "text", ["", "..", "../../etc", "a/b", "x" * 22 + "/", "ä" * 22, "-" * 22, None, 5, "\0" * 22]
)
def test_what_is_no_id_is_no_run(folder, text):
    with pytest.raises(runs.UnknownRun, match="is not on this machine"):
        runs.get(text)
    with pytest.raises(runs.UnknownRun, match="is not on this machine"):
        runs.control(text, "stop")


def test_ids_cannot_be_guessed(folder):
    ids = {folders.create(SMALL, owner="A", device=None) for _ in range(20)}
    assert len(ids) == 20
    assert {len(run_id) for run_id in ids} == {22}


def test_a_run_keeps_only_a_hash_of_its_owner(folder):
    run_id = folders.create(SMALL, owner="visitor-1", device=None)
    run = runs.get(run_id)
    assert run.belongs_to("visitor-1")
    assert not run.belongs_to("visitor-2")
    assert "visitor-1" not in (folder / run_id / "run.json").read_text()


def test_events_are_read_as_they_are_written(folder):
    run_id = folders.create(SMALL, owner="A", device=None)
    assert runs.get(run_id).steps == ()
    folders.append(folder / run_id, STEP)
    assert runs.get(run_id).steps == (STEP,)
    line = training.events.to_json(replace(STEP, step=6)).encode() + b"\n"
    with (folder / run_id / "events.jsonl").open("ab") as file:
        file.write(line[:20])
        file.flush()
        assert runs.get(run_id).step == 3
        file.write(line[20:])
    assert runs.get(run_id).step == 6


def test_a_broken_line_hides_no_other(folder):
    run_id = folders.create(SMALL, owner="A", device=None)
    (folder / run_id / "events.jsonl").write_bytes(b'{"event": "StepLog')
    folders.append(folder / run_id, STEP)
    folders.append(folder / run_id, Failed(message="too bad"))
    run = runs.get(run_id)
    assert (run.steps, run.state, run.error) == ((STEP,), "failed", "too bad")


def test_a_full_disk_leaves_no_part_of_a_line(folder):
    run_id = folders.create(SMALL, owner="A", device=None)
    folders.append(folder / run_id, STEP)
    path = folder / run_id / "events.jsonl"
    before = path.read_bytes()
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, hard))
    try:
        with pytest.raises(OSError, match="No space left"):
            folders.append(folder / run_id, STEP)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert path.read_bytes() == before


def test_a_run_that_nobody_executes_is_interrupted(folder):
    run_id = folders.create(SMALL, owner="A", device=None)
    folders.append(folder / run_id, STEP)
    assert runs.get(run_id).state == "interrupted"
    assert runs.get(run_id).is_over


def test_a_damaged_folder_is_no_run(folder):
    run_id = folders.create(SMALL, owner="A", device=None)
    (folder / run_id / "settings.json").write_text('{"learning_rat": 1}')
    with pytest.raises(runs.UnknownRun, match=r"cannot be read .*learning_rat"):
        runs.get(run_id)


def test_the_time_left_is_that_of_the_pictures_left(folder):
    settings = replace(SMALL, num_epochs=2)  # 2 epochs of 3,600 pictures in 36 steps
    run_id = folders.create(settings, owner="A", device=None)
    folders.append(folder / run_id, replace(STEP, step=18, examples_per_second=1800.0))
    assert folders.read(run_id, place=0, failure="").seconds_left == pytest.approx(3600 * 1.5 / 1800)
    assert runs.get(run_id).seconds_left is None
    assert runs.get(run_id).progress == 0.25


def test_runs_are_listed_newest_first_for_their_owner(folder):
    ids = [folders.create(SMALL, owner=owner, device=None) for owner in "ABA"]
    assert [run.id for run in runs.list()] == ids[::-1]
    assert [run.id for run in runs.list("A")] == [ids[2], ids[0]]
    assert runs.list("C") == ()


def test_old_runs_are_tidied_away(folder, monkeypatch):
    def age(run_id):
        path = folder / run_id / "events.jsonl"
        os.utime(path, (time.time() - folders.MAX_AGE_SECONDS - 60,) * 2)

    ids = [folders.create(SMALL, owner="A", device=None) for _ in range(5)]
    age(ids[3])
    age(ids[0])
    folders.tidy(keep={ids[0]})
    assert folders.ids() == [ids[4], ids[2], ids[1], ids[0]]
    monkeypatch.setattr(folders, "MAX_RUNS", 3)
    folders.tidy(keep=())
    assert folders.ids() == [ids[4], ids[2], ids[1]]
    (folder / ids[2] / "big").write_bytes(bytes(100_000))
    monkeypatch.setattr(folders, "MAX_BYTES", 50_000)
    folders.tidy(keep=())
    assert folders.ids() == [ids[4]]


def test_an_unknown_wish_is_refused(folder):
    run_id = folders.create(SMALL, owner="A", device=None)
    with pytest.raises(ValueError, match="unknown wish 'stopp': did you mean 'stop'"):
        runs.control(run_id, "stopp")


# The queue


def test_owners_take_turns(fake):
    first, *others = [runs.submit(SMALL, owner="A") for _ in range(10)]
    wait_for(lambda: fake.executed == [first])
    late = runs.submit(SMALL, owner="B")
    assert [runs.get(run_id).position for run_id in [late, *others]] == list(range(1, 11))
    assert runs.get(first).state == "running"
    fake.may_finish.release()
    wait_for(lambda: fake.executed == [first, late])
    assert [runs.get(run_id).position for run_id in others] == list(range(1, 10))


def test_an_owner_who_submits_one_after_another_does_not_overtake(fake):
    runs.submit(SMALL, owner="A")
    wait_for(lambda: len(fake.executed) == 1)
    waiting = runs.submit(SMALL, owner="B")
    fake.may_finish.release()
    wait_for(lambda: len(fake.executed) == 2)
    again, other = runs.submit(SMALL, owner="A"), runs.submit(SMALL, owner="C")
    assert fake.executed[1] == waiting
    assert (runs.get(again).position, runs.get(other).position) == (1, 2)


def test_the_queue_is_bounded(fake):
    runs.submit(SMALL, owner="first")
    wait_for(lambda: fake.executed)
    refused = 0
    for number in range(200):
        try:
            runs.submit(SMALL, owner=f"visitor {number % 7}")
        except runs.QueueFull:
            refused += 1
    assert refused == 140
    with pytest.raises(runs.QueueFull, match="60 runs are waiting, as many as the queue holds"):
        runs.submit(SMALL, owner="one more")
    positions = [run.position for run in runs.list() if run.state == "queued"]
    assert sorted(positions) == list(range(1, 61))


def test_a_waiting_run_that_is_stopped_leaves_the_queue(fake):
    first, second, third = [runs.submit(SMALL, owner="A") for _ in range(3)]
    wait_for(lambda: fake.executed == [first])
    runs.control(second, "stop")
    assert runs.get(second).state == "stopped"
    assert runs.get(third).position == 1


def test_runs_that_waited_when_the_app_ended_are_interrupted(fake):
    ids = [runs.submit(SMALL, owner="A") for _ in range(3)]
    wait_for(lambda: fake.executed == ids[:1])
    runs.shut_down()
    assert {runs.get(run_id).state for run_id in ids} == {"interrupted"}


def test_a_folder_that_cannot_be_written_refuses_runs(fake, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CNN_RUNS_DIR", str(tmp_path / "file"))
    with pytest.raises(
        runs.RunRefused, match=r"cannot be written \(.*\): free some space, or name .*CNN_RUNS_DIR"
    ):
        runs.submit(SMALL, owner="A")


def test_a_wish_that_cannot_be_written_is_refused(fake, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    run_id = runs.submit(SMALL, owner="A")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(runs.RunRefused, match=r"cannot be written \(No space left on device\)"):
        runs.control(run_id, "stop")


# The worker


def test_a_run_gives_what_a_training_gives(real):
    import torch

    run = finish(runs.submit(SMALL, owner="A", device="cpu"))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    happened = list(training.train(SMALL, device="cpu"))
    torch.set_num_threads(before)
    assert run.state == "finished"
    assert run.result == happened[-1]
    assert run.started == happened[0]
    assert run.progress == 1
    assert [end.validation_loss for end in run.epochs] == [happened[-2].validation_loss]
    weights = checkpoints.load_weights(run.checkpoint)
    for name, value in happened[0].state.model.state_dict().items():
        assert np.array_equal(weights[name], value)


def test_the_worker_says_what_the_machine_has(real):
    wait_for(lambda: runs.machine())
    assert runs.machine().devices == training.devices()
    assert runs.machine().num_threads == 1


def test_a_running_run_is_stopped_at_once_and_keeps_its_checkpoint(real):
    for _ in range(3):
        run_id = runs.submit(LONG, owner="A")
        wait_for(lambda run_id=run_id: runs.get(run_id).steps)
        assert runs.get(run_id).seconds_left > 0
        began = time.monotonic()
        runs.control(run_id, "stop")
        run = finish(run_id)
        assert time.monotonic() - began < 2
        assert run.state == "stopped"
        assert run.result is None
        progress = checkpoints.load(run.checkpoint).progress
        assert progress["epoch"] * LONG.steps_per_epoch + progress["step"] == run.step


def test_a_run_that_cannot_start_says_why(real):
    missing = finish(runs.submit(replace(SMALL, data="kmnist"), owner="A"))
    assert missing.state == "failed"
    assert "kmnist is not on this machine" in missing.error
    elsewhere = finish(runs.submit(SMALL, owner="A", device="cud"))
    assert "unknown device 'cud'" in elsewhere.error
    diverged = finish(runs.submit(replace(SMALL, learning_rate=1e30), owner="A"))
    assert "try a smaller learning_rate" in diverged.error


def test_a_killed_worker_costs_one_run(real):
    victim, survivor = runs.submit(LONG, owner="A"), runs.submit(SMALL, owner="B")
    wait_for(lambda: runs.get(victim).steps)
    os.kill(runs._SERVICE._worker.pid, signal.SIGKILL)
    wait_for(lambda: runs.get(victim).is_over, seconds=1)
    assert runs.get(victim).state == "failed"
    assert "the training process ended unexpectedly (signal 9): start the run again" in runs.get(victim).error
    assert finish(survivor).state == "finished"


def test_a_worker_that_died_between_two_runs_is_replaced(real):
    assert finish(runs.submit(SMALL, owner="A")).state == "finished"
    pid = runs._SERVICE._worker.pid
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not runs._SERVICE._worker.is_alive)
    assert finish(runs.submit(SMALL, owner="A")).state == "finished"
    assert runs._SERVICE._worker.pid != pid


@pytest.mark.parametrize("num_bytes", [100, 3000], ids=["events", "checkpoint"])
def test_a_full_disk_ends_the_run_and_not_the_worker(real, num_bytes):
    finish(runs.submit(SMALL, owner="A"))
    pid = runs._SERVICE._worker.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (num_bytes, hard))
    run = finish(runs.submit(SMALL, owner="A"))
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
    assert run.state == "failed"
    assert "the run could not be saved" in run.error
    assert "free some space" in run.error
    assert list(run.checkpoint.glob("*")) == []
    assert finish(runs.submit(SMALL, owner="A")).state == "finished"
    assert runs._SERVICE._worker.pid == pid


def test_a_worker_starts_where_it_cannot_rehearse(monkeypatch):
    import torch

    monkeypatch.setenv("CNN_DEVICE", "no such device")
    monkeypatch.setenv("CNN_THREADS", str(torch.get_num_threads()))
    assert worker._load_torch()["num_threads"] == torch.get_num_threads()


APP = """
import json, sys, time
from cnn_core import runs
from cnn_core.training import Settings
run_id = runs.submit(Settings(network="mlp", num_epochs=1000), owner="A")
while not runs.get(run_id).steps:
    time.sleep(0.05)
clean = {"torch", "torchvision", "streamlit"}.isdisjoint(sys.modules)
print(json.dumps({"run": run_id, "worker": runs._SERVICE._worker.pid, "clean": clean}), flush=True)
time.sleep(60)
"""


def is_process(pid):
    """Tell whether a process runs; one that has ended and waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_the_worker_ends_with_the_app_and_its_run_is_interrupted(folder, end):
    app = subprocess.Popen(
        [sys.executable, "-c", APP], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with app:
        told = json.loads(app.stdout.readline())
        assert told["clean"], "the app has imported torch"
        assert is_process(told["worker"])
        app.send_signal(end)
    wait_for(lambda: not is_process(told["worker"]), seconds=5)
    run = runs.get(told["run"])
    assert run.state == "interrupted"
    assert run.steps


def test_the_records_that_end_a_run_decide_its_state(folder):
    finished = Finished(test_loss=1.0, test_accuracy=0.5, confusion=((1, 0), (0, 1)), predictions=(0, 1))
    for event, state in ((finished, "finished"), (Stopped(), "stopped"), (Failed(message="x"), "failed")):
        run_id = folders.create(SMALL, owner="A", device=None)
        folders.append(folder / run_id, event)
        assert runs.get(run_id).state == state
    assert of_epochs(folder) == (0.5,)


def of_epochs(folder):
    """Write one epoch into a new run and return what is read of it."""
    run_id = folders.create(SMALL, owner="A", device=None)
    ended = EpochEnded(
        epoch=1,
        step=36,
        train_loss=2.0,
        train_accuracy=0.5,
        validation_loss=None,
        validation_accuracy=None,
        examples_per_second=1.0,
        seconds=1.0,
    )
    folders.append(folder / run_id, ended)
    return tuple(epoch.train_accuracy for epoch in runs.get(run_id).epochs)
