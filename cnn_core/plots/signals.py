"""A kernel on a signal, drawn in three curves over one another: the signal, the products, the outputs."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from cnn_core.plots.marked import Box, Drawing, Label, part, rectangle, write
from cnn_core.signals import Slid

MAX_NUMBERED = 16
"""Most samples of a signal whose values are written as numbers."""

BAR = 0.7
"""Width of a product's bar, in samples."""

AIR = 0.15
"""Room above and below a curve, as a share of its range."""

HEIGHTS = {"signal": 150, "products": 110, "outputs": 150}
"""Which curve -> its height in pixels."""


def output_name(output: int) -> str:
    """Name an output, for pointing."""
    return f"output-{output}"


def slid_drawings(slid: Slid, *, unit: str = "", sample_rate: float | None = None) -> list[Drawing]:
    """Draw a kernel that slides over a signal.

    Args:
        slid: The kernel on its signal.
        unit: Unit of the signal, such as mV.
        sample_rate: Samples in a second; None counts samples.

    Returns:
        The signal with the window of a chosen output, the products in that window, and the outputs, each below the
        middle of its window. Sample 0 has x = 0, and y grows downwards, so values stand with their sign turned.
        Products stand below their samples; if these are many, a window's products fill the width.
    """
    unit = f" in {unit}" if unit else ""
    return [
        _signal(slid, f"Signal{unit}, {len(slid.x)} numbers"),
        _products(slid),
        _outputs(slid, sample_rate),
    ]


def _signal(slid: Slid, caption: str) -> Drawing:
    box = _box(slid.x, len(slid.x))
    top, _, height, _ = box
    bands = [
        part(rectangle(top, output - 0.5, height, len(slid.kernel)), "band", of=[output_name(output)])
        for output in range(len(slid.y))
    ]
    parts = [*bands, *_curve(slid.x, 0, len(slid.x)), *_places(slid, box)]
    return _drawing("signal", caption, parts, box, _written(slid.x, 0, box))


def _products(slid: Slid) -> Drawing:
    products = [slid.products(output) for output in range(len(slid.y))]
    is_long = len(slid.x) > MAX_NUMBERED
    box = _box(np.concatenate(products), len(slid.kernel if is_long else slid.x))
    bars = [
        part(_bars(0 if is_long else output, values), "bar", of=[output_name(output)])
        for output, values in enumerate(products)
    ]
    caption = f"Products in the window{', enlarged' if is_long else ''}: number times kernel cell"
    places = [] if is_long else _places(slid, box)
    return _drawing("products", caption, [_zero(box), *bars, *places], box, ())


def _outputs(slid: Slid, sample_rate: float | None) -> Drawing:
    shift = _middle(slid)
    box = _box(slid.y, len(slid.x))
    dots = [
        part(_dot(output + shift, value), "dot", of=[output_name(output)])
        for output, value in enumerate(slid.y)
    ]
    parts = [*_curve(slid.y, shift, len(slid.x)), *dots, *_places(slid, box)]
    caption = f"Output, {len(slid.y)} numbers, each below the middle of its window"
    labels = (*_written(slid.y, shift, box), *_ticks(len(slid.x), sample_rate))
    return _drawing("outputs", caption, parts, box, labels)


def _middle(slid: Slid) -> float:
    """Say how far the middle of a window is from its first number."""
    return (len(slid.kernel) - 1) / 2


def _drawing(kind: str, caption: str, parts: Sequence[str], box: Box, labels: Sequence[Label]) -> Drawing:
    return Drawing(caption, tuple(parts), box, height=HEIGHTS[kind], labels=(*labels, *_scale(box)))


def _box(values: np.ndarray, length: int) -> Box:
    """Find room for values and for zero, with some air above and below, over a length of so many numbers."""
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    high = high if high > low else 1.0
    air = AIR * (high - low)
    return -high - air, -0.5, high - low + 2 * air, length


def _zero(box: Box) -> str:
    _, left, _, width = box
    return part(f"M{left:g} 0h{width:g}", "line")


def _curve(values: np.ndarray, start: float, num_samples: int) -> list[str]:
    """Draw values as a line, with a dot on each where there are few of them."""
    points = [f"{start + index:g} {-value:.6g}" for index, value in enumerate(values)]
    drawn = [_zero((0, -0.5, 0, num_samples)), part("M" + "L".join(points), "trace")]
    if num_samples <= MAX_NUMBERED:
        dots = "".join(_dot(start + index, value) for index, value in enumerate(values))
        drawn.append(part(dots, "point"))
    return drawn


def _dot(x: float, value: float) -> str:
    """Write a line of hardly any length: its round ends make a dot that stretching does not deform.

    Of a line of no length, WebKit stretches the ends.
    """
    return f"M{x:g} {-value:.6g}h.001"


def _bars(first: int, values: np.ndarray) -> str:
    return "".join(
        rectangle(min(-value, 0), round(first + index - BAR / 2, 3), float(f"{abs(value):.4g}"), BAR)
        for index, value in enumerate(values)
        if value
    )


def _places(slid: Slid, box: Box) -> list[str]:
    """Make a strip for each output; the first and the last reach to the edges, where no output is nearer."""
    top, left, height, width = box
    edges = [left, *(output + _middle(slid) + 0.5 for output in range(len(slid.y) - 1)), left + width]
    return [
        part(rectangle(top, start, height, end - start), "place", at=output_name(output))
        for output, (start, end) in enumerate(pairwise(edges))
    ]


def _written(values: np.ndarray, start: float, box: Box) -> tuple[Label, ...]:
    """Write each value on its dot, where there are few."""
    top, left, height, width = box
    if width > MAX_NUMBERED:
        return ()
    return tuple(
        Label(write(value, 4), (start + index - left) / width, (-value - top) / height, "above")
        for index, value in enumerate(values)
    )


def _scale(box: Box) -> tuple[Label, ...]:
    """Name zero and the ends of what is drawn, at the left edge."""
    top, _, height, _ = box
    air = AIR / (1 + 2 * AIR) * height
    ends = {round(end, 9) + 0.0 for end in (-(top + air), 0.0, -(top + height - air))}
    return tuple(Label(write(value, 3), 0, (-value - top) / height, "left") for value in sorted(ends))


def _ticks(num_samples: int, sample_rate: float | None) -> tuple[Label, ...]:
    """Name about five places along the signal, below the last curve."""
    rate = sample_rate or 1
    length = num_samples / rate
    step = next(
        step
        for power in range(-3, 9)
        for step in (10.0**power, 2 * 10.0**power, 5 * 10.0**power)
        if length / step <= 6
    )
    step = step if sample_rate else max(1.0, step)
    unit = " s" if sample_rate else ""
    return tuple(
        Label(f"{place:.4g}{unit}", (place * rate + 0.5) / num_samples, 1, "below")
        for place in np.arange(0, (num_samples - 1) / rate + 1e-9, step)
    )
