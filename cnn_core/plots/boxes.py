"""Where the boxes of a network stand that `architecture.shapes` draws, how large they are, and their names."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cnn_core.shapes import format_shape
from cnn_core.summary import LayerSummary, Shape

WIDTH = 960
"""Width of the sheet, in its own units: pixels, where the page is so wide."""

TALLEST = 220
"""Height of the tallest box, its depth included, in pixels."""

LONGEST = 110
"""Most length for the channels of one box."""

WIDEST_SLOT = 200
BAR = 12
RISE, RUN = 0.3, 0.35
"""How far up and to the right the width of a feature map goes on the sheet, for each pixel of its height."""

MAX_APART = 24
"""Up to so many boxes, each convolution and each linear layer has its own, even if the shape stays."""

CHARACTER = 6.4
MAX_TIERS = 2
MARGIN = 20
MAX_STEP = 12
"""Names are tried at every box first, then at every second, and so on up to this."""


@dataclass(frozen=True)
class Box:
    """What one layer makes, or several in a row whose shape is the same. Sizes are in pixels of the sheet.

    Attributes:
        names: The layers, first one first; the input's is "input".
        shape: Shape of the output.
        num_params: Parameters of the layers together.
        mult_adds: Multiplications of the layers together.
        left: Where its front begins.
        length: Length of its front, along the way of the data: the channels. The thickness of a vector's bar.
        height: Height of its front: the rows of a map, the samples of a signal, the numbers of a vector.
        depth: How far its back is shifted, (right, up): the columns of a map.
    """

    names: tuple[str, ...]
    shape: Shape
    num_params: int
    mult_adds: int
    left: float
    length: float
    height: float
    depth: tuple[float, float] = (0, 0)

    @property
    def right(self) -> float:
        """Where it ends."""
        return self.left + self.length + self.depth[0]

    @property
    def centre(self) -> float:
        """Middle between where it begins and where it ends."""
        return (self.left + self.right) / 2

    @property
    def bottom(self) -> float:
        """Lowest point; all boxes are centred on 0."""
        return -(self.height + self.depth[1]) / 2

    @property
    def title(self) -> str:
        """All its layers, or the first and the last of many."""
        if len(self.names) <= 3:
            return ", ".join(self.names)
        first, last = (_short(name) for name in (self.names[0], self.names[-1]))
        return first if first == last else f"{first} to {last}"


@dataclass(frozen=True)
class Sheet:
    """The boxes of a network and the scales they are drawn in.

    Attributes:
        boxes: The input and what the layers make, from left to right.
        channel: Length of one channel, in pixels of the sheet.
        pixel: Height of one pixel of a feature map, or of one sample of a signal.
        feature: Height of one number of a vector.
    """

    boxes: tuple[Box, ...]
    channel: float
    pixel: float
    feature: float


def lay_out(rows: Sequence[LayerSummary], input_shape: Shape) -> Sheet:
    """Compute where the boxes of a network stand and how large they are.

    Args:
        rows: The layer table; it may be empty.
        input_shape: (C, H, W), (C, L) or (features,).

    Returns:
        The boxes side by side, no two of them overlapping.

    Example:
        >>> from cnn_core.network import LENET
        >>> from cnn_core.summary import summarize
        >>> for box in lay_out(summarize(LENET, (1, 28, 28)), (1, 28, 28)).boxes[:3]:
        ...     print(box.title, box.shape)
        input (1, 28, 28)
        conv1, sigmoid1 (6, 28, 28)
        pool1 (6, 14, 14)
    """
    groups = _groups(rows, input_shape)
    shapes = [input_shape, *(group[-1].output_shape for group in groups)]
    maps = [shape for shape in shapes if len(shape) > 1]
    vectors = [shape for shape in shapes if len(shape) == 1]
    widths = [shape[2] for shape in maps if len(shape) == 3]
    pixel = TALLEST / max([shape[1] + RISE * sum(shape[2:]) for shape in maps], default=1)
    feature = TALLEST / max([*sum(vectors, ())], default=1)

    share = WIDTH / len(shapes)
    bar, gap = min(BAR, 0.3 * share), min(18, 0.25 * share)
    room = WIDTH - gap * len(shapes) - bar * len(vectors)
    run = min(RUN, 0.45 * room / (pixel * sum(widths))) if widths else 0
    room -= run * pixel * sum(widths)
    channels = [shape[0] for shape in maps]
    channel = min(pixel, LONGEST / max(channels), room / sum(channels)) if maps else 0

    sizes = [
        _size(shape, channel=channel, pixel=pixel, feature=feature, run=run, bar=bar) for shape in shapes
    ]
    lengths = [size["length"] + size["depth"][0] for size in sizes]
    slots = _slots([length + gap for length in lengths])
    start = (WIDTH - sum(slots)) / 2
    boxes = []
    for group, shape, size, length, slot in zip([[], *groups], shapes, sizes, lengths, slots, strict=True):
        names = tuple(row.name for row in group) or ("input",)
        num_params, mult_adds = (sum(getattr(row, count) for row in group) for count in _COUNTS)
        boxes.append(Box(names, shape, num_params, mult_adds, start + (slot - length) / 2, **size))
        start += slot
    return Sheet(tuple(boxes), channel, pixel, feature)


def _slots(lengths: Sequence[float]) -> list[float]:
    """Share the width among boxes: each gets what it needs, and the narrow ones as much as is left, all alike."""
    room, level = WIDTH, WIDEST_SLOT
    for index, longest in enumerate(sorted(lengths, reverse=True)):
        level = min(WIDEST_SLOT, room / (len(lengths) - index))
        if longest <= level:
            break
        room -= longest
    return [max(length, level) for length in lengths]


_COUNTS = ("num_params", "mult_adds")


def _groups(rows: Sequence[LayerSummary], input_shape: Shape) -> list[list[LayerSummary]]:
    """Collect the rows that share a box.

    Where the network branches, boxes in a row would look as if each were made of the one before it: then all
    neighbours of one shape share a box, as they do where there would be too many.
    """
    befores = [input_shape, *(row.output_shape for row in rows)]
    is_chain = all(row.input_shape == before for row, before in zip(rows, befores, strict=False))
    apart = _runs(rows, weights_apart=True)
    return apart if is_chain and len(apart) < MAX_APART else _runs(rows, weights_apart=False)


def _runs(rows: Sequence[LayerSummary], *, weights_apart: bool) -> list[list[LayerSummary]]:
    runs: list[list[LayerSummary]] = []
    for row in rows:
        mixes = any(len(shape) > 1 for _, shape in row.parameter_shapes)
        if runs and runs[-1][-1].output_shape == row.output_shape and not (weights_apart and mixes):
            runs[-1].append(row)
        else:
            runs.append([row])
    return runs


def _size(
    shape: Shape, *, channel: float, pixel: float, feature: float, run: float, bar: float
) -> dict[str, Any]:
    """Return length, height and depth of a box on the sheet."""
    match shape:
        case (features,):
            return {"length": bar, "height": features * feature, "depth": (0, 0)}
        case (channels, samples):
            return {"length": channels * channel, "height": samples * pixel, "depth": (0, 0)}
        case (channels, height, width):
            depth = (run * width * pixel, RISE * width * pixel)
            return {"length": channels * channel, "height": height * pixel, "depth": depth}


def _short(name: str) -> str:
    """Shorten a dotted name to its first two parts, which name the block."""
    return ".".join(name.split(".")[:2])


@dataclass(frozen=True)
class Label:
    """A name below a box.

    Attributes:
        box: The box.
        text: What is written, above the shape.
        tier: 0 is the upper row of labels.
        room: Width in which it stands, centred on its place.
        centre: Its place.
    """

    box: Box
    text: str
    tier: int
    room: float
    centre: float


def labels(boxes: Sequence[Box], *, chosen: str | None = None) -> list[Label]:
    """Choose the boxes that are named, and where the names stand, so that none overlaps another.

    Full names in one row are best, then short ones, then two rows. Where not all have room, as many are named
    as can be, and the chosen one, the output and the input before others.

    Args:
        boxes: The boxes of a sheet.
        chosen: Name of a layer.

    Returns:
        The labels, from left to right.
    """
    last = len(boxes) - 1
    first_come = [0, last] + [index for index, box in enumerate(boxes) if chosen in box.names]
    for tiers in range(1, MAX_TIERS + 1):
        for is_full in (True, False):
            places = _places(boxes, range(last + 1), tiers, is_full=is_full)
            if len(places) == len(boxes):
                return _with_room(places)
    orders = [
        [*reversed(first_come), *range(0, last, step), *range(last)] for step in range(1, min(last, MAX_STEP))
    ]
    several = [_places(boxes, dict.fromkeys(order), MAX_TIERS, is_full=False) for order in orders]
    return _with_room(max(several, key=len))


def _places(boxes: Sequence[Box], order: Iterable[int], tiers: int, *, is_full: bool) -> list[Label]:
    """Put the labels in order into rows; one that fits nowhere is left out."""
    placed: list[Label] = []
    for index in order:
        box = boxes[index]
        text = box.title if is_full else _short(box.names[0])
        width = CHARACTER * max(len(text), len(format_shape(box.shape))) + 8
        centre = min(max(box.centre, width / 2 - MARGIN), WIDTH + MARGIN - width / 2)
        for tier in range(tiers):
            label = Label(box, text, tier, width, centre)
            if all(_apart(label, other) for other in placed):
                placed.append(label)
                break
    return sorted(placed, key=lambda label: label.box.left)


def _apart(label: Label, other: Label) -> bool:
    """Tell whether two labels leave each other's words, and the lines up to their boxes, alone."""
    distance = abs(label.centre - other.centre)
    if label.tier == other.tier:
        return distance >= (label.room + other.room) / 2
    above, below = sorted((label, other), key=lambda each: each.tier)
    return abs(below.box.centre - above.centre) >= above.room / 2 + 2


def _with_room(places: list[Label]) -> list[Label]:
    """Give each label the room up to its neighbours; on a narrow page words shrink within it, or go."""
    spread = []
    for label in places:
        others = [
            abs(other.centre - label.centre)
            for other in places
            if other.tier == label.tier and other != label
        ]
        edge = 2 * min(label.centre + MARGIN, WIDTH + MARGIN - label.centre)
        room = max(label.room, min([*others, edge]))
        spread.append(Label(label.box, label.text, label.tier, room, label.centre))
    return spread
