"""Output size drawn over one setting after the other."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from cnn_core.plots.theme import LIGHT, Palette, finish
from cnn_core.sizes import SizeCurve

GAP = 0.18
"""Between two panels, when each is 1 wide."""

STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Distances between the lines of the grid."""

MAX_DOTTED = 32
"""Up to so many values each has a dot of its own."""


def size_panels(
    curves: Sequence[SizeCurve],
    *,
    largest: int,
    height: int = 210,
    palette: Palette = LIGHT,
) -> go.Figure:
    """Draw the output size as steps over one setting, a panel for each curve side by side.

    The value of the moment is marked in the accent colour, with its output size. A panel is as wide as all values
    tried, so a curve that ends before it says that nothing fits there.

    Args:
        curves: One for each panel, from left to right.
        largest: Output size at the top of all panels.
        height: Height of the figure in pixels.
        palette: Colours of the page's theme.

    Returns:
        For each curve a line and a marker with its name. All panels have the same vertical axis.
    """
    step = 1 / (len(curves) + GAP * (len(curves) - 1))
    traces: list[go.Scatter] = []
    layout: dict[str, Any] = {"annotations": []}
    for number, curve in enumerate(curves, start=1):
        left = (number - 1) * (1 + GAP) * step
        traces += _traces(curve, number, palette)
        layout[f"xaxis{number}"] = _values_axis(curve, number, (left, left + step), palette)
        layout[f"yaxis{number}"] = _sizes_axis(number, largest, palette)
        layout["annotations"].append(_name(curve, left + step / 2))
    # A layout that is given at once is made much faster than one that is updated axis by axis.
    fig = finish(go.Figure(traces, layout), palette=palette, height=height)
    fig.layout.margin = {"l": 52, "r": 8, "t": 12, "b": 44}
    return fig


def _traces(curve: SizeCurve, number: int, palette: Palette) -> list[go.Scatter]:
    """Draw the steps, and the value of the moment on them."""
    axes = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
    size = curve.sizes[curve.now]
    steps = go.Scatter(
        x=list(curve.sizes),
        y=list(curve.sizes.values()),
        name=curve.name,
        mode="lines+markers" if len(curve.sizes) <= MAX_DOTTED else "lines",
        line={"color": palette.muted, "width": 2, "shape": "hvh"},
        marker={"color": palette.muted, "size": 5},
        hovertemplate=f"{curve.name} %{{x}}: output %{{y}}<extra></extra>",
        **axes,
    )
    now = go.Scatter(
        x=[curve.now],
        y=[size],
        name=f"{curve.name} now",
        mode="markers+text",
        marker={"color": palette.accent, "size": 10},
        text=[f"<b>{size}</b>"],
        textposition="top center",
        textfont={"color": palette.accent, "size": 14},
        cliponaxis=False,
        hovertemplate=f"{curve.name} %{{x}} now: output %{{y}}<extra></extra>",
        **axes,
    )
    return [steps, now]


def _values_axis(
    curve: SizeCurve, number: int, domain: tuple[float, float], palette: Palette
) -> dict[str, Any]:
    first, last = curve.values[0], curve.values[-1]
    room = max(0.5, 0.04 * (last - first))
    # A panel is narrow: an end keeps its number where it does not touch that of the moment.
    ends = [end for end in (first, last) if abs(end - curve.now) > 0.2 * (last - first)]
    return {
        "domain": domain,
        "anchor": f"y{number}",
        "range": (first - room, last + room),
        "tickvals": [*ends, curve.now],
        "tickangle": 0,
        "showgrid": False,
        **_axis(palette),
    }


def _sizes_axis(number: int, largest: int, palette: Palette) -> dict[str, Any]:
    """Set up the vertical axis, which is the same in all panels; only the first says its numbers."""
    return {
        "title": {"text": "output size" if number == 1 else "", "font": {"size": 13}},
        "anchor": f"x{number}",
        "range": (0, 1.2 * largest),
        "dtick": next((step for step in STEPS if step >= largest / 4), STEPS[-1]),
        "showticklabels": number == 1,
        "gridcolor": palette.line,
        "griddash": "dot",
        **_axis(palette),
    }


def _axis(palette: Palette) -> dict[str, Any]:
    return {
        "linecolor": palette.line,
        "fixedrange": True,
        "zeroline": False,
        "automargin": False,
        "tickfont": {"size": 12},
    }


def _name(curve: SizeCurve, middle: float) -> dict[str, Any]:
    """Write what a panel changes below it; as titles of axes the names would stand at different heights."""
    return {
        "text": curve.name,
        "x": middle,
        "xref": "paper",
        "xanchor": "center",
        "y": 0,
        "yref": "paper",
        "yshift": -24,
        "yanchor": "top",
        "showarrow": False,
    }
