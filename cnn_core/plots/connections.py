"""Connections drawn: how many weights each way takes, and a layer as the matrix that it is."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from cnn_core.connections import DENSE, Connected
from cnn_core.geometry import Axis
from cnn_core.plots.grids import limit_of
from cnn_core.plots.marked import Drawing, cells, part, rectangle
from cnn_core.plots.theme import LIGHT, Palette, finish

MAX_NUMBERED = 16
"""Most columns of a matrix whose entries are written as numbers."""

CELL = 30
"""Side of a grid's cell in pixels, where there are few."""

WIDEST = 165
"""Most pixels that a grid is wide, so that two have room side by side on a phone, and three in a column."""


def count_bars(counts: Mapping[str, int], *, height: int = 250, palette: Palette = LIGHT) -> go.Figure:
    """Draw counts as bars over powers of ten, the first one on top.

    Args:
        counts: Name -> count, at least 1; the last bar is in the accent colour.
        height: Height of the figure in pixels.
        palette: Colours of the page's theme.

    Returns:
        One bar for each count, its name above it and its number behind it.
    """
    names, values = list(counts), list(counts.values())
    digits = [len(f"{value:,}") for value in values]
    colours = [palette.muted] * (len(values) - 1) + [palette.accent]
    fig = finish(go.Figure(), palette=palette, height=height)
    fig.add_bar(
        # Counts beyond 2^53 are exact as text only.
        x=[float(value) for value in values],
        y=names,
        orientation="h",
        width=0.42,
        marker={"color": colours, "line": {"width": 0}},
        text=[f" {value:,}" for value in values],
        textposition="outside",
        textfont={"size": 15},
        cliponaxis=False,
        hovertemplate="%{y}: %{text}<extra></extra>",
    )
    for name in names:
        fig.add_annotation(
            text=name, x=0, xref="paper", y=name, yshift=30, xanchor="left", showarrow=False, borderpad=0
        )
    most = max(1.0, np.log10(max(values)))
    # The number behind the longest bar needs room: on a phone, a digit takes about 3 % of the width.
    room = most / max(0.3, 1 - 0.034 * max(digits))
    powers = range(0, int(most) + 1, 1 + int(most) // 7)
    fig.update_xaxes(
        type="log",
        range=(0, room),
        tickvals=[10.0**power for power in powers],
        ticktext=[f"{10**power:,}" if power < 4 else f"10<sup>{power}</sup>" for power in powers],
        showgrid=True,
        gridcolor=palette.line,
        griddash="dot",
        fixedrange=True,
        zeroline=False,
    )
    fig.update_yaxes(autorange="reversed", showticklabels=False, showgrid=False, fixedrange=True)
    fig.update_layout(margin={"l": 4, "r": 4, "t": 22, "b": 8})
    return fig


def output_name(row: int) -> str:
    """Name the output that a row of the matrix makes, for pointing."""
    return f"output-{row}"


def pixel_name(column: int) -> str:
    """Name the pixel that a column of the matrix takes, for pointing."""
    return f"pixel-{column}"


def matrix_drawing(layer: Connected, *, palette: Palette = LIGHT) -> Drawing:
    """Draw a layer's matrix, with the flattened picture above its columns and the outputs beside its rows.

    Args:
        layer: The layer; entries that are 0 by rule are left empty.
        palette: Colours of the page's theme.

    Returns:
        Entry (0, 0) has its corner at the origin. Pointing at a row chooses its output, at a pixel above its column.
    """
    num_outputs, num_pixels = layer.matrix.shape
    numbered = num_pixels <= MAX_NUMBERED
    entries = np.where(layer.connected, layer.matrix, np.nan)
    gap = 1 if numbered else 2
    strip, side = -1 - gap, num_pixels + gap
    drawn = cells(entries, limit=limit_of(layer.matrix, layer.kernel), palette=palette, numbered=numbered)
    drawn += cells(
        layer.x.reshape(1, -1), limit=limit_of(layer.x), palette=palette, top=strip, numbered=numbered
    )
    drawn += cells(
        layer.y.reshape(-1, 1), limit=limit_of(layer.y), palette=palette, left=side, numbered=numbered
    )
    for box in ((0, 0, num_outputs, num_pixels), (strip, 0, 1, num_pixels), (0, side, num_outputs, 1)):
        drawn.append(part(rectangle(*box), "line"))
    drawn += _rows(layer, strip, side)
    drawn += _columns(layer, strip)
    return Drawing(
        f"Matrix {num_outputs} x {num_pixels}: above it the picture, beside it the outputs",
        tuple(drawn),
        (strip - 0.2, -0.2, num_outputs - strip + 0.4, side + 1.4),
    )


def picture_drawing(layer: Connected, *, palette: Palette = LIGHT) -> Drawing:
    """Draw the picture with its padding; pointing at a pixel chooses it, a chosen output frames its window."""
    rows, columns = layer.x.shape
    vertical, horizontal = layer.height, layer.width
    drawn = cells(layer.x, limit=limit_of(layer.x), palette=palette, numbered=True)
    drawn += [
        part(_hatch(row, column), "hatch")
        for row in _reach(vertical)
        for column in _reach(horizontal)
        if not (0 <= row < rows and 0 <= column < columns)
    ]
    drawn.append(part(rectangle(0, 0, rows, columns), "line"))
    for output in range(layer.y.size):
        row, column = layer.place(output)
        seen = vertical.seen_by(row), horizontal.seen_by(column)
        if layer.stage == DENSE:
            seen = range(rows), range(columns)
        window = rectangle(seen[0][0], seen[1][0], len(seen[0]), len(seen[1]))
        drawn.append(part(window, "frame", of=[output_name(output)]))
    for pixel in range(layer.x.size):
        box = rectangle(*divmod(pixel, columns))
        drawn.append(part(box, "frame", of=[pixel_name(pixel)]))
        drawn.append(part(box, "place", at=pixel_name(pixel)))
    (top, bottom), (left, right) = vertical.padding, horizontal.padding
    return _grid(
        f"Picture, {rows} x {columns}", drawn, (-top, -left, rows + top + bottom, columns + left + right)
    )


def kernel_drawing(layer: Connected, *, palette: Palette = LIGHT) -> Drawing:
    """Draw the kernel, in the colours that its cells have in the matrix."""
    rows, columns = layer.kernel.shape
    limit = limit_of(layer.matrix, layer.kernel)
    drawn = cells(layer.kernel, limit=limit, palette=palette, numbered=True)
    drawn.append(part(rectangle(0, 0, rows, columns), "line"))
    return _grid(f"Kernel, {rows} x {columns}", drawn, (0, 0, rows, columns))


def output_drawing(
    caption: str, values: np.ndarray, layer: Connected, *, limit: float, palette: Palette = LIGHT
) -> Drawing:
    """Draw numbers that stand for the outputs of a layer, shape (H_out, W_out); pointing at one chooses its output."""
    rows, columns = values.shape
    drawn = cells(values, limit=limit, palette=palette, numbered=True)
    drawn.append(part(rectangle(0, 0, rows, columns), "line"))
    for output in range(values.size):
        box = rectangle(*divmod(output, columns))
        fed = [pixel_name(pixel) for pixel in np.flatnonzero(layer.connected[output])]
        drawn.append(part(box, "frame", of=[output_name(output), *fed]))
        drawn.append(part(box, "place", at=output_name(output)))
    return _grid(f"{caption}, {rows} x {columns}", drawn, (0, 0, rows, columns))


def _hatch(row: int, column: int) -> str:
    return f"M{column} {row + 0.5}l.5 -.5M{column} {row + 1}l1 -1M{column + 0.5} {row + 1}l.5 -.5"


def _reach(axis: Axis) -> range:
    return range(-axis.padding[0], axis.input_size + axis.padding[1])


def _grid(caption: str, parts: Sequence[str], box: tuple[int, int, int, int]) -> Drawing:
    top, left, height, width = box
    return Drawing(
        caption,
        tuple(parts),
        (top - 0.15, left - 0.15, height + 0.3, width + 0.3),
        width=min(CELL * width, WIDEST),
    )


def _rows(layer: Connected, strip: int, side: int) -> list[str]:
    """Frame each row, the pixels that count in it, and its output; and make it a place to point at."""
    parts = []
    num_pixels = layer.x.size
    for row in range(layer.y.size):
        name = output_name(row)
        pixels = np.flatnonzero(layer.connected[row])
        parts += [
            part(rectangle(row, 0, 1, num_pixels), "frame", of=[name]),
            part(rectangle(row, side), "frame", of=[name]),
            part("".join(rectangle(strip, column) for column in pixels), "frame", of=[name]),
            part(rectangle(row, 0, 1, side + 1), "place", at=name),
        ]
    return parts


def _columns(layer: Connected, strip: int) -> list[str]:
    parts = []
    num_outputs, num_pixels = layer.matrix.shape
    for column in range(num_pixels):
        name = pixel_name(column)
        parts += [
            part(rectangle(0, column, num_outputs), "frame", of=[name]),
            part(rectangle(strip, column), "frame", of=[name]),
            part(rectangle(strip, column, -strip), "place", at=name),
        ]
    return parts
