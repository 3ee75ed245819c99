"""How much a shift of a picture changes what a layer makes of it, in place or moved along with it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cnn_core.geometry import as_integer, same_padding


def shifted_crops(picture: np.ndarray, size: int, *, num_shifts: int = 9) -> np.ndarray:
    """Cut the same square out of a picture that moves to the right, one pixel at a time.

    What comes in on the left is the picture's own next columns, so no border is invented.

    Args:
        picture: Shape (H, W).
        size: Height and width of the crops, in pixels.
        num_shifts: Number of crops: shifts of 0 to num_shifts - 1 pixels.

    Returns:
        Shape (num_shifts, 1, size, size); crop s shows the picture s pixels further to the right than crop 0.

    Raises:
        TypeError: If the size or the number is not an integer.
        ValueError: If one is below 1, or the picture is too small for all crops.

    Example:
        >>> shifted_crops(np.arange(10).reshape(2, 5), 2, num_shifts=3)[:, 0, 0]
        array([[2, 3],
               [1, 2],
               [0, 1]])
    """
    size = as_integer(size, "size", minimum=1)
    last_shift = as_integer(num_shifts, "num_shifts", minimum=1) - 1
    height, width = picture.shape
    if size > height or size + last_shift > width:
        raise ValueError(
            f"shifted crops {size} x {size + last_shift} (size={size}, num_shifts={num_shifts}) "
            f"exceed the picture {height} x {width}"
        )
    top = (height - size) // 2
    left = (width - size - last_shift) // 2 + last_shift
    rows = picture[top : top + size]
    crops = [rows[:, left - shift : left - shift + size] for shift in range(num_shifts)]
    return np.stack(crops)[:, None]  # (num_shifts, 1, size, size)


def typical_difference(values: np.ndarray) -> float:
    """Average the difference between two values over all pairs of positions.

    It is what a complete shuffle of the values is expected to change at a position.

    Args:
        values: Any shape, not empty.

    Returns:
        Mean of |a - b| over all ordered pairs, a position with itself included: Gini's mean difference.

    Example:
        >>> typical_difference(np.array([0.0, 0.0, 3.0, 3.0]))
        1.5
    """
    ordered = np.sort(values, axis=None).astype(float)
    ranks = np.arange(ordered.size)
    return float(2 * np.mean((2 * ranks - ordered.size + 1) * ordered) / ordered.size)


def nearest_move(shift: int, effective_stride: int) -> int:
    """Count by how many whole outputs a feature map moves when its input is shifted.

    Args:
        shift: Pixels by which the input is shifted, not negative.
        effective_stride: Input pixels between what neighbouring outputs see.

    Returns:
        The whole number nearest to shift / effective_stride; a half is rounded down.

    Raises:
        TypeError: If an argument is not an integer.
        ValueError: If one is too small.

    Example:
        >>> [nearest_move(shift, 4) for shift in range(9)]
        [0, 0, 0, 1, 1, 1, 1, 2, 2]
    """
    shift = as_integer(shift, "shift", minimum=0)
    stride = as_integer(effective_stride, "effective_stride", minimum=1)
    return (2 * shift + stride - 1) // (2 * stride)


def difference(outputs: np.ndarray, shift: int, *, effective_stride: int | None = None) -> np.ndarray:
    """Subtract the output of the picture that was not shifted from that of the shifted one.

    Args:
        outputs: What a layer makes of the picture shifted by 0, 1, 2, ... pixels,
            shape (num_shifts, C, H, W).
        shift: Pixels by which the picture is shifted, below num_shifts.
        effective_stride: Input pixels between what neighbouring outputs see. If given, the first output is
            moved along by the nearest whole number of outputs; if None, it stays in its place.

    Returns:
        Shape (C, H, W), at least float32; NaN in the columns on the left that the moved output does not reach.

    Raises:
        TypeError: If the shift or the stride is not an integer.
        ValueError: If one is too small, or the output moves out of sight.

    Example:
        >>> outputs = shifted_crops(np.array([[1, 2, 4, 8, 16]]).repeat(3, axis=0), 3, num_shifts=3)
        >>> difference(outputs, 2)[0, 0], difference(outputs, 2, effective_stride=1)[0, 0]
        (array([ -3.,  -6., -12.]), array([nan, nan,  0.]))
    """
    move = 0 if effective_stride is None else nearest_move(shift, effective_stride)
    width = outputs.shape[-1]
    if move >= width:
        raise ValueError(
            f"move {move} (shift={shift}, effective_stride={effective_stride}) "
            f"leaves nothing of output width {width}"
        )
    moved = np.full(outputs.shape[1:], np.nan, np.result_type(outputs, np.float32))
    moved[..., move:] = outputs[0, ..., : width - move]
    return outputs[shift] - moved


def changes(outputs: np.ndarray, *, effective_stride: int | None = None) -> np.ndarray:
    """Measure how far each output is from that of the picture that was not shifted.

    The mean absolute `difference`, divided by the typical difference between two positions of the output that
    was not shifted. Neither a constant that is added to the outputs nor a factor counts.

    Args:
        outputs: What a layer makes of the picture shifted by 0, 1, 2, ... pixels,
            shape (num_shifts, C, H, W).
        effective_stride: As in `difference`.

    Returns:
        Shape (num_shifts,). 0: the same; 1: as different as if the values had been shuffled. NaN throughout
        if the first output is constant, for there is nothing that a shift could move.

    Raises:
        TypeError: If the stride is not an integer.
        ValueError: If it is below 1, or an output moves out of sight.

    Example:
        >>> outputs = shifted_crops(np.array([[0, 0, 0, 9, 9, 0, 0, 0]]).repeat(5, axis=0), 5, num_shifts=3)
        >>> changes(outputs).round(2)
        array([0.  , 0.83, 1.67])
        >>> changes(outputs, effective_stride=1)
        array([0., 0., 0.])
    """
    differences = [
        np.nanmean(np.abs(difference(outputs, shift, effective_stride=effective_stride)), dtype=float)
        for shift in range(len(outputs))
    ]
    typical = np.mean([typical_difference(channel) for channel in outputs[0]])
    return np.array(differences) / typical if typical else np.full(len(outputs), np.nan)


def translate(array: np.ndarray, down: int, across: int, *, around: bool = False) -> np.ndarray:
    """Move a picture or a feature map as a whole.

    Args:
        array: Shape (..., H, W).
        down: Rows to move down; negative is up.
        across: Columns to move to the right; negative is to the left.
        around: Whether what leaves on one side comes in on the other; else zeros come in.

    Returns:
        Same shape and type.

    Example:
        >>> translate(np.array([[1, 2, 3]]), 0, 1), translate(np.array([[1, 2, 3]]), 0, 1, around=True)
        (array([[0, 1, 2]]), array([[3, 1, 2]]))
    """
    rolled = np.roll(array, (down, across), (-2, -1))
    if around:
        return rolled
    height, width = array.shape[-2:]
    rows, columns = _stays(height, down), _stays(width, across)
    moved = np.zeros_like(array)
    moved[..., rows, columns] = rolled[..., rows, columns]
    return moved


@dataclass(frozen=True, eq=False)
class Exchange:
    """A shift before a layer, and the same shift after it.

    Attributes:
        shifted_first: What the layer makes of the shifted picture, shape (H, W).
        shifted_after: What it makes of the picture, shifted then, same shape.
    """

    shifted_first: np.ndarray
    shifted_after: np.ndarray

    @property
    def difference(self) -> np.ndarray:
        """The first less the second, same shape; 0 where the order does not matter."""
        return self.shifted_first - self.shifted_after

    @property
    def num_different(self) -> int:
        """Count the outputs for which the order matters."""
        return int(np.count_nonzero(self.difference))


def exchange(
    layer: Callable[[np.ndarray], np.ndarray], x: np.ndarray, down: int, across: int, *, around: bool = False
) -> Exchange:
    """Compare shifting before a layer with shifting after it.

    Args:
        layer: Makes an output of the picture's shape of a picture.
        x: The picture, shape (H, W).
        down: Rows to move down; negative is up.
        across: Columns to move to the right; negative is to the left.
        around: As in `translate`.

    Returns:
        Both outputs.

    Example:
        >>> exchange(lambda x: x + np.array([[0, 10, 20]]), np.array([[1, 2, 3]]), 0, 1, around=True).difference
        array([[-20,  10,  10]])
    """
    first = layer(translate(x, down, across, around=around))
    return Exchange(first, translate(layer(x), down, across, around=around))


def undisturbed(size: int, kernel_size: int, shift: int) -> range:
    """List the outputs along one axis whose windows see the same before and after a shift.

    Where zeros come in, windows find what they found in the padding. Where pixels leave, windows miss them.

    Args:
        size: Length of the axis of the picture and of the output, in pixels.
        kernel_size: Kernel cells along the axis; the padding keeps the size.
        shift: Pixels that the picture is moved; zeros come in.

    Returns:
        Their places in the shifted output; empty if the shift leaves none.

    Raises:
        TypeError: If a size is not an integer.
        ValueError: If a size is below 1.

    Example:
        >>> undisturbed(8, 3, 2), undisturbed(8, 3, -2), undisturbed(8, 3, 0)
        (range(2, 7), range(1, 6), range(0, 8))
    """
    before, after = same_padding(kernel_size)
    size = as_integer(size, "size", minimum=1)
    if shift == 0:
        return range(size)
    first, last = (shift, size - after) if shift > 0 else (before, size + shift)
    return range(first, max(first, last))


def _stays(size: int, shift: int) -> slice:
    """Give the part of an axis that shows what was there before a shift."""
    return slice(min(max(shift, 0), size), max(size + min(shift, 0), 0))
