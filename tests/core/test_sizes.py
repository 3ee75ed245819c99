import itertools

import pytest
import torch
from torch import nn

from cnn_core.geometry import Axis, TransposedAxis, output_size
from cnn_core.sizes import Limits, reachable_sizes, settings_for, size_curves

SMALL = Limits(kernel_size=5, stride=4, padding=3, dilation=3)


def torch_size(axis: Axis) -> int:
    """Ask torch for the size, on its device that computes shapes only; uneven padding is added before."""
    before, after = axis.padding
    layer = nn.Conv1d(1, 1, axis.kernel_size, axis.stride, 0, axis.dilation, device="meta")
    return layer(torch.empty(1, 1, axis.input_size + before + after, device="meta")).shape[-1]


def seen(axis: Axis) -> tuple[tuple[int, ...], ...]:
    """List the pixels under each window: settings that see the same do the same."""
    return tuple(tuple(axis.seen_by(index)) for index in range(axis.output_size))


def all_settings(input_size: int, limits: Limits) -> list[Axis]:
    ranges = (
        range(1, limits.kernel_size + 1),
        range(1, limits.stride + 1),
        [(before, before + odd) for before in range(limits.padding + 1) for odd in (0, 1)],
        range(1, limits.dilation + 1),
    )
    found = []
    for kernel_size, stride, padding, dilation in itertools.product(*ranges):
        fits = dilation * (kernel_size - 1) < input_size + sum(padding)
        if fits and max(padding) <= limits.padding:
            found.append(Axis(input_size, kernel_size, stride, padding, dilation))
    return found


def brief(axis: Axis) -> tuple:
    before, after = axis.padding
    return axis.kernel_size, axis.stride, before if before == after else (before, after), axis.dilation


@pytest.mark.parametrize(
    ("input_size", "wanted", "first"),
    [
        (28, 28, [(3, 1, 1, 1), (1, 1, 0, 1), (5, 1, 2, 1), (7, 1, 3, 1)]),
        (28, 14, [(2, 2, 0, 1), (3, 2, 1, 1), (5, 2, 2, 1)]),
        (14, 7, [(2, 2, 0, 1), (3, 2, 1, 1)]),
        (28, 24, [(5, 1, 0, 1), (7, 1, 1, 1)]),
        (28, 7, [(4, 4, 0, 1)]),
        (28, 30, [(3, 1, 2, 1)]),
        (224, 112, [(2, 2, 0, 1), (3, 2, 1, 1), (5, 2, 2, 1), (7, 2, 3, 1)]),
        (227, 55, [(11, 4, 0, 1)]),
        (7, 5, [(3, 1, 0, 1)]),
    ],
)
def test_what_a_practitioner_would_take_comes_first(input_size, wanted, first):
    settings = settings_for(input_size, wanted)
    assert [brief(axis) for axis in settings[: len(first)]] == first


@pytest.mark.parametrize("input_size", [1, 2, 7, 8, 13, 28])
def test_every_setting_gives_the_size_by_torch(input_size):
    for wanted in range(1, input_size + 7):
        for axis in settings_for(input_size, wanted, limits=SMALL):
            assert axis.input_size == input_size
            assert torch_size(axis) == wanted


@pytest.mark.parametrize("input_size", [1, 2, 5, 8, 12])
def test_no_way_to_place_the_windows_is_missing_or_listed_twice(input_size):
    by_size: dict[int, set] = {}
    for axis in all_settings(input_size, SMALL):
        by_size.setdefault(torch_size(axis), set()).add((axis.kernel_size, seen(axis)))
    assert reachable_sizes(input_size, limits=SMALL) == sorted(by_size)
    for wanted, places in by_size.items():
        listed = [(axis.kernel_size, seen(axis)) for axis in settings_for(input_size, wanted, limits=SMALL)]
        assert len(listed) == len(set(listed))
        assert set(listed) == places


def test_settings_stay_within_the_limits():
    for axis in settings_for(9, 4, limits=SMALL):
        assert axis.kernel_size <= SMALL.kernel_size
        assert axis.stride <= SMALL.stride
        assert max(axis.padding) <= SMALL.padding
        assert axis.dilation <= SMALL.dilation


def test_the_same_question_has_the_same_answer_in_the_same_order():
    assert settings_for(9, 4) == settings_for(9, 4)


@pytest.mark.parametrize(("input_size", "wanted"), [(256, 160), (256, 1), (7, 32)])
def test_an_unreachable_size_has_no_setting(input_size, wanted):
    assert settings_for(input_size, wanted) == []
    assert wanted not in reachable_sizes(input_size)


def test_the_largest_size_is_that_of_the_smallest_kernel_with_all_padding():
    assert reachable_sizes(28)[-1] == output_size(28, 1, padding=12) == 52


@pytest.mark.parametrize(
    "axis", [Axis(7, 3), Axis(28, 5, 2, (2, 1)), Axis(224, 3, 2, 1, 2), Axis(10, 3, 4, 1, 1, True)]
)
def test_each_curve_goes_through_the_moment_and_holds_output_sizes(axis):
    fields = {
        "kernel size": "kernel_size",
        "dilation": "dilation",
        "stride": "stride",
        "input size": "input_size",
    }
    before, after = axis.padding
    for curve in size_curves(axis):
        assert curve.sizes[curve.now] == axis.output_size
        assert set(curve.sizes) <= set(curve.values)
        for value, size in curve.sizes.items():
            options = vars(axis) | {"padding": (value, value + after - before)}
            if curve.name in fields:
                options = vars(axis) | {fields[curve.name]: value}
            options.pop("output_size", None)
            assert output_size(**options) == size


def test_the_curves_of_a_transposed_convolution_hold_torchs_sizes():
    axis = TransposedAxis(4, 3, stride=2, padding=1, output_padding=1)
    curves = {curve.name: curve for curve in size_curves(axis)}
    assert curves["output padding"].sizes == {0: 7, 1: 8}
    for stride, size in curves["stride"].sizes.items():
        layer = nn.ConvTranspose1d(1, 1, 3, stride, padding=1, output_padding=1, device="meta")
        assert layer(torch.empty(1, 1, 4, device="meta")).shape[-1] == size
    assert 1 not in curves["stride"].sizes


def test_a_curve_ends_where_nothing_fits():
    curves = {curve.name: curve for curve in size_curves(Axis(7, 3))}
    assert list(curves["kernel size"].sizes) == [1, 2, 3, 4, 5, 6, 7]
    assert list(curves["dilation"].sizes) == [1, 2, 3]
    assert curves["dilation"].sizes == {1: 5, 2: 3, 3: 1}
    assert min(curves["input size"].sizes) == 3
    assert curves["kernel size"].values == range(1, 14)


def test_sides_that_differ_keep_their_difference():
    curves = {curve.name: curve for curve in size_curves(Axis(7, 3, padding=(2, 0)))}
    curve = curves["padding before"]
    assert (curve.now, curve.sizes) == (2, {2: 7, 3: 9, 4: 11})
    assert "padding per side" not in curves


def test_settings_beyond_the_limits_are_on_their_curves():
    limits = Limits(input_size=8, kernel_size=2, stride=1, padding=0, dilation=1)
    for curve in size_curves(Axis(20, 3, 4, 5, 2), limits=limits):
        assert curve.now in curve.sizes


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: settings_for(0, 3), "^input_size 0 is below 1$"),
        (lambda: settings_for(7, 0), "^output_size 0 is below 1$"),
        (lambda: reachable_sizes(-1), "^input_size -1 is below 1$"),
        (lambda: Limits(stride=0), "^stride 0 is below 1$"),
        (lambda: Limits(padding=-1), "^padding -1 is below 0$"),
    ],
)
def test_an_impossible_question_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
