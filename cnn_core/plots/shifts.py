"""The shift test drawn: how much each output changes, and the pictures behind one shift."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from cnn_core.plots.grids import limit_of
from cnn_core.plots.sheets import GREYS, sheet_layout, unit_square
from cnn_core.plots.theme import LIGHT, Palette, colorscale, finish
from cnn_core.shifts import Exchange

STEP = 1.05
"""From one picture to the next, when the longer side of each is 1."""

ROOM = 0.4
"""Room for words above a row of pictures, likewise."""

INSET = 0.4
"""From the edge of framed outputs to the line around them, in outputs: it hides none of those outside."""

LOOKS = (("dash", "square"), ("dashdot", "diamond"), ("longdash", "triangle-up"))
"""Dash and mark of the curves that are neither before pooling nor chosen."""


@dataclass(frozen=True, eq=False)
class Stage:
    """One stage of the shift test: what it makes of the picture, of the shifted one, and their difference.

    Attributes:
        original: Shape (H, W).
        shifted: Same shape.
        difference: Same shape, NaN where there is nothing to compare.
        grey: Whether it is a picture with values from 0 to 255, else signed.
    """

    original: np.ndarray
    shifted: np.ndarray
    difference: np.ndarray
    grey: bool = False


def change_curves(
    curves: Mapping[str, np.ndarray],
    *,
    before: str,
    chosen: str,
    shift: int,
    height: int = 340,
    palette: Palette = LIGHT,
) -> go.Figure:
    """Draw how much outputs change, over the shift of the picture.

    Args:
        curves: Name -> change at shifts of 0, 1, 2, ... pixels; a curve of NaN is left out.
        before: Name of the curve without pooling, drawn dotted.
        chosen: Name of the curve in the accent colour.
        shift: Shift that is marked.
        height: Height of the figure in pixels.
        palette: Colours of the page's theme.

    Returns:
        One line with marks for each curve, in the order given.
    """
    fig = finish(go.Figure(), palette=palette, height=height)
    others = iter(LOOKS)
    for name, values in curves.items():
        if np.isnan(values).all():
            continue
        if name == chosen:
            color, dash, mark, width = palette.accent, "solid", "circle", 3
        elif name == before:
            color, dash, mark, width = palette.text, "dot", "circle-open", 2
        else:
            color, width = palette.muted, 2
            dash, mark = next(others)
        fig.add_scatter(
            x=np.arange(len(values)),
            y=values,
            name=name,
            mode="lines+markers",
            line={"color": color, "dash": dash, "width": width},
            marker={"symbol": mark, "size": 8},
            hovertemplate=f"{name}, shift %{{x}}: %{{y:.2f}}<extra></extra>",
        )
    fig.add_vline(x=shift, line={"color": palette.accent, "width": 1}, name="chosen shift")
    fig.add_hline(y=1, line={"color": palette.muted, "width": 1}, name="as if shuffled")
    axis = {"fixedrange": True, "zeroline": False, "linecolor": palette.line}
    fig.update_xaxes(title={"text": "shift in pixels", "font": {"size": 13}}, dtick=1, showgrid=False, **axis)
    fig.update_yaxes(
        title={"text": "change (1: as if shuffled)", "font": {"size": 13}},
        rangemode="tozero",
        gridcolor=palette.line,
        griddash="dot",
        **axis,
    )
    fig.update_layout(
        showlegend=True,
        legend={
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "yanchor": "bottom",
            "itemclick": False,
            "itemdoubleclick": False,
        },
    )
    return fig


def stages(
    columns: Mapping[str, Stage], *, shift: int, height: int = 480, palette: Palette = LIGHT
) -> go.Figure:
    """Draw what each stage makes of a picture, of the shifted picture, and the difference.

    Args:
        columns: Name of a stage -> what it makes, from the picture on the left to the pooled map.
        shift: Pixels by which the picture is shifted.
        height: Height of the figure in pixels.
        palette: Colours of the page's theme.

    Returns:
        Three rows of heatmaps, one column for each stage. Signed maps and their difference share one scale.
    """
    fig = go.Figure()
    for left, (name, stage) in enumerate(columns.items()):
        limit = 255 if stage.grey else limit_of(stage.original, stage.shifted)
        signed = {"zmin": -limit, "zmax": limit, "colorscale": colorscale(palette.signed)}
        plain = GREYS if stage.grey else signed
        for top, (array, look) in enumerate(
            ((stage.original, plain), (stage.shifted, plain), (stage.difference, signed))
        ):
            fig.add_heatmap(
                z=array,
                **unit_square(array.shape, (top * STEP, left * STEP)),
                **look,
                showscale=False,
                name=name,
                hovertemplate="%{z:.4~g}<extra></extra>",
            )
        words = f"{name}<br>{' x '.join(map(str, stage.original.shape))}"
        fig.add_annotation(text=words, x=left * STEP + 0.5, y=-0.02, yanchor="bottom")
    for top, words in enumerate(("as it is", f"shifted by {shift}", "difference")):
        fig.add_annotation(text=words, x=-0.02, y=top * STEP + 0.5, xanchor="right", textangle=-90)
    fig.update_annotations(showarrow=False, borderpad=0)
    return fig.update_layout(
        sheet_layout(x=(-0.12, len(columns) * STEP), y=(3 * STEP, -0.25), height=height, palette=palette)
    )


def exchanges(
    pictures: Mapping[str, np.ndarray],
    rows: Mapping[str, Exchange],
    *,
    undisturbed: Mapping[str, tuple[range, range]],
    height: int = 360,
    palette: Palette = LIGHT,
) -> go.Figure:
    """Draw a shift before a layer, the shift after it, and the difference, a row for each layer.

    Args:
        pictures: Name -> picture with values from 0 to 255, one for each row, shape (H, W).
        rows: Name of a layer -> what it makes of them.
        undisturbed: Name of a layer -> rows and columns of its difference that are framed; may be empty.
        height: Height of the figure in pixels.
        palette: Colours of the page's theme.

    Returns:
        Four heatmaps in each row: a picture, both outputs and their difference. The three share one scale.
    """
    fig = go.Figure()
    for number, (picture, layer) in enumerate(zip(pictures.items(), rows, strict=True)):
        _add_exchange(fig, number * (STEP + ROOM), picture, (layer, rows[layer]), palette)
        inner = undisturbed.get(layer, ())
        if inner and all(inner):
            step = 1 / max(rows[layer].difference.shape)
            corner = (
                number * (STEP + ROOM) + (inner[0][0] + INSET) * step,
                3 * STEP + (inner[1][0] + INSET) * step,
            )
            size = tuple((len(places) - 2 * INSET) * step for places in inner)
            _frame(fig, "undisturbed", corner, size, {"color": palette.accent, "width": 2})
    fig.update_annotations(showarrow=False, borderpad=0, align="left")
    bottom = len(rows) * (STEP + ROOM) - ROOM
    return fig.update_layout(
        sheet_layout(x=(-0.02, 4 * STEP), y=(bottom, -ROOM), height=height, palette=palette)
    )


def _add_exchange(
    fig: go.Figure, top: float, picture: tuple[str, np.ndarray], layer: tuple[str, Exchange], palette: Palette
) -> None:
    """Add one row: a picture, both outputs of a layer, and their difference."""
    made = layer[1]
    outputs = (made.shifted_first, made.shifted_after, made.difference)
    limit = limit_of(*outputs)
    signed = {"zmin": -limit, "zmax": limit, "colorscale": colorscale(palette.signed)}
    names = (picture[0], f"{layer[0]}:<br>shifted first", "shifted after", "difference")
    for column, (name, array) in enumerate(zip(names, (picture[1], *outputs), strict=True)):
        left = column * STEP
        fig.add_heatmap(
            z=array,
            **unit_square(array.shape, (top, left)),
            **(GREYS if column == 0 else signed),
            showscale=False,
            name=name,
            hovertemplate="row %{customdata[0]}, column %{customdata[1]}: %{z:.4~g}<extra></extra>",
            customdata=np.moveaxis(np.indices(array.shape), 0, -1),
        )
        height, width = (size / max(array.shape) for size in array.shape)
        _frame(fig, "edge", (top, left), (height, width), {"color": palette.line, "width": 1})
        fig.add_annotation(text=name, x=left, y=top - 0.02, xanchor="left", yanchor="bottom")


def _frame(
    fig: go.Figure, name: str, corner: tuple[float, float], size: tuple[float, float], line: dict[str, object]
) -> None:
    (top, left), (height, width) = corner, size
    fig.add_shape(type="rect", x0=left, x1=left + width, y0=top, y1=top + height, name=name, line=line)
