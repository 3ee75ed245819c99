"""A small layer with all its numbers: which input and which kernel cell make which output, axis by axis."""

from dataclasses import dataclass

import numpy as np

from cnn_core import ops
from cnn_core.geometry import Axis, TransposedAxis

FILLED, NOTHING = -1, -2
"""What a padded pixel shows instead of an input pixel: the padding's number, or nothing where a window hangs over."""

Link = tuple[int, int, int]
"""(output, padded pixel, kernel cell) that meet along one axis."""


@dataclass(frozen=True)
class Wiring:
    """One axis of a layer, wired.

    Attributes:
        input_size: Length of the input, in pixels.
        before: Padded pixels before the input's first.
        source: For each padded pixel, and each over which a window hangs, the input pixel it shows, or `FILLED`,
            or `NOTHING`.
        output_size: Number of outputs.
        kernel_size: Number of kernel cells.
        left_over: Padded pixels at the end that no window reaches.
        links: All that meet, by output, then by place under the window.
    """

    input_size: int
    before: int
    source: tuple[int, ...]
    output_size: int
    kernel_size: int
    left_over: int
    links: tuple[Link, ...]

    @property
    def most_outputs(self) -> int:
        """How many outputs an input feeds that feeds most of them; at the border it is often fewer."""
        return max(self.num_outputs(pixel) for pixel in range(self.input_size))

    def num_outputs(self, pixel: int) -> int:
        """Count the outputs that an input pixel feeds, itself and by its copies in the padding."""
        return len({output for output, place, _ in self.links if self.source[place] == pixel})


def wire(axis: Axis, *, padding_mode: str = "zeros", flipped: bool = False) -> Wiring:
    """Wire one axis of a convolution or a pooling layer.

    Args:
        axis: The layer along this axis.
        padding_mode: What the added pixels hold: zeros, reflect, replicate or circular.
        flipped: Whether the kernel is turned before it is laid on the input, as in a true convolution.

    Returns:
        The wiring; cells of a window that hang over the padded input meet nothing.

    Raises:
        ValueError: If the padding mode is unknown.

    Example:
        >>> wire(Axis(3, 2)).links
        ((0, 0, 0), (0, 1, 1), (1, 1, 0), (1, 2, 1))
        >>> wire(Axis(3, 2, padding=(2, 0)), padding_mode="reflect").source
        (2, 1, 0, 1, 2)
    """
    if padding_mode not in ops.PADDING_MODES:
        raise ValueError(f"padding_mode {padding_mode!r} is not one of {', '.join(ops.PADDING_MODES)}")
    filling = {"constant_values": FILLED} if padding_mode == "zeros" else {}
    source = np.pad(np.arange(axis.input_size), axis.padding, ops.PADDING_MODES[padding_mode], **filling)
    links = [
        (output, start + place * axis.dilation, axis.kernel_size - 1 - place if flipped else place)
        for output, start in enumerate(axis.window_starts)
        for place in range(axis.kernel_size)
    ]
    return Wiring(
        input_size=axis.input_size,
        before=axis.padding[0],
        source=(*source.tolist(), *[NOTHING] * axis.overhang),
        output_size=axis.output_size,
        kernel_size=axis.kernel_size,
        left_over=axis.left_over,
        links=tuple(link for link in links if link[1] < axis.padded_size),
    )


def wire_transposed(axis: TransposedAxis, *, flipped: bool = False) -> Wiring:
    """Wire one axis of a transposed convolution.

    Args:
        axis: The layer along this axis.
        flipped: Whether the kernel is turned before it is put down.

    Returns:
        The wiring. The input has no padding; what is cut off the output is not in it.

    Example:
        >>> wire_transposed(TransposedAxis(2, 2, stride=2)).links
        ((0, 0, 0), (1, 0, 1), (2, 1, 0), (3, 1, 1))
    """
    links = [
        (
            pixel * axis.stride + place * axis.dilation - axis.padding[0],
            pixel,
            axis.kernel_size - 1 - place if flipped else place,
        )
        for pixel in range(axis.input_size)
        for place in range(axis.kernel_size)
    ]
    return Wiring(
        input_size=axis.input_size,
        before=0,
        source=tuple(range(axis.input_size)),
        output_size=axis.output_size,
        kernel_size=axis.kernel_size,
        left_over=0,
        links=tuple(sorted(link for link in links if 0 <= link[0] < axis.output_size)),
    )


@dataclass(frozen=True, eq=False)
class Scene:
    """A layer on one small picture: what goes in, how it is wired, and what comes out.

    Attributes:
        mode: convolution, transposed, max, average or min.
        x: Input, shape (C_in, H, W), float64.
        weight: The kernels of one output channel, shape (C_in, kH, kW), as they are written, before any flip;
            None for pooling.
        bias: Number added to each output.
        height: Wiring of the rows.
        width: Wiring of the columns.
        y: Output, shape (1, H_out, W_out), or (C_in, H_out, W_out) for pooling, float64.
    """

    mode: str
    x: np.ndarray
    weight: np.ndarray | None
    bias: float
    height: Wiring
    width: Wiring
    y: np.ndarray

    @property
    def filling(self) -> float | None:
        """The number that `FILLED` pixels hold; None where they never count, as in a maximum."""
        return None if self.mode in ("max", "min") else 0.0


def convolution(
    x: np.ndarray,
    weight: np.ndarray,
    height: Axis,
    width: Axis,
    *,
    bias: float = 0,
    padding_mode: str = "zeros",
    flipped: bool = False,
) -> Scene:
    """Convolve one picture to one output channel, and keep how.

    Args:
        x: Shape (C_in, H, W).
        weight: Shape (C_in, kH, kW).
        height: The layer along the rows, without `ceil_mode`.
        width: The layer along the columns, without `ceil_mode`.
        bias: Number added to each output.
        padding_mode: zeros, reflect, replicate or circular.
        flipped: Whether to turn the kernels first: a true convolution instead of a cross-correlation.

    Returns:
        The scene.

    Raises:
        ValueError: If the axes are not those of the picture and the kernels, or the padding is beyond its mode.

    Example:
        >>> scene = convolution(np.arange(9).reshape(1, 3, 3), np.arange(4).reshape(1, 2, 2), Axis(3, 2), Axis(3, 2))
        >>> scene.y[0]
        array([[19., 25.],
               [37., 43.]])
    """
    x, weight = x.astype(float), weight.astype(float)
    _check(x, weight, height.input_size, width.input_size, height.kernel_size, width.kernel_size)
    if height.ceil_mode or width.ceil_mode:
        raise ValueError("ceil_mode is for pooling; a convolution rounds down")
    y = ops.conv2d(
        x[None],
        (ops.flip(weight) if flipped else weight)[None],
        np.array([float(bias)]),
        stride=(height.stride, width.stride),
        padding=(height.padding, width.padding),
        dilation=(height.dilation, width.dilation),
        padding_mode=padding_mode,
    )[0]
    rows, columns = (wire(axis, padding_mode=padding_mode, flipped=flipped) for axis in (height, width))
    return Scene("convolution", x, weight, float(bias), rows, columns, y)


def transposed(
    x: np.ndarray,
    weight: np.ndarray,
    height: TransposedAxis,
    width: TransposedAxis,
    *,
    bias: float = 0,
    flipped: bool = False,
) -> Scene:
    """Put kernels down for each pixel of one picture, to one output channel, and keep how.

    Args:
        x: Shape (C_in, H, W).
        weight: Shape (C_in, kH, kW).
        height: The layer along the rows.
        width: The layer along the columns.
        bias: Number added to each output.
        flipped: Whether to turn the kernels first.

    Returns:
        The scene.

    Raises:
        ValueError: If the axes are not those of the picture and the kernels.

    Example:
        >>> height, width = TransposedAxis(1, 1), TransposedAxis(2, 2, stride=2)
        >>> transposed(np.array([[[1, 2]]]), np.ones((1, 1, 2)), height, width).y[0]
        array([[1., 1., 2., 2.]])
    """
    x, weight = x.astype(float), weight.astype(float)
    _check(x, weight, height.input_size, width.input_size, height.kernel_size, width.kernel_size)
    y = ops.conv_transpose2d(
        x[None],
        (ops.flip(weight) if flipped else weight)[:, None],  # (C_in, 1, kH, kW)
        np.array([float(bias)]),
        stride=(height.stride, width.stride),
        padding=(height.padding, width.padding),
        output_padding=(height.output_padding, width.output_padding),
        dilation=(height.dilation, width.dilation),
    )[0]
    rows, columns = (wire_transposed(axis, flipped=flipped) for axis in (height, width))
    return Scene("transposed", x, weight, float(bias), rows, columns, y)


def pooling(x: np.ndarray, height: Axis, width: Axis, *, mode: str = "max") -> Scene:
    """Pool each channel of one picture, and keep how.

    Args:
        x: Shape (C, H, W).
        height: The layer along the rows.
        width: The layer along the columns.
        mode: max, average or min.

    Returns:
        The scene.

    Raises:
        ValueError: If the axes are not those of the picture, the mode is unknown, or the padding exceeds half
            of the window.

    Example:
        >>> pooling(np.arange(9).reshape(1, 3, 3), Axis(3, 2), Axis(3, 2)).y[0]
        array([[4., 5.],
               [7., 8.]])
    """
    x = x.astype(float)
    _check(x, None, height.input_size, width.input_size)
    if height.ceil_mode != width.ceil_mode:
        raise ValueError("ceil_mode differs between height and width; a pooling layer has one for both")
    y = ops.pool2d(
        x[None],
        (height.kernel_size, width.kernel_size),
        stride=(height.stride, width.stride),
        padding=(height.padding, width.padding),
        dilation=(height.dilation, width.dilation),
        ceil_mode=height.ceil_mode,
        mode=mode,
    )[0]
    return Scene(mode, x, None, 0.0, wire(height), wire(width), y)


def _check(x: np.ndarray, weight: np.ndarray | None, *sizes: int) -> None:
    shapes = [x.shape, *([] if weight is None else [weight.shape])]
    if any(len(shape) != 3 for shape in shapes) or len({shape[0] for shape in shapes}) > 1:
        raise ValueError(f"shapes {shapes} are not (C_in, H, W) and (C_in, kH, kW)")
    found = tuple(size for shape in shapes for size in shape[1:])
    if found != sizes:
        raise ValueError(f"sizes {found} of the arrays are not the sizes {sizes} of the axes")
