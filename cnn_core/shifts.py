"""How much a shift of a picture changes what a layer makes of it, in place or moved along with it."""

import numpy as np

from cnn_core.geometry import as_integer


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
