"""Receptive fields drawn: what an output can see of a picture or a signal, and how much each part counts."""

import numpy as np
import plotly.graph_objects as go

from cnn_core.plots.grids import outline, picture
from cnn_core.plots.theme import LIGHT, Palette, colorscale, finish

Region = tuple[range, ...]
"""Input pixels along each axis; those outside the input are padding."""

CAN_SEE, COUNTS = "What it can see", "How much each part counts"
MARGIN = 0.5
"""Most padding that is drawn on each side, as a part of the input's size."""


def can_see(shown: np.ndarray, seen: Region, *, height: int = 340, palette: Palette = LIGHT) -> go.Figure:
    """Frame the receptive field of one output on its input; padding is hatched, a dot marks the field's centre.

    Args:
        shown: The input: a picture (H, W) or (H, W, 3), uint8, or a signal (L,).
        seen: The receptive field: (rows, columns), or (places,) of a signal.
        height: Height of the figure in pixels.
        palette: Colours of the page's theme.

    Returns:
        A picture with row 0 on top and square cells, or a line. Far padding is cut off.
    """
    middle = [(pixels.start + pixels.stop - 1) / 2 for pixels in seen]
    dot = {"color": palette.accent, "size": 9, "line": {"color": palette.background, "width": 2}}
    if len(seen) == 1:
        fig = _line(shown, seen[0], title=CAN_SEE, height=height, palette=palette)
        inside = 0 <= round(middle[0]) < len(shown)
        middle.insert(0, float(shown[round(middle[0])]) if inside else 0)
    else:
        fig = picture(shown, title=CAN_SEE, numbers=False, height=height, palette=palette)
        _on_grid(fig, shown.shape[:2], seen, palette)
    return fig.add_scatter(
        x=middle[1:],
        y=middle[:1],
        mode="markers",
        marker=dot,
        name="centre",
        hovertemplate="the centre of what it can see<extra></extra>",
    )


def counts(
    field: np.ndarray,
    seen: Region,
    *,
    middle: Region | None = None,
    height: int = 340,
    palette: Palette = LIGHT,
) -> go.Figure:
    """Draw how much each part of the input counts for one output, where `can_see` has the input.

    Args:
        field: At least 0, (H, W), or (L,) for a signal.
        seen: The receptive field, framed.
        middle: A part of it that is framed with a dotted line.
        height: Height of the figure in pixels.
        palette: Colours of the page's theme.

    Returns:
        A heatmap with row 0 on top and square cells, or a filled line; in percent of the largest value.
    """
    percent = field * (100 / (field.max() or 1))
    if len(seen) == 1:
        fig = _line(percent, seen[0], title=COUNTS, height=height, palette=palette, filled=True)
        for edge in (middle[0].start, middle[0].stop) if middle else ():
            fig.add_vline(
                x=edge - 0.5, line={"color": palette.text, "width": 2, "dash": "dot"}, name="middle"
            )
        return fig
    fig = picture(percent, title=COUNTS, vmax=100, numbers=False, height=height, palette=palette)
    fig.update_traces(
        colorscale=colorscale(palette.sequential),
        hovertemplate="row %{y}, column %{x}: %{z:.3~g} % of the largest<extra></extra>",
    )
    _on_grid(fig, field.shape, seen, palette)
    if middle:
        rows, columns = middle
        fig.add_shape(
            type="rect",
            x0=columns.start - 0.5,
            x1=columns.stop - 0.5,
            y0=rows.start - 0.5,
            y1=rows.stop - 0.5,
            line={"color": palette.text, "width": 2, "dash": "dot"},
            name="middle",
        )
    return fig


def _room(pixels: range, size: int) -> tuple[float, float]:
    """Give the ends of an axis that shows the input and what is seen outside of it, up to a limit."""
    most = round(MARGIN * size)
    return max(min(0, pixels.start), -most) - 0.5, min(max(size, pixels.stop), size + most) - 0.5


def _on_grid(fig: go.Figure, sizes: tuple[int, ...], seen: Region, palette: Palette) -> None:
    """Frame the field on a grid, hatch its padding, and make room for both."""
    (top, bottom), (left, right) = (_room(pixels, size) for pixels, size in zip(seen, sizes, strict=True))
    fig.update_xaxes(range=(left - 0.2, right + 0.2))
    fig.update_yaxes(range=(bottom + 0.2, top - 0.2))
    rows, columns = sizes
    (first_row, last_row), (first, last) = ((each.start - 0.5, each.stop - 0.5) for each in seen)
    above, below = min(-0.5, last_row), max(rows - 0.5, first_row)
    within = (max(first_row, -0.5), min(last_row, rows - 0.5))
    _hatch(
        fig,
        [
            (first, last, first_row, above),
            (first, last, below, last_row),
            (first, min(-0.5, last), *within),
            (max(columns - 0.5, first), last, *within),
        ],
        palette,
    )
    outline(fig, *seen, palette=palette)


def _hatch(fig: go.Figure, boxes: list[tuple[float, float, float, float]], palette: Palette) -> None:
    """Hatch the boxes (left, right, top, bottom) that are not empty."""
    x, y = [], []
    for left, right, top, bottom in boxes:
        if left < right and top < bottom:
            x += [left, right, right, left, left, None]
            y += [top, top, bottom, bottom, top, None]
    if x:
        fig.add_scatter(
            x=x,
            y=y,
            fill="toself",
            mode="lines",
            line={"width": 0},
            fillpattern={"shape": "/", "fgcolor": palette.muted, "bgcolor": "rgba(0,0,0,0)", "size": 7},
            name="padding",
            hoverinfo="skip",
        )


def _line(
    values: np.ndarray, seen: range, *, title: str, height: int, palette: Palette, filled: bool = False
) -> go.Figure:
    """Draw a signal, or how much its places count, with a band where the field lies."""
    fig = finish(go.Figure(), palette=palette, height=height)
    size = len(values)
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max())) or 1.0
    _hatch(
        fig,
        [(seen.start, min(0, seen.stop), low, high), (max(size, seen.start), seen.stop, low, high)],
        palette,
    )
    fig.add_vrect(
        x0=seen.start - 0.5,
        x1=seen.stop - 0.5,
        fillcolor=palette.accent,
        opacity=0.15,
        line_width=0,
        layer="below",
        name="band",
    )
    for edge in (seen.start, seen.stop):
        fig.add_vline(x=edge - 0.5, line={"color": palette.accent, "width": 3}, name="window")
    fig.add_scatter(
        x=np.arange(size),
        y=values,
        mode="lines",
        line={"color": palette.accent if filled else palette.text, "width": 2},
        fill="tozeroy" if filled else None,
        name=title,
        hovertemplate=f"place %{{x}}: %{{y:.3~g}}{' % of the largest' if filled else ''}<extra></extra>",
    )
    axis = {"fixedrange": True, "zeroline": False, "linecolor": palette.line}
    start, stop = _room(seen, size)
    fig.update_xaxes(range=(start - 0.5, stop + 0.5), title="place", showgrid=False, **axis)
    fig.update_yaxes(gridcolor=palette.line, griddash="dot", ticksuffix=" %" if filled else "", **axis)
    fig.update_layout(title={"text": title, "x": 0.5, "xanchor": "center", "y": 0.98, "font": {"size": 14}})
    return fig
