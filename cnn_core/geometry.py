"""Integer arithmetic of windows along one axis: sizes, padding, bounds, receptive fields.

Two-dimensional layers use each function once for the height and once for the width.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

Padding = int | tuple[int, int]
"""Pixels added to an axis: one int for both sides, or (before, after)."""


@dataclass(frozen=True)
class Axis:
    """One axis of a layer that slides a window over its input.

    Attributes:
        input_size: Length of the axis before padding, in pixels.
        kernel_size: Number of kernel cells along the axis.
        stride: Distance between the starts of neighbouring windows, in pixels.
        padding: Pixels added: an int for both sides or (before, after); kept as (before, after).
        dilation: Distance between neighbouring kernel cells, in pixels; 1 is dense.
        ceil_mode: Whether a window may hang over the end, as `torch.nn.MaxPool2d` has it: at most one,
            and only if it starts inside the input or the padding before it.

    Raises:
        TypeError: If a size is not an integer.
        ValueError: If a size is too small, or the dilated kernel does not fit the padded input.

    Example:
        >>> axis = Axis(8, 3, stride=3, padding=(1, 0))
        >>> axis.output_size, list(axis.window_starts), axis.left_over
        (3, [0, 3, 6], 0)
        >>> Axis(7, 5, dilation=2)
        Traceback (most recent call last):
            ...
        ValueError: effective kernel size 9 (kernel_size=5, dilation=2) exceeds padded input size 7 \
(input_size=7, padding=0)
    """

    input_size: int
    kernel_size: int
    stride: int = 1
    padding: Padding = (0, 0)
    dilation: int = 1
    ceil_mode: bool = False

    def __post_init__(self) -> None:
        """Bring the sizes into one form and check them."""
        for name in ("input_size", "kernel_size", "stride", "dilation"):
            object.__setattr__(self, name, as_integer(getattr(self, name), name, minimum=1))
        object.__setattr__(self, "padding", as_sides(self.padding))
        slack = self.stride - 1 if self.ceil_mode else 0
        if self.effective_kernel_size > self.padded_size + slack:
            by = f" by more than {slack} (stride={self.stride}, ceil_mode=True)" if self.ceil_mode else ""
            raise ValueError(
                f"effective kernel size {self.effective_kernel_size} (kernel_size={self.kernel_size}, "
                f"dilation={self.dilation}) exceeds padded input size {self.padded_size} "
                f"(input_size={self.input_size}, padding={_format_sides(self.padding)}){by}"
            )

    @property
    def padded_size(self) -> int:
        """Length of the axis with its padding, in pixels."""
        return self.input_size + total_padding(self.padding)

    @property
    def effective_kernel_size(self) -> int:
        """Pixels from the first to the last kernel cell, both included."""
        return effective_kernel_size(self.kernel_size, self.dilation)

    @property
    def travel(self) -> int:
        """Pixels from the first to the last place where the kernel fits; below 0 only with `ceil_mode`."""
        return self.padded_size - self.effective_kernel_size

    @property
    def rounded_size(self) -> int:
        """Number of windows by the formula alone; with `ceil_mode`, PyTorch may drop the last of them."""
        steps = -(-self.travel // self.stride) if self.ceil_mode else self.travel // self.stride
        return steps + 1

    @cached_property
    def output_size(self) -> int:
        """Number of windows, at least 1."""
        last_start = (self.rounded_size - 1) * self.stride
        hangs_over = last_start > self.travel
        return self.rounded_size - int(hangs_over and last_start >= self.padding[0] + self.input_size)

    @property
    def window_starts(self) -> range:
        """First pixel of each window, counted from the start of the padded input."""
        return range(0, self.output_size * self.stride, self.stride)

    def seen_by(self, index: int) -> range:
        """List the input pixels under the kernel cells of one window.

        Args:
            index: Position of the output along the axis, from 0.

        Returns:
            One position for each kernel cell, from the first pixel of the input; those outside
            0..input_size - 1 are padding.
        """
        first = self.window_starts[index] - self.padding[0]
        return range(first, first + self.effective_kernel_size, self.dilation)

    @property
    def covered_size(self) -> int:
        """Pixels from the start of the padded input to the end of the last window."""
        return self.window_starts[-1] + self.effective_kernel_size

    @property
    def left_over(self) -> int:
        """Pixels at the end of the padded input that no window reaches."""
        return max(0, self.padded_size - self.covered_size)

    @property
    def overhang(self) -> int:
        """Pixels by which the last window hangs over the padded input; 0 without `ceil_mode`."""
        return max(0, self.covered_size - self.padded_size)


@dataclass(frozen=True)
class TransposedAxis:
    """One axis of a transposed convolution, which puts a kernel down for each pixel of its input.

    Attributes:
        input_size: Length of the input, in pixels.
        kernel_size: Number of kernel cells along the axis.
        stride: Distance between the places where neighbouring inputs put the kernel, in output pixels.
        padding: Pixels cut off the output: an int for both sides or (before, after); kept as (before, after).
        dilation: Distance between neighbouring kernel cells, in pixels; 1 is dense.
        output_padding: Pixels added after the output, fewer than the larger of stride and dilation.

    Raises:
        TypeError: If a size is not an integer.
        ValueError: As `transposed_output_size`.

    Example:
        >>> TransposedAxis(14, 4, stride=2, padding=1).output_size
        28
    """

    input_size: int
    kernel_size: int
    stride: int = 1
    padding: Padding = (0, 0)
    dilation: int = 1
    output_padding: int = 0

    def __post_init__(self) -> None:
        """Bring the sizes into one form and check them."""
        for name in ("input_size", "kernel_size", "stride", "dilation", "output_padding"):
            minimum = 0 if name == "output_padding" else 1
            object.__setattr__(self, name, as_integer(getattr(self, name), name, minimum=minimum))
        object.__setattr__(self, "padding", as_sides(self.padding))
        _ = self.output_size

    @property
    def effective_kernel_size(self) -> int:
        """Pixels from the first to the last kernel cell, both included."""
        return effective_kernel_size(self.kernel_size, self.dilation)

    @cached_property
    def output_size(self) -> int:
        """Length of the output, at least 1."""
        return transposed_output_size(
            self.input_size,
            self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            output_padding=self.output_padding,
            dilation=self.dilation,
        )


def effective_kernel_size(kernel_size: int, dilation: int = 1) -> int:
    """Measure a dilated kernel from its first to its last cell.

    Args:
        kernel_size: Number of kernel cells along the axis.
        dilation: Distance between neighbouring cells, in pixels; 1 is dense.

    Returns:
        Pixels spanned, at least 1.

    Raises:
        TypeError: If an argument is not an integer.
        ValueError: If an argument is below 1.

    References:
        Dumoulin & Visin, 2016, arXiv:1603.07285, section 5.1.

    Example:
        >>> effective_kernel_size(3, 2)
        5
    """
    dilation = as_integer(dilation, "dilation", minimum=1)
    return dilation * (as_integer(kernel_size, "kernel_size", minimum=1) - 1) + 1


def output_size(
    input_size: int,
    kernel_size: int,
    *,
    stride: int = 1,
    padding: Padding = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
) -> int:
    """Count the positions a window can take along one axis.

    Args:
        input_size: Length of the axis, in pixels.
        kernel_size: Number of kernel cells along the axis.
        stride: Distance between neighbouring windows, in pixels.
        padding: Pixels added: an int for both sides, or (before, after).
        dilation: Distance between neighbouring kernel cells, in pixels.
        ceil_mode: Whether one last window may hang over the end, as in torch's pooling.

    Returns:
        Number of outputs, at least 1.

    Raises:
        TypeError: If a size is not an integer.
        ValueError: If a size is too small, or the dilated kernel does not fit the padded input.

    References:
        Dumoulin & Visin, 2016, arXiv:1603.07285, relationship 15.

    Example:
        >>> output_size(28, 5, padding=2)
        28
        >>> output_size(8, 3, stride=2), output_size(8, 3, stride=2, ceil_mode=True)
        (3, 4)
    """
    return Axis(input_size, kernel_size, stride, padding, dilation, ceil_mode).output_size


def transposed_output_size(
    input_size: int,
    kernel_size: int,
    *,
    stride: int = 1,
    padding: Padding = 0,
    output_padding: int = 0,
    dilation: int = 1,
) -> int:
    """Compute the output size of a transposed convolution along one axis.

    Args:
        input_size: Length of the axis, in pixels.
        kernel_size: Number of kernel cells along the axis.
        stride: Distance between the places where neighbouring inputs put the kernel, in output pixels.
        padding: Pixels cut off the output: an int for both sides, or (before, after).
        output_padding: Pixels added after the output, fewer than the larger of stride and dilation.
        dilation: Distance between neighbouring kernel cells, in pixels.

    Returns:
        Length of the output, at least 1.

    Raises:
        TypeError: If a size is not an integer.
        ValueError: If a size is too small, `output_padding` is too large, or the padding cuts off everything.

    References:
        Dumoulin & Visin, 2016, arXiv:1603.07285, relationship 14.

    Example:
        >>> transposed_output_size(14, 4, stride=2, padding=1)
        28
    """
    input_size = as_integer(input_size, "input_size", minimum=1)
    stride = as_integer(stride, "stride", minimum=1)
    output_padding = as_integer(output_padding, "output_padding", minimum=0)
    full_size = (input_size - 1) * stride + effective_kernel_size(kernel_size, dilation) + output_padding
    cut = total_padding(padding)
    if output_padding >= max(stride, dilation):
        raise ValueError(
            f"output_padding {output_padding} is not below the larger of stride and dilation "
            f"{max(stride, dilation)} (stride={stride}, dilation={dilation})"
        )
    if cut >= full_size:
        raise ValueError(
            f"total padding {cut} (padding={_format_sides(as_sides(padding))}) leaves nothing of "
            f"full output size {full_size} (input_size={input_size}, kernel_size={kernel_size}, "
            f"stride={stride}, dilation={dilation}, output_padding={output_padding})"
        )
    return full_size - cut


def valid_padding(kernel_size: int, *, dilation: int = 1) -> tuple[int, int]:
    """Give the padding with which a window sees real pixels only: none.

    Args:
        kernel_size: Number of kernel cells along the axis; any.
        dilation: Distance between neighbouring kernel cells; any.

    Returns:
        (0, 0)

    Example:
        >>> valid_padding(3)
        (0, 0)
    """
    return 0, 0


def same_padding(kernel_size: int, *, dilation: int = 1) -> tuple[int, int]:
    """Give the padding that keeps the size at stride 1.

    Args:
        kernel_size: Number of kernel cells along the axis.
        dilation: Distance between neighbouring kernel cells, in pixels.

    Returns:
        (before, after), in pixels. An odd pixel comes after, as in PyTorch and TensorFlow.

    Raises:
        TypeError: If an argument is not an integer.
        ValueError: If an argument is below 1.

    Example:
        >>> same_padding(5), same_padding(4), same_padding(3, dilation=2)
        ((2, 2), (1, 2), (2, 2))
    """
    return split_total_padding(effective_kernel_size(kernel_size, dilation) - 1)


def full_padding(kernel_size: int, *, dilation: int = 1) -> tuple[int, int]:
    """Give the padding with which every window that touches the input is taken.

    Args:
        kernel_size: Number of kernel cells along the axis.
        dilation: Distance between neighbouring kernel cells, in pixels.

    Returns:
        (before, after), in pixels: the effective kernel size less 1 on each side.

    Raises:
        TypeError: If an argument is not an integer.
        ValueError: If an argument is below 1.

    Example:
        >>> full_padding(3)
        (2, 2)
    """
    side = effective_kernel_size(kernel_size, dilation) - 1
    return side, side


PADDING_PRESETS: Mapping[str, Callable[..., tuple[int, int]]] = MappingProxyType(
    {"valid": valid_padding, "same": same_padding, "full": full_padding}
)
"""Name of a padding convention -> function of (kernel_size, *, dilation) that gives (before, after)."""


def tensorflow_same_padding(
    input_size: int, kernel_size: int, *, stride: int = 1, dilation: int = 1
) -> tuple[int, int]:
    """Give the padding that TensorFlow's "SAME" uses: as little as makes ceil(input_size / stride) outputs.

    Args:
        input_size: Length of the axis, in pixels.
        kernel_size: Number of kernel cells along the axis.
        stride: Distance between neighbouring windows, in pixels.
        dilation: Distance between neighbouring kernel cells, in pixels.

    Returns:
        (before, after), in pixels; the odd pixel comes after.

    Raises:
        TypeError: If an argument is not an integer.
        ValueError: If an argument is below 1.

    References:
        https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2

    Example:
        >>> tensorflow_same_padding(224, 3, stride=2)
        (0, 1)
    """
    input_size = as_integer(input_size, "input_size", minimum=1)
    stride = as_integer(stride, "stride", minimum=1)
    last_start = (input_size - 1) // stride * stride
    return split_total_padding(max(0, last_start + effective_kernel_size(kernel_size, dilation) - input_size))


def total_padding(padding: Padding) -> int:
    """Add up both sides: PyTorch's padding per side -> the book's total padding.

    Args:
        padding: Pixels added: an int for both sides, or (before, after).

    Returns:
        Pixels added in all, the p of the book's floor((n - k + p + s) / s).

    Raises:
        TypeError: If the padding is not an integer or a pair of them.
        ValueError: If a side is negative.

    References:
        Zhang et al., Dive into Deep Learning, section 7.3 (d2l.ai).

    Example:
        >>> total_padding(2), total_padding((1, 2))
        (4, 3)
    """
    return sum(as_sides(padding))


def split_total_padding(total_padding: int, *, odd_first: bool = False) -> tuple[int, int]:
    """Share out a total padding: the book's total padding -> PyTorch's padding per side.

    Args:
        total_padding: Pixels added in all.
        odd_first: Whether the odd pixel comes before, as the book proposes, instead of after as in PyTorch
            and TensorFlow.

    Returns:
        (before, after), in pixels, as equal as they can be.

    Raises:
        TypeError: If the total is not an integer.
        ValueError: If the total is negative.

    Example:
        >>> split_total_padding(4), split_total_padding(3), split_total_padding(3, odd_first=True)
        ((2, 2), (1, 2), (2, 1))
    """
    total = as_integer(total_padding, "total_padding", minimum=0)
    half = total // 2
    return (total - half, half) if odd_first else (half, total - half)


def max_kernel_size(input_size: int, *, padding: Padding = 0, dilation: int = 1) -> int:
    """Find the largest kernel that fits the padded input.

    Args:
        input_size: Length of the axis, in pixels.
        padding: Pixels added: an int for both sides, or (before, after).
        dilation: Distance between neighbouring kernel cells, in pixels.

    Returns:
        Largest kernel size, at least 1.

    Raises:
        TypeError: If a size is not an integer.
        ValueError: If a size is too small.

    Example:
        >>> max_kernel_size(7), max_kernel_size(7, padding=1, dilation=2)
        (7, 5)
    """
    axis = Axis(input_size, 1, padding=padding, dilation=dilation)
    return (axis.padded_size - 1) // axis.dilation + 1


def max_dilation(input_size: int, kernel_size: int, *, padding: Padding = 0) -> int:
    """Find the largest dilation with which a kernel fits the padded input.

    Args:
        input_size: Length of the axis, in pixels.
        kernel_size: Number of kernel cells along the axis.
        padding: Pixels added: an int for both sides, or (before, after).

    Returns:
        Largest dilation, at least 1; 1 for a kernel of one cell, which no dilation changes.

    Raises:
        TypeError: If a size is not an integer.
        ValueError: If a size is too small, or the dense kernel does not fit.

    Example:
        >>> max_dilation(7, 3), max_dilation(7, 1)
        (3, 1)
    """
    axis = Axis(input_size, kernel_size, padding=padding)
    return 1 if axis.kernel_size == 1 else (axis.padded_size - 1) // (axis.kernel_size - 1)


def max_stride(input_size: int, kernel_size: int, *, padding: Padding = 0, dilation: int = 1) -> int:
    """Find the smallest stride that leaves a single window; a larger one changes nothing.

    Args:
        input_size: Length of the axis, in pixels.
        kernel_size: Number of kernel cells along the axis.
        padding: Pixels added: an int for both sides, or (before, after).
        dilation: Distance between neighbouring kernel cells, in pixels.

    Returns:
        Largest stride worth choosing, at least 1.

    Raises:
        TypeError: If a size is not an integer.
        ValueError: If a size is too small, or the dilated kernel does not fit.

    Example:
        >>> max_stride(7, 3)
        5
    """
    return Axis(input_size, kernel_size, padding=padding, dilation=dilation).output_size


def max_pool_padding(kernel_size: int) -> int:
    """Find the largest padding per side that torch's pooling accepts: half of the window.

    Args:
        kernel_size: Number of window cells along the axis; their dilation does not count.

    Returns:
        Largest padding per side, in pixels. With it, no dense window lies in the padding alone.

    Raises:
        TypeError: If the size is not an integer.
        ValueError: If the size is below 1.

    Example:
        >>> max_pool_padding(3)
        1
    """
    return as_integer(kernel_size, "kernel_size", minimum=1) // 2


def max_transposed_padding(
    input_size: int, kernel_size: int, *, stride: int = 1, output_padding: int = 0, dilation: int = 1
) -> int:
    """Find the largest padding per side that leaves something of the output of a transposed convolution.

    Args:
        input_size: Length of the input, in pixels.
        kernel_size: Number of kernel cells along the axis.
        stride: Distance between the places where neighbouring inputs put the kernel, in output pixels.
        output_padding: Pixels added after the output, fewer than the larger of stride and dilation.
        dilation: Distance between neighbouring kernel cells, in pixels.

    Returns:
        Largest padding per side, in pixels.

    Raises:
        TypeError: If a size is not an integer.
        ValueError: If a size is too small, or `output_padding` is too large.

    Example:
        >>> max_transposed_padding(2, 3)
        1
    """
    options = {"stride": stride, "output_padding": output_padding, "dilation": dilation}
    return (transposed_output_size(input_size, kernel_size, **options) - 1) // 2


@dataclass(frozen=True)
class ReceptiveField:
    """What one output of a stack of layers sees of the input, along one axis.

    Attributes:
        size: Input pixels from the first to the last that an output sees.
        effective_stride: Input pixels between what neighbouring outputs see.
        start: First input pixel that output 0 sees; negative when that lies in the padding.

    References:
        Araujo, Norris & Sim, Computing Receptive Fields of Convolutional Neural Networks, Distill, 2019.

    Example:
        >>> field = ReceptiveField().after(5, padding=2).after(2, stride=2)
        >>> field
        ReceptiveField(size=6, effective_stride=2, start=-2)
        >>> field.seen_by(3)
        range(4, 10)
    """

    size: int = 1
    effective_stride: int = 1
    start: int = 0

    def after(
        self, kernel_size: int, *, stride: int = 1, padding: Padding = 0, dilation: int = 1
    ) -> "ReceptiveField":
        """Compose with one more layer on top.

        Args:
            kernel_size: Number of kernel cells along the axis.
            stride: Distance between neighbouring windows, in pixels of the layer's own input.
            padding: Pixels added: an int for both sides, or (before, after).
            dilation: Distance between neighbouring kernel cells.

        Returns:
            The receptive field of an output of that layer.

        Raises:
            TypeError: If a size is not an integer.
            ValueError: If a size is too small.
        """
        reach = effective_kernel_size(kernel_size, dilation) - 1
        return ReceptiveField(
            size=self.size + reach * self.effective_stride,
            effective_stride=self.effective_stride * as_integer(stride, "stride", minimum=1),
            start=self.start - as_sides(padding)[0] * self.effective_stride,
        )

    def seen_by(self, index: int) -> range:
        """List the input pixels under one output; those outside the input are padding.

        Args:
            index: Position of the output along the axis, from 0.

        Returns:
            Range of `size` input positions. With dilation or a stride above a kernel's size, some positions
            inside it do not reach the output.
        """
        first = self.start + index * self.effective_stride
        return range(first, first + self.size)


def as_integer(value: object, name: str, *, minimum: int) -> int:
    """Check that a size is an integer, not below its minimum.

    Args:
        value: What the caller passed; NumPy's integers count, bools do not.
        name: Its name, for the error.
        minimum: Smallest value allowed.

    Returns:
        The same number as a Python int.

    Raises:
        TypeError: If it is not an integer.
        ValueError: If it is below the minimum.

    Example:
        >>> as_integer(0, "stride", minimum=1)
        Traceback (most recent call last):
            ...
        ValueError: stride 0 is below 1
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise TypeError(f"{name} {value!r} ({type(value).__name__}) is not an integer")
    if number < minimum:
        raise ValueError(f"{name} {number} is below {minimum}")
    return number


def as_sides(padding: Padding) -> tuple[int, int]:
    """Write a padding as (before, after).

    Args:
        padding: Pixels added: an int for both sides, or a pair (before, after).

    Returns:
        (before, after), in pixels.

    Raises:
        TypeError: If it is neither an integer nor a pair of integers.
        ValueError: If a side is negative, or there are not two.

    Example:
        >>> as_sides(2), as_sides((0, 1))
        ((2, 2), (0, 1))
    """
    if not isinstance(padding, (tuple, list)):
        padding = (padding, padding)
    if len(padding) != 2:
        raise ValueError(f"padding {padding!r} has {len(padding)} sides, not 2 (before, after)")
    before, after = (as_integer(side, "padding", minimum=0) for side in padding)
    return before, after


def _format_sides(sides: tuple[int, int]) -> str:
    before, after = sides
    return str(before) if before == after else str(sides)
