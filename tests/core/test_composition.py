from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch.nn import functional as F

from cnn_core import cells, composition, ops
from cnn_core.kernels import KERNELS

SIZES = st.tuples(st.integers(1, 5), st.integers(1, 5))
WHOLE = SIZES.flatmap(lambda shape: arrays(np.int64, shape, elements=st.integers(-9, 9)))
PICTURE = np.random.default_rng(0).integers(0, 256, (12, 11))


@given(first=WHOLE, second=WHOLE)
def test_the_single_kernel_gives_exactly_what_two_in_a_row_give(first, second):
    single = composition.compose(first, second)
    assert single.shape == (first.shape[0] + second.shape[0] - 1, first.shape[1] + second.shape[1] - 1)
    in_a_row = ops.corr2d(ops.corr2d(PICTURE, first), second)
    np.testing.assert_array_equal(ops.corr2d(PICTURE, single), in_a_row)
    np.testing.assert_array_equal(composition.compose(second, first), single)


@given(first=WHOLE, second=WHOLE)
def test_the_single_kernel_is_the_one_that_torch_finds(first, second):
    rows, columns = (size - 1 for size in second.shape)
    weight = torch.tensor(second, dtype=torch.float64)[None, None].flip(2, 3)
    single = F.conv2d(torch.tensor(first, dtype=torch.float64)[None, None], weight, padding=(rows, columns))
    np.testing.assert_array_equal(composition.compose(first, second), single[0, 0])


def test_the_order_of_cells_is_worked_out_by_hand():
    """[1, -1] and then [2, 3]: (2 + 3 t)(1 - t) = 2 + t - 3 t^2."""
    np.testing.assert_array_equal(composition.compose(np.array([[1, -1]]), np.array([[2, 3]])), [[2, 1, -3]])


def test_the_books_kernel_twice_is_the_second_derivative():
    edge = KERNELS["book-columns"].values
    np.testing.assert_array_equal(composition.compose(edge, edge), KERNELS["second-x"].values)


@pytest.mark.parametrize("name", KERNELS)
def test_a_named_kernel_is_split_if_and_only_if_its_rank_is_1(name):
    kernel = KERNELS[name].values
    rank = np.linalg.matrix_rank(kernel)
    assert composition.rank(kernel) == rank
    product = composition.split(kernel)
    assert (product is not None) == (rank == 1)
    if product:
        whole = np.outer(product.column, product.row)
        assert np.array_equal(cells.exact(kernel), whole * product.scale)
        column, row = product.kernels
        np.testing.assert_allclose(composition.compose(column, row), kernel, rtol=1e-15)


@given(
    column=arrays(np.int64, 4, elements=st.integers(-9, 9)),
    row=arrays(np.int64, 3, elements=st.integers(-9, 9)),
)
def test_every_product_of_a_column_and_a_row_is_split_exactly(column, row):
    kernel = np.outer(column, row) / 8
    product = composition.split(kernel)
    if not kernel.any():
        assert (product, composition.rank(kernel)) == (None, 0)
        return
    np.testing.assert_array_equal(np.outer(product.column, product.row) * float(product.scale), kernel)
    assert (np.gcd.reduce(product.column), np.gcd.reduce(product.row)) == (1, 1)


def test_a_blur_is_split_into_whole_numbers_and_what_they_are_divided_by():
    product = composition.split(KERNELS["gaussian-3"].values)
    assert (product.column.tolist(), product.row.tolist()) == ([1, 2, 1], [1, 2, 1])
    assert product.scale == Fraction(1, 16)


@pytest.mark.parametrize(
    ("name", "column", "row"), [("sobel-x", [1, 2, 1], [-1, 0, 1]), ("sobel-y", [-1, 0, 1], [1, 2, 1])]
)
def test_the_smoothing_factor_of_an_edge_kernel_is_positive(name, column, row):
    product = composition.split(KERNELS[name].values)
    assert (product.column.tolist(), product.row.tolist()) == (column, row)


def test_a_kernel_that_is_nearly_a_product_is_not_split():
    assert composition.split(np.array([[1, 2], [2, 4.0001]])) is None


def test_a_kernel_of_fine_fractions_is_refused():
    with pytest.raises(ValueError, match="common denominator"):
        composition.split(np.array([[0.123456, 1]]))
