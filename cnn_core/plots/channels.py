"""Channels apart and together: colours and their sum, pixels as columns, costs."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cnn_core.plots.grids import limit_of
from cnn_core.plots.theme import LIGHT, Palette, finish
from cnn_core.plots.worksheet import Grid, Worksheet
from cnn_core.summary import LayerSummary

COLOURS = ("red", "green", "blue")


def colour_sum(
    image: np.ndarray,
    partials: np.ndarray,
    total: np.ndarray,
    *,
    steps: Sequence[str] = ("", "", ""),
    signed: bool = False,
    palette: Palette = LIGHT,
) -> go.Figure:
    """Draw a colour picture taken apart: its channels in grey, what a kernel makes of each, the sum.

    Args:
        image: Colour picture, shape (H, W, 3), uint8.
        partials: What each colour contributes, shape (3, H_out, W_out), with H_out and W_out at most H and W.
        total: Their sum, shape (H_out, W_out).
        steps: What is done to each colour, in a word or a sign.
        signed: Draw partial results and sum on one signed scale; else as grey pictures.
        palette: Colours of the page's theme.

    Returns:
        The channels in the first row, the partial results below them, the picture and the sum at the bottom.
    """
    height, width = image.shape[:2]
    gap = max(1, round(0.13 * max(height, width)))
    step = width + gap
    channels = [Grid(image[..., index], gap, index * step) for index in range(3)]
    parts = [Grid(part, 2 * gap + height, index * step) for index, part in enumerate(partials)]
    whole = Grid(image, 3 * gap + 2 * height, step // 2)
    result = Grid(total, whole.top, whole.left + step)

    scale = {"limit": limit_of(partials, total)} if signed else {"white": max(255.0, float(total.max()))}
    sheet = Worksheet(whole.bottom, channels[2].right, palette=palette)
    for name, how, channel, part in zip(COLOURS, steps, channels, parts, strict=True):
        sheet.picture(name, channel, white=255)
        sheet.label(name, channel)
        sheet.picture(f"{name} part", part, **scale)
        sheet.label(f"{name} {how}".strip(), part)
    sheet.colour("red, green, blue", whole)
    sheet.label("picture", whole)
    sheet.picture("sum", result, **scale)
    sheet.label("sum", result, meant=True)
    for part in parts[1:]:
        _sign(sheet, "+", part, gap)
    _sign(sheet, "→", result, gap)
    return sheet.finish()


def pixels_as_columns(
    x: np.ndarray,
    weight: np.ndarray,
    outputs: np.ndarray,
    *,
    at: tuple[int, int, int] = (0, 0, 0),
    palette: Palette = LIGHT,
) -> go.Figure:
    """Draw a 1 x 1 convolution on pictures, and below it as a matrix product with a column for each pixel.

    The matrix product is laid out so that each output lies where its row of weights meets its column of pixels.

    Args:
        x: Input, shape (C_in, H, W).
        weight: One number for each output and input channel, shape (C_out, C_in).
        outputs: Shape (C_out, H, W).
        at: (c_out, row, column) of the output that is framed wherever it occurs.
        palette: Colours of the page's theme.

    Returns:
        Heatmaps named input, weight and output, as large as the sheet.
    """
    chosen, row, column = at
    (in_channels, height, width), out_channels = x.shape, len(outputs)
    pixel = row * width + column
    inputs = [Grid(each, 1, index * (width + 1)) for index, each in enumerate(x)]
    results = [Grid(each, height + 2, index * (width + 1)) for index, each in enumerate(outputs)]
    # The name above the weights takes the width of two cells.
    left = max(in_channels, 2) + 1
    pixels = Grid(x.reshape(in_channels, -1), results[0].bottom + 2, left)
    weights = Grid(weight, pixels.bottom + 1, 0)
    products = Grid(outputs.reshape(out_channels, -1), weights.top, pixels.left)

    sheet = Worksheet(
        products.bottom, max(products.right, inputs[-1].right, results[-1].right), palette=palette
    )
    sheet.signed("input", [*inputs, pixels])
    sheet.signed("weight", [weights])
    sheet.signed("output", [*results, products])
    for channel, grid in enumerate(inputs):
        sheet.label(f"channel {channel}", grid)
        sheet.frame("the pixel", grid, at=(row, column))
    for channel, grid in enumerate(results):
        sheet.label(f"output {channel}", grid, meant=channel == chosen)
    sheet.frame("its output", results[chosen], at=(row, column))
    sheet.label(f"pixels, {in_channels} x {height * width}", pixels)
    sheet.frame("the pixel's column", pixels, at=(0, pixel), shape=(in_channels, 1))
    sheet.label(f"weights, {out_channels} x {in_channels}", weights)
    sheet.frame("the output's row", weights, at=(chosen, 0), shape=(1, in_channels))
    sheet.label(f"outputs, {out_channels} x {height * width}", products)
    sheet.frame("their product", products, at=(chosen, pixel))
    return sheet.finish()


def costs(
    channels: Sequence[int],
    layers: Mapping[str, Sequence[LayerSummary]],
    *,
    now: int,
    axis_title: str,
    palette: Palette = LIGHT,
) -> go.Figure:
    """Draw parameters and mult-adds of layers against their number of channels, on logarithmic axes.

    Args:
        channels: Numbers of channels.
        layers: What to call a line -> its layer at each number of channels. The first is the one meant.
        now: The number of channels that is marked.
        axis_title: What the channels are.
        palette: Colours of the page's theme.

    Returns:
        Two charts, one above the other; in each a line for each entry of `layers`.
    """
    fig = make_subplots(
        rows=2, shared_xaxes=True, vertical_spacing=0.14, subplot_titles=("Parameters", "Mult-adds")
    )
    looks = (
        {"color": palette.accent, "width": 3},
        {"color": palette.text, "width": 2, "dash": "dash"},
        {"color": palette.muted, "width": 2, "dash": "dot"},
    )
    for row, count in enumerate(("num_params", "mult_adds"), start=1):
        for order, ((name, summaries), line) in enumerate(zip(layers.items(), looks, strict=False)):
            values = [getattr(summary, count) for summary in summaries]
            fig.add_scatter(
                x=list(channels),
                y=values,
                mode="lines+markers",
                marker={"size": [11 if each == now else 4 for each in channels], "opacity": 1},
                line=line,
                zorder=-order,
                name=name,
                hovertemplate=f"{name}, {axis_title.lower()} %{{x}}: %{{y:,}}<extra></extra>",
                showlegend=row == 1,
                row=row,
                col=1,
            )
    finish(fig, palette=palette, height=460)
    lines = {"gridcolor": palette.line, "zeroline": False, "fixedrange": True}
    fig.update_yaxes(type="log", exponentformat="B", dtick=2, **lines)
    # The marked number keeps its name; a near neighbour's would overlap it.
    named = [each for each in channels if each == now or not 0.75 < each / now < 1.34]
    fig.update_xaxes(type="log", tickvals=named, **lines)
    fig.update_xaxes(title_text=axis_title, row=2)
    fig.update_annotations(font={"size": 14}, x=0, xanchor="left")
    legend = {"orientation": "h", "x": 0, "y": -0.16, "yanchor": "top"}
    return fig.update_layout(showlegend=True, legend=legend, margin={"l": 8, "r": 12, "t": 28, "b": 8})


def _sign(sheet: Worksheet, text: str, grid: Grid, gap: int) -> None:
    """Write a sign between a grid and what is left of it."""
    sheet.note(text, row=grid.middle[0], column=grid.left - (gap + 1) / 2)
