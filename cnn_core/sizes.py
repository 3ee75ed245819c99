"""Output sizes turned round: which settings give one, which ones can be reached, how each setting moves it.

All along one axis, within limits on the settings. Standard library only.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from cnn_core.geometry import (
    Axis,
    TransposedAxis,
    as_integer,
    effective_kernel_size,
    output_size,
    split_total_padding,
)

LARGE_KERNEL = 9
"""From this size on a dense kernel is unusual."""


@dataclass(frozen=True)
class Limits:
    """The largest settings that are asked about.

    Attributes:
        input_size: Length of the axis before padding, in pixels.
        kernel_size: Number of kernel cells along the axis.
        stride: Distance between the starts of neighbouring windows, in pixels.
        padding: Pixels added on one side.
        dilation: Distance between neighbouring kernel cells, in pixels.

    Raises:
        TypeError: If a limit is not an integer.
        ValueError: If a limit is below 1, or the padding's below 0.
    """

    input_size: int = 256
    kernel_size: int = 13
    stride: int = 8
    padding: int = 12
    dilation: int = 6

    def __post_init__(self) -> None:
        """Check the limits."""
        for name in ("input_size", "kernel_size", "stride", "padding", "dilation"):
            as_integer(getattr(self, name), name, minimum=0 if name == "padding" else 1)

    def kernels(self) -> Iterator[tuple[int, int]]:
        """List the pairs (kernel size, dilation); a kernel of one cell has no dilation."""
        yield 1, 1
        for kernel_size in range(2, self.kernel_size + 1):
            for dilation in range(1, self.dilation + 1):
                yield kernel_size, dilation


DEFAULT_LIMITS = Limits()
"""What the layers of common networks stay within."""


def settings_for(input_size: int, output_size: int, *, limits: Limits = DEFAULT_LIMITS) -> list[Axis]:
    """Find the settings that make an output size of an input size, from simple to odd.

    A total padding is shared as equally as it can be, an odd pixel after the input. Of settings whose windows
    see the very same pixels only the simplest is listed: a kernel of one cell without dilation, a single
    window with the least stride, and no padding after that no window reaches if it makes the sides unequal.

    Simple is what has the fewest unusual traits: dilation, unequal sides, an even or a large kernel (unless it
    is as wide as the stride), a window over more than half of the input, a stride above the kernel size, input
    left over, more padding than keeps the size, windows on padding alone. Among equals less dilation comes
    first, then less stride, a kernel as wide as its stride, kernel size 3, smaller kernels, less padding.

    Args:
        input_size: Length of the axis, in pixels; may be above the limit on input sizes.
        output_size: Number of outputs wanted.
        limits: The largest settings to look at.

    Returns:
        One axis for each setting, in that order; empty if none gives this size.

    Raises:
        TypeError: If a size is not an integer.
        ValueError: If a size is below 1.

    Example:
        >>> for axis in settings_for(28, 14)[:2]:
        ...     print(axis.kernel_size, axis.stride, axis.padding, axis.dilation)
        2 2 (0, 0) 1
        3 2 (1, 1) 1
    """
    input_size = as_integer(input_size, "input_size", minimum=1)
    wanted = as_integer(output_size, "output_size", minimum=1)
    return sorted(_candidates(input_size, wanted, limits), key=_oddity)


def _candidates(input_size: int, wanted: int, limits: Limits) -> Iterator[Axis]:
    for kernel_size, dilation in limits.kernels():
        for stride in range(1, limits.stride + 1):
            # There are m outputs where (m - 1) s <= travel < m s, and each pixel of padding is one of travel.
            least = (wanted - 1) * stride + effective_kernel_size(kernel_size, dilation) - input_size
            most = min(least + stride - 1, 2 * limits.padding)
            for total in range(max(least, 0), most + 1):
                axis = Axis(input_size, kernel_size, stride, split_total_padding(total), dilation)
                same_without_last = total % 2 == 1 and axis.left_over > 0
                same_with_less_stride = wanted == 1 and stride > axis.travel + 1
                if not same_without_last and not same_with_less_stride:
                    yield axis


def _oddity(axis: Axis) -> tuple[int, ...]:
    """Rank a setting as `settings_for` says; a lower rank is simpler."""
    (before, after), kernel_size = axis.padding, axis.kernel_size
    side_by_side = kernel_size == axis.stride > 1
    unusual = (
        axis.dilation > 1,
        before != after,
        kernel_size % 2 == 0 and not side_by_side,
        kernel_size >= LARGE_KERNEL and not side_by_side,
        2 * axis.effective_kernel_size > axis.input_size,
        kernel_size < axis.stride,
        axis.left_over > after,
        after > axis.effective_kernel_size // 2,
        after >= axis.effective_kernel_size,
    )
    ties = (axis.dilation, axis.stride, not side_by_side, kernel_size != 3, kernel_size, after, before)
    return sum(unusual), *ties


def reachable_sizes(input_size: int, *, limits: Limits = DEFAULT_LIMITS) -> list[int]:
    """List the output sizes that some setting makes of an input size.

    Args:
        input_size: Length of the axis, in pixels; may be above the limit on input sizes.
        limits: The largest settings to look at.

    Returns:
        The sizes from small to large; there may be gaps between them.

    Raises:
        TypeError: If the size is not an integer.
        ValueError: If the size is below 1.

    Example:
        >>> reachable_sizes(9, limits=Limits(kernel_size=3, stride=2, padding=0, dilation=1))
        [4, 5, 7, 8, 9]
    """
    input_size = as_integer(input_size, "input_size", minimum=1)
    sizes: set[int] = set()
    for window in {effective_kernel_size(*kernel) for kernel in limits.kernels()}:
        paddings = max(window - input_size, 0), 2 * limits.padding
        if paddings[0] > paddings[1]:
            continue
        for stride in range(1, limits.stride + 1):
            # Each pixel of padding adds one output or none, so none is skipped between least and most.
            least, most = (
                output_size(input_size, window, stride=stride, padding=split_total_padding(total))
                for total in paddings
            )
            sizes.update(range(least, most + 1))
    return sorted(sizes)


@dataclass(frozen=True)
class SizeCurve:
    """Output size over one setting, the others as they are.

    Attributes:
        name: The setting, in words.
        sizes: Value of the setting -> output size, for the values that are possible.
        now: The value that the axis has.
        values: Range of the values that were tried, the impossible ones included.
    """

    name: str
    sizes: Mapping[int, int]
    now: int
    values: range


def size_curves(axis: Axis | TransposedAxis, *, limits: Limits = DEFAULT_LIMITS) -> list[SizeCurve]:
    """Compute how the output size changes with each setting of an axis alone.

    Args:
        axis: The settings of the moment, also those of a transposed convolution.
        limits: How far the settings go. The padding stops where a window would see nothing but padding, and
            the input at twice its size, unless the axis itself has more.

    Returns:
        Curves for the kernel size, the dilation, the stride, the padding, whose sides move together, and
        the input size; of a transposed convolution for the output padding as well.

    Example:
        >>> curves = {curve.name: curve.sizes for curve in size_curves(Axis(7, 3, stride=2))}
        >>> curves["kernel size"]
        {1: 4, 2: 3, 3: 3, 4: 2, 5: 2, 6: 1, 7: 1}
        >>> curves["padding per side"]
        {0: 3, 1: 4, 2: 5}
    """
    before, after = axis.padding
    more, least = after - before, max(before - after, 0)
    full = min(axis.effective_kernel_size - 1, limits.padding - abs(more))
    sides = range(least, max(least + full, before) + 1)
    inputs = range(1, max(min(2 * axis.input_size, limits.input_size), axis.input_size) + 1)
    name = "padding before" if more else "padding per side"
    curves = [
        _curve(axis, "kernel_size", _up_to(limits.kernel_size, axis.kernel_size)),
        _curve(axis, "dilation", _up_to(limits.dilation, axis.dilation)),
        _curve(axis, "stride", _up_to(limits.stride, axis.stride)),
        SizeCurve(name, _sizes(axis, "padding", {p: (p, p + more) for p in sides}), before, sides),
        _curve(axis, "input_size", inputs),
    ]
    if isinstance(axis, TransposedAxis):
        curves.append(_curve(axis, "output_padding", range(max(axis.stride, axis.dilation))))
    return curves


def _up_to(limit: int, value: int) -> range:
    return range(1, max(limit, value) + 1)


def _curve(axis: Axis | TransposedAxis, field: str, values: range) -> SizeCurve:
    sizes = _sizes(axis, field, {value: value for value in values})
    return SizeCurve(field.replace("_", " "), sizes, getattr(axis, field), values)


def _sizes(axis: Axis | TransposedAxis, field: str, values: Mapping[int, Any]) -> dict[int, int]:
    sizes = {}
    for value, setting in values.items():
        with suppress(ValueError):  # the kernel does not fit: the curve has no such point
            sizes[value] = replace(axis, **{field: setting}).output_size
    return sizes
