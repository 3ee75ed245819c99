"""Kernels side by side, and pictures beside what kernels make of them."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from cnn_core.plots.grids import limit_of
from cnn_core.plots.theme import LIGHT, Palette
from cnn_core.plots.worksheet import CELL, WIDTH, Grid, Worksheet

HEIGHT = 300
"""Height in pixels that a sheet of kernels may have."""

TALLEST = 360
"""Height in pixels that a line of pictures may have."""

LABEL = 18
"""Height of a name in pixels."""

LETTERS = 4
"""Letters of a name that have room above a cell."""


def kernels(
    named: Mapping[str, np.ndarray], *, meant: str | None = None, palette: Palette = LIGHT
) -> go.Figure:
    """Draw kernels of one shape side by side on one signed scale, in as many lines as they need.

    Args:
        named: What to write above each kernel -> its cells, shape (kH, kW).
        meant: The name that is set off.
        palette: Colours of the page's theme.

    Returns:
        One heatmap named kernel, as large as the sheet, and their numbers where they can be read.
    """
    rows, columns = next(iter(named.values())).shape
    per_line = _per_line(len(named), rows, columns)
    grids = {
        name: Grid(cells, 1 + index // per_line * (rows + 1), index % per_line * (columns + 1))
        for index, (name, cells) in enumerate(named.items())
    }
    wide = max(2, per_line * (columns + 1) - 1)  # one name takes the width of two cells
    sheet = Worksheet(max(grid.bottom for grid in grids.values()), wide, palette=palette)
    sheet.signed("kernel", list(grids.values()))
    for name, grid in grids.items():
        sheet.label(name, grid, meant=name == meant)
        if name == meant:
            sheet.frame(name, grid, at=(0, 0), shape=grid.array.shape)
    return sheet.finish()


def _per_line(count: int, rows: int, columns: int) -> int:
    """Find how many kernels a line takes so that cells are large and the sheet is not too high."""
    fitting = {}
    for per_line in range(1, count + 1):
        cell = min(CELL, WIDTH / (per_line * (columns + 1) - 1))
        if math.ceil(count / per_line) * (rows + 1) * cell <= HEIGHT:
            fitting[per_line] = cell
    return max(fitting, key=lambda per_line: (fitting[per_line], per_line), default=count)


def composed(
    first: np.ndarray,
    second: np.ndarray,
    single: np.ndarray,
    *,
    names: Sequence[str] = ("first", "second", "single"),
    palette: Palette = LIGHT,
) -> go.Figure:
    """Draw two kernels and the single one that does the same, each on a scale of its own.

    Args:
        first: Shape (kH1, kW1).
        second: Shape (kH2, kW2).
        single: Shape (kH1 + kH2 - 1, kW1 + kW2 - 1).
        names: What to write above them.
        palette: Colours of the page's theme.

    Returns:
        Heatmaps of these names, as large as the sheet.
    """
    grids: list[Grid] = []
    left = 0
    for name, cells in zip(names, (first, second, single), strict=True):
        grids.append(Grid(cells, 1, left))
        left = max(grids[-1].right + 1, left + math.ceil(len(name) / LETTERS))
    sheet = Worksheet(1 + len(single), left, palette=palette)
    for name, grid in zip(names, grids, strict=True):
        sheet.signed(name, [grid])
        sheet.label(name, grid, meant=grid is grids[-1])
    sheet.frame(names[-1], grids[-1], at=(0, 0), shape=single.shape)
    return sheet.finish()


def pictures(
    picture: np.ndarray, *lines: Mapping[str, np.ndarray], white: float, palette: Palette = LIGHT
) -> go.Figure:
    """Draw a picture and what kernels make of it, pixels all of one size.

    Args:
        picture: Shape (H, W), drawn in grey at the left.
        lines: Name -> signed values, no larger than the picture; one line below the other. They share one scale.
        white: Value of white pixels.
        palette: Colours of the page's theme.

    Returns:
        One heatmap for each, named as above it.
    """
    (height, width), count = picture.shape, 1 + max(map(len, lines))
    gap = max(1, width // 20)
    # A high and narrow picture lies on a sheet that is as wide as if it were not, and its names get room.
    columns = max(count * (width + gap) - gap, math.ceil(WIDTH * height / TALLEST))
    pitch = max(width + gap, columns // (count + 1))
    above = math.ceil(LABEL * columns / WIDTH)
    sheet = Worksheet(len(lines) * (above + height), columns, palette=palette)
    grid = Grid(picture, above, 0)
    sheet.picture("input", grid, white=white)
    sheet.label("input", grid)
    limit = limit_of(*(output for line in lines for output in line.values()))
    for row, line in enumerate(lines):
        for column, (name, output) in enumerate(line.items(), start=1):
            grid = Grid(output.astype(np.float32), above + row * (above + height), column * pitch)
            sheet.picture(name, grid, limit=limit)
            sheet.label(name, grid)
    return sheet.finish()
