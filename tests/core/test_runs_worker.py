"""A worker alone, without a service or an engine: what it writes into a run's folder, and what it leaves alone."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from cnn_core import data, inspection
from cnn_core.runs import folders, reading, worker
from cnn_core.training import checkpoints
from tests.core.running import SMALL

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def create(tmp_path, monkeypatch):
    """Make a run and return its folder."""
    monkeypatch.setenv("CNN_RUNS_DIR", str(tmp_path / "runs"))
    return lambda settings=SMALL: folders.path_of(folders.create(settings, owner="A", device="cpu"))


@pytest.mark.parametrize("changes", [{}, {"want": "stop"}])
def test_an_attempt_that_no_longer_counts_writes_neither_failure_nor_stop(create, changes):
    folder = create(replace(SMALL, data="kmnist"))
    folders.change_wish(folder, attempt=2, **changes)
    assert worker.execute(folder, 1) == ""
    assert (folder / "events.jsonl").read_bytes() == b""
    worker.execute(folder, 2)
    assert reading.read(folder.name).state == ("stopped" if changes else "failed")


def test_a_run_that_the_clock_ends_keeps_the_weights_that_were_tested(create):
    folder = create(replace(SMALL, max_minutes=1e-9))
    assert worker.execute(folder, 0) == ""
    run = reading.read(folder.name)
    assert run.state == "finished"
    assert 0 < run.step < SMALL.steps_per_epoch
    assert checkpoints.load(run.checkpoint).progress["step"] == run.step
    images = data.load(SMALL.data, split="test").images
    weights = checkpoints.load_weights(run.checkpoint)
    probabilities = inspection.predict(SMALL.layers, weights, images[:, None] / np.float32(255))
    assert tuple(probabilities.argmax(1)) == run.result.predictions


def test_at_the_end_of_an_epoch_one_checkpoint_is_enough(create, monkeypatch):
    saved, save = [], checkpoints.save
    monkeypatch.setattr(checkpoints, "save", lambda *args: saved.append(args[1].step) or save(*args))
    assert worker.execute(create(replace(SMALL, num_epochs=2)), 0) == ""
    assert saved == [36, 72]


def test_a_run_that_is_removed_while_it_trains_does_not_come_back(create):
    folder = create()

    def is_wanted():
        if reading.read(folder.name).step:
            shutil.rmtree(folder)
            return False
        return True

    assert "the worker does not see the folder" in worker.execute(folder, 0, is_wanted)
    assert not folder.exists()


def test_a_wish_that_is_damaged_meanwhile_ends_the_run_with_words(create):
    folder = create()

    def is_wanted():
        (folder / "control.json").write_text("{")
        return True

    message = worker.execute(folder, 0, is_wanted)
    assert message.startswith(f"run {folder.name} is damaged (control.json: ")
    assert message.endswith("start it again")
