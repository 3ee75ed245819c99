"""The windows of a layer on its padded input, and the outputs they make, drawn to one scale."""

import plotly.graph_objects as go

from cnn_core.geometry import Axis
from cnn_core.plots.theme import LIGHT, Palette, finish

# Beyond these counts lines and dots would melt into a grey area.
MAX_LINED = 64
MAX_DOTTED = 1600


def windows(height: Axis, width: Axis, *, palette: Palette = LIGHT) -> go.Figure:
    """Draw the padded input with every window's place on the left, the output on the right.

    Padding is hatched; rows and columns that no window reaches are hatched the other way and dimmed. A dot
    marks the centre of each window. The first window and its output share the accent colour.

    Args:
        height: The layer along the rows.
        width: The layer along the columns.
        palette: Colours of the page's theme.

    Returns:
        One figure in units of cells; row 0 on top, square cells, padded pixel (0, 0) at the origin.
    """
    fig = go.Figure()
    rows, columns = height.padded_size, width.padded_size
    gap = max(1.5, 0.12 * columns)
    out_x = columns + max(width.overhang, 0) + gap
    tallest = max(rows + height.overhang, height.output_size)

    _padding(fig, height, width, palette)
    _left_over(fig, height, width, palette)
    _lines(fig, (0, 0), (rows, columns), palette)
    top, left = height.padding[0], width.padding[0]
    _outline(fig, "input", top, left, height.input_size, width.input_size, palette.text, 1.5)
    _window(fig, height, width, palette)
    _dots(fig, height, width, palette)

    _lines(fig, (0, out_x), (height.output_size, width.output_size), palette)
    _outline(fig, "output", 0, out_x, height.output_size, width.output_size, palette.text, 1.5)
    _fill(fig, "its output", 0, out_x, 1, 1, color=palette.accent)

    # The words above a grid need room, even if it is narrow; those of the input grow to the left.
    words = max(0.3 * columns, 0.3 * tallest)
    left, right = min(0, columns - words), out_x + max(width.output_size, words)
    label = {"showarrow": False, "yanchor": "bottom", "y": -0.25, "yref": "y"}
    fig.add_annotation(
        text=f"input {height.input_size} x {width.input_size}", x=(left + columns) / 2, **label
    )
    fig.add_annotation(
        text=f"output {height.output_size} x {width.output_size}", x=(out_x + right) / 2, **label
    )
    hidden = {"visible": False, "fixedrange": True}
    fig.update_xaxes(range=(left - 0.2, right + 0.2), constrain="domain", **hidden)
    fig.update_yaxes(
        range=(tallest + 0.2, -0.2 - 0.09 * tallest),
        scaleanchor="x",
        scaleratio=1,
        constrain="domain",
        constraintoward="top",
        **hidden,
    )
    # As high as the cells need in a column of about 600 pixels, so that no empty band stays below.
    finish(fig, palette=palette, height=int(min(max(600 * 1.1 * tallest / (right - left), 150), 480)))
    fig.update_layout(margin={"l": 4, "r": 4, "t": 4, "b": 4})
    return fig


def _fill(
    fig: go.Figure,
    name: str,
    top: float,
    left: float,
    height: float,
    width: float,
    *,
    color: str,
    pattern: str = "",
    opacity: float = 1.0,
) -> None:
    if not height or not width:
        return
    look = {"fillcolor": color}
    if pattern:
        look = {"fillpattern": {"shape": pattern, "fgcolor": color, "bgcolor": "rgba(0,0,0,0)", "size": 7}}
    fig.add_scatter(
        x=[left, left + width, left + width, left, left],
        y=[top, top, top + height, top + height, top],
        fill="toself",
        mode="lines",
        line={"width": 0},
        name=name,
        hoverinfo="skip",
        opacity=opacity,
        **look,
    )


def _outline(
    fig: go.Figure,
    name: str,
    top: float,
    left: float,
    height: float,
    width: float,
    color: str,
    thickness: float,
) -> None:
    fig.add_shape(
        type="rect",
        x0=left,
        x1=left + width,
        y0=top,
        y1=top + height,
        name=name,
        line={"color": color, "width": thickness},
    )


def _padding(fig: go.Figure, height: Axis, width: Axis, palette: Palette) -> None:
    (top, bottom), (left, right) = height.padding, width.padding
    rows, columns = height.padded_size, width.padded_size
    for box in (
        (0, 0, top, columns),
        (rows - bottom, 0, bottom, columns),
        (top, 0, height.input_size, left),
        (top, columns - right, height.input_size, right),
    ):
        _fill(fig, "padding", *box, color=palette.muted, pattern="/")


def _left_over(fig: go.Figure, height: Axis, width: Axis, palette: Palette) -> None:
    rows, columns = height.padded_size, width.padded_size
    reached = rows - height.left_over
    for box in (
        (reached, 0, height.left_over, columns),
        (0, columns - width.left_over, reached, width.left_over),
    ):
        _fill(fig, "left over", *box, color=palette.line, opacity=0.9)
        _fill(fig, "left over", *box, color=palette.muted, pattern="\\")


def _lines(fig: go.Figure, origin: tuple[float, float], shape: tuple[int, int], palette: Palette) -> None:
    (top, left), (rows, columns) = origin, shape
    if max(rows, columns) > MAX_LINED:
        return
    x: list[float | None] = []
    y: list[float | None] = []
    for row in range(rows + 1):
        x += [left, left + columns, None]
        y += [top + row, top + row, None]
    for column in range(columns + 1):
        x += [left + column, left + column, None]
        y += [top, top + rows, None]
    fig.add_scatter(
        x=x, y=y, mode="lines", line={"color": palette.line, "width": 1}, hoverinfo="skip", name="cells"
    )


def _window(fig: go.Figure, height: Axis, width: Axis, palette: Palette) -> None:
    for tap_row in range(height.kernel_size):
        for tap_column in range(width.kernel_size):
            box = (tap_row * height.dilation, tap_column * width.dilation, 1, 1)
            _fill(fig, "kernel cell", *box, color=palette.accent, opacity=0.45)
    _outline(
        fig,
        "window",
        0,
        0,
        height.effective_kernel_size,
        width.effective_kernel_size,
        palette.accent,
        3,
    )


def _dots(fig: go.Figure, height: Axis, width: Axis, palette: Palette) -> None:
    if height.output_size * width.output_size > MAX_DOTTED:
        return
    rows = [start + height.effective_kernel_size / 2 for start in height.window_starts]
    columns = [start + width.effective_kernel_size / 2 for start in width.window_starts]
    fig.add_scatter(
        x=columns * len(rows),
        y=[row for row in rows for _ in columns],
        mode="markers",
        marker={"color": palette.accent, "size": 6, "line": {"color": palette.background, "width": 1}},
        name="window centres",
        hovertemplate="a window's centre<extra></extra>",
    )
