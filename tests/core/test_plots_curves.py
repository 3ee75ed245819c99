import json

import numpy as np
import pytest

from cnn_core.plots import curves
from cnn_core.plots.theme import DARK, LIGHT
from cnn_core.training import EpochEnded, LearningRateChanged, StepLogged


def step(number: int, loss: float) -> StepLogged:
    return StepLogged(step=number, epoch=1, loss=loss, accuracy=1 - loss, examples_per_second=1.0)


def epoch(number: int, loss: float | None) -> EpochEnded:
    return EpochEnded(
        epoch=number,
        step=10 * number,
        train_loss=9.0,
        train_accuracy=0.9,
        validation_loss=loss,
        validation_accuracy=loss,
        examples_per_second=1.0,
        seconds=1.0,
    )


def points(columns, name):
    return [
        (x, y)
        for x, y, set_ in zip(columns["epoch"], columns["value"], columns["set"], strict=True)
        if set_ == name
    ]


def test_steps_are_placed_in_their_epoch_and_validation_at_its_end():
    columns = curves.curves([step(5, 0.5), step(20, 0.25)], [epoch(1, 0.75)], "loss", steps_per_epoch=10)
    assert points(columns, "raw") == [(0.5, 0.5), (2.0, 0.25)]
    assert points(columns, "validation") == [(1.0, 0.75)]


def test_the_training_curve_is_the_mean_of_a_value_and_those_before_it():
    steps = [step(number, float(loss)) for number, loss in ((1, 4), (2, 2), (3, 1))]
    columns = curves.curves(steps, [], "loss", steps_per_epoch=10)
    by_hand = [4, (2 + 0.8 * 4) / 1.8, (1 + 0.8 * 2 + 0.64 * 4) / 2.44]
    assert [y for _, y in points(columns, "training")] == pytest.approx(by_hand)


def test_a_learning_rate_that_was_set_by_hand_has_its_place():
    change = LearningRateChanged(step=15, learning_rate=0.001)
    columns = curves.curves([step(20, 0.5)], [], "loss", steps_per_epoch=10, rate_changes=[change])
    assert points(columns, "learning rate") == [(1.5, 0.001)]


def test_accuracy_is_drawn_from_the_same_records():
    columns = curves.curves([step(5, 0.25)], [epoch(1, 0.5)], "accuracy", steps_per_epoch=10)
    assert points(columns, "training") == [(0.5, 0.75)]
    assert points(columns, "validation") == [(1.0, 0.5)]


def test_nothing_is_drawn_before_the_first_step():
    columns = curves.curves([], [], "loss", steps_per_epoch=10)
    assert [len(column) for column in columns.values()] == [0, 0, 0]
    assert set(columns) == {"epoch", "value", "set"}


def test_epochs_without_validation_have_no_point():
    columns = curves.curves([], [epoch(1, None), epoch(2, 0.5)], "loss", steps_per_epoch=10)
    assert points(columns, "validation") == [(2.0, 0.5)]


def test_many_steps_become_means_of_neighbours():
    steps = [step(number, float(number)) for number in range(1, 2001)]
    columns = curves.curves(steps, [], "loss", steps_per_epoch=10, max_points=300)
    training = points(columns, "raw")
    assert len(training) == len(points(columns, "training")) == 300
    assert all(y == pytest.approx(10 * x) for x, y in training)
    assert np.mean([y for _, y in training[:200]]) == pytest.approx(np.mean(range(1, 1401)), rel=1e-12)


@pytest.mark.parametrize("palette", [LIGHT, DARK])
@pytest.mark.parametrize("quantity", ["loss", "accuracy"])
def test_the_chart_keeps_the_colours_of_training_and_validation(palette, quantity):
    spec = curves.curves_spec(quantity, num_epochs=3, chance=0.1, palette=palette)
    colours = [layer["encoding"]["color"]["scale"] for layer in spec["layer"] if "color" in layer["encoding"]]
    expected = {"domain": ["training", "validation"], "range": [palette.training, palette.validation]}
    assert colours == [expected, expected]


def test_the_chart_ends_with_the_last_epoch_and_marks_chance():
    spec = curves.curves_spec("loss", num_epochs=7, chance=2.302585)
    assert spec["encoding"]["x"]["scale"]["domain"] == [0, 7]
    rule, word = spec["layer"][:2]
    assert rule["encoding"]["y"] == {"datum": 2.302585}
    assert word["mark"]["text"] == "chance: 2.3"


def test_the_chart_does_not_change_while_points_come_in():
    first, second = (curves.curves_spec("accuracy", num_epochs=3, chance=0.1) for _ in range(2))
    assert json.dumps(first) == json.dumps(second)


def test_bars_say_which_class_is_true_and_how_probable_each_is():
    bars = curves.probability_bars(np.array([0.125, 0.875]), ("cat", "dog"), label=1)
    assert bars == {"class": ["cat", "dog (true)"], "probability": [0.125, 0.875], "text": ["12.5%", "87.5%"]}


def test_bars_keep_the_order_of_the_classes():
    assert curves.probability_spec()["encoding"]["y"]["sort"] is None
