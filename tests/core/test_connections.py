import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from cnn_core.connections import DENSE, LOCAL, SHARED, STAGES, Connections, connect, feature_maps, matrix
from cnn_core.geometry import Axis


class LocallyConnected(nn.Module):
    """A kernel of its own for each unit of each map, on a picture padded to keep its size."""

    def __init__(self, channels, size, maps, kernel, *, bias):
        super().__init__()
        self.kernel = kernel
        self.weight = nn.Parameter(torch.rand(maps, size * size, channels * kernel * kernel))
        self.bias = nn.Parameter(torch.rand(maps, size * size)) if bias else None

    def forward(self, x):
        before = (self.kernel - 1) // 2
        after = self.kernel - 1 - before
        windows = F.unfold(F.pad(x, (before, after, before, after)), self.kernel)  # (1, C k k, n n)
        y = torch.einsum("mpc,cp->mp", self.weight, windows[0])
        return y if self.bias is None else y + self.bias


def num_params(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("size", "channels", "maps", "kernel"), [(6, 1, 1, 3), (7, 3, 4, 2), (5, 2, 6, 5)])
def test_feature_maps_have_as_many_parameters_as_layers_of_torch(size, channels, maps, kernel, bias):
    layer = feature_maps(maps, input_size=size, in_channels=channels, kernel_size=kernel, has_bias=bias)
    assert layer.are_maps
    units = maps * size * size
    assert layer.num_units == units
    assert layer.dense == num_params(nn.Linear(channels * size * size, units, bias=bias))
    local = LocallyConnected(channels, size, maps, kernel, bias=bias)
    assert local(torch.rand(1, channels, size, size)).numel() == units
    assert layer.local == num_params(local)
    assert layer.shared == num_params(nn.Conv2d(channels, maps, kernel, padding="same", bias=bias))


@pytest.mark.parametrize("bias", [False, True])
def test_single_units_share_one_kernel(bias):
    layer = Connections(input_size=9, in_channels=3, kernel_size=4, num_units=20, has_bias=bias)
    assert not layer.are_maps
    assert layer.dense == num_params(nn.Linear(3 * 9 * 9, 20, bias=bias))
    assert layer.local == sum(num_params(nn.Linear(3 * 4 * 4, 1, bias=bias)) for _ in range(20))
    assert layer.shared == num_params(nn.Conv2d(3, 1, 4, bias=bias))


@pytest.mark.parametrize(
    ("size", "channels", "units", "dense"),
    [(28, 1, 128, 100_352), (224, 3, 128, 19_267_584), (1000, 1, 1000, 10**9), (1000, 1, 10**6, 10**12)],
)
def test_a_dense_layer_grows_with_the_picture_and_with_its_units(size, channels, units, dense):
    layer = Connections(input_size=size, in_channels=channels, kernel_size=21, num_units=units)
    assert layer.dense == dense
    assert layer.shared == channels * 441


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"kernel_size": 6}, ValueError, "kernel size 6 exceeds input size 5"),
        ({"num_units": 0}, ValueError, "num_units 0 is below 1"),
        ({"in_channels": 1.5}, TypeError, "in_channels"),
    ],
)
def test_impossible_layers_are_refused(changed, error, message):
    sizes = {"input_size": 5, "in_channels": 1, "kernel_size": 3, "num_units": 4}
    with pytest.raises(error, match=message):
        Connections(**sizes | changed)


sizes = st.integers(4, 8)
kernels = st.integers(1, 4)


@given(sizes, sizes, kernels, kernels, st.integers(1, 2), st.integers(0, 1), st.integers(0, 2**32 - 1))
def test_the_matrix_times_the_flattened_picture_is_exactly_the_convolution(
    rows, columns, kernel_rows, kernel_columns, stride, padding, seed
):
    generator = np.random.default_rng(seed)
    x = generator.integers(0, 10, (rows, columns)).astype(float)
    kernel = generator.integers(-9, 10, (kernel_rows, kernel_columns)).astype(float)
    layer = connect(x, kernel, stage=SHARED, stride=stride, padding=padding)
    expected = F.conv2d(
        torch.tensor(x)[None, None], torch.tensor(kernel)[None, None], stride=stride, padding=padding
    )
    np.testing.assert_array_equal(layer.y, expected[0, 0].numpy())


def test_the_matrix_of_the_books_example_is_worked_by_hand():
    written = [[0, 1, 0, 2, 3, 0, 0, 0, 0], [0, 0, 1, 0, 2, 3, 0, 0, 0]]
    written += [[0, 0, 0, 0, 1, 0, 2, 3, 0], [0, 0, 0, 0, 0, 1, 0, 2, 3]]
    np.testing.assert_array_equal(matrix(np.array([[0, 1], [2, 3]]), Axis(3, 2), Axis(3, 2)), written)


def test_a_local_layer_sees_each_window_through_weights_of_its_own():
    x = np.random.default_rng(0).normal(size=(5, 5))
    layer = connect(x, np.ones((3, 3)), stage=LOCAL)
    windows = F.unfold(torch.tensor(x)[None, None], 3)[0].T  # (9, 9)
    weights = torch.tensor(layer.matrix[layer.connected].reshape(9, 9))
    np.testing.assert_allclose(layer.y.ravel(), (weights * windows).sum(1).numpy())
    assert layer.connected.sum() == 81


def test_entries_outside_the_windows_are_zero_and_all_others_are_connected():
    x, kernel = np.ones((6, 6)), np.array([[1.0, 0], [0, -1]])
    dense, local, shared = (connect(x, kernel, stage=stage, padding=1) for stage in STAGES)
    assert dense.connected.all()
    assert (dense.matrix != 0).all()
    assert ((local.matrix != 0) == local.connected).all()
    np.testing.assert_array_equal(local.connected, shared.connected)
    assert (shared.matrix[~shared.connected] == 0).all()


def test_the_same_seed_draws_the_same_entries():
    x, kernel = np.ones((4, 4)), np.ones((2, 2))
    first, again, other = (connect(x, kernel, stage=DENSE, seed=seed).matrix for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_row_of_the_matrix_knows_its_output():
    layer = connect(np.ones((4, 5)), np.ones((2, 2)), stage=SHARED)
    assert layer.output_shape == (3, 4)
    assert [layer.place(row) for row in (0, 3, 4, 11)] == [(0, 0), (0, 3), (1, 0), (2, 3)]


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"effective kernel size 5 .* exceeds padded input size 4"):
        connect(np.ones((4, 4)), np.ones((5, 5)), stage=SHARED)
    with pytest.raises(ValueError, match="stage 'sparse' is not one of dense, local, shared"):
        connect(np.ones((4, 4)), np.ones((2, 2)), stage="sparse")
    message = re.escape("kernel shape (2, 2) is not the kernel size (2, 3) of the axes")
    with pytest.raises(ValueError, match=message):
        matrix(np.ones((2, 2)), Axis(4, 2), Axis(4, 3))
