"""What a trained network looks like: its feature maps and kernels as tiles, its errors as a matrix."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from cnn_core.plots.grids import limit_of
from cnn_core.plots.theme import LIGHT, Palette, colorscale, finish

MOSAIC_WIDTH = 1200
# A share of errors this small gets the strongest colour only if no share is larger.
SMALLEST_SCALE = 0.05
# How bright red, green and blue are to the eye (ITU-R BT.709).
BRIGHTNESS = (0.2126, 0.7152, 0.0722)


def mosaic_columns(number: int) -> int:
    """Choose how many tiles stand side by side: about three times the rows.

    It is a divisor of their number, so that the last row is full, unless none comes near.

    Example:
        >>> [mosaic_columns(number) for number in (1, 6, 11, 16, 32)]
        [1, 3, 6, 8, 8]
    """
    usual = math.sqrt(3 * number)
    divisors = [columns for columns in range(1, number + 1) if number % columns == 0]
    nearest = min(divisors, key=lambda columns: abs(columns - usual))
    return nearest if usual / 2 <= nearest <= 2 * usual else round(usual)


def mosaic(
    arrays: np.ndarray,
    *,
    columns: int | None = None,
    limit: float | None = None,
    width: int = MOSAIC_WIDTH,
    palette: Palette = LIGHT,
) -> np.ndarray:
    """Draw signed arrays as tiles of one picture: blue below zero, orange above, neutral at zero.

    Args:
        arrays: Shape (N, H, W).
        columns: Tiles side by side; `mosaic_columns` chooses if None.
        limit: Magnitude at the ends of the colour scale; the arrays' own largest magnitude if None.
        width: Upper bound of the picture's width in pixels; each cell takes the same whole number of them.
        palette: Colours of the page's theme.

    Returns:
        Picture (height, width, 3), uint8: tile 0 at the top left, the others row by row.

    Example:
        >>> mosaic(np.zeros((6, 28, 28)), width=600).shape
        (339, 510, 3)
    """
    number, height, cells_across = arrays.shape
    columns = mosaic_columns(number) if columns is None else columns
    rows = math.ceil(number / columns)
    cell = max(1, width // (columns * cells_across + columns - 1))
    gap = max(2, cell // 2)
    limit = limit_of(arrays) if limit is None else limit
    tiles = _signed_colours(arrays, limit, palette).repeat(cell, axis=1).repeat(cell, axis=2)
    step_down, step_right = height * cell + gap, cells_across * cell + gap
    canvas = np.empty((rows * step_down - gap, columns * step_right - gap, 3), np.uint8)
    canvas[:] = _rgb(palette.background)
    for index, tile in enumerate(tiles):
        top, left = index // columns * step_down, index % columns * step_right
        canvas[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return canvas


def kernel_mosaic(weight: np.ndarray, *, palette: Palette = LIGHT) -> np.ndarray:
    """Draw all kernels of a layer: a column for each output channel, a row for each input channel.

    Args:
        weight: Shape (C_out, C_in, kH, kW).
        palette: Colours of the page's theme.

    Returns:
        Picture (height, width, 3), uint8; all kernels share one scale.
    """
    kernels = weight.swapaxes(0, 1).reshape(-1, *weight.shape[2:])  # (C_in * C_out, kH, kW)
    return mosaic(kernels, columns=len(weight), palette=palette)


def enlarged(image: np.ndarray, *, width: int = 280) -> np.ndarray:
    """Enlarge a picture so that each pixel is a sharp square.

    Args:
        image: (H, W) or (H, W, 3), uint8.
        width: Upper bound of the result's width in pixels.

    Example:
        >>> enlarged(np.zeros((28, 28), np.uint8)).shape
        (280, 280)
    """
    times = max(1, width // image.shape[1])
    return image.repeat(times, axis=0).repeat(times, axis=1)


def confusion(
    counts: Sequence[Sequence[int]], class_names: Sequence[str], *, palette: Palette = LIGHT
) -> go.Figure:
    """Draw a confusion matrix so that the errors are what one sees.

    Each error is coloured by its share of the pictures of its true class. What is right stands on the
    diagonal, framed and without colour: it would outshine all errors.

    Args:
        counts: counts[i][j] pictures of class i were taken for class j.
        class_names: One for each class.
        palette: Colours of the page's theme.

    Returns:
        One heatmap with the counts written in; a row for each true class, a column for each predicted one.
    """
    counts = np.asarray(counts)
    totals = np.broadcast_to(counts.sum(axis=1, keepdims=True), counts.shape)
    shares = counts / np.maximum(totals, 1)
    errors = np.where(np.eye(len(counts), dtype=bool), 0, shares)
    highest = max(SMALLEST_SCALE, float(errors.max()))
    heat = go.Heatmap(
        x=list(class_names),
        y=list(class_names),
        z=errors,
        zmin=0,
        zmax=highest,
        colorscale=colorscale(palette.sequential),
        colorbar={
            "title": {"text": "errors, as a share of their row", "side": "top"},
            "orientation": "h",
            "y": 1.0,
            "yanchor": "bottom",
            "thickness": 10,
            "outlinewidth": 0,
            "tickformat": ".0%",
        },
        customdata=np.stack([counts, totals, shares], axis=-1),
        hovertemplate="true %{y}, taken for %{x}: %{customdata[0]:,} of %{customdata[1]:,}"
        " (%{customdata[2]:.1%})<extra></extra>",
        xgap=1,
        ygap=1,
    )
    fig = finish(go.Figure(heat), palette=palette, height=560)
    labels, predictions = np.nonzero(counts)
    fig.add_scatter(
        x=[class_names[index] for index in predictions],
        y=[class_names[index] for index in labels],
        text=[f"{count}" for count in counts[labels, predictions]],
        mode="text",
        textfont={"color": _readable_on(errors[labels, predictions] / highest, palette), "size": 11},
        hoverinfo="skip",
    )
    for index in range(len(counts)):
        corners = {"x0": index - 0.5, "x1": index + 0.5, "y0": index - 0.5, "y1": index + 0.5}
        fig.add_shape(type="rect", **corners, line={"color": palette.accent, "width": 1.5})
    axis = {"type": "category", "showgrid": False, "zeroline": False, "ticks": "", "fixedrange": True}
    fig.update_xaxes(title="taken for", tickangle=-45 if max(map(len, class_names)) > 2 else 0, **axis)
    fig.update_yaxes(autorange="reversed", **axis)
    return fig


@dataclass(frozen=True)
class Confusion:
    """How often one class was taken for another.

    Attributes:
        label: The true class.
        prediction: What it was taken for.
        count: How often.
        total: Pictures of the true class.
    """

    label: int
    prediction: int
    count: int
    total: int


def largest_errors(counts: Sequence[Sequence[int]], *, most: int = 3) -> list[Confusion]:
    """List the most frequent errors of a confusion matrix, the most frequent first.

    Args:
        counts: counts[i][j] pictures of class i were taken for class j.
        most: How many to list; there are fewer if fewer kinds of error occurred.

    Example:
        >>> largest_errors([[5, 2], [0, 7]])
        [Confusion(label=0, prediction=1, count=2, total=7)]
    """
    errors = [
        Confusion(label, prediction, count, sum(row))
        for label, row in enumerate(counts)
        for prediction, count in enumerate(row)
        if count and prediction != label
    ]
    return sorted(errors, key=lambda error: error.count, reverse=True)[:most]


def _signed_colours(array: np.ndarray, limit: float, palette: Palette) -> np.ndarray:
    """Turn signed values into colours, uint8, with a last axis of red, green and blue."""
    return _colours(array / (2 * limit) + 0.5, palette.signed)


def _colours(parts: np.ndarray, stops: tuple[str, ...]) -> np.ndarray:
    """Turn values from 0 to 1 into colours between evenly spread stops."""
    table = np.array([_rgb(stop) for stop in stops])  # (stops, 3)
    places = np.linspace(0, 1, len(stops))
    channels = [np.interp(parts, places, table[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def _readable_on(parts: np.ndarray, palette: Palette) -> list[str]:
    """Choose for each value from 0 to 1 on the sequential scale the text colour that stands out more."""
    cells = _luminance(_colours(parts, palette.sequential))
    candidates = (palette.text, palette.on_strong)
    contrasts = []
    for colour in candidates:
        text = _luminance(np.array(_rgb(colour)))
        contrasts.append((np.maximum(cells, text) + 0.05) / (np.minimum(cells, text) + 0.05))
    return [candidates[index] for index in np.argmax(contrasts, axis=0)]


def _luminance(colours: np.ndarray) -> np.ndarray:
    """Compute how bright colours look, from 0 to 1, as WCAG 2 does to measure contrast."""
    return (colours / 255) ** 2.2 @ np.array(BRIGHTNESS)


def _rgb(colour: str) -> tuple[int, int, int]:
    """Return red, green and blue of "#rrggbb"."""
    return tuple(bytes.fromhex(colour.removeprefix("#")))
