import numpy as np
import pytest

from cnn_core.plots import learning
from cnn_core.plots.theme import DARK


@pytest.mark.parametrize("num_steps", [0, 1, 2, 7, 10, 99, 1000, 5000])
def test_the_first_and_the_last_step_are_shown_and_never_too_many(num_steps):
    steps = learning.shown_steps(num_steps)
    assert (steps[0], steps[-1]) == (0, num_steps)
    assert steps == sorted(set(steps))
    assert len(steps) <= 7


def test_no_step_but_the_first_is_shown_before_a_step_is_taken():
    assert learning.shown_steps(0) == [0]


def test_a_long_curve_is_thinned_to_points_that_are_on_it():
    losses = np.exp(-np.arange(5001) / 1000)
    points = learning.loss_points(losses)
    assert len(points["step"]) == learning.MAX_POINTS
    assert (points["step"][0], points["step"][-1]) == (0, 5000)
    np.testing.assert_array_equal(points["loss"], losses[points["step"]])


def test_a_loss_of_0_is_left_out():
    points = learning.loss_points(np.array([1.0, 0.0, 0.5]))
    assert points["step"].tolist() == [0, 2]


@pytest.mark.parametrize(
    ("losses", "decades"),
    [
        ([5.0, 0.5], [0.1, 1, 10]),
        ([1.0], [0.1, 1]),
        ([1e12, 1e-12], [1e-12, 1e-8, 1e-4, 1, 1e4, 1e8, 1e12]),
        ([0.0], [0.1, 1]),
    ],
)
def test_the_axis_of_the_loss_holds_all_of_it_between_powers_of_ten(losses, decades):
    spec = learning.loss_spec(np.array(losses))
    axis, scale = (spec["encoding"]["y"][part] for part in ("axis", "scale"))
    np.testing.assert_allclose(axis["values"], decades)
    np.testing.assert_allclose(scale["domain"], [decades[0], decades[-1]])


def test_a_few_steps_have_dots_and_many_have_none():
    few, many = (learning.loss_spec(np.ones(count + 1), palette=DARK)["mark"] for count in (10, 100))
    assert few["point"]["filled"]
    assert many["point"] is False
    assert few["color"] == DARK.training


def test_the_axis_of_the_steps_shows_ten_at_least():
    domains = [
        learning.loss_spec(np.ones(count + 1))["encoding"]["x"]["scale"]["domain"] for count in (3, 30)
    ]
    assert domains == [[0, 10], [0, 30]]
