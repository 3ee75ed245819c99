import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_core.experiments import LENET, MLP, PERMUTATION, SIZES
from cnn_core.experiments.summaries import Level
from cnn_core.plots import experiments
from cnn_core.plots.theme import DARK, LIGHT
from tests.core.test_experiments import outcome

LIMITS = (0.5, 1.0)
PLAIN_LENET, PLAIN_MLP, PERMUTED_LENET, PERMUTED_MLP = PERMUTATION.trials


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0.001, 0.3))
def test_words_are_moved_apart_in_their_order_and_around_their_middle(places, gap):
    moved = experiments.apart(places, gap)
    order = np.argsort(places, kind="stable")
    assert (np.diff(moved[order]) >= gap - 1e-9).all()
    assert moved.mean() == pytest.approx(np.mean(places), abs=1e-9)


def test_words_that_are_far_enough_apart_stay():
    assert experiments.apart([0.9, 0.1, 0.5], 0.2).tolist() == [0.9, 0.1, 0.5]
    assert experiments.apart([], 0.2).tolist() == []


def test_each_epoch_is_a_point_and_the_last_one_has_the_name():
    outcomes = [outcome(PLAIN_LENET, curve=(0.5, 0.75)), outcome(PERMUTED_MLP, curve=(0.625,))]
    columns = experiments.accuracy_columns(outcomes, limits=LIMITS)
    rows = list(zip(*columns.values(), strict=True))
    assert rows == [
        (1, 0.5, LENET, "plain", "", 0.5),
        (2, 0.75, LENET, "plain", "LeNet, plain", 0.75),
        (1, 0.625, MLP, "permuted", "MLP, permuted", 0.625),
    ]


def test_names_of_lines_that_end_together_stand_below_each_other():
    outcomes = [outcome(PLAIN_MLP, curve=(0.75,)), outcome(PERMUTED_MLP, curve=(0.75,))]
    first, second = experiments.accuracy_columns(outcomes, limits=LIMITS)["label_at"]
    assert second - first == pytest.approx(experiments.LABEL_GAP * 0.5)


def test_before_the_first_epoch_there_is_no_row():
    columns = experiments.accuracy_columns([outcome(PLAIN_LENET, curve=())], limits=LIMITS)
    assert all(values == [] for values in columns.values())


def test_a_size_has_its_mean_and_its_range():
    levels = [
        Level(network=LENET, size=50, accuracies=(0.5, 0.75, 0.625)),
        Level(network=LENET, size=100, accuracies=(0.75,)),
        Level(network=MLP, size=50, accuracies=(0.5,)),
    ]
    columns = experiments.size_columns(levels, limits=LIMITS)
    assert list(zip(*columns.values(), strict=True)) == [
        (50, 0.625, 0.5, 0.75, 3, LENET, "", 0.625),
        (100, 0.75, 0.75, 0.75, 1, LENET, LENET, 0.75),
        (50, 0.5, 0.5, 0.5, 1, MLP, MLP, 0.5),
    ]


def scales(spec, channel):
    return [layer["encoding"][channel]["scale"] for layer in spec["layer"] if channel in layer["encoding"]]


@pytest.mark.parametrize("palette", [LIGHT, DARK])
@pytest.mark.parametrize(
    "spec",
    [
        lambda palette: experiments.accuracy_spec(num_epochs=3, limits=LIMITS, palette=palette),
        lambda palette: experiments.size_spec(limits=LIMITS, palette=palette),
    ],
)
def test_a_network_has_one_colour_everywhere_which_is_not_that_of_a_set(spec, palette):
    colours = scales(spec(palette), "color")
    assert len(colours) == len(spec(palette)["layer"])
    assert all(each == colours[0] for each in colours)
    assert colours[0]["domain"] == [LENET, MLP]
    taken = {palette.training, palette.validation, palette.background}
    assert len(set(colours[0]["range"]) - taken) == 2


def test_plain_and_permuted_differ_in_dash_and_shape_and_two_networks_in_shape():
    spec = experiments.accuracy_spec(num_epochs=3, limits=LIMITS)
    for channel in ("strokeDash", "shape"):
        (scale,) = scales(spec, channel)
        assert scale["domain"] == ["plain", "permuted"]
        assert scale["range"][0] != scale["range"][1]
    (scale,) = scales(experiments.size_spec(limits=LIMITS), "shape")
    assert (scale["domain"], len(set(scale["range"]))) == ([LENET, MLP], 2)


@pytest.mark.parametrize("is_log", [True, False])
def test_all_sizes_lie_within_the_axis_and_are_its_ticks_where_it_is_logarithmic(is_log):
    axis = experiments.size_spec(limits=LIMITS, is_log=is_log)["encoding"]["x"]
    low, high = axis["scale"]["domain"]
    assert low < SIZES[0] < SIZES[-1] < high
    assert axis["scale"]["type"] == ("log" if is_log else "linear")
    assert axis["axis"].get("values") == (list(SIZES) if is_log else None)


def test_the_axis_of_the_accuracy_stays_while_results_come_in():
    for spec in (
        experiments.accuracy_spec(num_epochs=3, limits=LIMITS),
        experiments.size_spec(limits=LIMITS),
    ):
        assert all(scale["domain"] == [0.5, 1.0] for scale in scales(spec, "y"))
