import json

import numpy as np
import pytest

from cnn_core.plots import comparison
from cnn_core.plots.theme import DARK, LIGHT
from cnn_core.training import EpochEnded, StepLogged

STEPS = [
    StepLogged(step=step, epoch=1, loss=loss, accuracy=1 - loss, examples_per_second=1.0)
    for step, loss in ((5, 0.75), (20, 0.25))
]
EPOCHS = [
    EpochEnded(
        epoch=epoch,
        step=10 * epoch,
        train_loss=9.0,
        train_accuracy=0.9,
        validation_loss=loss,
        validation_accuracy=loss and 1 - loss,
        examples_per_second=1.0,
        seconds=1.0,
    )
    for epoch, loss in ((1, 0.5), (2, None), (3, 0.125))
]
NAMES = ("first", "second", "third")


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        ("training loss", [[0.5, 0.75], [2.0, 0.25]]),
        ("training accuracy", [[0.5, 0.25], [2.0, 0.75]]),
        ("validation loss", [[1, 0.5], [3, 0.125]]),
        ("validation accuracy", [[1, 0.5], [3, 0.875]]),
    ],
)
def test_training_is_drawn_by_step_and_validation_by_epoch(quantity, expected):
    assert comparison.points(STEPS, EPOCHS, quantity, steps_per_epoch=10).tolist() == expected


def test_a_run_that_has_told_nothing_has_no_points():
    for quantity in comparison.QUANTITIES:
        assert comparison.points([], [], quantity, steps_per_epoch=10).shape == (0, 2)


def test_the_curves_stand_below_each_other_under_their_names():
    curves = [np.array([[1, 0.5], [2, 0.25]]), np.empty((0, 2)), np.array([[1, 0.75]])]
    table = comparison.columns(curves, NAMES)
    rows = list(zip(table["run"], table["epoch"], table["value"], table["marked"], strict=True))
    assert rows == [("first", 1, 0.5, True), ("first", 2, 0.25, True), ("third", 1, 0.75, True)]
    assert [len(column) for column in comparison.columns([], []).values()] == [0, 0, 0, 0]


def test_a_long_curve_has_some_shapes_and_one_at_its_end():
    marked = comparison.columns([np.zeros((100, 2))], ["A"])["marked"]
    assert marked.sum() == comparison.MAX_MARKS
    assert marked[-1]
    gaps = np.diff(np.flatnonzero(marked))
    assert gaps.max() - gaps.min() <= 1


def channels(spec):
    """The scale of each channel that tells the runs apart."""
    encodings = [layer["encoding"] for layer in spec["layer"]]
    return {
        name: encoding[name]["scale"]
        for encoding in encodings
        for name in ("color", "strokeDash", "shape")
        if name in encoding
    }


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_each_run_has_a_shape_and_a_dash_of_its_own(palette):
    names = [f"run {number}" for number in range(comparison.MAX_CURVES)]
    scales = channels(comparison.comparison_spec("training loss", names, num_epochs=3, palette=palette))
    assert all(scale["domain"] == names for scale in scales.values())
    for channel in ("shape", "strokeDash"):
        assert len({json.dumps(value) for value in scales[channel]["range"]}) == len(names)
    colours = scales["color"]["range"]
    assert len(set(colours)) == 4
    assert not {palette.training, palette.validation, palette.background} & set(colours)


def test_the_legend_names_the_runs_once():
    spec = comparison.comparison_spec("validation loss", NAMES, num_epochs=3)
    line, shape = (layer["encoding"] for layer in spec["layer"])
    assert line["strokeDash"]["legend"] is None
    assert line["color"]["legend"] == shape["shape"]["legend"] == shape["color"]["legend"]


def test_the_axis_of_a_loss_begins_at_zero_and_ends_at_a_limit_if_there_is_one():
    def scale(quantity, **options):
        spec = comparison.comparison_spec(quantity, NAMES, num_epochs=3, **options)
        return spec["encoding"]["y"]["scale"]

    assert scale("validation loss") == {"zero": True, "nice": True}
    assert scale("validation accuracy") == {"zero": False, "nice": True}
    assert scale("training loss", limit=3.5) == {"domain": [0, 3.5], "nice": False}


def test_the_last_epoch_lies_within_the_chart():
    spec = comparison.comparison_spec("training loss", NAMES, num_epochs=50)
    low, high = spec["encoding"]["x"]["scale"]["domain"]
    assert low == 0
    assert 50 < high < 52
