"""Kernels cell by cell: their short text, their exact fractions, the range of what they can give.

A kernel's cells are decimals or fractions with a small common denominator. So sums of cells are
exact, and code can write the kernel in whole numbers.
"""

import math
import re
from fractions import Fraction

import numpy as np

MAX_SIZE = 7
"""Most rows, and most columns, of a kernel written as text."""

MAX_CELL = 1000
"""Largest magnitude of a cell."""

MAX_DENOMINATOR = 10_000
"""Largest common denominator of a kernel's cells: four decimals, or ninths of hundredths."""

MAX_CHARS = 600
"""Longest text that is looked at."""

_NUMBER = re.compile(r"[+-]?(\d+/\d*[1-9]\d*|\d+\.?\d*|\.\d+)", re.ASCII)


def parse(text: str) -> np.ndarray:
    """Read a kernel from its short text: commas between cells, semicolons between rows.

    Args:
        text: For example `1,-1` or `0,1,0; 1,-4,1; 0,1,0`; cells are whole numbers, decimals or fractions.

    Returns:
        Shape (kH, kW), float64.

    Raises:
        ValueError: If a cell is empty, no number or too large, if rows differ in length, if there are
            too many cells, or if the cells have no small common denominator.

    Example:
        >>> parse("1, -1")
        array([[ 1., -1.]])
        >>> parse("1/2; .25")
        array([[0.5 ],
               [0.25]])
    """
    if len(text) > MAX_CHARS:
        raise ValueError(f"kernel text of {len(text)} characters exceeds {MAX_CHARS}")
    rows = [row.split(",") for row in text.replace("−", "-").split(";")]
    _check_shape([len(row) for row in rows])
    kernel = [
        [_parse_cell(cell.strip(), row, column) for column, cell in enumerate(cells)]
        for row, cells in enumerate(rows)
    ]
    common_denominator(kernel)
    return np.array(kernel, dtype=np.float64)


def format(kernel: np.ndarray) -> str:
    """Write a kernel as the short text that `parse` reads.

    Args:
        kernel: Shape (kH, kW). NaN is written as an empty cell, which `parse` refuses.

    Returns:
        The text: decimals where four of them are exact, else fractions.

    Example:
        >>> format(np.array([[1, -1]])), format(np.full((2, 1), 1 / 9)), format(np.array([[0.25, np.nan]]))
        ('1,-1', '1/9;1/9', '0.25,')
    """
    return ";".join(",".join("" if math.isnan(cell) else write(cell) for cell in row) for row in kernel)


def write(number: float | Fraction) -> str:
    """Write a cell, or a sum of cells: as a decimal where four places are exact, else as a fraction.

    Args:
        number: Any finite number.

    Returns:
        The text, exact to a float's 15 digits.

    Example:
        >>> write(-0.25), write(1 / 7)
        ('-0.25', '1/7')
    """
    fraction = _simplify(number)
    decimal = f"{float(fraction):z.4f}".rstrip("0").rstrip(".")
    return decimal if Fraction(decimal) == fraction else str(fraction)


def exact(kernel: np.ndarray) -> np.ndarray:
    """Give the cells as fractions, whose sums are free of rounding.

    Args:
        kernel: Shape (kH, kW).

    Returns:
        Same shape, an array of `fractions.Fraction`.

    Example:
        >>> print(exact(np.full((1, 3), 1 / 3)).sum())
        1
    """
    return np.array([[_simplify(cell) for cell in row] for row in kernel], dtype=object)


def resize(kernel: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Give a kernel another size: cells are cut off or zeros are added, below and on the right.

    Args:
        kernel: Shape (kH, kW).
        rows: Rows of the result.
        columns: Columns of the result.

    Returns:
        Shape (rows, columns), same type.

    Example:
        >>> resize(np.array([[1, -1]]), 2, 3)
        array([[ 1, -1,  0],
               [ 0,  0,  0]])
    """
    resized = np.zeros((rows, columns), kernel.dtype)
    kept = kernel[:rows, :columns]
    resized[: kept.shape[0], : kept.shape[1]] = kept
    return resized


def output_range(kernel: np.ndarray, *, highest: float = 255) -> tuple[float, float]:
    """Bound what a kernel can give on any picture with values from 0 to the highest.

    Args:
        kernel: Shape (kH, kW).
        highest: Largest value of a pixel; the smallest is 0.

    Returns:
        (lowest, highest) output: bright pixels under the negative cells alone, and under the positive ones.

    Example:
        >>> output_range(np.array([[1, -1]])), output_range(np.array([[0.5, 0.5]]), highest=1)
        ((-255.0, 255.0), (0.0, 1.0))
    """
    negative, positive = np.minimum(kernel, 0).sum(), np.maximum(kernel, 0).sum()
    return float(negative * highest), float(positive * highest)


def common_denominator(kernel: np.ndarray) -> int:
    """Find the smallest whole number that makes every cell whole.

    Args:
        kernel: Shape (kH, kW), cells as floats or fractions.

    Returns:
        The number, at least 1.

    Raises:
        ValueError: If it exceeds `MAX_DENOMINATOR`.

    Example:
        >>> common_denominator(np.full((3, 3), 1 / 9)), common_denominator(np.array([[0.5, -0.75]]))
        (9, 4)
    """
    denominator = math.lcm(*(cell.denominator for cell in exact(kernel).flat))
    if denominator > MAX_DENOMINATOR:
        raise ValueError(
            f"common denominator {denominator} (of the kernel's cells) exceeds {MAX_DENOMINATOR}; "
            "write fewer decimals or simpler fractions"
        )
    return denominator


def _check_shape(lengths: list[int]) -> None:
    for row, length in enumerate(lengths):
        if length != lengths[0]:
            raise ValueError(f"kernel row {row} has {_count(length)}, not {lengths[0]} as row 0")
    if max(len(lengths), lengths[0]) > MAX_SIZE:
        raise ValueError(f"kernel size {len(lengths)} x {lengths[0]} exceeds {MAX_SIZE} x {MAX_SIZE}")


def _count(cells: int) -> str:
    return f"{cells} cell" if cells == 1 else f"{cells} cells"


def _parse_cell(cell: str, row: int, column: int) -> Fraction:
    place = f"(row {row}, column {column})"
    if not cell:
        raise ValueError(f"kernel cell {place} is empty; write 0 for a cell that does not count")
    if not _NUMBER.fullmatch(cell):
        shown = cell if len(cell) <= 12 else f"{cell[:12]}..."
        raise ValueError(f"kernel cell '{shown}' {place} is not a number such as -1, 0.5 or 1/9")
    number = Fraction(cell)
    if abs(number) > MAX_CELL:
        raise ValueError(f"kernel cell {cell} {place} is not between -{MAX_CELL} and {MAX_CELL}")
    return number


def _simplify(cell: float | Fraction) -> Fraction:
    """Find the simple fraction that a cell stands for; a float has lost what lies beyond its 15 digits."""
    exact = Fraction(cell)
    simple = exact.limit_denominator(MAX_DENOMINATOR)
    return simple if abs(simple - exact) <= abs(exact) * Fraction(1, 10**12) else exact
