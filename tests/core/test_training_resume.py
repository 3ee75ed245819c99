import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from cnn_core import data, inspection, training
from cnn_core.training import EpochEnded, checkpoints
from tests.core.trainings import SMALL, finish, of_kind, same, start

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def small(one_thread):
    return finish(SMALL)


@pytest.mark.parametrize(
    "settings",
    [
        SMALL,
        replace(SMALL, network="conv4k5s2-sigmoid-avg2-flatten-10", optimizer="sgd", learning_rate=0.5),
        replace(SMALL, optimizer="sgd", learning_rate=0.1, momentum=0.9),
        replace(SMALL, network="conv4k5s2-norm-relu-max2-drop0.25-flatten-16-relu-drop0.5-10"),
    ],
    ids=["adam", "sgd", "momentum", "dropout"],
)
def test_a_resumed_training_is_the_same_to_the_last_bit(settings, tmp_path):
    whole, happened = finish(settings)

    state = next(iter(half := training.train(replace(settings, num_epochs=2), device="cpu"))).state
    list(half)
    checkpoints.save(tmp_path / "half", state)
    assert same(whole, finish(settings, resume_from=tmp_path / "half")[0])

    running = training.train(settings, device="cpu")
    state = next(running).state
    while state.step < 31:
        next(running)
    assert 0 < state.progress.step < settings.steps_per_epoch
    checkpoints.save(tmp_path / "middle", state)
    running.close()
    parameters, resumed = finish(settings, resume_from=tmp_path / "middle")
    assert same(whole, parameters)
    assert resumed[0].step == state.step
    ends, resumed_ends = of_kind(happened, EpochEnded), of_kind(resumed, EpochEnded)
    assert [end.train_loss for end in resumed_ends] == pytest.approx([end.train_loss for end in ends[1:]])
    assert resumed[-1] == happened[-1]


LIVELY = replace(
    SMALL, num_epochs=2, optimizer="sgd", momentum=0.9, nesterov=True, learning_rate=0.1, weight_decay=5e-4
)


@pytest.mark.parametrize("change", [None, 0.03], ids=["as planned", "changed"])
@pytest.mark.parametrize(
    "settings",
    [
        replace(LIVELY, schedule="step"),
        replace(LIVELY, schedule="cosine", shift=2, flip=True, label_smoothing=0.1),
        replace(LIVELY, schedule="one-cycle", optimizer="adamw", learning_rate=0.01, train_fraction=0.7),
        replace(LIVELY, network="flatten-16-drop0.5-10", shift=1),
    ],
    ids=lambda settings: settings.schedule,
)
def test_schedules_augmentation_and_changes_by_hand_are_resumed_to_the_last_bit(settings, change, tmp_path):
    def follow(running, state, save_at=None):
        state.log_each_step = True
        happened = []
        for event in running:
            happened.append(event)
            if state.step == 11 and change:
                state.change_learning_rate(change)
            if state.step == save_at:
                checkpoints.save(tmp_path, state)
                running.close()
        return state, happened[-1]

    whole, finished = follow(*start(settings))
    follow(*start(settings), save_at=17)
    resumed, again = follow(*start(settings, resume_from=tmp_path))
    assert same(whole.model.state_dict(), resumed.model.state_dict())
    assert again == finished
    assert resumed.rates == whole.rates


def test_an_epoch_whose_last_step_ends_the_time_is_closed_after_a_resume_too(tmp_path):
    settings = replace(SMALL, network="flatten-10", batch_size=2000, max_minutes=1e-9)
    assert settings.steps_per_epoch == 1
    running, state = start(settings)
    next(running)
    assert state.progress.step == 1
    checkpoints.save(tmp_path, state)
    going_on = list(running)
    assert [type(each).__name__ for each in going_on] == ["EpochEnded", "Finished"]
    assert finish(settings, resume_from=tmp_path)[1][1:] == going_on


def test_a_schedule_over_all_epochs_cannot_be_prolonged(tmp_path):
    settings = replace(SMALL, network="flatten-10", schedule="cosine", num_epochs=1)
    checkpoints.save(tmp_path, start(settings)[1])
    with pytest.raises(
        ValueError, match=r"num_epochs 2 differs from the checkpoint's 1: only target_accuracy, "
    ):
        start(replace(settings, num_epochs=2), resume_from=tmp_path)


def test_a_checkpoint_from_before_there_were_schedules_is_resumed(small, tmp_path):
    running, state = start(SMALL)
    next(running)
    path = checkpoints.save(tmp_path, state)
    with safe_open(path, framework="numpy") as file:
        header = file.metadata()
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    progress = json.loads(header["progress"])
    older = {
        name: progress[name]
        for name in ("epoch", "step", "num_examples", "loss_sum", "num_correct", "seconds")
    }
    save_file(arrays, path, metadata={"settings": header["settings"], "progress": json.dumps(older)})
    assert same(small[0], finish(SMALL, resume_from=tmp_path)[0])


def test_what_batch_norms_have_learned_is_saved_resumed_and_inspected(tmp_path):
    settings = replace(SMALL, network="conv4k5s2-norm-relu-max2-flatten-16-norm-relu-10", num_epochs=2)
    whole, happened = finish(settings)
    running = training.train(settings, device="cpu")
    state = next(running).state
    while state.step < 31:
        next(running)
    checkpoints.save(tmp_path / "middle", state)
    running.close()
    parameters, resumed = finish(settings, resume_from=tmp_path / "middle")
    assert same(whole, parameters)
    assert parameters["norm2.num_batches_tracked"] == settings.num_steps
    assert resumed[-1] == happened[-1]

    checkpoints.save(tmp_path / "end", happened[0].state)
    weights = checkpoints.load_weights(tmp_path / "end")
    images = data.load("mnist-5k", split="test").images
    probabilities = inspection.predict(settings.layers, weights, images[:, None] / np.float32(255))
    assert tuple(probabilities.argmax(1)) == happened[-1].predictions


def test_a_checkpoint_at_the_very_end_only_tests(small, tmp_path):
    parameters, happened = small
    checkpoints.save(tmp_path, happened[0].state)
    again, resumed = finish(SMALL, resume_from=tmp_path)
    assert same(parameters, again)
    assert resumed[1:] == happened[-1:]


def test_the_weights_of_a_checkpoint_are_the_models(small, tmp_path):
    checkpoints.save(tmp_path, small[1][0].state)
    weights = checkpoints.load_weights(tmp_path)
    assert {name: value.shape for name, value in weights.items()} == {
        "conv1.weight": (4, 1, 5, 5),
        "conv1.bias": (4,),
        "linear1.weight": (10, 144),
        "linear1.bias": (10,),
    }
    assert all(np.array_equal(weights[name], value) for name, value in small[0].items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"batch_size": 50},
            "batch_size 50 differs from the checkpoint's 100: only num_epochs, target_accuracy, max_minutes, patience "
            "may change when a training with schedule constant is resumed",
        ),
        ({"num_epochs": 3}, "num_epochs 3 is less than the 4 epochs"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(small, tmp_path, change, message):
    checkpoints.save(tmp_path, small[1][0].state)
    with pytest.raises(ValueError, match=message):
        next(training.train(replace(SMALL, **change), device="cpu", resume_from=tmp_path))


def test_a_missing_or_damaged_checkpoint_is_refused(small, tmp_path):
    with pytest.raises(ValueError, match=r"has no checkpoint \(no file checkpoint.safetensors\)"):
        checkpoints.load(tmp_path)
    path = checkpoints.save(tmp_path, small[1][0].state)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"checkpoint .* cannot be read"):
        checkpoints.load(tmp_path)


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(small, tmp_path, monkeypatch):
    state = small[1][0].state
    old = checkpoints.save(tmp_path, state).read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoints.save(tmp_path, state)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [old]
