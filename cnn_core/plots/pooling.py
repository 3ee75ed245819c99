"""Pooling drawn: the window and the cell that wins, number by number; a picture before and after."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from cnn_core.geometry import Axis
from cnn_core.plots.grids import limit_of
from cnn_core.plots.sheets import GREYS, sheet, unit_square
from cnn_core.plots.theme import LIGHT, Palette, colorscale
from cnn_core.pooling import Pooled, format_number

CELL = 60
"""Side of a cell in pixels where there is room."""

WIDTH = 480
"""Width in pixels that a sheet of many cells is made for."""

GAP = 2
"""Cells between the input and the output."""

SPACE = 0.12
"""Between one picture and the next, when the longer side of each is 1."""

# The strong ends of the scale are left unused, so that one colour of type reads well on every cell.
HEADROOM = 1.7


def pooled_windows(pooled: Pooled, *, at: tuple[int, int] = (0, 0), palette: Palette = LIGHT) -> go.Figure:
    """Draw each channel's padded input on the left and its pooled output on the right, with their numbers.

    The window of one output and that output are framed in the accent colour; a ring marks the cells that win
    a maximum or minimum. Padding is hatched and shows what it counts as. Rows and columns that no window
    reaches are hatched the other way and dimmed; where a window hangs over the end, cells are empty as well.

    Args:
        pooled: What the windows see, and their output.
        at: Row and column of the output whose window is framed.
        palette: Colours of the page's theme.

    Returns:
        A heatmap named inputs and one named outputs; row 0 on top, square cells of one size.
    """
    channels, rows, columns = pooled.seen.shape
    band = max(rows, pooled.output.shape[1]) + 1
    tops = range(0, channels * band, band)
    out_left = columns + GAP
    shape = (channels * band - 1, out_left + pooled.output.shape[2])

    limit = HEADROOM * limit_of(pooled.seen[np.isfinite(pooled.seen)], pooled.output)
    fig = go.Figure(
        [
            _numbers("inputs", pooled.seen, shape, tops, 0, limit, palette),
            _numbers("outputs", pooled.output, shape, tops, out_left, limit, palette),
        ]
    )
    for channel, top in enumerate(tops):
        _hatch_padding(fig, pooled.height, pooled.width, top, palette)
        _hatch_rest(fig, pooled.height, pooled.width, top, palette)
        (above, _), (before, _) = pooled.height.padding, pooled.width.padding
        size_in = (pooled.height.input_size, pooled.width.input_size)
        _frame(fig, "input", (top + above, before), size_in, palette.text, 1.5)
        _frame(fig, "output", (top, out_left), pooled.output.shape[1:], palette.text, 1.5)
        where = f", channel {channel}" if channels > 1 else ""
        _label(fig, f"input {_by(size_in)}{where}", top, 0)
        _label(fig, f"output {_by(pooled.output.shape[1:])}", top, out_left)
        _mark(fig, pooled, channel, at, top, out_left, palette)
    # On a narrow screen the words above the output are wider than its cells.
    breadth = out_left + max(pooled.output.shape[2], 0.32 * out_left)
    cell = min(CELL, WIDTH / breadth)
    height = int((shape[0] + 1) * cell) + 16
    return sheet(fig, x=(-0.6, breadth - 0.4), y=(shape[0] - 0.4, -1.2), height=height, palette=palette)


def before_after(
    pairs: Mapping[str, tuple[np.ndarray, np.ndarray]],
    *,
    to_scale: bool = False,
    size: int = 260,
    palette: Palette = LIGHT,
) -> go.Figure:
    """Draw pictures before and after a layer side by side, one pair below the other.

    Args:
        pairs: Name of a pair -> (before, after); each grey, shape (H, W), or colour, shape (H, W, 3), with
            values from 0 to 255; drawn in whole numbers.
        to_scale: Draw all pixels in one size, so that a smaller picture looks smaller; else fit each picture.
        size: Longer side of a picture on the page, in pixels, where there is room.
        palette: Colours of the page's theme.

    Returns:
        One heatmap for each grey picture, one image for each colour picture; row 0 on top, square pixels.
    """
    fig = go.Figure()
    top = 0.0
    for name, pair in pairs.items():
        largest = max(max(picture.shape[:2]) for picture in pair)
        for column, (when, picture) in enumerate(zip(("before", "after"), pair, strict=True)):
            place = (top, column * (1 + SPACE))
            square = unit_square(picture.shape, place, side=largest if to_scale else 0)
            fig.add_trace(_picture(picture, square))
            words = f"{name} {when}, {_by(picture.shape[:2])}"
            fig.add_annotation(text=words, x=place[1], y=place[0], xanchor="left", yanchor="bottom")
        top += SPACE + max(picture.shape[0] / max(picture.shape[:2]) for picture in pair)
    fig.update_annotations(showarrow=False, borderpad=0)
    return sheet(fig, x=(0, 2 + SPACE), y=(top, -SPACE), height=int(size * (top + SPACE)), palette=palette)


def _numbers(
    name: str,
    channels: np.ndarray,
    shape: tuple[int, int],
    tops: range,
    left: int,
    limit: float,
    palette: Palette,
) -> go.Heatmap:
    """Write channels below each other; Plotly fits the size of type to the longest number of a heatmap."""
    values = np.full(shape, np.nan)
    words = np.full(shape, "", dtype=object)
    for top, array in zip(tops, channels, strict=True):
        here = np.s_[top : top + array.shape[0], left : left + array.shape[1]]
        values[here] = np.where(np.isinf(array), 0, array)
        words[here] = [[format_number(value) for value in line] for line in array]
    return go.Heatmap(
        z=values,
        zmin=-limit,
        zmax=limit,
        colorscale=colorscale(palette.signed),
        showscale=False,
        text=words,
        texttemplate="%{text}",
        textfont={"color": palette.text},
        xgap=1,
        ygap=1,
        hoverinfo="skip",
        name=name,
    )


def _hatch_padding(fig: go.Figure, height: Axis, width: Axis, top: int, palette: Palette) -> None:
    (above, below), (before, after) = height.padding, width.padding
    rows, columns = height.padded_size, width.padded_size
    for box in (
        (0, 0, above, columns),
        (rows - below, 0, below, columns),
        (above, 0, height.input_size, before),
        (above, columns - after, height.input_size, after),
    ):
        _fill(fig, "padding", top, box, pattern="/", palette=palette)


def _hatch_rest(fig: go.Figure, height: Axis, width: Axis, top: int, palette: Palette) -> None:
    rows, columns = height.padded_size, width.padded_size
    reached = rows - height.left_over
    for box in (
        (reached, 0, height.left_over, columns),
        (0, columns - width.left_over, reached, width.left_over),
    ):
        _fill(fig, "left over", top, box, pattern="\\", palette=palette, dimmed=True)
    for box in ((rows, 0, height.overhang, columns + width.overhang), (0, columns, rows, width.overhang)):
        _fill(fig, "hanging over", top, box, pattern="\\", palette=palette)


def _fill(
    fig: go.Figure,
    name: str,
    top: int,
    box: tuple[int, int, int, int],
    *,
    pattern: str,
    palette: Palette,
    dimmed: bool = False,
) -> None:
    """Hatch a box of (row, column, height, width) in cells of the channel that begins at `top`."""
    row, column, height, width = box
    if not height or not width:
        return
    left, upper = column - 0.5, top + row - 0.5
    if dimmed:
        fig.add_shape(
            type="rect",
            name=f"{name}, dimmed",
            **_corners((top + row, column), (height, width)),
            fillcolor=palette.background,
            opacity=0.6,
            line={"width": 0},
        )
    fig.add_scatter(
        x=[left, left + width, left + width, left, left],
        y=[upper, upper, upper + height, upper + height, upper],
        fill="toself",
        mode="lines",
        line={"width": 0},
        fillpattern={
            "shape": pattern,
            "fgcolor": palette.muted,
            "bgcolor": "rgba(0,0,0,0)",
            "size": 9,
            "solidity": 0.1,
        },
        name=name,
        hoverinfo="skip",
    )


def _mark(
    fig: go.Figure,
    pooled: Pooled,
    channel: int,
    at: tuple[int, int],
    top: int,
    out_left: int,
    palette: Palette,
) -> None:
    rows, columns = pooled.place(at)
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    _frame(fig, "window", (top + rows.start, columns.start), shape, palette.accent, 3)
    _frame(fig, "its output", (top + at[0], out_left + at[1]), (1, 1), palette.accent, 3)
    if pooled.mode == "average":
        return
    for row, column in np.argwhere(pooled.makers(at)[channel]):
        place = (top + rows.start + row * rows.step, columns.start + column * columns.step)
        fig.add_shape(
            type="circle",
            name="winner",
            **_corners(place, (1, 1), inset=0.08),
            line={"color": palette.accent, "width": 2.5},
        )


def _corners(place: tuple[int, int], shape: tuple[int, int], *, inset: float = 0) -> dict[str, float]:
    (row, column), (height, width) = place, shape
    edge = 0.5 - inset
    return {
        "x0": float(column - edge),
        "x1": float(column + width - 1 + edge),
        "y0": float(row - edge),
        "y1": float(row + height - 1 + edge),
    }


def _frame(
    fig: go.Figure, name: str, place: tuple[int, int], shape: tuple[int, int], color: str, thickness: float
) -> None:
    fig.add_shape(type="rect", name=name, **_corners(place, shape), line={"color": color, "width": thickness})


def _label(fig: go.Figure, text: str, top: int, left: int) -> None:
    fig.add_annotation(
        text=text, x=left - 0.5, y=top - 0.55, xanchor="left", yanchor="bottom", showarrow=False, borderpad=0
    )


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _picture(picture: np.ndarray, square: dict[str, float]) -> go.Heatmap | go.Image:
    pixels = np.rint(picture).astype(np.uint8)
    if pixels.ndim == 3:
        return go.Image(z=pixels, **square, hovertemplate="%{z}<extra></extra>")
    return go.Heatmap(z=pixels, **square, **GREYS, showscale=False, hovertemplate="%{z}<extra></extra>")
