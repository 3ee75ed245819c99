"""What changes the course of a training: schedules, augmentation, a part of the pictures, early ends."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from cnn_core import data
from cnn_core.training import EpochEnded, Finished, LearningRateChanged, StepLogged, checkpoints, loop, train
from cnn_core.training.pictures import augment, choose_rows
from cnn_core.training.recipes import RECIPES
from tests.core.trainings import SMALL, finish, of_kind, same, start

pytestmark = pytest.mark.usefixtures("one_thread")

QUICK = replace(SMALL, network="flatten-10", batch_size=500, num_epochs=3, learning_rate=0.5)  # 12 steps


def half_cosine(first, last, part):
    return last + (first - last) * (1 + math.cos(math.pi * part)) / 2


RATES = {
    "constant": [0.5] * 12,
    "step": [0.5] * 4 + [0.05] * 4 + [0.005] * 4,
    "cosine": [half_cosine(0.5, 0, step / 12) for step in range(12)],
    # 30 % of the way up, from a 25th; the rest down, to a 250,000th.
    "one-cycle": [
        half_cosine(0.02, 0.5, step / 2.6) if step < 2.6 else half_cosine(0.5, 2e-6, (step - 2.6) / 8.4)
        for step in range(12)
    ],
}


def rates(settings, changes=()):
    """Return the learning rate of each step, and those that the epochs tell."""
    running, state = start(settings)
    state.log_each_step = True
    steps, epochs = [], []
    for event in running:
        if isinstance(event, StepLogged):
            steps.append(event.learning_rate)
            if event.step in changes:
                state.change_learning_rate(changes[event.step])
        if isinstance(event, EpochEnded):
            epochs.append(event.learning_rate)
    return steps, epochs


@pytest.mark.parametrize("schedule", RATES)
def test_the_learning_rate_follows_the_schedule(schedule):
    steps, epochs = rates(replace(QUICK, schedule=schedule))
    assert steps == pytest.approx(RATES[schedule])
    assert epochs == [steps[3], steps[7], steps[11]]


@pytest.mark.parametrize("schedule", RATES)
def test_a_change_by_hand_scales_the_rest_of_the_schedule(schedule):
    expected = RATES[schedule]
    steps, _ = rates(replace(QUICK, schedule=schedule), {6: 0.1})
    assert steps[:6] == pytest.approx(expected[:6])
    assert steps[6] == 0.1
    assert steps[6:] == pytest.approx([0.1 / expected[6] * rate for rate in expected[6:]])


def test_a_change_by_hand_is_an_event_to_write_down():
    running, state = start(QUICK)
    next(running)
    assert state.change_learning_rate(0.25) == LearningRateChanged(step=state.step, learning_rate=0.25)
    assert next(running).learning_rate == 0.25
    with pytest.raises(ValueError, match="learning_rate 0 must be a finite number greater than 0"):
        state.change_learning_rate(0)


def test_after_a_schedule_has_ended_a_change_by_hand_is_taken_too():
    running, state = start(replace(QUICK, schedule="cosine"))
    list(running)
    assert state.rates["lr"] == 0
    state.change_learning_rate(0.25)
    assert state.rates["lr"] == 0.25


def test_a_training_of_one_step_takes_any_schedule():
    for schedule in RATES:
        assert len(rates(replace(QUICK, schedule=schedule, batch_size=2000, num_epochs=1))[0]) == 1


def moved(image, down, across, is_mirrored):
    """Shift one picture (H, W) by copying what stays inside, and mirror it first."""
    image = image[:, ::-1] if is_mirrored else image
    height, width = image.shape
    result = np.zeros_like(image)
    for row in range(max(0, down), min(height, height + down)):
        for column in range(max(0, across), min(width, width + across)):
            result[row, column] = image[row - down, column - across]
    return result


def test_each_picture_is_shifted_and_mirrored_by_its_own_chance():
    images = np.random.default_rng(0).random((60, 2, 6, 7), dtype=np.float32)
    settings = replace(QUICK, shift=2, flip=True)
    changed = augment(torch.tensor(images), settings, epoch=1, step=1)
    assert changed.is_contiguous(memory_format=torch.channels_last)
    found = set()
    for before, after in zip(images, changed.numpy(), strict=True):
        fitting = [
            (down, across, is_mirrored)
            for down in range(-2, 3)
            for across in range(-2, 3)
            for is_mirrored in (False, True)
            if all(
                np.array_equal(moved(channel, down, across, is_mirrored), other)
                for channel, other in zip(before, after, strict=True)
            )
        ]
        assert len(fitting) == 1
        found.add(fitting[0])
    assert [{each[axis] for each in found} for axis in range(3)] == [{*range(-2, 3)}] * 2 + [{False, True}]


def test_augmentation_is_decided_by_seed_epoch_and_step():
    images = torch.rand(8, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    settings = replace(QUICK, shift=3)
    first = augment(images, settings, epoch=2, step=1)
    assert torch.equal(first, augment(images, settings, epoch=2, step=1))
    assert not torch.equal(first, augment(images, settings, epoch=2, step=2))
    assert not torch.equal(first, augment(images, settings, epoch=1, step=1))
    assert not torch.equal(first, augment(images, replace(settings, seed=1), epoch=2, step=1))
    assert augment(images, QUICK, epoch=2, step=1) is images


def test_what_is_drawn_for_a_picture_stays_the_same_for_ever():
    """Runs can be repeated bit by bit, and the program of its own draws the same."""
    images = torch.rand(8, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    settings = replace(QUICK, shift=2, flip=True, seed=4)
    changed = augment(images, settings, epoch=3, step=7)
    generator = np.random.default_rng([4, 3, 7])
    corners = generator.integers(0, 5, (2, 8))
    is_mirrored = generator.random(8) < 0.5
    for index, (row, column) in enumerate(corners.T):
        expected = moved(images[index, 0].numpy(), 2 - row, 2 - column, False)
        assert np.array_equal(changed[index, 0], expected[:, ::-1] if is_mirrored[index] else expected)


def test_augmentation_changes_what_is_trained_on():
    settings = replace(QUICK, num_epochs=1)
    assert not same(finish(settings)[0], finish(replace(settings, shift=1))[0])
    assert not same(finish(settings)[0], finish(replace(settings, flip=True))[0])


def test_classes_keep_their_shares_in_a_part_of_the_pictures():
    labels = np.repeat([0, 1, 2], [3000, 900, 100])
    settings = replace(QUICK, train_fraction=0.25)  # 500 of 2,000
    rows, _ = loop.split_rows(settings)
    chosen = choose_rows(rows, labels, settings)
    assert len(set(chosen)) == 500
    assert set(chosen) <= set(rows)
    assert np.abs(np.bincount(labels[chosen]) - np.bincount(labels[rows]) / 4).max() < 1
    assert np.array_equal(chosen, choose_rows(rows, labels, settings))
    assert set(chosen) != set(choose_rows(rows, labels, replace(settings, seed=1)))
    assert choose_rows(rows, labels, QUICK) is rows


def test_a_part_of_the_pictures_is_trained_on_and_validation_stays():
    settings = replace(QUICK, train_fraction=0.25, num_epochs=1)
    _, happened = finish(settings)
    assert (happened[0].num_train, happened[0].num_validation) == (500, 2000)
    assert of_kind(happened, StepLogged)[-1].step == 1
    labels = data.load("mnist-5k", split="train").labels
    rows, _ = loop.split_rows(settings)
    assert len(choose_rows(rows, labels, settings)) == 500


def test_the_target_accuracy_ends_the_training(tmp_path):
    _, happened = finish(replace(QUICK, learning_rate=0.01))
    accuracies = [each.validation_accuracy for each in of_kind(happened, EpochEnded)]
    assert accuracies[0] < accuracies[1]
    settings = replace(QUICK, learning_rate=0.01, target_accuracy=accuracies[1])
    _, ended = finish(settings)
    assert len(of_kind(ended, EpochEnded)) == 2
    assert ended[-1].reason == f"target accuracy {accuracies[1]:g} reached in epoch 2"
    assert happened[-1].reason == "epochs"
    checkpoints.save(tmp_path, ended[0].state)
    assert finish(settings, resume_from=tmp_path)[1][1:] == ended[-1:]
    more = finish(replace(settings, target_accuracy=0), resume_from=tmp_path)[1]
    assert more[-1] == happened[-1]


def test_a_validation_loss_that_falls_no_more_ends_the_training(monkeypatch):
    losses = iter([1.0, 0.9, 0.95, 0.8, 0.8, 0.85, 0.7, 0.1])
    evaluate = loop.evaluate
    monkeypatch.setattr(loop, "evaluate", lambda state, *rest: (next(losses), evaluate(state, *rest)[1]))
    _, happened = finish(replace(QUICK, num_epochs=8, patience=2))
    assert [each.validation_loss for each in of_kind(happened, EpochEnded)] == [
        1.0,
        0.9,
        0.95,
        0.8,
        0.8,
        0.85,
    ]
    assert happened[-1].reason == "no smaller validation loss for 2 epochs, after epoch 6"
    assert len(of_kind(happened, Finished)) == 1


def test_the_time_ends_the_training_in_the_middle_of_an_epoch_and_it_can_go_on(tmp_path):
    settings = replace(QUICK, batch_size=100, max_minutes=1e-9)
    _, happened = finish(settings)
    assert [type(each).__name__ for each in happened] == ["Started", "StepLogged", "Finished"]
    state = happened[0].state
    assert 0 < state.step < settings.steps_per_epoch
    assert happened[-1].reason == f"1e-09 minutes over, after step {state.step}"
    checkpoints.save(tmp_path, state)
    whole, _ = finish(replace(settings, max_minutes=0))
    assert same(whole, finish(replace(settings, max_minutes=60), resume_from=tmp_path)[0])


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_that_was_found_keeps_a_tenth_of_the_clothes_for_validation(name):
    settings = RECIPES[name].settings
    assert (settings.data, settings.num_validation) == ("fashion-mnist", 6000)


@pytest.mark.skipif("fashion-mnist" not in data.available(), reason="Fashion-MNIST is not on this machine")
def test_the_fast_recipe_names_most_clothes_right_after_one_epoch():
    settings = replace(RECIPES["fast"].settings, num_epochs=1)
    *_, epoch, finished = train(settings, device="cpu")
    assert epoch.validation_accuracy > 0.85
    assert finished.test_accuracy > 0.85
