import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cnn_core import scene
from cnn_core.geometry import Axis, max_pool_padding
from cnn_core.pooling import GRIDS, gradient, photograph, shares, stack_channels, windows

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
TORCH = {
    "max": F.max_pool2d,
    "average": F.avg_pool2d,
    "min": lambda x, *args, **settings: -F.max_pool2d(-x, *args, **settings),
}


def pool(x, height, width=None, mode="max"):
    return scene.pooling(x, height, width or height, mode=mode)


def torch_gradient(mode, x, *args, **settings):
    x = torch.from_numpy(x.astype(float)).requires_grad_()
    TORCH[mode](x, *args, **settings).sum().backward()
    return x.grad.numpy()


@pytest.mark.parametrize("mode", REDUCE)
def test_each_output_is_the_maximum_average_or_minimum_of_what_its_window_sees(mode):
    x = np.random.default_rng(0).integers(-9, 10, (2, 7, 7))
    for size, window, stride, padding, ceil_mode in SETTINGS:
        pooled = pool(x[:, :size, :size], Axis(size, window, stride, padding, ceil_mode=ceil_mode), mode=mode)
        np.testing.assert_allclose(REDUCE[mode](windows(pooled), axis=(3, 4)), pooled.y)


@pytest.mark.parametrize("mode", TORCH)
@pytest.mark.parametrize("highest", [2, 1000], ids=["many equal numbers", "few equal numbers"])
def test_the_gradient_is_the_one_that_torch_gives(mode, highest):
    x = np.random.default_rng(1).integers(-highest, highest, (3, 7, 7))
    for size, window, stride, padding, ceil_mode in SETTINGS:
        pooled = pool(x[:, :size, :size], Axis(size, window, stride, padding, ceil_mode=ceil_mode), mode=mode)
        expected = torch_gradient(
            mode, x[:, :size, :size], window, stride=stride, padding=padding, ceil_mode=ceil_mode
        )
        np.testing.assert_allclose(gradient(pooled), expected, rtol=1e-12)


@pytest.mark.parametrize("mode", TORCH)
def test_the_gradient_of_an_oblong_layer_is_the_one_that_torch_gives(mode):
    x = np.random.default_rng(2).integers(0, 4, (2, 6, 9))
    for ceil_mode in (False, True):
        height, width = Axis(6, 2, 3, 1, ceil_mode=ceil_mode), Axis(9, 5, 2, 2, ceil_mode=ceil_mode)
        expected = torch_gradient(mode, x, (2, 5), stride=(3, 2), padding=(1, 2), ceil_mode=ceil_mode)
        np.testing.assert_allclose(gradient(pool(x, height, width, mode)), expected, rtol=1e-12)


def test_the_gradient_of_a_dilated_maximum_is_the_one_that_torch_gives():
    x = np.random.default_rng(3).integers(0, 4, (1, 9, 9))
    for dilation, stride, ceil_mode in itertools.product((2, 3), (1, 2), (False, True)):
        pooled = pool(x, Axis(9, 3, stride, 1, dilation, ceil_mode))
        expected = torch_gradient("max", x, 3, stride, 1, dilation=dilation, ceil_mode=ceil_mode)
        np.testing.assert_allclose(gradient(pooled), expected)


def test_the_first_of_equal_numbers_gets_the_whole_gradient():
    x = np.array([[[1, 3], [3, 3]]])
    np.testing.assert_array_equal(gradient(pool(x, Axis(2, 2))), [[[0, 1], [0, 0]]])
    np.testing.assert_array_equal(gradient(pool(x, Axis(2, 2), mode="min")), [[[1, 0], [0, 0]]])


def test_a_number_that_wins_in_four_windows_gets_four_gradients():
    x = np.array([[[0, 1, 2], [3, 9, 4], [5, 6, 7]]])
    np.testing.assert_array_equal(gradient(pool(x, Axis(3, 2))), [[[0, 0, 0], [0, 4, 0], [0, 0, 0]]])


def test_an_average_loses_what_goes_to_padding_but_not_what_hangs_over():
    padded = gradient(pool(COUNTING, Axis(4, 3, 3, 1), mode="average"))
    np.testing.assert_allclose(padded, np.full((1, 4, 4), 1 / 9))
    over = gradient(pool(COUNTING, Axis(4, 3, 3, ceil_mode=True), mode="average"))
    np.testing.assert_allclose(over[0, 3], [1 / 3, 1 / 3, 1 / 3, 1])
    assert over.sum() == pytest.approx(4)


@pytest.mark.parametrize("mode", TORCH)
def test_each_window_shares_out_one_gradient(mode):
    for size, window, stride, padding, ceil_mode in SETTINGS:
        x = COUNTING.repeat(2, 1).repeat(2, 2)[:, :size, :size]
        pooled = pool(x, Axis(size, window, stride, padding, ceil_mode=ceil_mode), mode=mode)
        np.testing.assert_allclose(shares(pooled).sum(axis=(3, 4)), 1)


def test_padding_never_wins_a_maximum_or_minimum():
    axis = Axis(4, 3, 2, 1)
    for mode, x in (("max", -1 - COUNTING), ("min", 1 + COUNTING)):
        pooled = pool(x, axis, mode=mode)
        assert np.isinf(windows(pooled)[0, 0, 0, 0]).all()
        assert gradient(pooled).sum() == 4


def test_an_average_counts_padding_as_zeros_but_not_what_hangs_over():
    padded = pool(COUNTING, Axis(4, 3, 2, 1), mode="average")
    np.testing.assert_array_equal(windows(padded)[0, 0, 0], [[0, 0, 0], [0, 0, 1], [0, 4, 5]])
    over = pool(COUNTING, Axis(4, 3, 2, ceil_mode=True), mode="average")
    np.testing.assert_array_equal(windows(over)[0, 1, 1], [[10, 11, np.nan], [14, 15, np.nan], [np.nan] * 3])
    np.testing.assert_array_equal(shares(over)[0, 1, 1], [[1 / 4, 1 / 4, 0], [1 / 4, 1 / 4, 0], [0, 0, 0]])


def test_an_oblong_window_moves_by_its_own_strides():
    seen = windows(pool(COUNTING, Axis(4, 2, 2, 0), Axis(4, 3, 3, 1)))
    np.testing.assert_array_equal(seen[0, 1, 1], [[10, 11, -np.inf], [14, 15, -np.inf]])


def test_a_dilated_window_sees_every_second_pixel():
    seen = windows(pool(COUNTING, Axis(4, 2, dilation=2), Axis(4, 2, dilation=3)))
    np.testing.assert_array_equal(seen[0, 1, 0], [[4, 7], [12, 15]])


def test_a_convolution_has_no_pooling_windows():
    convolved = scene.convolution(COUNTING, np.ones((1, 2, 2)), Axis(4, 2), Axis(4, 2))
    for function in (windows, shares, gradient):
        with pytest.raises(ValueError, match="mode 'convolution' is not one of max, average, min"):
            function(convolved)


@pytest.mark.parametrize("name", ["mixed", "counting", "negative"])
@pytest.mark.parametrize("size", [(2, 2), (3, 5), (28, 28)])
def test_each_drawn_grid_holds_as_many_different_whole_numbers_as_cells(name, size):
    grid = GRIDS[name](*size)
    assert grid.shape == size
    assert len(np.unique(grid)) == grid.size
    np.testing.assert_array_equal(grid, GRIDS[name](*size))


def test_a_negative_grid_has_no_number_that_a_zero_does_not_beat():
    assert GRIDS["negative"](4, 4).max() == -1


def test_the_photograph_fills_a_grid_of_any_size():
    picture = photograph(28, 28)
    assert picture.min() < 20
    assert picture.max() > 200
    np.testing.assert_array_equal(photograph(28, 9), picture[:, :9])
    np.testing.assert_array_equal(photograph(9, 28), picture[:9])


def test_channels_are_the_books_x_and_x_plus_1():
    np.testing.assert_array_equal(stack_channels(COUNTING[0], 2), np.concatenate([COUNTING, COUNTING + 1]))
