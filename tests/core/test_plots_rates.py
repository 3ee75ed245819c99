import json

import pytest

from cnn_core.plots import rates
from cnn_core.plots.theme import DARK, LIGHT
from cnn_core.training import StepLogged

LAYERS = ("conv1", "conv2", "linear1")


def step(number: int, *, rate: float | None = 0.1, **norms: float) -> StepLogged:
    return StepLogged(
        step=number,
        epoch=1,
        loss=1.0,
        accuracy=0.5,
        examples_per_second=100.0 * number,
        learning_rate=rate,
        gradient_norms=norms,
    )


@pytest.mark.parametrize(
    ("quantity", "values"), [("learning_rate", [0.1, 0.05]), ("examples_per_second", [500.0, 2000.0])]
)
def test_a_step_is_placed_in_its_epoch(quantity, values):
    columns = rates.step_values([step(5), step(20, rate=0.05)], quantity, steps_per_epoch=10)
    assert columns["epoch"].tolist() == [0.5, 2.0]
    assert columns["value"].tolist() == values


def test_steps_that_do_not_know_their_learning_rate_are_left_out():
    columns = rates.step_values([step(5, rate=None), step(10)], "learning_rate", steps_per_epoch=10)
    assert columns["epoch"].tolist() == [1.0]


def test_many_steps_become_means_of_neighbours():
    steps = [step(number) for number in range(1, 1001)]
    columns = rates.step_values(steps, "examples_per_second", steps_per_epoch=1, max_points=250)
    assert len(columns["value"]) == 250
    assert columns["value"].tolist() == pytest.approx(100 * columns["epoch"])


@pytest.mark.parametrize(("is_log", "scale"), [(False, {"zero": True}), (True, {"type": "log"})])
def test_the_scale_is_linear_from_zero_or_logarithmic(is_log, scale):
    spec = rates.step_spec("learning_rate", num_epochs=3, is_log=is_log)
    assert spec["encoding"]["y"]["scale"] == scale
    assert spec["encoding"]["x"]["scale"]["domain"] == [0, 3]


def test_each_layer_has_its_own_points():
    steps = [step(5, conv1=0.5, linear1=2.0), step(10, conv1=0.25, linear1=4.0)]
    columns = rates.gradient_norms(steps, ("conv1", "linear1"), steps_per_epoch=10)
    rows = list(zip(columns["layer"], columns["epoch"], columns["value"], strict=True))
    assert rows == [("conv1", 0.5, 0.5), ("conv1", 1.0, 0.25), ("linear1", 0.5, 2.0), ("linear1", 1.0, 4.0)]


def test_a_gradient_of_zero_or_an_unknown_one_has_no_point_on_a_log_scale():
    columns = rates.gradient_norms([step(5, conv1=0.0), step(10)], LAYERS, steps_per_epoch=10)
    assert [len(column) for column in columns.values()] == [0, 0, 0]


@pytest.mark.parametrize("palette", [LIGHT, DARK])
@pytest.mark.parametrize("num_layers", [1, 2, 5, rates.MAX_LAYERS])
def test_colour_and_dashes_together_tell_all_layers_apart(palette, num_layers):
    layers = [f"conv{number}" for number in range(1, num_layers + 1)]
    encoding = rates.gradient_spec(layers, num_epochs=3, palette=palette)["encoding"]
    colours, dashes = (encoding[channel]["scale"]["range"] for channel in ("color", "strokeDash"))
    assert encoding["color"]["scale"]["domain"] == layers
    assert len(set(zip(colours, map(tuple, dashes), strict=True))) == num_layers


@pytest.mark.parametrize("number", [1, 8, 9, 40])
def test_of_many_layers_first_and_last_are_among_those_shown(number):
    names = [f"conv{index}" for index in range(number)]
    chosen = rates.spread(names)
    assert len(chosen) == len(set(chosen)) == min(number, rates.MAX_LAYERS)
    assert (chosen[0], chosen[-1]) == (names[0], names[-1])
    assert chosen == sorted(chosen, key=names.index)


def test_the_chart_does_not_change_while_points_come_in():
    first, second = (rates.gradient_spec(LAYERS, num_epochs=3) for _ in range(2))
    assert json.dumps(first) == json.dumps(second)
