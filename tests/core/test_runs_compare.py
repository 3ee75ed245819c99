from dataclasses import replace

import numpy as np
import pytest
import torch

from cnn_core import runs
from cnn_core.network import format as format_network
from cnn_core.runs import compare, folders, reading, rows, worker
from cnn_core.training import (
    EpochEnded,
    Finished,
    LearningRateChanged,
    Settings,
    StepLogged,
    Stopped,
)
from cnn_core.training.events import Failed
from tests.core.running import SMALL, STARTED

pytestmark = pytest.mark.usefixtures("folder", "one_thread")
DROPOUT = replace(SMALL, network="conv4k5s2-relu-max2-flatten-drop0.5-10", num_epochs=2, shift=2, flip=True)
SLOW_STEP = StepLogged(step=10, epoch=1, loss=2.0, accuracy=0.25, examples_per_second=500.0)
EPOCH = EpochEnded(
    epoch=1,
    step=36,
    train_loss=2.0,
    train_accuracy=0.25,
    validation_loss=1.5,
    validation_accuracy=0.5,
    examples_per_second=1000.0,
    seconds=3.6,
)
RESULT = Finished(test_loss=1.0, test_accuracy=0.75, confusion=((1,),), predictions=(0,))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CNN_RUNS_DIR", str(tmp_path / "runs"))


def train(settings, *events, owner="A"):
    """Execute a run to its end as a worker does, and read it; with events, only write these down."""
    run_id = folders.create(settings, owner=owner, device="cpu")
    folder = folders.path_of(run_id)
    for event in events:
        folders.append(folder, event)
    if not events:
        assert worker.execute(folder, 0) == ""
    return reading.read(run_id)


def copy(run, **changes):
    """A run that differs from another only in what is said of it."""
    return replace(run, **changes)


@pytest.mark.parametrize("settings", [SMALL, DROPOUT])
def test_the_same_seed_gives_the_same_bits(settings):
    first, second = train(settings), train(settings)
    found = compare.compare(first, second)
    assert found.is_identical
    assert (found.why_not, found.circumstances, found.different_arrays) == ("", (), ())
    assert found.num_numbers == first.started.num_params
    # The test's; and of each epoch two, where the steps were told alike.
    assert found.num_losses >= 1 + settings.num_epochs


def test_another_number_of_threads_is_named():
    first = train(SMALL)
    torch.set_num_threads(2)
    second = train(SMALL)
    torch.set_num_threads(1)
    assert compare.compare(first, second).circumstances == ("threads (1 and 2)",)


def test_a_last_bit_that_differs_is_found(monkeypatch):
    run = train(SMALL)
    weights = compare.checkpoints.load_weights(run.checkpoint)
    other = {name: value.copy() for name, value in weights.items()}
    other["conv1.weight"].reshape(-1)[0] = np.nextafter(other["conv1.weight"].reshape(-1)[0], np.float32(9))
    answers = iter([weights, other])
    monkeypatch.setattr(compare.checkpoints, "load_weights", lambda folder: next(answers))
    found = compare.compare(run, run)
    assert not found.is_identical
    assert found.different_arrays == ("conv1.weight",)
    assert 0 < found.largest_difference < 1e-6


def test_losses_and_predictions_that_differ_are_found():
    run = train(SMALL)
    step, *others = run.steps[3:]
    steps = (*run.steps[:3], replace(step, loss=step.loss * (1 + 1e-11)), *others)
    predictions = (*run.result.predictions[:-1], -1)
    found = compare.compare(run, copy(run, steps=steps, result=replace(run.result, predictions=predictions)))
    assert not found.is_identical
    assert (found.num_different_losses, found.first_different_step) == (1, step.step)
    assert (found.has_same_predictions, found.different_arrays) == (False, ())


def test_losses_are_compared_only_where_they_are_means_over_the_same_steps():
    run = train(SMALL)
    # Told every second time: all means are over other steps, but those of the epoch, its validation and the test.
    found = compare.compare(run, copy(run, steps=run.steps[1::2]))
    assert found.is_identical
    assert found.num_losses == 3
    assert found.num_unmatched == len(run.steps) + len(run.steps[1::2])


def test_a_mean_that_was_summed_in_other_parts_is_the_same():
    run = train(SMALL)
    steps = tuple(replace(step, loss=step.loss * (1 + 1e-15)) for step in run.steps)
    assert steps != run.steps
    assert compare.compare(run, copy(run, steps=steps)).is_identical


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"device": "cuda"}, "device (cpu and cuda)"),
        ({"versions": {"python": "3.11", "torch": "1.0", "numpy": "2"}}, "PyTorch (2.0 and 1.0)"),
        ({"data_sha256": "0" * 64}, "pictures (abcdef01 and 00000000)"),
        ({"initial_sha256": "1" * 64}, "initial weights (12345678 and 11111111)"),
    ],
)
def test_what_was_not_alike_is_named(changes, expected):
    run = train(SMALL)
    versions = {"python": "3.11", "torch": "2.0", "numpy": "2"}
    sums = {"data_sha256": "abcdef01" * 8, "initial_sha256": "12345678" * 8}
    one = replace(run.started, versions=versions, **sums)
    found = compare.compare(copy(run, started=one), copy(run, started=replace(one, **changes)))
    assert found.circumstances == (expected,)


def test_a_learning_rate_changed_by_hand_and_a_clock_are_named():
    run = train(replace(SMALL, max_minutes=5.0))
    change = (LearningRateChanged(step=3, learning_rate=0.1),)
    found = compare.compare(run, copy(run, rate_changes=change, steps=run.steps[:-1]))
    assert found.circumstances == (
        "the learning rate, which was changed by hand",
        f"the clock, which ended them after {run.step} and {run.steps[-2].step} steps",
    )


def test_runs_that_cannot_be_compared_say_why(tmp_path):
    run = train(SMALL)
    assert compare.compare(run, copy(run, result=None)).why_not == "both have to be finished"
    other = replace(SMALL, seed=1, learning_rate=0.1)
    assert (
        compare.compare(run, copy(run, settings=other)).why_not
        == "their settings differ: learning_rate, seed"
    )
    found = compare.compare(run, copy(run, checkpoint=tmp_path))
    assert "has no checkpoint" in found.why_not
    assert not found.is_identical


def test_two_ways_to_write_a_network_are_no_difference():
    named = Settings(network="lenet-modern")
    written = Settings(network=format_network(named.layers))
    assert compare.differing([named, written]) == []
    assert compare.differing([named, written, Settings(network="mlp", batch_size=32)]) == [
        "network",
        "batch_size",
    ]


def test_the_next_seed_is_the_first_that_the_same_settings_have_not_had():
    others = [replace(SMALL, seed=seed) for seed in (0, 1, 3)] + [replace(SMALL, seed=2, num_epochs=9)]
    assert compare.next_seed(SMALL, others) == 2
    assert compare.next_seed(replace(SMALL, seed=2), others) == 4
    assert compare.next_seed(replace(SMALL, seed=2**32 - 1), others) == 2


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"optimizer": "sgd", "batch_size": 32, "data": "fashion-mnist", "num_epochs": 3}, []),
        ({"seed": 1}, ["seed"]),
        ({"network": "mlp"}, ["network"]),
    ],
)
def test_network_shape_and_seed_alone_decide_the_first_weights(changes, expected):
    from cnn_core import modules

    other = replace(SMALL, **changes)
    assert compare.changes_first_weights(SMALL, other) == expected
    first, second = (
        modules.build(each.layers, each.spec.input_shape, seed=each.seed).state_dict()
        for each in (SMALL, other)
    )
    is_same = first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
    assert is_same == (expected == [])


def test_a_row_sums_up_a_run():
    better = replace(EPOCH, epoch=2, step=72, validation_accuracy=0.75)
    worse = replace(EPOCH, epoch=3, step=108, validation_accuracy=0.625)
    settings = replace(SMALL, num_epochs=3)
    run = train(settings, STARTED, SLOW_STEP, EPOCH, better, worse, RESULT)
    (row,) = rows.rows("A")
    assert (row.id, row.settings, row.state) == (run.id, settings, "finished")
    assert (row.best_accuracy, row.test_accuracy) == (0.75, 0.75)
    assert row.seconds == pytest.approx(3 * 3.6)


def test_the_time_of_an_epoch_that_is_not_over_counts():
    step = replace(SLOW_STEP, step=46, epoch=2)
    run = train(SMALL, STARTED, SLOW_STEP, EPOCH, step, Stopped())
    # 10 steps of 100 pictures, at 500 in a second, after the epoch.
    assert run.seconds == pytest.approx(3.6 + 10 * 100 / 500)


def test_rows_are_an_owners_and_those_asked_for_the_newest_first():
    first, other, last = (train(SMALL, STARTED, Stopped(), owner=owner) for owner in "ABA")
    assert [row.id for row in rows.rows("A")] == [last.id, first.id]
    assert [row.id for row in rows.rows("A", [other.id, first.id, "gone"])] == [last.id, other.id, first.id]


def test_a_row_changes_with_the_folder_and_goes_with_it():
    run = train(SMALL, STARTED, Stopped())
    assert rows.rows("A")[0].name == ""
    runs.label(run.id, owner="A", name="slow")
    folders.append(folders.path_of(run.id), Failed(message="why"))
    (row,) = rows.rows("A")
    assert (row.name, row.state) == ("slow", "failed")
    runs.delete(run.id, owner="A")
    assert rows.rows("A", [run.id]) == []


def test_what_has_ended_is_read_once(monkeypatch):
    for _ in range(5):
        train(SMALL, STARTED, Stopped())
    expected = rows.rows("A")
    monkeypatch.setattr(rows.runs, "get", None)
    assert rows.rows("A") == expected
