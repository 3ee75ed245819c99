from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnn_core import cells, ops

CELLS = st.one_of(
    st.integers(-1000, 1000).map(Fraction),
    st.integers(-10_000, 10_000).map(lambda number: Fraction(number, 100)),
    st.builds(Fraction, st.integers(-50, 50), st.sampled_from([1, 2, 3, 9, 16])),
)


@st.composite
def kernels(draw):
    rows, columns = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    return [[draw(CELLS) for _ in range(columns)] for _ in range(rows)]


def test_text_gives_the_cells():
    np.testing.assert_array_equal(cells.parse(" 0, 1,0;1,-4 ,1; 0,1,0"), [[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    np.testing.assert_array_equal(cells.parse("1;-1"), [[1], [-1]])
    np.testing.assert_array_equal(cells.parse("+1/8,-.5,2."), [[0.125, -0.5, 2]])


def test_a_typographic_minus_is_a_minus():
    np.testing.assert_array_equal(cells.parse("1,−1"), [[1, -1]])


@settings(max_examples=60, deadline=None)
@given(kernels())
def test_a_kernel_survives_its_text(kernel):
    floats = np.array(kernel, dtype=np.float64)
    np.testing.assert_array_equal(cells.parse(cells.format(floats)), floats)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"^kernel cell \(row 0, column 0\) is empty; write 0 for a cell that does not count$"),
        ("1,2;3,", r"^kernel cell \(row 1, column 1\) is empty"),
        ("1,2;", r"^kernel row 1 has 1 cell, not 2 as row 0$"),
        ("1,2;3,4,5", r"^kernel row 1 has 3 cells, not 2 as row 0$"),
        ("1,a", r"^kernel cell 'a' \(row 0, column 1\) is not a number such as -1, 0\.5 or 1/9$"),
        ("nan", r"^kernel cell 'nan' \(row 0, column 0\) is not a number"),
        ("inf", r"is not a number"),
        ("1e999999999", r"^kernel cell '1e9999999999?' \(row 0, column 0\) is not a number"),
        ("1/0", r"^kernel cell '1/0' \(row 0, column 0\) is not a number"),
        ("1/2/3", r"is not a number"),
        ("٣", r"is not a number"),
        ("a longer story", r"^kernel cell 'a longer sto\.\.\.' \(row 0, column 0\) is not a number"),
        ("0,-1000.5", r"^kernel cell -1000\.5 \(row 0, column 1\) is not between -1000 and 1000$"),
        ("1,1,1,1,1,1,1,1", r"^kernel size 1 x 8 exceeds 7 x 7$"),
        (";".join("1" * 8), r"^kernel size 8 x 1 exceeds 7 x 7$"),
        ("0.12345", r"^common denominator 20000 \(of the kernel's cells\) exceeds 10000; write fewer"),
        ("1" * 601, r"^kernel text of 601 characters exceeds 600$"),
    ],
)
def test_a_text_that_is_no_kernel_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        cells.parse(text)


def test_sums_of_exact_cells_are_free_of_rounding():
    kernel = np.array([[1 / 9, 1 / 9, -2 / 9], [0.1, 0.2, -0.3]])
    assert kernel.sum() != 0
    assert cells.exact(kernel).sum() == 0
    assert [cells.write(total) for total in cells.exact(kernel).sum(axis=0)] == ["19/90", "14/45", "-47/90"]


def test_an_empty_cell_is_written_so_that_reading_refuses_it():
    with pytest.raises(ValueError, match="is empty"):
        cells.parse(cells.format(np.array([[1, np.nan]])))


def test_growing_adds_zeros_and_shrinking_cuts():
    kernel = np.array([[1.0, 2], [3, 4]])
    np.testing.assert_array_equal(cells.resize(kernel, 1, 3), [[1, 2, 0]])
    np.testing.assert_array_equal(cells.resize(cells.resize(kernel, 7, 7), 2, 2), kernel)


def test_the_output_range_is_reached_and_not_exceeded():
    kernel = np.array([[-1.0, 0.5], [2, -3]])
    low, high = cells.output_range(kernel)
    assert (low, high) == (-1020, 637.5)
    brightest, darkest = np.where(kernel > 0, 255, 0), np.where(kernel < 0, 255, 0)
    assert ops.corr2d(brightest, kernel) == [[high]]
    assert ops.corr2d(darkest, kernel) == [[low]]
