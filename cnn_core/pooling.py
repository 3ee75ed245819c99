"""What the windows of a pooling layer see, where their gradient goes, and small grids to pool."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from cnn_core import images
from cnn_core.scene import NOTHING, Scene, Wiring

PADDING_VALUES = {"max": -np.inf, "average": 0.0, "min": np.inf}
"""Name of a way to pool -> what torch's padding counts as."""


PHOTOGRAPH = "camera"
"""Key in `images.IMAGES` of the picture that `photograph` scales down."""


def windows(scene: Scene) -> np.ndarray:
    """Lay out what the window of each output sees.

    Args:
        scene: A pooling layer.

    Returns:
        Shape (C, H_out, W_out, kH, kW), float64: padding as it counts, NaN where the window hangs over.

    Raises:
        ValueError: If the scene is not of a pooling layer.

    Example:
        >>> from cnn_core.geometry import Axis
        >>> from cnn_core.scene import pooling
        >>> windows(pooling(np.arange(16).reshape(1, 4, 4), Axis(4, 2, 2), Axis(4, 2, 2)))[0, 1, 0]
        array([[ 8.,  9.],
               [12., 13.]])
    """
    if scene.mode not in PADDING_VALUES:
        raise ValueError(f"mode {scene.mode!r} is not one of {', '.join(PADDING_VALUES)}")
    rows, columns = (np.array(wiring.source) for wiring in (scene.height, scene.width))
    real = (rows >= 0)[:, None] & (columns >= 0)
    seen = np.where(real, scene.x[:, rows][:, :, columns], PADDING_VALUES[scene.mode])
    seen[:, rows == NOTHING] = np.nan
    seen[:, :, columns == NOTHING] = np.nan
    return seen[:, *_places(scene)]


def shares(scene: Scene) -> np.ndarray:
    """Divide the gradient of each output among the cells of its window.

    Args:
        scene: A pooling layer.

    Returns:
        Shape (C, H_out, W_out, kH, kW), float64, which sums to 1 over each window. For max and min all goes to
        the winner, which is the first of equals, as in torch. An average gives equal parts to all that it
        counts, padding included.

    Raises:
        ValueError: If the scene is not of a pooling layer.

    Example:
        >>> from cnn_core.geometry import Axis
        >>> from cnn_core.scene import pooling
        >>> shares(pooling(np.array([[[3, 7], [7, 0]]]), Axis(2, 2), Axis(2, 2)))[0, 0, 0]
        array([[0., 1.],
               [0., 0.]])
    """
    seen = windows(scene)
    flat = seen.reshape(*seen.shape[:3], -1)
    if scene.mode == "average":
        counted = np.isfinite(flat)
        return (counted / counted.sum(axis=-1, keepdims=True)).reshape(seen.shape)
    first = (np.nanargmax if scene.mode == "max" else np.nanargmin)(flat, axis=-1)
    return (np.arange(flat.shape[-1]) == first[..., None]).astype(float).reshape(seen.shape)


def gradient(scene: Scene) -> np.ndarray:
    """Differentiate the sum of all outputs with respect to the input.

    Args:
        scene: A pooling layer.

    Returns:
        Shape (C, H, W), float64: for max and min in how many windows each number wins, for the average the sum
        of its shares. What goes to padding is lost.

    Raises:
        ValueError: If the scene is not of a pooling layer.

    Example:
        >>> from cnn_core.geometry import Axis
        >>> from cnn_core.scene import pooling
        >>> gradient(pooling(np.arange(9).reshape(1, 3, 3), Axis(3, 2), Axis(3, 2)))[0]
        array([[0., 0., 0.],
               [0., 1., 1.],
               [0., 1., 1.]])
    """
    channels, rows, columns = scene.x.shape
    padded = np.zeros((channels, len(scene.height.source), len(scene.width.source)))
    np.add.at(padded, (slice(None), *_places(scene)), shares(scene))
    top, left = scene.height.before, scene.width.before
    return padded[:, top : top + rows, left : left + columns]


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


def photograph(height: int, width: int) -> np.ndarray:
    """Scale a photograph down to a few pixels: a man with a camera, black at 0 and white at 255.

    Args:
        height: Number of rows.
        width: Number of columns.

    Returns:
        Shape (height, width), uint8; of the square picture the upper or the left part, if one is smaller.

    Raises:
        FileNotFoundError: If the photograph is not installed.
    """
    return images.load(PHOTOGRAPH, size=max(height, width))[:height, :width]


GRIDS: Mapping[str, Callable[[int, int], np.ndarray]] = MappingProxyType(
    {"mixed": mixed, "counting": counting, "negative": negative, "photograph": photograph}
)
"""Name -> function of (height, width) that gives a grid of whole numbers."""


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


def _places(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """Find the padded pixels under each window, to index (H, W): (H_out, 1, kH, 1) and (1, W_out, 1, kW)."""
    rows, columns = _places_along(scene.height), _places_along(scene.width)
    return rows[:, None, :, None], columns[None, :, None, :]


def _places_along(wiring: Wiring) -> np.ndarray:
    # A cell without a link hangs over the end, and then so does the last pixel, to which -1 points.
    places = np.full((wiring.output_size, wiring.kernel_size), -1)
    for output, pixel, cell in wiring.links:
        places[output, cell] = pixel
    return places
