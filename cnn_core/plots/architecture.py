"""A network as a picture: the shape of what each layer makes, as boxes to scale, in the order of the data."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import plotly.graph_objects as go
from plotly.colors import hex_to_rgb

from cnn_core.plots.boxes import MARGIN, TALLEST, WIDTH, Box, Label, Sheet, labels, lay_out
from cnn_core.plots.theme import LIGHT, Palette, finish
from cnn_core.shapes import format_shape
from cnn_core.summary import LayerSummary, Shape

LINE, UPRIGHT = 40, 84
"""Height of a row of labels, in pixels, and of one whose words may stand upright where the page is narrow."""

HEAD = 60
"""Height above the boxes, where the scales stand."""

TOP, BOTTOM = TALLEST / 2, -TALLEST / 2
Polygon = list[tuple[float, float]]


def shapes(
    rows: Sequence[LayerSummary], input_shape: Shape, *, chosen: str | None = None, palette: Palette = LIGHT
) -> go.Figure:
    """Draw the shapes of a network from left to right: wide and thin at first, narrow and deep later.

    A feature map (C, H, W) is a box, C long and H high; W goes to the back. A signal (C, L) is a plate, C long
    and L high. A vector is an upright bar on a scale of its own. Boxes made with weights are coloured, others
    are grey. Layers that keep the shape share the box of the layer before them.

    Args:
        rows: The layer table, `summary.summarize` or `published.layer_table`; it may be empty.
        input_shape: (C, H, W), (C, L) or (features,).
        chosen: Name of the layer whose box is drawn in the accent colour.
        palette: Colours of the page's theme.

    Returns:
        The boxes, names and shapes below those that have the room, and the scales above. Pointing at a box
        tells its layers, numbers, parameters and mult-adds.
    """
    sheet = lay_out(rows, input_shape)
    names = labels(sheet.boxes, chosen=chosen)
    tiers = 1 + max(label.tier for label in names)
    depth = 12 + (UPRIGHT if tiers == 1 else LINE * tiers)
    traces = [*_fronts_and_sides(sheet.boxes, chosen, palette), _leaders(names, palette)]
    traces += [_pointed_at(sheet.boxes), _words(names, chosen, palette, can_turn=tiers == 1)]
    fig = finish(go.Figure(traces), palette=palette, height=round(HEAD + TALLEST + depth))
    hidden = {"visible": False, "fixedrange": True}
    marks, words = _scales(sheet, palette)
    return fig.update_layout(
        xaxis={"range": (-MARGIN, WIDTH + MARGIN), **hidden},
        yaxis={"range": (BOTTOM - depth, TOP + HEAD), **hidden},
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        barmode="overlay",
        hovermode="closest",
        # Words that do not fit on a narrow page shrink a little, all alike; those that would have to shrink
        # more go.
        uniformtext={"mode": "hide", "minsize": 10},
        shapes=[_way(sheet.boxes, palette), *marks],
        annotations=words,
    )


def _fronts_and_sides(boxes: Sequence[Box], chosen: str | None, palette: Palette) -> list[go.Scatter]:
    """Draw all faces of one colour at once; the top and the side are a shade darker than the front."""
    kinds: dict[tuple[str, str], list[Box]] = {}
    for box in boxes:
        kinds.setdefault(_colours(box, chosen, palette), []).append(box)
    traces = []
    for (fill, outline), alike in kinds.items():
        for shade, faces in ((0.14, _sides(alike)), (0.06, _tops(alike)), (0.0, _fronts(alike))):
            x, y = _joined(faces)
            traces.append(
                go.Scatter(
                    x=x,
                    y=y,
                    mode="lines",
                    fill="toself",
                    fillcolor=_mixed(fill, "#000000", shade),
                    line={"color": outline, "width": 1},
                    hoverinfo="skip",
                )
            )
    return traces


def _colours(box: Box, chosen: str | None, palette: Palette) -> tuple[str, str]:
    """Return the colours of a box and of its edges."""
    if chosen in box.names:
        return palette.accent, palette.text
    if box.num_params:
        return _mixed(palette.background, palette.accent, 0.3), palette.accent
    return _mixed(palette.background, palette.muted, 0.25), palette.muted


def _fronts(boxes: Iterable[Box]) -> list[Polygon]:
    return [_quadrilateral(box.left, box.bottom, (box.length, 0), (0, box.height)) for box in boxes]


def _tops(boxes: Iterable[Box]) -> list[Polygon]:
    return [
        _quadrilateral(box.left, box.bottom + box.height, (box.length, 0), box.depth)
        for box in boxes
        if any(box.depth)
    ]


def _sides(boxes: Iterable[Box]) -> list[Polygon]:
    return [
        _quadrilateral(box.left + box.length, box.bottom, box.depth, (0, box.height))
        for box in boxes
        if any(box.depth)
    ]


def _quadrilateral(x: float, y: float, first: tuple[float, float], second: tuple[float, float]) -> Polygon:
    (dx, dy), (ex, ey) = first, second
    return [(x, y), (x + dx, y + dy), (x + dx + ex, y + dy + ey), (x + ex, y + ey), (x, y)]


def _joined(lines: Iterable[Polygon]) -> tuple[list[float | None], list[float | None]]:
    """Put several lines into one trace, with a gap between them."""
    points = [point for line in lines for point in (*line, (None, None))]
    return [x for x, _ in points], [y for _, y in points]


def _way(boxes: Sequence[Box], palette: Palette) -> dict[str, Any]:
    """Draw the way of the data, which the boxes cover where they stand."""
    line = {"color": palette.muted, "width": 1}
    ends = {"x0": boxes[0].centre, "x1": boxes[-1].centre, "y0": 0, "y1": 0}
    return {"type": "line", "layer": "below", "name": "way", **ends, "line": line}


def _leaders(names: Sequence[Label], palette: Palette) -> go.Scatter:
    """Draw a line from each name up to its box."""
    lines = []
    for label in names:
        box = label.box
        beyond = max(0.0, box.centre - box.left - box.length)
        foot = box.bottom + (beyond / box.depth[0] * box.depth[1] if beyond else 0)
        lines.append([(box.centre, foot - 3), (box.centre, _label_top(label) + 2)])
    x, y = _joined(lines)
    return go.Scatter(
        x=x, y=y, mode="lines", line={"color": palette.line, "width": 1}, hoverinfo="skip", name="leaders"
    )


def _label_top(label: Label) -> float:
    return BOTTOM - 12 - LINE * label.tier


def _words(names: Sequence[Label], chosen: str | None, palette: Palette, *, can_turn: bool) -> go.Bar:
    """Write the names into bars that are not seen: so words know how much room they have on this screen."""
    height = UPRIGHT if can_turn else LINE
    colours = [palette.accent if chosen in label.box.names else palette.text for label in names]
    return go.Bar(
        x=[label.centre for label in names],
        width=[label.room for label in names],
        base=[_label_top(label) - height for label in names],
        y=[height] * len(names),
        text=[f"<b>{label.text}</b><br>{format_shape(label.box.shape)}" for label in names],
        textposition="inside",
        insidetextanchor="end",
        textangle=None if can_turn else 0,
        insidetextfont={"size": 12, "color": colours},
        marker={"color": "rgba(0,0,0,0)", "line": {"width": 0}},
        cliponaxis=False,
        hoverinfo="skip",
        name="names",
    )


def _pointed_at(boxes: Sequence[Box]) -> go.Bar:
    """Lay a bar that is not seen over each box, from the middle of the gap before it to that after it."""
    between = [(before.right + after.left) / 2 for before, after in pairwise(boxes)]
    edges = [boxes[0].left - MARGIN, *between, boxes[-1].right + MARGIN]
    return go.Bar(
        x=[(start + end) / 2 for start, end in pairwise(edges)],
        width=[end - start for start, end in pairwise(edges)],
        base=[BOTTOM] * len(boxes),
        y=[TALLEST] * len(boxes),
        hovertext=[_told(box) for box in boxes],
        hovertemplate="%{hovertext}<extra></extra>",
        marker={"color": "rgba(0,0,0,0)", "line": {"width": 0}},
        name="boxes",
    )


def _told(box: Box) -> str:
    """Write what pointing at a box tells."""
    numbers = f"{format_shape(box.shape)} = {math.prod(box.shape):,} numbers"
    costs = f"{box.num_params:,} parameters, {box.mult_adds:,} mult-adds"
    return f"<b>{box.title}</b><br>{numbers}" + (f"<br>{costs}" if box.num_params else "")


def _scales(sheet: Sheet, palette: Palette) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Draw a mark for each scale that the sheet has, and what its length means."""
    ranks = {len(box.shape) for box in sheet.boxes}
    marks, words = [], []
    if ranks - {1}:
        along = _round(48 / sheet.channel, steps=(1, 2, 4, 8))
        up, thing = _round(32 / sheet.pixel), "pixel" if 3 in ranks else "sample"
        marks += [(along * sheet.channel, 0), (0, up * sheet.pixel)]
        words += [_count(along, "channel"), _count(up, thing)]
    if 1 in ranks:
        bar = _round(32 / sheet.feature)
        marks.append((0, bar * sheet.feature))
        words.append(_count(bar, "number"))
    y = TOP + HEAD - 44
    drawn, written = [], []
    for index, ((dx, dy), text) in enumerate(zip(marks, words, strict=True)):
        x = index * WIDTH / 3
        ends = {"x0": x, "x1": x + dx, "y0": y, "y1": y + dy}
        drawn.append({"type": "line", "name": text, **ends, "line": {"color": palette.text, "width": 3}})
        written.append(
            {
                "text": text,
                "x": x + dx,
                "xanchor": "left",
                "xshift": 6,
                "y": y,
                "yanchor": "middle",
                "yshift": dy / 2,
                "showarrow": False,
                "align": "left",
                "font": {"size": 12},
            }
        )
    return drawn, written


def _round(number: float, *, steps: Sequence[int] = (1, 2, 5)) -> int:
    """Return the largest of 1, 2, 5, 10, 20, 50, ... that is not above a number; at least 1."""
    factor = 16 if 8 in steps else 10
    power = factor ** max(0, math.floor(math.log(max(number, 1), factor)))
    return max((step * power for step in steps if step * power <= number), default=1)


def _count(number: int, one: str) -> str:
    return f"{number:,} {one}" if number == 1 else f"{number:,} {one}s"


def _mixed(colour: str, other: str, share: float) -> str:
    """Mix a share of another colour into one."""
    pairs = zip(hex_to_rgb(colour), hex_to_rgb(other), strict=True)
    return "#" + "".join(f"{round(a + share * (b - a)):02x}" for a, b in pairs)


def number_bars(numbers: Sequence[float], names: Sequence[str]) -> dict[str, list[Any]]:
    """Collect what the bars of `number_spec` show, one row for each number of a vector.

    Example:
        >>> number_bars([0.25, -1.0], ["cat", "dog"])["text"]
        ['0.25', '-1']
    """
    values = [float(number) for number in numbers]
    return {"class": list(names), "number": values, "text": [f"{value:.3g}" for value in values]}


def number_spec(*, palette: Palette = LIGHT) -> dict[str, Any]:
    """Describe the bars of `number_bars` in Vega-Lite: orange above zero, blue below, from top to bottom."""
    sign = {
        "condition": {"test": "datum.number < 0", "value": palette.signed[1]},
        "value": palette.signed[-2],
    }
    hidden = {"labels": False, "ticks": False, "domain": False, "grid": False}
    names = {"ticks": False, "domain": False, "labelPadding": 8, "labelLimit": 140}
    return {
        "encoding": {
            "y": {"field": "class", "type": "nominal", "sort": None, "title": None, "axis": names},
            "x": {"field": "number", "type": "quantitative", "title": None, "axis": hidden},
        },
        "layer": [
            {"mark": {"type": "bar", "height": {"band": 0.7}}, "encoding": {"color": sign}},
            {
                "mark": {
                    "type": "text",
                    "align": {"expr": "datum.number < 0 ? 'right' : 'left'"},
                    "dx": {"expr": "datum.number < 0 ? -4 : 4"},
                    "color": palette.text,
                    "fontSize": 12,
                },
                "encoding": {"text": {"field": "text"}},
            },
        ],
    }
