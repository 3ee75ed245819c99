import re

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cnn_core.geometry import Axis, max_pool_padding
from cnn_core.pooling import GRIDS, parse_grid, pool, stack_channels

COUNTING = np.arange(16.0).reshape(1, 4, 4)
SETTINGS = [
    (size, window, stride, padding, ceil_mode)
    for size in (3, 4, 7)
    for window in (1, 2, 3)
    for stride in (1, 2, 3)
    for padding in range(max_pool_padding(window) + 1)
    for ceil_mode in (False, True)
]
REDUCE = {"max": np.nanmax, "average": np.nanmean, "min": np.nanmin}


def positions(pooled):
    return np.ndindex(pooled.output.shape[1:])


@pytest.mark.parametrize("mode", REDUCE)
def test_each_output_is_the_maximum_average_or_minimum_of_what_its_window_sees(mode):
    x = np.random.default_rng(0).integers(-9, 10, (2, 7, 7))
    for size, window, stride, padding, ceil_mode in SETTINGS:
        axis = Axis(size, window, stride, padding, ceil_mode=ceil_mode)
        pooled = pool(x[:, :size, :size], axis, axis, mode=mode)
        for at in positions(pooled):
            expected = REDUCE[mode](pooled.window(at), axis=(1, 2))
            np.testing.assert_allclose(pooled.output[:, *at], expected)


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_output_is_that_of_torch(settings):
    size, window, stride, padding, ceil_mode = settings
    x = np.random.default_rng(1).normal(size=(2, size, size))
    axis = Axis(size, window, stride, padding, ceil_mode=ceil_mode)
    image = torch.from_numpy(x)
    for mode, function in (("max", F.max_pool2d), ("average", F.avg_pool2d)):
        expected = function(image, window, stride, padding, ceil_mode=ceil_mode)
        np.testing.assert_allclose(pool(x, axis, axis, mode=mode).output, expected)


def test_the_winner_is_where_torch_sends_the_gradient():
    x = np.random.default_rng(2).permutation(36).reshape(1, 6, 6)
    axis = Axis(6, 3, 2, 1)
    pooled = pool(x, axis, axis)
    _, indices = F.max_pool2d(torch.from_numpy(x.astype(float)), 3, 2, 1, return_indices=True)
    for at in positions(pooled):
        row, column = divmod(int(indices[0, *at]), 6)
        rows, columns = pooled.place(at)
        expected = np.zeros((1, 3, 3), bool)
        expected[0, row + 1 - rows.start, column + 1 - columns.start] = True
        np.testing.assert_array_equal(pooled.makers(at), expected)


def test_padding_never_wins_a_maximum_or_minimum():
    axis = Axis(4, 3, 2, 1)
    for mode, x in (("max", -1 - COUNTING), ("min", 1 + COUNTING)):
        pooled = pool(x, axis, axis, mode=mode)
        assert np.isinf(pooled.window((0, 0))[0, 0]).all()
        assert np.isfinite(pooled.output).all()


def test_an_average_counts_padding_as_zeros_but_not_what_hangs_over():
    padded = Axis(4, 3, 2, 1)
    assert pool(COUNTING, padded, padded, mode="average").output[0, 0, 0] == (0 + 1 + 4 + 5) / 9
    over = Axis(4, 3, 2, ceil_mode=True)
    pooled = pool(COUNTING, over, over, mode="average")
    assert pooled.seen.shape == (1, 5, 5)
    assert pooled.makers((1, 1)).sum() == 4
    assert pooled.output[0, 1, 1] == (10 + 11 + 14 + 15) / 4


def test_equal_cells_win_together():
    axis = Axis(2, 2)
    np.testing.assert_array_equal(
        pool(np.array([[[3, 1], [3, 0]]]), axis, axis).makers((0, 0)), [[[True, False], [True, False]]]
    )


def test_channels_are_pooled_one_by_one_not_summed():
    axis = Axis(4, 3, 2, 1)
    both = pool(np.concatenate([COUNTING, COUNTING + 1]), axis, axis).output
    np.testing.assert_array_equal(both, [[[5, 7], [13, 15]], [[6, 8], [14, 16]]])


def test_an_oblong_window_moves_by_its_own_strides():
    pooled = pool(COUNTING, Axis(4, 2, 2, 0), Axis(4, 3, 3, 1))
    np.testing.assert_array_equal(pooled.output, [[[5, 7], [13, 15]]])
    np.testing.assert_array_equal(pooled.window((1, 1)), [[[10, 11, -np.inf], [14, 15, -np.inf]]])


def test_a_dilated_window_sees_every_second_pixel():
    pooled = pool(COUNTING, Axis(4, 2, dilation=2), Axis(4, 2, dilation=3))
    np.testing.assert_array_equal(pooled.window((1, 0)), [[[4, 7], [12, 15]]])
    np.testing.assert_array_equal(pooled.output, [[[11], [15]]])


def test_a_picture_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"picture 4 x 4 \(shape \(1, 4, 4\)\) is not the axes' input 3 x 4"):
        pool(COUNTING, Axis(3, 2), Axis(4, 2))


def test_axes_that_round_differently_are_refused():
    with pytest.raises(ValueError, match=r"ceil_mode False \(height\) is not ceil_mode True \(width\)"):
        pool(COUNTING, Axis(4, 2), Axis(4, 2, ceil_mode=True))


def test_an_output_that_does_not_exist_has_no_window():
    with pytest.raises(IndexError):
        pool(COUNTING, Axis(4, 2, 2), Axis(4, 2, 2)).window((2, 0))


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("size", [(2, 2), (3, 5), (8, 8)])
def test_each_grid_holds_as_many_different_whole_numbers_as_cells(name, size):
    grid = GRIDS[name](*size)
    assert grid.shape == size
    assert len(np.unique(grid)) == grid.size
    np.testing.assert_array_equal(grid, GRIDS[name](*size))


def test_a_negative_grid_has_no_number_that_a_zero_does_not_beat():
    assert GRIDS["negative"](4, 4).max() == -1


def test_channels_are_the_books_x_and_x_plus_1():
    np.testing.assert_array_equal(stack_channels(COUNTING[0], 2), np.concatenate([COUNTING, COUNTING + 1]))


@pytest.mark.parametrize(
    ("text", "grid"), [("7", [[7]]), (" 1  2;3 −4 ", [[1, 2], [3, -4]]), ("0.5;-.25", [[0.5], [-0.25]])]
)
def test_a_grid_is_read_row_by_row(text, grid):
    np.testing.assert_array_equal(parse_grid(text), grid)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "row 0 is empty; write numbers with spaces between them"),
        ("1 2;", "row 1 is empty"),
        ("1 2; 3", "row 1 has length 1, not 2 as row 0"),
        ("1 2 3 4 5 6 7", "grid 1 x 7 exceeds 6 x 6"),
        (";".join("1" * 7), "grid 7 x 1 exceeds 6 x 6"),
        ("1 nan", "'nan' is not a number such as 7, -1 or 0.5"),
        ("1,2", "'1,2' is not a number"),
        ("inf", "'inf' is not a number"),
        ("x" * 40, "'xxxxxxxxxxxx...' is not a number"),
        ("1000", "number 1000 is not between -999 and 999"),
    ],
)
def test_a_text_that_is_no_grid_is_refused(text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_grid(text)
