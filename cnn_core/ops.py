"""Convolution and pooling on NumPy arrays, and the products that make one output.

Axes are (N, C, H, W). Results have NumPy's common type of the arguments, at least float32: float32 stays
float32, float64 stays float64, pictures of uint8 become float32 and wide integers float64. Maxima and minima
keep the type they are taken from. NaN and infinity spread to every output whose window holds them, as they do
in torch; NumPy may warn of infinity times zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from itertools import product

import numpy as np

from cnn_core.geometry import (
    Axis,
    Padding,
    as_integer,
    as_sides,
    max_pool_padding,
    transposed_output_size,
)

Pair = int | tuple[int, int]
"""One number for both axes, or (height, width)."""

Padding2d = Padding | tuple[tuple[int, int], tuple[int, int]]
"""One number for all sides, (height, width), or ((top, bottom), (left, right))."""

PADDING_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
"""Torch's name of a padding mode -> NumPy's."""

POOLING_MODES = {"max": np.maximum, "average": np.add, "min": np.minimum}
"""Name of a way to pool -> how two numbers of a window are taken together."""

BLOCK_SIZE = 2**16
"""Numbers gathered at once: small enough to stay in a processor's cache."""

# Without this memory, checking the settings would take longer than convolving a picture of 28 x 28.
_axis = lru_cache(maxsize=256)(Axis)


def conv2d(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    *,
    stride: Pair = 1,
    padding: Padding2d = 0,
    dilation: Pair = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> np.ndarray:
    """Slide kernels over pictures: cross-correlation, which networks call convolution.

    The kernel is not flipped; `conv2d(x, flip(weight))` is the convolution of mathematics.

    Args:
        x: Pictures, shape (N, C_in, H, W).
        weight: Kernels, shape (C_out, C_in / groups, kH, kW).
        bias: Numbers added to the output channels, shape (C_out,).
        stride: Distance between neighbouring windows, an int or (height, width).
        padding: Pixels added: an int, (height, width), or ((top, bottom), (left, right)).
        dilation: Distance between neighbouring kernel cells, an int or (height, width).
        groups: Number of parts into which the channels are divided; each part sees its own inputs only.
        padding_mode: What the added pixels hold: zeros, reflect, replicate or circular.

    Returns:
        Shape (N, C_out, H_out, W_out).

    Raises:
        TypeError: If an array does not hold real numbers, or a setting is not an integer.
        ValueError: If shapes do not match, a kernel does not fit, or the padding is beyond the padding mode.

    References:
        Dumoulin & Visin, 2016, arXiv:1603.07285. The names are those of torch.nn.Conv2d.

    Example:
        >>> picture = np.array([[0, 1, 2], [3, 4, 5], [6, 7, 8]])
        >>> kernel = np.array([[0, 1], [2, 3]])
        >>> conv2d(picture[None, None], kernel[None, None])[0, 0]
        array([[19., 25.],
               [37., 43.]])
    """
    x, weight = _as_floats(x, weight)
    _check_channels(x, weight, groups)
    vertical, horizontal = _axes(x.shape[-2:], weight.shape[-2:], stride, padding, dilation)
    padded = np.ascontiguousarray(_pad(x, vertical.padding, horizontal.padding, padding_mode))
    each_alone = weight.shape[:2] == (x.shape[1], 1) and vertical.stride == 1
    if each_alone and vertical.output_size >= vertical.effective_kernel_size:
        out = _correlate_each(padded, weight, vertical, horizontal)
    else:
        out = _correlate(padded, weight, vertical, horizontal, groups)
    return out if bias is None else _add_bias(out, bias)


def conv1d(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    *,
    stride: int = 1,
    padding: Padding = 0,
    dilation: int = 1,
) -> np.ndarray:
    """Slide kernels over signals: `conv2d` on pictures of one row.

    Args:
        x: Signals, shape (N, C_in, L).
        weight: Kernels, shape (C_out, C_in, k).
        bias: Numbers added to the output channels, shape (C_out,).
        stride: Distance between neighbouring windows.
        padding: Zeros added: an int for both sides, or (before, after).
        dilation: Distance between neighbouring kernel cells.

    Returns:
        Shape (N, C_out, L_out).

    Raises:
        TypeError: If an array does not hold real numbers, or a setting is not an integer.
        ValueError: If shapes do not match or a kernel does not fit.

    Example:
        >>> conv1d(np.array([[[1, 2, 4, 8]]]), np.array([[[-1, 1]]]))
        array([[[1., 2., 4.]]])
    """
    x, weight = _as_floats(x, weight, axes="N, C_in, L", weight_axes="C_out, C_in, k")
    out = conv2d(
        x[:, :, None],
        weight[:, :, None],
        bias,
        stride=(1, stride),
        padding=((0, 0), as_sides(padding)),
        dilation=(1, dilation),
    )
    return out[:, :, 0]


def conv_transpose2d(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    *,
    stride: Pair = 1,
    padding: Padding2d = 0,
    output_padding: Pair = 0,
    dilation: Pair = 1,
) -> np.ndarray:
    """Put a kernel down for each input pixel, scaled by it, and add up what overlaps.

    It undoes the change of size that `conv2d` with the same settings makes, not the change of values.

    Args:
        x: Feature maps, shape (N, C_in, H, W).
        weight: Kernels, shape (C_in, C_out, kH, kW).
        bias: Numbers added to the output channels, shape (C_out,).
        stride: Distance between the places where neighbouring inputs put the kernel.
        padding: Pixels cut off the output: an int, (height, width), or ((top, bottom), (left, right)).
        output_padding: Rows and columns added below and on the right.
        dilation: Distance between neighbouring kernel cells.

    Returns:
        Shape (N, C_out, H_out, W_out).

    Raises:
        TypeError: If an array does not hold real numbers, or a setting is not an integer.
        ValueError: If shapes do not match, or nothing is left of the output.

    References:
        Dumoulin & Visin, 2016, arXiv:1603.07285, chapter 4. The names are those of torch.nn.ConvTranspose2d.

    Example:
        >>> conv_transpose2d(np.array([[[[1, 2]]]]), np.ones((1, 1, 1, 2)), stride=(1, 2))
        array([[[[1., 1., 2., 2.]]]])
    """
    x, weight = _as_floats(x, weight, weight_axes="C_in, C_out, kH, kW")
    num_images, in_channels, height, width = x.shape
    weight_channels, out_channels, kernel_height, kernel_width = weight.shape
    if weight_channels != in_channels:
        raise ValueError(
            f"weight input channels {weight_channels} (weight shape {weight.shape}) "
            f"are not the input channels {in_channels} (x shape {x.shape})"
        )
    strides, dilations = _as_pair(stride, "stride"), _as_pair(dilation, "dilation")
    extras = _as_pair(output_padding, "output_padding", minimum=0)
    sides = _as_sides2d(padding)
    out_height, out_width = (
        transposed_output_size(n, k, stride=s, padding=p, output_padding=o, dilation=d)
        for n, k, s, p, o, d in zip(
            x.shape[2:], weight.shape[2:], strides, sides, extras, dilations, strict=True
        )
    )
    (top, bottom), (left, right) = sides
    full = np.zeros((num_images, out_channels, top + out_height + bottom, left + out_width + right), x.dtype)
    pixels = x.reshape(num_images, in_channels, -1)
    for row, column in np.ndindex(kernel_height, kernel_width):
        reached = full[:, :, row * dilations[0] :: strides[0], column * dilations[1] :: strides[1]]
        part = np.matmul(weight[:, :, row, column].T, pixels)  # (N, C_out, H * W)
        reached[:, :, :height, :width] += part.reshape(num_images, out_channels, height, width)
    out = full[:, :, top : top + out_height, left : left + out_width]
    return np.ascontiguousarray(out) if bias is None else _add_bias(out, bias)


def possible_padding_modes(*axes: Axis) -> list[str]:
    """List the padding modes for which the input is large enough.

    Args:
        axes: The axes of a convolution, with their padding.

    Returns:
        Names out of `PADDING_MODES`. Reflect needs fewer pixels of padding on a side than the input has, circular
        no more.

    Example:
        >>> possible_padding_modes(Axis(2, 3, padding=2)), possible_padding_modes(Axis(2, 3, padding=3))
        (['zeros', 'replicate', 'circular'], ['zeros', 'replicate'])
    """
    room = min(axis.input_size - max(axis.padding) for axis in axes)
    too_large = {"reflect": room <= 0, "circular": room < 0}
    return [mode for mode in PADDING_MODES if not too_large.get(mode)]


def corr2d(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Slide one kernel over one picture, as the book's function of this name.

    Args:
        image: Shape (H, W).
        kernel: Shape (kH, kW).

    Returns:
        Shape (H - kH + 1, W - kW + 1).

    Raises:
        TypeError: If an array does not hold real numbers.
        ValueError: If an array is not 2-D, or the kernel does not fit.

    References:
        Zhang et al., Dive into Deep Learning, section 7.2 (d2l.ai).

    Example:
        >>> corr2d(np.array([[1, 1, 0, 0, 1]]), np.array([[1, -1]]))
        array([[ 0.,  1.,  0., -1.]])
    """
    image, kernel = _as_floats(image, kernel, names=("image", "kernel"), axes="H, W", weight_axes="kH, kW")
    return conv2d(image[None, None], kernel[None, None])[0, 0]


def flip(kernel: np.ndarray) -> np.ndarray:
    """Turn kernels by half a turn, which makes a convolution of a cross-correlation and back.

    Args:
        kernel: Shape (..., kH, kW): one kernel or a whole weight.

    Returns:
        The same shape, reversed along the last two axes.

    Example:
        >>> flip(np.array([[1, 2], [3, 4]]))
        array([[4, 3],
               [2, 1]])
    """
    return np.flip(kernel, axis=(-2, -1))


def pool2d(
    x: np.ndarray,
    window: Pair,
    *,
    stride: Pair | None = None,
    padding: Padding2d = 0,
    dilation: Pair = 1,
    mode: str = "max",
    ceil_mode: bool = False,
) -> np.ndarray:
    """Replace each window by one number: its maximum, average or minimum.

    Padding never wins a maximum or minimum. An average counts padding as zeros, but not what hangs over the
    padded picture with `ceil_mode`; both as in torch.

    Args:
        x: Feature maps, shape (N, C, H, W).
        window: Size of the window, an int or (height, width).
        stride: Distance between neighbouring windows; None is the window's size.
        padding: Pixels added, at most half of the window on each side.
        dilation: Distance between neighbouring window cells. Torch has it for the maximum only.
        mode: max, average or min.
        ceil_mode: Whether one last window may hang over the end.

    Returns:
        Shape (N, C, H_out, W_out). A dilated window of padding alone has the maximum -inf, in integers
        the smallest number of their type, and the opposite for the minimum.

    Raises:
        TypeError: If the array does not hold real numbers, or a setting is not an integer.
        ValueError: If the mode is unknown, the window does not fit, or the padding exceeds half of it.

    References:
        torch.nn.MaxPool2d, torch.nn.AvgPool2d.

    Example:
        >>> pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)
        array([[[[ 5.,  7.],
                 [13., 15.]]]])
    """
    if mode not in POOLING_MODES:
        raise ValueError(f"mode {mode!r} is not one of {', '.join(POOLING_MODES)}")
    x = _as_real(x, "x", "N, C, H, W")
    if mode == "average":
        x = x.astype(np.result_type(x, np.float32), copy=False)
    window = _as_pair(window, "window")
    stride = window if stride is None else stride
    vertical, horizontal = _axes(x.shape[2:], window, stride, padding, dilation, ceil_mode)
    _check_pool_padding(vertical)
    _check_pool_padding(horizontal)
    combine, neutral = POOLING_MODES[mode], _neutral(mode, x.dtype)
    out = _combine_windows(x, vertical, -2, combine, neutral)
    out = _combine_windows(out, horizontal, -1, combine, neutral)
    if mode == "average":
        out /= np.outer(_cells_inside(vertical), _cells_inside(horizontal))
    return out


@dataclass(frozen=True, eq=False)
class ConvTerms:
    """The products that make one output of a convolution, without its bias.

    Attributes:
        window: What the output sees, shape (C_in / groups, kH, kW); padding included.
        weight: The kernels of its output channel, same shape.
        products: Their products, same shape.
        channels: The input channels it sees.
        rows: Input rows under the kernel's rows; those outside 0..H-1 are padding.
        columns: Input columns under the kernel's columns; those outside 0..W-1 are padding.
    """

    window: np.ndarray
    weight: np.ndarray
    products: np.ndarray
    channels: range
    rows: range
    columns: range

    @property
    def total(self) -> float:
        """Sum of the products: the output, before the bias."""
        return float(self.products.sum())


def conv2d_terms(
    x: np.ndarray,
    weight: np.ndarray,
    *,
    at: tuple[int, int, int, int],
    stride: Pair = 1,
    padding: Padding2d = 0,
    dilation: Pair = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> ConvTerms:
    """Take one output of `conv2d` apart.

    Args:
        x: Pictures, shape (N, C_in, H, W).
        weight: Kernels, shape (C_out, C_in / groups, kH, kW).
        at: Which output: (n, c_out, row, column), an index into what `conv2d` returns.
        stride: As in `conv2d`, and so are the others.
        padding: Pixels added.
        dilation: Distance between neighbouring kernel cells.
        groups: Number of parts into which the channels are divided.
        padding_mode: What the added pixels hold.

    Returns:
        The terms. They sum to the output, up to the rounding of floating-point sums.

    Raises:
        TypeError: As `conv2d`.
        ValueError: As `conv2d`, and if there is no such output.

    Example:
        >>> picture = np.array([[[[0, 1, 2], [3, 4, 5], [6, 7, 8]]]])
        >>> terms = conv2d_terms(picture, np.array([[[[0, 1], [2, 3]]]]), at=(0, 0, 0, 1))
        >>> terms.products
        array([[[ 0.,  2.],
                [ 8., 15.]]])
        >>> terms.total, terms.rows, terms.columns
        (25.0, range(0, 2), range(1, 3))
    """
    x, weight = _as_floats(x, weight)
    _check_channels(x, weight, groups)
    vertical, horizontal = _axes(x.shape[-2:], weight.shape[-2:], stride, padding, dilation)
    out_shape = (x.shape[0], weight.shape[0], vertical.output_size, horizontal.output_size)
    at = tuple(as_integer(position, "at", minimum=0) for position in at)
    if len(at) != 4 or any(position >= size for position, size in zip(at, out_shape, strict=True)):
        raise ValueError(
            f"at {at} is not a position (n, c_out, row, column) in the output of shape {out_shape}"
        )
    image, out_channel, row, column = at
    in_channels = weight.shape[1]
    first_channel = out_channel // (weight.shape[0] // groups) * in_channels
    channels = range(first_channel, first_channel + in_channels)
    rows, columns = vertical.seen_by(row), horizontal.seen_by(column)
    (top, _), (left, _) = vertical.padding, horizontal.padding
    seen = _pad(x[image, channels.start : channels.stop], vertical.padding, horizontal.padding, padding_mode)
    window = seen[:, np.add(rows, top)[:, None], np.add(columns, left)]  # (C_in / groups, kH, kW)
    products = window * weight[out_channel]
    return ConvTerms(window, weight[out_channel], products, channels, rows, columns)


def _correlate(
    padded: np.ndarray, weight: np.ndarray, vertical: Axis, horizontal: Axis, groups: int
) -> np.ndarray:
    """Sum over kernel cells of shifted slices: slices are rows of a matrix, and a product with it is the sum."""
    num_images, in_channels, _, _ = padded.shape
    out_channels, group_channels, kernel_height, kernel_width = weight.shape
    out_height, out_width = vertical.output_size, horizontal.output_size
    along_n, along_c, along_y, along_x = padded.strides
    slices = np.ndarray(
        (num_images, groups, group_channels, kernel_height, kernel_width, out_height, out_width),
        padded.dtype,
        padded,
        strides=(
            along_n,
            along_c * group_channels,
            along_c,
            along_y * vertical.dilation,
            along_x * horizontal.dilation,
            along_y * vertical.stride,
            along_x * horizontal.stride,
        ),
    )
    weight = weight.reshape(groups, out_channels // groups, -1)  # (G, C_out / G, cells)
    out = np.empty((num_images, groups, out_channels // groups, out_height * out_width), padded.dtype)
    step = max(1, BLOCK_SIZE // (in_channels * kernel_height * kernel_width * out_width))
    for image, top in product(range(num_images), range(0, out_height, step)):
        block = slices[image, ..., top : top + step, :].reshape(groups, weight.shape[-1], -1)
        pixels = slice(top * out_width, (top + step) * out_width)
        np.matmul(weight, block, out=out[image, :, :, pixels])
    return out.reshape(num_images, out_channels, out_height, out_width)


def _correlate_each(padded: np.ndarray, weight: np.ndarray, vertical: Axis, horizontal: Axis) -> np.ndarray:
    """Do the same for one kernel a channel and stride 1 downwards, twice as fast.

    The slices for one kernel row, moved down, are those for the next. So they are gathered once, multiplied with
    all kernel rows, and the products are moved and added.
    """
    num_images, channels, padded_height, _ = padded.shape
    _, _, kernel_height, kernel_width = weight.shape
    out_height, out_width = vertical.output_size, horizontal.output_size
    along_n, along_c, along_y, along_x = padded.strides
    slices = np.ndarray(
        (num_images, channels, kernel_width, padded_height, out_width),
        padded.dtype,
        padded,
        strides=(along_n, along_c, along_x * horizontal.dilation, along_y, along_x * horizontal.stride),
    )
    out = np.empty((num_images, channels, out_height, out_width), padded.dtype)
    reach = vertical.effective_kernel_size - 1
    step = max(4 * reach, BLOCK_SIZE // (kernel_width * out_width), 1)
    for image, channel, top in product(range(num_images), range(channels), range(0, out_height, step)):
        block = slices[image, channel, :, top : top + step + reach].reshape(kernel_width, -1)
        products = np.dot(weight[channel, 0], block).reshape(kernel_height, -1, out_width)
        part = out[image, channel, top : top + step]
        part[...] = products[0, : len(part)]
        for row in range(1, kernel_height):
            part += products[row, row * vertical.dilation :][: len(part)]
    return out


def _combine_windows(
    x: np.ndarray, axis: Axis, position: int, combine: np.ufunc, neutral: float
) -> np.ndarray:
    """Reduce the windows along one axis, at `position` -2 or -1; a maximum of maxima is one of the whole."""

    def along(part: slice) -> tuple:
        return (..., part) if position == -1 else (..., part, slice(None))

    shape = list(x.shape)
    shape[position] = axis.padded_size + axis.overhang
    padded = np.full(shape, neutral, x.dtype)
    padded[along(slice(axis.padding[0], axis.padding[0] + axis.input_size))] = x
    cells = range(0, axis.effective_kernel_size, axis.dilation)
    last_start = axis.window_starts[-1]
    return reduce(combine, (padded[along(slice(cell, cell + last_start + 1, axis.stride))] for cell in cells))


def _neutral(mode: str, dtype: np.dtype) -> float:
    """Give the number that padding holds so that it does not count."""
    if mode == "average":
        return 0
    limits = np.iinfo(dtype) if dtype.kind in "iu" else None
    lowest, highest = (limits.min, limits.max) if limits else (-np.inf, np.inf)
    return lowest if mode == "max" else highest


def _cells_inside(axis: Axis) -> np.ndarray:
    """Count each window's cells inside the padded input, shape (output_size,)."""
    cells = range(0, axis.effective_kernel_size, axis.dilation)
    return (np.add.outer(axis.window_starts, cells) < axis.padded_size).sum(axis=1)


def _check_pool_padding(axis: Axis) -> None:
    limit = max_pool_padding(axis.kernel_size)
    if max(axis.padding) > limit:
        raise ValueError(
            f"padding {max(axis.padding)} exceeds half of the window, {limit} (window={axis.kernel_size})"
        )


def _pad(
    x: np.ndarray, vertical: tuple[int, int], horizontal: tuple[int, int], padding_mode: str
) -> np.ndarray:
    """Add (top, bottom) rows and (left, right) columns to the last two axes."""
    if padding_mode not in PADDING_MODES:
        raise ValueError(f"padding_mode {padding_mode!r} is not one of {', '.join(PADDING_MODES)}")
    (top, bottom), (left, right) = vertical, horizontal
    if not (top or bottom or left or right):
        return x
    height, width = x.shape[-2:]
    if padding_mode == "zeros":
        padded = np.zeros((*x.shape[:-2], top + height + bottom, left + width + right), x.dtype)
        padded[..., top : top + height, left : left + width] = x
        return padded
    for size, sides in ((height, vertical), (width, horizontal)):
        if padding_mode == "reflect" and max(sides) >= size:
            raise ValueError(f"reflect padding {max(sides)} is not below input size {size}")
        if padding_mode == "circular" and max(sides) > size:
            raise ValueError(f"circular padding {max(sides)} exceeds input size {size}")
    return np.pad(x, [(0, 0)] * (x.ndim - 2) + [vertical, horizontal], mode=PADDING_MODES[padding_mode])


def _axes(
    input_shape: Sequence[int],
    window: Sequence[int],
    stride: Pair,
    padding: Padding2d,
    dilation: Pair,
    ceil_mode: bool = False,
) -> tuple[Axis, Axis]:
    """Lay out the windows along the height and the width."""
    stride, dilation, sides = _as_pair(stride, "stride"), _as_pair(dilation, "dilation"), _as_sides2d(padding)
    return (
        _axis(input_shape[0], window[0], stride[0], sides[0], dilation[0], ceil_mode),
        _axis(input_shape[1], window[1], stride[1], sides[1], dilation[1], ceil_mode),
    )


def _as_pair(value: Pair, name: str, *, minimum: int = 1) -> tuple[int, int]:
    """Write a setting as (height, width)."""
    if not isinstance(value, (tuple, list)):
        number = as_integer(value, name, minimum=minimum)
        return number, number
    if len(value) != 2:
        raise ValueError(f"{name} {value!r} has {len(value)} numbers, not 2 (height, width)")
    return as_integer(value[0], name, minimum=minimum), as_integer(value[1], name, minimum=minimum)


def _as_sides2d(padding: Padding2d) -> tuple[tuple[int, int], tuple[int, int]]:
    """Write a padding as ((top, bottom), (left, right))."""
    if not isinstance(padding, (tuple, list)):
        sides = as_sides(padding)
        return sides, sides
    if len(padding) != 2:
        raise ValueError(f"padding {padding!r} has {len(padding)} entries, not 2 (height, width)")
    return as_sides(padding[0]), as_sides(padding[1])


def _as_real(value: np.ndarray, name: str, axes: str) -> np.ndarray:
    """Check that an array holds real numbers along the axes named."""
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} of type {array.dtype} does not hold real numbers")
    if array.ndim != axes.count(",") + 1:
        raise ValueError(f"{name} shape {array.shape} does not have the axes ({axes})")
    if array.size == 0:
        raise ValueError(f"{name} shape {array.shape} holds no numbers")
    return array.astype(np.uint8) if array.dtype.kind == "b" else array


def _as_floats(
    x: np.ndarray,
    weight: np.ndarray,
    *,
    names: tuple[str, str] = ("x", "weight"),
    axes: str = "N, C_in, H, W",
    weight_axes: str = "C_out, C_in / groups, kH, kW",
) -> tuple[np.ndarray, np.ndarray]:
    """Bring a layer's input and weight to one floating-point type."""
    x, weight = _as_real(x, names[0], axes), _as_real(weight, names[1], weight_axes)
    dtype = np.result_type(x, weight, np.float32)
    return x.astype(dtype, copy=False), weight.astype(dtype, copy=False)


def _check_channels(x: np.ndarray, weight: np.ndarray, groups: int) -> None:
    groups = as_integer(groups, "groups", minimum=1)
    in_channels, out_channels, group_channels = x.shape[1], weight.shape[0], weight.shape[1]
    if group_channels * groups != in_channels:
        raise ValueError(
            f"weight input channels {group_channels * groups} (weight shape {weight.shape}, groups={groups}) "
            f"are not the input channels {in_channels} (x shape {x.shape})"
        )
    if out_channels % groups:
        raise ValueError(
            f"output channels {out_channels} (weight shape {weight.shape}) are no multiple of groups {groups}"
        )


def _add_bias(out: np.ndarray, bias: np.ndarray) -> np.ndarray:
    bias = _as_real(bias, "bias", "C_out")
    if bias.shape[0] != out.shape[1]:
        raise ValueError(f"bias shape {bias.shape} does not match output channels {out.shape[1]}")
    return out + bias[:, None, None].astype(out.dtype, copy=False)
