import itertools
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from cnn_core import ops
from cnn_core.shifts import (
    changes,
    difference,
    exchange,
    nearest_move,
    shifted_crops,
    translate,
    typical_difference,
    undisturbed,
)

PICTURE = np.random.default_rng(0).integers(0, 256, (40, 60)).astype(np.uint8)


def test_each_crop_shows_the_picture_one_pixel_further_to_the_right():
    crops = shifted_crops(PICTURE, 30, num_shifts=9)
    assert crops.shape == (9, 1, 30, 30)
    for shift in range(8):
        np.testing.assert_array_equal(crops[shift + 1, 0, :, 1:], crops[shift, 0, :, :-1])


def test_crops_hold_pixels_of_the_picture_only():
    crops = shifted_crops(np.arange(1, 1 + 12 * 20).reshape(12, 20), 12, num_shifts=9)
    assert crops.min() > 0
    np.testing.assert_array_equal(crops[8, 0, 0], np.arange(1, 13))


@pytest.mark.parametrize(("size", "message"), [(41, "41 x 49 (size=41"), (53, "53 x 61 (size=53")])
def test_a_picture_too_small_for_the_crops_is_refused(size, message):
    with pytest.raises(ValueError, match=re.escape(message) + ".*exceed the picture 40 x 60"):
        shifted_crops(PICTURE, size, num_shifts=9)


def test_sizes_below_one_are_refused():
    with pytest.raises(ValueError, match="size 0 is below 1"):
        shifted_crops(PICTURE, 0)
    with pytest.raises(ValueError, match="num_shifts 0 is below 1"):
        shifted_crops(PICTURE, 3, num_shifts=0)


def test_the_typical_difference_is_what_a_shuffle_changes_on_average():
    values = np.array([3.0, -1.0, 4.0, 1.0, -5.0, 9.0])
    shuffled = [np.mean(np.abs(np.array(order) - values)) for order in itertools.permutations(values)]
    assert typical_difference(values) == pytest.approx(np.mean(shuffled))


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=40))
def test_the_typical_difference_is_the_mean_over_all_pairs(values):
    array = np.array(values)
    pairs = np.abs(np.subtract.outer(array, array))
    assert typical_difference(array) == pytest.approx(pairs.mean())


def test_small_unsigned_pixels_do_not_wrap_around():
    assert typical_difference(np.array([0, 255], np.uint8)) == 127.5
    outputs = np.array([[[[0, 255]]], [[[255, 0]]]], np.uint8)
    np.testing.assert_allclose(changes(outputs), [0, 2])


@pytest.mark.parametrize(
    ("stride", "moves"),
    [(1, [0, 1, 2, 3, 4, 5]), (2, [0, 0, 1, 1, 2, 2]), (3, [0, 0, 1, 1, 1, 2]), (8, [0, 0, 0, 0, 0, 1])],
)
def test_a_map_moves_by_the_nearest_whole_number_of_outputs(stride, moves):
    assert [nearest_move(shift, stride) for shift in range(6)] == moves


def test_moves_refuse_impossible_settings():
    with pytest.raises(ValueError, match="shift -1 is below 0"):
        nearest_move(-1, 2)
    with pytest.raises(ValueError, match="effective_stride 0 is below 1"):
        nearest_move(1, 0)


def test_a_change_worked_by_hand():
    # Of the 16 pairs of 0, 0, 0, 6, 6 differ by 6: 2.25. As the 6 moves, two of four positions change by 6.
    outputs = np.array([[0, 0, 0, 6], [0, 0, 6, 0]], float).reshape(2, 1, 1, 4)
    np.testing.assert_allclose(changes(outputs), [0, 3 / 2.25])


@settings(max_examples=30, deadline=None)
@given(factor=st.floats(0.1, 100), constant=st.floats(-100, 100))
def test_neither_a_factor_nor_a_constant_counts(factor, constant):
    outputs = shifted_crops(PICTURE, 20).astype(float)
    np.testing.assert_allclose(changes(factor * outputs + constant), changes(outputs), rtol=1e-6)


def test_several_channels_count_alike():
    outputs = shifted_crops(PICTURE, 20).astype(float)
    both = np.concatenate([outputs, outputs], axis=1)
    np.testing.assert_allclose(changes(both), changes(outputs))


def test_a_convolution_moves_exactly_with_its_input():
    maps = ops.conv2d(shifted_crops(PICTURE, 30), np.random.default_rng(1).normal(size=(2, 1, 3, 3)))
    np.testing.assert_allclose(changes(maps, effective_stride=1), 0, atol=1e-6)
    assert changes(maps)[1:].min() > 0.5


@pytest.mark.parametrize("mode", ["max", "average", "min"])
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_pooling_moves_exactly_with_its_input_at_multiples_of_the_stride_only(mode, stride):
    pooled = ops.pool2d(shifted_crops(PICTURE, 30), 3, stride=stride, mode=mode)
    moved = changes(pooled, effective_stride=stride)
    shifts = np.arange(9)
    np.testing.assert_allclose(moved[shifts % stride == 0], 0, atol=1e-6)
    assert (moved[shifts % stride != 0] > 0.05).all()


@pytest.mark.parametrize("mode", ["max", "average", "min"])
def test_pooling_softens_a_shift_of_one_pixel(mode):
    crops = shifted_crops(PICTURE, 30)
    pooled = ops.pool2d(crops, 4, stride=1, mode=mode)
    assert 0 < changes(pooled)[1] < changes(crops)[1] / 2


def test_the_difference_is_blank_where_the_moved_output_does_not_reach():
    outputs = shifted_crops(PICTURE, 30)
    moved = difference(outputs, 5, effective_stride=2)
    assert np.isnan(moved[..., :2]).all()
    np.testing.assert_array_equal(moved[..., 2:], outputs[5, ..., 2:].astype(float) - outputs[0, ..., :-2])


def test_the_difference_in_place_is_that_of_the_two_outputs():
    outputs = shifted_crops(PICTURE, 30)
    np.testing.assert_array_equal(difference(outputs, 3), outputs[3].astype(float) - outputs[0])
    assert (difference(outputs, 0) == 0).all()


def test_what_is_constant_has_no_change_to_measure():
    assert np.isnan(changes(np.zeros((9, 1, 4, 4)))).all()


def test_a_map_that_moves_out_of_sight_is_refused():
    with pytest.raises(
        ValueError, match=r"move 6 \(shift=6, effective_stride=1\) leaves nothing of output width 6"
    ):
        changes(np.random.default_rng(0).normal(size=(9, 1, 6, 6)), effective_stride=1)
    with pytest.raises(ValueError, match="effective_stride 0 is below 1"):
        changes(np.random.default_rng(0).normal(size=(9, 1, 6, 6)), effective_stride=0)


moves = st.integers(-15, 15)


@given(moves, moves)
def test_a_picture_is_moved_as_torch_moves_it(down, across):
    picture = PICTURE[:12, :10]
    tensor = torch.tensor(picture)[None, None]
    rolled = tensor.roll((down, across), (-2, -1))[0, 0]
    np.testing.assert_array_equal(translate(picture, down, across, around=True), rolled.numpy())
    inside = min(abs(down), 12), min(abs(across), 10)
    down, across = int(np.copysign(inside[0], down)), int(np.copysign(inside[1], across))
    before, after = (max(across, 0), max(down, 0)), (max(-across, 0), max(-down, 0))
    padded = F.pad(tensor, (before[0], after[0], before[1], after[1]))[0, 0]
    moved = padded[after[1] : after[1] + 12, after[0] : after[0] + 10]
    np.testing.assert_array_equal(translate(picture, down, across), moved.numpy())


def same(kernel, mode="zeros"):
    before = [(size - 1) // 2 for size in kernel.shape]
    padding = tuple((first, size - 1 - first) for first, size in zip(before, kernel.shape, strict=True))
    return lambda x: ops.conv2d(x[None, None], kernel[None, None], padding=padding, padding_mode=mode)[0, 0]


@given(moves, moves, st.integers(1, 5), st.integers(1, 5))
def test_where_windows_see_the_same_pixels_a_convolution_does_not_mind_the_order(down, across, rows, columns):
    kernel = np.random.default_rng(rows).integers(-9, 10, (rows, columns)).astype(float)
    made = exchange(same(kernel), PICTURE[:12, :14].astype(float), down, across)
    places = undisturbed(12, rows, down), undisturbed(14, columns, across)
    assert (made.difference[np.ix_(*map(list, places))] == 0).all()


@pytest.mark.parametrize(
    ("size", "kernel", "shift"),
    [(9, 3, 0), (9, 4, 2), (9, 4, -2), (9, 5, -3), (9, 1, 4), (5, 3, 9), (5, 3, -9), (3, 7, 1)],
)
def test_undisturbed_outputs_are_those_whose_windows_hold_the_same(size, kernel, shift):
    before = (kernel - 1) // 2
    row = np.arange(1, size + 1)[None]
    pixels, moved = (np.pad(translate(row, 0, way)[0], (before, kernel - 1 - before)) for way in (0, shift))
    found = [
        place
        for place in range(size)
        if 0 <= place - shift < size
        and (moved[place : place + kernel] == pixels[place - shift : place - shift + kernel]).all()
    ]
    assert list(undisturbed(size, kernel, shift)) == found


def test_around_the_edge_the_order_never_matters_to_a_convolution():
    kernel = np.arange(9.0).reshape(3, 3)
    made = exchange(same(kernel, "circular"), PICTURE[:20, :20].astype(float), 7, -4, around=True)
    assert made.num_different == 0


def test_the_order_matters_everywhere_to_a_dense_layer():
    weights = np.random.default_rng(0).normal(size=(100, 100))
    made = exchange(
        lambda x: (weights @ x.ravel()).reshape(x.shape), PICTURE[:10, :10].astype(float), 1, 0, around=True
    )
    assert made.num_different == 100
