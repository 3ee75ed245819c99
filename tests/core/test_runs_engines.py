"""The contract of the engines: in this process, on this machine, on a cluster of separate processes."""

import time
from dataclasses import replace

import numpy as np
import pytest

from cnn_core import inspection, runs, training
from cnn_core.runs.service import Service
from cnn_core.training import checkpoints, initial
from tests.core.running import LONG, SMALL, SeparateCluster, finish, wait_for, wait_for_workers


@pytest.fixture(scope="module", params=["here", "local", "cluster"])
def engine(request, tmp_path_factory):
    """The door with an engine behind it, which the tests of this module share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNN_RUNS_DIR", str(tmp_path_factory.mktemp("runs")))
        patch.setenv("CNN_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("CNN_WORKERS", "2")
        patch.setenv("CNN_SCHEDULER", "here" if request.param == "here" else "")
        separate = None
        if request.param == "cluster":
            separate = SeparateCluster(tmp_path_factory.mktemp("cluster"))
            patch.setenv("CNN_SCHEDULER", separate.address)
        patch.setattr(runs, "_SERVICE", Service())
        runs.warm_up()
        wait_for(runs.machine)
        if request.param != "here":
            wait_for_workers(2)
        yield request.param
        runs.shut_down()
        if separate:
            separate.end()


def start(settings, owner="A"):
    run_id = runs.submit(settings, owner=owner, device="cpu")
    wait_for(lambda: runs.get(run_id).steps)
    return run_id


def weights_of(run):
    return checkpoints.load_weights(run.checkpoint)


def test_a_run_gives_what_a_training_gives(engine, one_thread):
    run = finish(runs.submit(SMALL, owner="A", device="cpu"))
    happened = list(training.train(SMALL, device="cpu"))
    assert (run.state, run.error) == ("finished", "")
    assert run.result == happened[-1]
    assert run.started.data_sha256 == happened[0].data_sha256
    assert run.started.versions == happened[0].versions
    assert run.progress == 1
    assert [end.validation_loss for end in run.epochs] == [happened[-2].validation_loss]
    weights = weights_of(run)
    for name, value in happened[0].state.model.state_dict().items():
        assert np.array_equal(weights[name], value)


def test_a_run_begins_from_the_weights_that_are_brought_along(engine, one_thread):
    weights = inspection.draw_parameters(SMALL.layers, SMALL.spec.input_shape, seed=3)
    run = finish(runs.submit(SMALL, owner="A", device="cpu", weights=weights))
    happened = list(training.train(SMALL, device="cpu", initial_weights=weights))
    assert run.result == happened[-1]
    assert run.started.initial_sha256 == initial.sha256(weights)
    from_seed = finish(runs.submit(SMALL, owner="A", device="cpu"))
    assert from_seed.started.initial_sha256 != run.started.initial_sha256


def test_a_run_that_goes_on_tells_the_weights_that_it_began_from(engine):
    weights = inspection.draw_parameters(SMALL.layers, SMALL.spec.input_shape, seed=3)
    run_id = runs.submit(LONG, owner="A", device="cpu", weights=weights)
    wait_for(lambda: runs.get(run_id).steps)
    runs.control(run_id, "stop", owner="A")
    step = finish(run_id).step
    runs.control(run_id, "run", owner="A")
    wait_for(lambda: runs.get(run_id).step > step)
    assert runs.get(run_id).started.step == step
    assert runs.get(run_id).started.initial_sha256 == initial.sha256(weights)
    runs.control(run_id, "stop", owner="A")
    finish(run_id)


def test_weights_that_were_damaged_meanwhile_end_the_run_with_words(engine):
    blocker = start(LONG)
    weights = inspection.draw_parameters(SMALL.layers, SMALL.spec.input_shape, seed=3)
    run_id = runs.submit(SMALL, owner="A", device="cpu", weights=weights)
    file = runs.get(run_id).initial_file
    file.write_bytes(file.read_bytes()[:-1])
    runs.control(blocker, "stop", owner="A")
    run = finish(run_id)
    assert run.state == "failed"
    assert "the file is no whole safetensors file" in run.error


def test_the_engine_says_what_the_machine_has(engine):
    assert runs.machine().devices == training.devices()
    assert engine == "here" or runs.machine().num_threads == 1


def test_the_app_needs_no_torch_for_it(engine):
    """What comes back from a worker loads nothing; the app of the killing test says so of its whole process."""
    assert {type(value) for value in runs.machine().versions.values()} == {str}


def test_a_running_run_is_stopped_at_once_and_keeps_its_checkpoint(engine):
    for _ in range(3):
        run_id = start(LONG)
        assert runs.get(run_id).seconds_left > 0
        began = time.monotonic()
        runs.control(run_id, "stop", owner="A")
        run = finish(run_id)
        assert time.monotonic() - began < 10  # the benchmark has the figure
        assert run.state == "stopped"
        assert run.result is None
        progress = checkpoints.load(run.checkpoint).progress
        assert progress["epoch"] * LONG.steps_per_epoch + progress["step"] == run.step


def test_a_stopped_run_goes_on_as_if_nothing_had_happened(engine, one_thread):
    settings = replace(SMALL, num_epochs=12)
    run_id = runs.submit(settings, owner="A", device="cpu")
    runs.control(run_id, "step", owner="A")
    wait_for(lambda: runs.get(run_id).state == "paused")
    runs.control(run_id, "stop", owner="A")
    assert finish(run_id).step == 1
    runs.control(run_id, "run", owner="A")
    run = finish(run_id)
    assert run.state == "finished"
    assert [epoch.epoch for epoch in run.epochs] == list(range(1, 13))
    assert sorted({step.step for step in run.steps}) == [step.step for step in run.steps]
    *_, finished = training.train(settings, device="cpu")
    assert run.result.test_loss == finished.test_loss


def test_a_run_is_paused_makes_single_steps_and_epochs_and_goes_on(engine):
    run_id = start(LONG)

    def is_paused_after(step):
        run = runs.get(run_id)
        return run.state == "paused" and run.step >= step

    runs.control(run_id, "pause", owner="A")
    wait_for(lambda: is_paused_after(1))
    step = runs.get(run_id).step
    for number in (1, 2):
        runs.control(run_id, "step", owner="A")
        wait_for(lambda number=number: is_paused_after(step + number))
        assert runs.get(run_id).step == step + number
    runs.control(run_id, "epoch", owner="A")
    wait_for(lambda: is_paused_after(step + 3))
    run = runs.get(run_id)
    assert run.step == run.epochs[-1].step == len(run.epochs) * LONG.steps_per_epoch
    assert not run.is_over
    runs.control(run_id, "run", owner="A")
    wait_for(lambda: runs.get(run_id).step > run.step)
    assert runs.get(run_id).state == "running"
    runs.control(run_id, "stop", owner="A")
    finish(run_id)


def test_the_learning_rate_is_changed_in_the_middle_and_kept_by_a_resume(engine):
    run_id = start(LONG)
    runs.control(run_id, owner="A", learning_rate=0.0005)
    wait_for(lambda: runs.get(run_id).steps[-1].learning_rate == 0.0005)
    (change,) = runs.get(run_id).rate_changes
    assert change.learning_rate == 0.0005
    runs.control(run_id, "stop", owner="A")
    step = finish(run_id).step
    runs.control(run_id, "run", owner="A")
    wait_for(lambda: runs.get(run_id).step > step)
    assert runs.get(run_id).steps[-1].learning_rate == 0.0005
    assert runs.get(run_id).rate_changes == (change,)
    runs.control(run_id, "stop", owner="A")
    finish(run_id)


def test_a_run_that_cannot_start_says_why(engine):
    missing = finish(runs.submit(replace(SMALL, data="kmnist"), owner="A"))
    assert missing.state == "failed"
    assert "kmnist is not on this machine" in missing.error
    elsewhere = finish(runs.submit(SMALL, owner="A", device="cud"))
    assert "unknown device 'cud'" in elsewhere.error
    diverged = finish(runs.submit(replace(SMALL, learning_rate=1e30), owner="A"))
    assert "try a smaller learning_rate" in diverged.error


def test_a_checkpoint_that_cannot_be_written_ends_the_run_and_keeps_what_it_told(engine):
    blocker = start(LONG)
    run_id = runs.submit(SMALL, owner="A", device="cpu")
    runs.get(run_id).checkpoint.write_text("a file where the folder should be")
    runs.control(blocker, "stop", owner="A")
    run = finish(run_id)
    assert run.state == "failed"
    assert "the run could not be saved (File exists): free some space" in run.error
    assert len(run.epochs) == 1
    assert finish(runs.submit(SMALL, owner="A")).state == "finished"


def test_many_runs_at_once_are_all_executed_and_one_of_each_owner_at_a_time(engine):
    ids = {run_id: owner for owner in "ABC" for run_id in [runs.submit(SMALL, owner=owner) for _ in range(3)]}
    most = 0
    while not all(runs.get(run_id).is_over for run_id in ids):
        places = runs._SERVICE._queue.places()
        running = [owner for run_id, owner in ids.items() if places.get(run_id) == 0]
        assert len(running) == len(set(running))
        most = max(most, len(running))
    assert {runs.get(run_id).state for run_id in ids} == {"finished"}
    assert most == (1 if engine == "here" else 2)


def test_an_attempt_that_no_longer_counts_ends_and_writes_nothing(engine):
    run_id = start(LONG)
    folder = runs.get(run_id).checkpoint.parent
    runs.folders.change_wish(folder, attempt=99)
    wait_for(lambda: runs._SERVICE.place(run_id) is None)
    size = (folder / "events.jsonl").stat().st_size
    time.sleep(0.3)
    assert (folder / "events.jsonl").stat().st_size == size
    assert runs.get(run_id).state == "interrupted"


def test_after_a_restart_of_the_app_a_run_says_interrupted_and_goes_on(engine, monkeypatch):
    """It comes last: the service of the other tests is shut down."""
    settings = replace(SMALL, num_epochs=200)
    run_id = start(settings)
    wait_for((runs.get(run_id).checkpoint / checkpoints.FILE_NAME).exists)
    waiting = runs.submit(SMALL, owner="A")
    runs.shut_down()
    assert [runs.get(each).state for each in (run_id, waiting)] == ["interrupted", "interrupted"]
    runs.control(waiting, "run", owner="A")
    assert finish(waiting).state == "finished"
    step = runs.get(run_id).step
    runs.control(run_id, "run", owner="A")
    wait_for(lambda: runs.get(run_id).step > step)
    run = runs.get(run_id)
    assert 0 < run.started.step <= step
    assert [epoch.epoch for epoch in run.epochs] == list(range(1, len(run.epochs) + 1))
    runs.control(run_id, "stop", owner="A")
    finish(run_id)
