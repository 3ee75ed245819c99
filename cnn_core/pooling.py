"""What the windows of a pooling layer see, which of their cells makes the output, and small grids to pool."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from cnn_core import ops
from cnn_core.geometry import Axis

PADDING_VALUES = {"max": -np.inf, "average": 0.0, "min": np.inf}
"""Name of a way to pool -> what torch's padding counts as."""

MAX_SIDE = 6
"""Most rows, and most columns, of a grid written as text."""

MAX_NUMBER = 999
"""Largest magnitude of a number in it."""


@dataclass(frozen=True, eq=False)
class Pooled:
    """A picture as the windows of a pooling layer see it, and what they make of it.

    Attributes:
        height: The layer along the rows.
        width: The layer along the columns.
        mode: max, average or min.
        seen: The picture with its padding, and NaN where a window hangs over, shape (C, H_seen, W_seen).
        output: Shape (C, H_out, W_out).
    """

    height: Axis
    width: Axis
    mode: str
    seen: np.ndarray
    output: np.ndarray

    def place(self, at: tuple[int, int]) -> tuple[slice, slice]:
        """Find the rows and the columns of `seen` under the window of one output.

        Args:
            at: Row and column of the output.

        Returns:
            Slices with the window's dilation as their step.

        Raises:
            IndexError: If there is no such output.
        """
        rows, columns = (
            slice(start, start + axis.effective_kernel_size, axis.dilation)
            for axis, start in (
                (self.height, self.height.window_starts[at[0]]),
                (self.width, self.width.window_starts[at[1]]),
            )
        )
        return rows, columns

    def window(self, at: tuple[int, int]) -> np.ndarray:
        """Take out what the window of one output sees.

        Args:
            at: Row and column of the output.

        Returns:
            Shape (C, kH, kW).

        Raises:
            IndexError: If there is no such output.
        """
        rows, columns = self.place(at)
        return self.seen[:, rows, columns]

    def makers(self, at: tuple[int, int]) -> np.ndarray:
        """Tell which cells of a window make its output.

        Args:
            at: Row and column of the output.

        Returns:
            Boolean, shape (C, kH, kW): for max and min the cells that win, several if they are equal; for the
            average all that are counted.

        Raises:
            IndexError: If there is no such output.
        """
        window = self.window(at)
        if self.mode == "average":
            return ~np.isnan(window)
        return window == self.output[:, at[0], at[1], None, None]


def pool(x: np.ndarray, height: Axis, width: Axis, *, mode: str = "max") -> Pooled:
    """Pool the channels of one picture, and keep what each window sees.

    Args:
        x: Shape (C, H, W).
        height: The layer along the rows, for an input of H pixels.
        width: The layer along the columns, for an input of W pixels.
        mode: max, average or min.

    Returns:
        The record, in float64.

    Raises:
        ValueError: If the mode is unknown, the padding exceeds half of the window, or the picture has not the
            size that the axes are for, or only one of the axes has `ceil_mode`.

    Example:
        >>> pooled = pool(np.arange(9).reshape(1, 3, 3), Axis(3, 2), Axis(3, 2))
        >>> pooled.output[0]
        array([[4., 5.],
               [7., 8.]])
        >>> pooled.window((0, 0))[0]
        array([[0., 1.],
               [3., 4.]])
    """
    if x.shape[1:] != (height.input_size, width.input_size):
        raise ValueError(
            f"picture {x.shape[1]} x {x.shape[2]} (shape {x.shape}) "
            f"is not the axes' input {height.input_size} x {width.input_size}"
        )
    if height.ceil_mode != width.ceil_mode:
        raise ValueError(
            f"ceil_mode {height.ceil_mode} (height) is not ceil_mode {width.ceil_mode} (width); "
            "a pooling layer has one for both"
        )
    x = x.astype(float)
    output = ops.pool2d(
        x[None],
        (height.kernel_size, width.kernel_size),
        stride=(height.stride, width.stride),
        padding=(height.padding, width.padding),
        dilation=(height.dilation, width.dilation),
        ceil_mode=height.ceil_mode,
        mode=mode,
    )[0]
    padded = np.pad(x, ((0, 0), height.padding, width.padding), constant_values=PADDING_VALUES[mode])
    overhang = ((0, 0), (0, height.overhang), (0, width.overhang))
    return Pooled(height, width, mode, np.pad(padded, overhang, constant_values=np.nan), output)


def counting(height: int, width: int) -> np.ndarray:
    """Count up from 0, row by row, as in the book's examples.

    Args:
        height: Number of rows.
        width: Number of columns.

    Returns:
        Shape (height, width).

    Example:
        >>> counting(2, 3)
        array([[0, 1, 2],
               [3, 4, 5]])
    """
    return np.arange(height * width).reshape(height, width)


def mixed(height: int, width: int) -> np.ndarray:
    """Lay out the numbers of `counting` in an order that looks like none, always the same for a size.

    Args:
        height: Number of rows.
        width: Number of columns.

    Returns:
        Shape (height, width).
    """
    return np.random.default_rng(4).permutation(height * width).reshape(height, width)


def negative(height: int, width: int) -> np.ndarray:
    """Count up to -1, row by row: a zero of the padding would win each maximum.

    Args:
        height: Number of rows.
        width: Number of columns.

    Returns:
        Shape (height, width).

    Example:
        >>> negative(2, 2)
        array([[-4, -3],
               [-2, -1]])
    """
    return counting(height, width) - height * width


GRIDS: Mapping[str, Callable[[int, int], np.ndarray]] = MappingProxyType(
    {"mixed": mixed, "counting": counting, "negative": negative}
)
"""Name -> function of (height, width) that gives a grid of whole numbers."""


def parse_grid(text: str) -> np.ndarray:
    """Read a grid from a short text: spaces between numbers, semicolons between rows.

    Args:
        text: For example `1 2 3; 4 5 6`.

    Returns:
        Shape (H, W), float64.

    Raises:
        ValueError: If a number cannot be read or is too large, if rows differ in length, or if there are too
            many rows or columns.

    Example:
        >>> parse_grid("1 -2; 0.5 4")
        array([[ 1. , -2. ],
               [ 0.5,  4. ]])
    """
    rows = [row.replace("−", "-").split() for row in text.split(";")]
    lengths = [len(row) for row in rows]
    for index, length in enumerate(lengths):
        if length == 0:
            raise ValueError(f"row {index} is empty; write numbers with spaces between them")
        if length != lengths[0]:
            raise ValueError(f"row {index} has length {length}, not {lengths[0]} as row 0")
    if max(len(rows), lengths[0]) > MAX_SIDE:
        raise ValueError(f"grid {len(rows)} x {lengths[0]} exceeds {MAX_SIDE} x {MAX_SIDE}")
    return np.array([[_parse_number(word) for word in row] for row in rows])


def format_number(value: float) -> str:
    """Write a number of a grid with at most two decimals, as short as it can be.

    Args:
        value: Any number; infinite for padding that never wins.

    Returns:
        The number with a true minus sign; nothing for NaN.

    Example:
        >>> [format_number(value) for value in (3.0, -0.5, 16 / 3, -np.inf, np.nan)]
        ['3', '−0.5', '5.33', '−∞', '']
    """
    if math.isnan(value):
        return ""
    written = f"{abs(value):.2f}".rstrip("0").rstrip(".") if math.isfinite(value) else "∞"
    return f"−{written}" if value < 0 and written != "0" else written


def stack_channels(grid: np.ndarray, num_channels: int) -> np.ndarray:
    """Make channels X, X + 1, X + 2, ... of one grid X, as the book does.

    Args:
        grid: Shape (H, W).
        num_channels: Number of channels, at least 1.

    Returns:
        Shape (num_channels, H, W).

    Example:
        >>> stack_channels(np.array([[5]]), 2).tolist()
        [[[5]], [[6]]]
    """
    return grid + np.arange(num_channels)[:, None, None]


def _parse_number(word: str) -> float:
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    shown = word if len(word) <= 12 else f"{word[:12]}..."
    if not math.isfinite(number):
        raise ValueError(f"'{shown}' is not a number such as 7, -1 or 0.5")
    if abs(number) > MAX_NUMBER:
        raise ValueError(f"number {shown} is not between -{MAX_NUMBER} and {MAX_NUMBER}")
    return number
