"""A part of the picture on the page Filters: small enough to show each number, and true to the whole."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cnn_core import scene
from cnn_core.geometry import Axis
from ui.chapter.slide import Slide


@dataclass(frozen=True)
class Stretch:
    """A part of one axis: some neighbouring windows and what they see.

    Attributes:
        inside: Picture pixels that it lies on.
        source: Picture pixels that are the part's input. A pixel of the other side may be among them.
        outputs: Outputs of the whole that are the part's output.
        axis: The part as an axis of its own.
    """

    inside: range
    source: tuple[int, ...]
    outputs: range
    axis: Axis

    @property
    def wraps(self) -> bool:
        """Whether pixels of the picture's other side are in it."""
        return any(after != before + 1 for before, after in pairwise(self.source))


def stretch(axis: Axis, at: int, *, size: int, goes_round: bool = False) -> Stretch:
    """Take the windows around one output.

    Args:
        axis: The whole axis.
        at: The output; it comes into the middle, unless the border is near.
        size: About how many pixels may be seen, padding included. Two neighbouring windows always are.
        goes_round: Whether beyond the border the other side begins. Then its pixels are taken for input.

    Returns:
        The part; with a stride, what is left over at the end is in the last of them.
    """
    windows = min(max(2, (size - axis.kernel_size) // axis.stride + 1), axis.output_size)
    first = min(max(at - windows // 2, 0), axis.output_size - windows)
    outputs = range(first, first + windows)
    is_last = outputs.stop == axis.output_size
    end = axis.input_size + axis.padding[1] if is_last else axis.seen_by(outputs[-1])[-1] + 1
    covered = range(axis.seen_by(first)[0], end)
    if goes_round and windows < axis.output_size:
        source, padding = tuple(pixel % axis.input_size for pixel in covered), (0, 0)
    else:
        source = tuple(pixel for pixel in covered if 0 <= pixel < axis.input_size)
        padding = (max(0, -covered.start), max(0, covered.stop - axis.input_size))
    inside = range(max(0, covered.start), min(covered.stop, axis.input_size))
    return Stretch(inside, source, outputs, Axis(len(source), axis.kernel_size, axis.stride, padding))


@dataclass(frozen=True, eq=False)
class Part:
    """A part of the picture with all its numbers.

    Attributes:
        rows: The part of the rows.
        columns: The part of the columns.
        channel: Which channel of the picture it shows.
        first: Row and column, in the part, of the output around which it lies.
        pixels: Where each input pixel stands in the flat picture, shape (H, W) of the part.
        scene: The layer on this part alone; its outputs are those of the whole at this place.
    """

    rows: Stretch
    columns: Stretch
    channel: int
    first: tuple[int, int]
    pixels: np.ndarray
    scene: scene.Scene


def cut(slide: Slide, *, channel: int = 0, at: tuple[int, int] = (0, 0), size: int | None = None) -> Part:
    """Cut a part out of a picture, or take the whole of it.

    Args:
        slide: The picture and what is done to it.
        channel: Which of its channels.
        at: (row, column) of the output around which it lies.
        size: About how many rows and columns it has, padding included; None is the whole picture.

    Returns:
        The part.

    Raises:
        ValueError: If the kernel does not fit.
    """
    rows, columns = (
        stretch(
            axis,
            place,
            size=axis.padded_size if size is None else size,
            goes_round=slide.padding_mode == "circular",
        )
        for axis, place in zip(slide.axes, at, strict=True)
    )
    places = np.arange(slide.picture.size).reshape(*slide.shape, -1)[..., channel]
    seen = np.ix_(rows.source, columns.source)
    made = scene.convolution(
        slide.x[channel, 0][seen][None],
        slide.kernel[None],
        rows.axis,
        columns.axis,
        padding_mode=slide.padding_mode or "zeros",
        flipped=slide.flipped,
    )
    first = (at[0] - rows.outputs.start, at[1] - columns.outputs.start)
    return Part(rows, columns, channel, first, places[seen], made)


def describe(part: Part) -> str:
    """Say where a part lies."""
    rows, columns = part.rows, part.columns
    beyond = (
        " The padding is circular: beyond the border stand the pixels of the other side."
        if rows.wraps or columns.wraps
        else ""
    )
    return (
        f"Framed: {_span('row', rows)} and {_span('column', columns)} of the picture.{beyond} "
        f"Output row 0, column 0 below is row {rows.outputs[0]}, column {columns.outputs[0]} of the whole output."
    )


def _span(name: str, part: Stretch) -> str:
    first, last = part.source[0], part.source[-1]
    return f"{name} {first}" if first == last else f"{name}s {first} to {last}"
