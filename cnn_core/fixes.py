"""What would make a layer fit that does not: the few changes that a teacher would propose, each one tried."""

import contextlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace

from cnn_core.geometry import effective_kernel_size, max_dilation, max_kernel_size
from cnn_core.network import Conv, Flatten, GlobalAveragePool, Layer, Linear, Network, Pool
from cnn_core.summary import LayerSummary, Shape, follow

MAX_FIXES = 3
"""More than these are no help to choose from."""

_Option = tuple[str, Layer]
"""What to say, and the layer as it would be; no words where it stays as it is."""


@dataclass(frozen=True)
class Fix:
    """A change that makes a layer fit.

    Attributes:
        words: What a button says, such as "put flatten before it".
        network: The whole network after the change.
    """

    words: str
    network: Network


def suggest(network: Network, input_shape: Sequence[int]) -> list[Fix]:
    """Propose what makes the first layer that does not fit, fit. The layers after it may still not.

    Args:
        network: Any network.
        input_shape: Shape of one example: (C, H, W), (C, L) or (features,).

    Returns:
        At most `MAX_FIXES`, the best first; the other layers stay as they are. Nothing if all layers fit, or
        if no simple change helps.

    Raises:
        TypeError: If a size of `input_shape` is not an integer.
        ValueError: If `input_shape` is not the shape of an example.

    Example:
        >>> from cnn_core.network import format, parse
        >>> for fix in suggest(parse("conv6k5-10"), (1, 28, 28)):
        ...     print(f"{fix.words}: {format(fix.network)}")
        put flatten before it: conv6k5-flatten-10
        take the mean of each channel first: conv6k5-gap-10
    """
    rows, reason = follow(network, input_shape)
    if not reason:
        return []
    num_left = len(network.layers) - len(rows)
    shape = rows[-1].output_shape if rows else tuple(input_shape)
    layer = network.layers[len(rows)]

    def tried(edits: Iterable[tuple[str, Sequence[Layer]]]) -> list[Fix]:
        fixes = {}  # the changed network -> what a button says, whether a layer still does not fit
        for words, layers in edits:
            with contextlib.suppress(ValueError):  # no layer is left, or too many
                changed = Network(layers)
                left = len(changed.layers) - len(follow(changed, input_shape)[0])
                if left < num_left:
                    fixes.setdefault(changed, (words, left > 0))
        ranked = sorted(fixes.items(), key=lambda item: item[1][1])
        return [Fix(words, changed) for changed, (words, _) in ranked]

    fixes = tried(_edits(network, rows, shape))
    without = (*network.layers[: len(rows)], *network.layers[len(rows) + 1 :])
    if not fixes or isinstance(layer, Pool) or _is_window_on_flat_data(layer, shape):
        fixes = [*fixes[: MAX_FIXES - 1], *tried([("remove it", without)])]
    return fixes[:MAX_FIXES]


def _is_window_on_flat_data(layer: Layer, shape: Shape) -> bool:
    return isinstance(layer, Conv | Pool | GlobalAveragePool) and len(shape) == 1


def _edits(
    network: Network, rows: Sequence[LayerSummary], shape: Shape
) -> Iterator[tuple[str, tuple[Layer, ...]]]:
    """Yield what might help the layer after `rows`, which gets `shape`: words, and all layers of the network."""
    index = len(rows)
    before, layer, after = network.layers[:index], network.layers[index], network.layers[index + 1 :]
    if _is_window_on_flat_data(layer, shape):
        maps = [place for place, row in enumerate(rows) if len(row.input_shape) > 1]
        if maps:  # the last layer that got a map has made it flat
            place = maps[-1]
            yield f"move it before {network.names[place]}", (*before[:place], layer, *before[place:], *after)
        if isinstance(layer, Conv):
            outputs = "1 output" if layer.out_channels == 1 else f"{layer.out_channels:,} outputs"
            yield f"use a linear layer: {outputs}", (*before, Linear(layer.out_channels), *after)
    elif isinstance(layer, Linear):
        for words, replacement in _for_linear(layer, shape):
            yield words, (*before, *replacement, *after)
    else:
        for words, changed in _for_window(layer, shape):
            yield words, (*before, changed, *after)


def _for_linear(layer: Linear, shape: Shape) -> Iterator[tuple[str, tuple[Layer, ...]]]:
    """Yield what to put in place of a linear layer: it gets a map, or not as many inputs as it expects."""
    if len(shape) == 1:
        yield from ((words, (changed,)) for words, changed in _expecting(layer, shape[0]))
        return
    ways = (
        ("put flatten before it", Flatten(), math.prod(shape)),
        ("take the mean of each channel first", GlobalAveragePool(), shape[0]),
    )
    for words, flat, _ in ways:
        yield words, (flat, layer)
    if layer.in_features not in (None, math.prod(shape), shape[0]):
        for words, flat, num_features in ways:
            for expect, changed in _expecting(layer, num_features):
                yield f"{words}, {expect}", (flat, changed)


def _expecting(layer: Linear, num_features: int) -> list[_Option]:
    inputs = "1 input" if num_features == 1 else f"{num_features:,} inputs"
    return _changed(f"expect {inputs}", layer, in_features=num_features)


def _for_window(layer: Conv | Pool, shape: Shape) -> list[_Option]:
    """List ways to change a window that slides over a map, those with few changes first.

    Where several things are wrong, each way mends all of them.
    """
    ways = [((), layer)]
    for mended in (_with_one_size, _with_groups, _with_room):
        ways = [
            ((*said, words) if words else said, changed)
            for said, each in ways
            for words, changed in mended(each, shape)
        ]
    return [(", ".join(said), changed) for said, changed in sorted(ways, key=lambda way: len(way[0]))]


def _with_one_size(layer: Conv | Pool, shape: Shape) -> list[_Option]:
    """Take one of two sizes, the larger window first: a signal has one axis."""
    pairs = {each.name: getattr(layer, each.name) for each in fields(layer)}
    pairs = {name: pair for name, pair in pairs.items() if isinstance(pair, tuple) and len(set(pair)) > 1}
    if len(shape) == 3 or not pairs:
        return [("", layer)]
    if isinstance(layer, Pool) and layer.stride == layer.window:
        pairs.pop("stride", None)
    options = []
    for axis in sorted((0, 1), key=lambda axis: -_sizes_of_window(layer)[axis]):
        numbers = {name: pair[axis] for name, pair in pairs.items()}
        named = ", ".join(f"{name.removesuffix('_size')} {number:,}" for name, number in numbers.items())
        options += _changed(f"use one size: {named}", layer, **_with_own_stride(layer, numbers))
    return options


def _with_groups(layer: Conv | Pool, shape: Shape) -> list[_Option]:
    """Take a number of groups that divides the channels, near to the one that does not."""
    num_channels = shape[0]
    if isinstance(layer, Pool) or num_channels % layer.groups == 0:
        return [("", layer)]
    options = []
    if layer.groups == layer.out_channels and num_channels > 1:  # each channel by itself was meant
        words = f"{num_channels:,} channels in {num_channels:,} groups"
        options += _changed(words, layer, out_channels=num_channels, groups=num_channels)
    most = math.gcd(num_channels, layer.out_channels)
    fitting = {1, math.gcd(most, layer.groups), most}
    for groups in sorted(fitting, key=lambda groups: (abs(groups - layer.groups), groups)):
        options += _changed(f"groups {groups:,}", layer, groups=groups)
    return options


def _with_room(layer: Conv | Pool, shape: Shape) -> list[_Option]:
    """Make a window smaller than the padded map, or the map larger by padding."""
    # A signal has one axis: the first of two equal numbers is its own.
    axes = list(zip(shape[1:], _sizes_of_window(layer), _dilation(layer), layer.padding, strict=False))
    if all(effective_kernel_size(k, d) <= size + 2 * p for size, k, d, p in axes):
        return [("", layer)]
    largest = _as_wide_as_high(
        _sizes_of_window(layer), [max_kernel_size(size, padding=p, dilation=d) for size, _, d, p in axes]
    )
    if isinstance(layer, Pool):
        changes = _with_own_stride(layer, {"window": largest})
        smaller = _changed(f"window {_by(largest)} fits", layer, **changes) if min(largest) > 1 else []
        return [*smaller, *_padded(layer, shape)]
    largest = tuple(
        number - (number % 2 == 0 and kernel_size % 2)  # what had a centre keeps it
        for number, kernel_size in zip(largest, layer.kernel_size, strict=False)
    )
    smaller = _changed(f"kernel size {_by(largest)} fits", layer, kernel_size=largest)
    return [*_less_dilated(layer, shape), *_padded(layer, shape), *smaller]


def _less_dilated(layer: Conv, shape: Shape) -> list[_Option]:
    axes = list(zip(shape[1:], layer.kernel_size, layer.padding, strict=False))
    if any(kernel_size > size + 2 * padding for size, kernel_size, padding in axes):
        return []
    largest = [max_dilation(size, kernel_size, padding=padding) for size, kernel_size, padding in axes]
    dilation = _as_wide_as_high(layer.dilation, largest)
    return _changed(f"dilation {_by(dilation)} fits", layer, dilation=dilation)


def _padded(layer: Conv | Pool, shape: Shape) -> list[_Option]:
    """Pad the map so that its size stays where this can be, else as little as makes the window fit."""
    sizes = shape[1:]
    windows = [
        effective_kernel_size(size, dilation)
        for size, dilation in zip(_sizes_of_window(layer), _dilation(layer), strict=True)
    ][: len(sizes)]
    keeps = all(stride == 1 for stride in layer.stride) and all(window % 2 for window in windows)
    padding = tuple(
        (window - 1) // 2 if keeps else max(before, -(-(window - size) // 2))
        for window, size, before in zip(windows, sizes, layer.padding, strict=False)
    )
    if any(pixels >= size for pixels, size in zip(padding, sizes, strict=True)):
        return []  # the window would see more padding than map
    size = f"{'length ' if len(sizes) == 1 else ''}{' x '.join(f'{size:,}' for size in sizes)}"
    verb = f"keeps {size}" if keeps else "fits"
    return _changed(f"padding {_by(padding)} {verb}", layer, padding=padding)


def _changed(words: str, layer: Layer, **changes: object) -> list[_Option]:
    """Return the option of a layer with other numbers; none if a layer cannot have them."""
    with contextlib.suppress(ValueError):
        return [(words, replace(layer, **changes))]
    return []


def _with_own_stride(layer: Conv | Pool, changes: dict[str, object]) -> dict[str, object]:
    """Let the stride of a pooling follow its window, if it did."""
    follows = isinstance(layer, Pool) and layer.stride == layer.window
    return changes | {"stride": None} if follows else changes


def _sizes_of_window(layer: Conv | Pool) -> tuple[int, int]:
    return layer.kernel_size if isinstance(layer, Conv) else layer.window


def _dilation(layer: Conv | Pool) -> tuple[int, int]:
    return layer.dilation if isinstance(layer, Conv) else (1, 1)


def _as_wide_as_high(numbers: tuple[int, int], largest: Sequence[int]) -> tuple[int, ...]:
    """Bring a layer's numbers below the largest for each axis; two that were alike stay alike."""
    smaller = tuple(min(number, limit) for number, limit in zip(numbers, largest, strict=False))
    return (min(smaller),) * len(smaller) if len(set(numbers)) == 1 else smaller


def _by(numbers: Sequence[int]) -> str:
    return " x ".join(f"{number:,}" for number in (numbers if len(set(numbers)) > 1 else numbers[:1]))
