"""Grids, names and signs on one sheet of square cells, to be read like a calculation done by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from cnn_core.plots.grids import decimals_for, limit_of
from cnn_core.plots.sheets import GREYS, sheet_layout
from cnn_core.plots.theme import Palette, colorscale

CELL = 34
"""Side of a cell in pixels where there is room."""

WIDTH = 450
"""Width in pixels that a sheet of many cells is made for."""

TYPE = 6
"""Smallest size of type in pixels that is still written into cells, on a sheet of that width."""

CHARACTER = 0.65
"""Width that Plotly reckons for a character in a cell, in sizes of type."""

NOTHING = "\u200b"
"""A character of no width."""

CLEAR = ((0.0, "rgba(0,0,0,0)"), (1.0, "rgba(0,0,0,0)"))


@dataclass(frozen=True, eq=False)
class Grid:
    """An array and where on a sheet it lies, in cells; row 0 on top.

    Attributes:
        array: Shape (H, W).
        top: Row of the sheet that holds the array's first row.
        left: Column of the sheet that holds the array's first column.
    """

    array: np.ndarray
    top: int
    left: int

    @property
    def bottom(self) -> int:
        """First row below the grid."""
        return self.top + self.array.shape[0]

    @property
    def right(self) -> int:
        """First column to the right of the grid."""
        return self.left + self.array.shape[1]

    @property
    def middle(self) -> tuple[float, float]:
        """Row and column of the grid's centre."""
        return (self.top + self.bottom - 1) / 2, (self.left + self.right - 1) / 2

    @property
    def cells(self) -> tuple[slice, slice]:
        """The grid's place on an array as large as the sheet."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


class Worksheet:
    """A figure under construction. The centre of the cell in row 0 and column 0 is the origin."""

    def __init__(self, rows: int, columns: int, *, palette: Palette) -> None:
        self.shape = (rows, columns)
        self.palette = palette
        # Plotly checks all shapes again each time one is added, so they are added together at the end.
        self.traces: list[go.Heatmap | go.Image] = []
        self.shapes: list[go.layout.Shape] = []
        self.notes: list[go.layout.Annotation] = []

    def signed(self, name: str, grids: Sequence[Grid]) -> None:
        """Add grids of signed values as one heatmap, and their numbers where they can be read.

        Args:
            name: What they are, for the pointer.
            grids: Where they lie; the largest magnitude among them is at the ends of the scale.
        """
        limit = limit_of(*(grid.array for grid in grids))
        decimals = max(decimals_for(grid.array) for grid in grids)
        values = np.full(self.shape, np.nan)
        words = np.full(self.shape, "", object)
        for grid in grids:
            values[grid.cells] = grid.array
            words[grid.cells] = [[f"{n:z.{decimals}f}" for n in row] for row in grid.array]
            self._edge(grid)
        self._heatmap(name, Grid(values, 0, 0), self._scale(limit))
        self._numbers(words, np.abs(values) > self.palette.strong_from * limit)

    def picture(self, name: str, grid: Grid, *, white: float | None = None, limit: float = 1.0) -> None:
        """Add a picture of many pixels, without numbers.

        Args:
            name: What it is, for the pointer.
            grid: Where it lies.
            white: Draw it in grey, black at 0 and white at this value; None for a signed scale.
            limit: Magnitude at the ends of the signed scale.
        """
        self._heatmap(name, grid, self._scale(limit) if white is None else GREYS | {"zmax": white})
        self._edge(grid)

    def colour(self, name: str, grid: Grid) -> None:
        """Add a colour picture: its grid's array has the shape (H, W, 3), uint8."""
        hover = f"{name}: %{{z}}<extra></extra>"
        self.traces.append(go.Image(z=grid.array, x0=grid.left, y0=grid.top, name=name, hovertemplate=hover))
        self._edge(grid)

    def frame(self, name: str, grid: Grid, *, at: tuple[int, int], shape: tuple[int, int] = (1, 1)) -> None:
        """Outline the cells of a grid that are meant: `shape` of them, from row and column `at` on."""
        top, left = grid.top + at[0] - 0.5, grid.left + at[1] - 0.5
        self._outline(name, top, left, shape, self.palette.accent, 3)

    def note(self, text: str, *, row: float, column: float) -> None:
        """Write a sign or a word between the grids."""
        font = {"size": 16, "color": self.palette.text}
        self.notes.append(go.layout.Annotation(text=text, x=column, y=row, showarrow=False, font=font))

    def label(self, text: str, grid: Grid, *, meant: bool = False) -> None:
        """Write a name above a grid; in bold and in the accent if it is the one that is meant."""
        self.notes.append(
            go.layout.Annotation(
                text=f"<b>{text}</b>" if meant else text,
                x=grid.left - 0.5,
                y=grid.top - 0.5,
                xanchor="left",
                yanchor="bottom",
                showarrow=False,
                borderpad=0,
                font={"size": 12, "color": self.palette.accent if meant else self.palette.text},
            )
        )

    @property
    def cell(self) -> float:
        """Side of a cell in pixels on a sheet that is not shrunk."""
        return min(CELL, WIDTH / self.shape[1])

    def finish(self) -> go.Figure:
        """Put everything into a figure.

        Returns:
            The figure; row 0 on top, square cells. A sheet too wide for its column shrinks as a whole, and
            the numbers with it.
        """
        rows, columns = self.shape
        layout = sheet_layout(
            x=(-0.6, columns - 0.4),
            y=(rows - 0.4, -0.6),
            height=round(rows * self.cell) + 16,
            palette=self.palette,
        )
        return go.Figure(self.traces, layout | {"shapes": self.shapes, "annotations": self.notes})

    def _scale(self, limit: float) -> dict[str, Any]:
        return {"zmin": -limit, "zmax": limit, "colorscale": colorscale(self.palette.signed)}

    def _heatmap(self, name: str, grid: Grid, scale: dict[str, Any]) -> None:
        self.traces.append(
            go.Heatmap(
                z=grid.array,
                x0=grid.left,
                y0=grid.top,
                showscale=False,
                name=name,
                hoverongaps=False,
                hovertemplate=f"{name}: %{{z:.6~g}}<extra></extra>",
                **scale,
            )
        )

    def _edge(self, grid: Grid) -> None:
        self._outline("edge", grid.top - 0.5, grid.left - 0.5, grid.array.shape, self.palette.line, 1)

    def _numbers(self, words: np.ndarray, strong: np.ndarray) -> None:
        """Write words into the cells, in a colour of their own on strong cells.

        They are the text of invisible heatmaps, which the browser fits into the cells. It chooses the size of
        type by the longest word and the nearest neighbours; both heatmaps are given the same of these. Words
        that would be too small to read are left to the pointer.
        """
        longest = max(len(word) for word in words.flat)
        if self.cell < TYPE * CHARACTER * longest:
            return
        for colour, here in ((self.palette.text, ~strong), (self.palette.on_strong, strong)):
            chosen = np.where(here, words, "")
            if not chosen.any():
                continue
            for place in ((0, 0), (0, 1), (1, 0)):
                chosen[place] = chosen[place] or NOTHING
            self.traces.append(
                go.Heatmap(
                    z=np.zeros(self.shape, np.uint8),
                    text=[[word and word.ljust(longest, NOTHING) for word in row] for row in chosen],
                    texttemplate="%{text}",
                    textfont={"color": colour},
                    colorscale=CLEAR,
                    showscale=False,
                    hoverinfo="skip",
                    name="numbers",
                )
            )

    def _outline(
        self, name: str, top: float, left: float, shape: tuple[int, int], colour: str, thickness: float
    ) -> None:
        corners = {"x0": left, "x1": left + shape[1], "y0": top, "y1": top + shape[0]}
        line = {"color": colour, "width": thickness}
        self.shapes.append(go.layout.Shape(type="rect", name=name, line=line, **corners))
