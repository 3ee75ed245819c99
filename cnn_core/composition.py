"""Kernels made of kernels: two in a row as one, and one as a column times a row."""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from cnn_core import cells, ops
from cnn_core.geometry import full_padding


def compose(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Find the single kernel that gives what two kernels in a row give.

    It is the full convolution of the two: every cell of one times every cell of the other, added up where the places
    add up to the same. So the order does not matter. It holds for outputs without padding, at stride 1.

    Args:
        first: Shape (kH1, kW1).
        second: Shape (kH2, kW2).

    Returns:
        Shape (kH1 + kH2 - 1, kW1 + kW2 - 1).

    Example:
        >>> compose(np.array([[1], [2], [1]]), np.array([[-1, 0, 1]]))
        array([[-1.,  0.,  1.],
               [-2.,  0.,  2.],
               [-1.,  0.,  1.]])
    """
    padding = tuple(full_padding(size) for size in second.shape)
    return ops.conv2d(first[None, None], ops.flip(second)[None, None], padding=padding)[0, 0]


@dataclass(frozen=True, eq=False)
class Product:
    """A column of whole numbers times a row of whole numbers, divided by a whole number.

    Attributes:
        column: Shape (kH,), int.
        row: Shape (kW,), int.
        scale: What all products are multiplied by, above 0.
    """

    column: np.ndarray
    row: np.ndarray
    scale: Fraction

    @property
    def kernels(self) -> tuple[np.ndarray, np.ndarray]:
        """Both as kernels, shapes (kH, 1) and (1, kW), float64. The row carries the scale."""
        return self.column[:, None].astype(float), self.row[None] * float(self.scale)


def split(kernel: np.ndarray) -> Product | None:
    """Split a kernel into a column times a row, exactly.

    Args:
        kernel: Shape (kH, kW). Cells have a small common denominator, as those of `cells`.

    Returns:
        The factors, with the sign that makes sums of cells positive; None if the rank of the kernel is not 1.

    Raises:
        ValueError: If the cells have no small common denominator.

    Example:
        >>> sobel = split(np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]))
        >>> sobel.column, sobel.row, sobel.scale
        (array([1, 2, 1]), array([-1,  0,  1]), Fraction(1, 1))
        >>> split(np.eye(2)) is None
        True
    """
    denominator = cells.common_denominator(kernel)
    whole = (cells.exact(kernel) * denominator).astype(int)
    if not whole.any():
        return None
    row = _shortest(whole[whole.any(axis=1)][0])
    cell = np.flatnonzero(row)[0]
    # The column holds how many times each row of the kernel contains the shortest row.
    column = whole[:, cell] // row[cell]
    if not np.array_equal(np.outer(column, row), whole):
        return None
    scale = Fraction(math.gcd(*map(int, column)), denominator)
    sign = np.sign(row.sum() or column.sum() or row[cell])
    return Product(sign * _shortest(column), sign * row, scale)


def rank(kernel: np.ndarray) -> int:
    """Count the separable kernels that a kernel is the sum of: its rank.

    Args:
        kernel: Shape (kH, kW).

    Returns:
        0 to the smaller of kH and kW.

    Example:
        >>> rank(np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]]))
        2
    """
    return int(np.linalg.matrix_rank(kernel))


def _shortest(numbers: np.ndarray) -> np.ndarray:
    """Divide whole numbers, not all 0, by what they share."""
    return numbers // math.gcd(*map(int, numbers))
