"""Drawings in SVG whose parts know what they belong to, so that the browser can light up what is pointed at.

A part with `data-at` is a place to point at, and names what is chosen there. A part with `data-of` is seen while one
of the names it lists is chosen. Styles are left to whoever shows the drawing: the kind of a part is its class.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

import numpy as np
from plotly.colors import sample_colorscale

from cnn_core.plots.grids import decimals_for
from cnn_core.plots.theme import Palette

Box = tuple[float, float, float, float]
"""Top, left, height and width."""

SMALLEST_FIXED, LARGEST_FIXED = 1e-4, 1e7
"""Magnitudes between these are written without an exponent."""


@dataclass(frozen=True)
class Label:
    """Words beside a drawing's edge or on it, which stay upright and readable however it is stretched.

    Attributes:
        text: The words.
        left: Place between the left edge, 0, and the right one, 1.
        top: Place between the upper edge, 0, and the lower one, 1.
        side: Where the words stand from there: above, below or left.
    """

    text: str
    left: float
    top: float
    side: str


@dataclass(frozen=True)
class Drawing:
    """One picture with its name.

    Attributes:
        caption: What it is.
        parts: The parts in SVG, those behind first.
        box: What of them is in sight.
        width: Pixels wide where there is room; None takes all the room.
        height: Pixels high however wide it is; None keeps the proportions of the box.
        labels: Words on it and beside it.
    """

    caption: str
    parts: tuple[str, ...]
    box: Box
    width: int | None = None
    height: int | None = None
    labels: tuple[Label, ...] = ()

    @property
    def svg(self) -> str:
        """The drawing as an element of a page."""
        top, left, height, width = self.box
        stretched = ' preserveAspectRatio="none"' if self.height else ""
        body = "".join(self.parts)
        return f'<svg viewBox="{left:g} {top:g} {width:g} {height:g}"{stretched}>{body}</svg>'


def part(path: str, kind: str, *, of: Iterable[str] = (), at: str = "", colour: str = "") -> str:
    """Write one part of a drawing.

    Args:
        path: Its outline, as SVG writes paths.
        kind: Its class.
        of: What it belongs to: it is in sight while one of these is chosen. Always, if there are none.
        at: What is chosen by pointing at it.
        colour: What it is filled with.

    Example:
        >>> part("M0 0h1v1h-1z", "place", at="output-3")
        '<path class="place" d="M0 0h1v1h-1z" data-at="output-3"/>'
    """
    belongs = " ".join(of)
    written = {"class": kind, "d": path, "data-of": belongs, "data-at": at, "fill": colour}
    attributes = [f'{name}="{escape(value)}"' for name, value in written.items() if value]
    return f"<path {' '.join(attributes)}/>"


def write(value: float, digits: int) -> str:
    """Write a number with a true minus sign, rounded to so many digits; those before the point are all written.

    Example:
        >>> write(-0.25, 3), write(1234.5678, 3), write(1234.5678, 6), write(0.00012345, 3)
        ('−0.25', '1235', '1234.57', '0.000123')
    """
    if SMALLEST_FIXED <= abs(value) < LARGEST_FIXED:
        decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
        text = f"{value:.{decimals}f}"
        text = text.rstrip("0").rstrip(".") if decimals else text
    else:
        text = f"{value:z.{digits}g}"
    return text.replace("-", "−")


def rectangle(top: float, left: float, height: float = 1, width: float = 1) -> str:
    """Write a rectangle as a path.

    Example:
        >>> rectangle(2, 0.5)
        'M0.5 2h1v1h-1z'
    """
    return f"M{left:g} {top:g}h{width:g}v{height:g}h{-width:g}z"


def cells(
    array: np.ndarray,
    *,
    limit: float,
    palette: Palette,
    top: int = 0,
    left: int = 0,
    numbered: bool = False,
) -> list[str]:
    """Draw an array as square cells on the signed scale.

    Args:
        array: Shape (H, W); NaN leaves its cell empty.
        limit: Magnitude at the ends of the scale.
        palette: Colours of the page's theme.
        top: Row of the drawing that holds the array's first row.
        left: Column of the drawing that holds the array's first column.
        numbered: Whether to write each number into its cell.

    Returns:
        One part for each colour, and one for each number.
    """
    filled = np.argwhere(~np.isnan(array))
    values = array[~np.isnan(array)]
    parts = []
    for value in np.unique(values):
        share = float(np.clip((value / limit + 1) / 2, 0, 1))
        (colour,) = sample_colorscale(list(palette.signed), [share])
        path = "".join(rectangle(top + row, left + column) for row, column in filled[values == value])
        parts.append(part(path, "cell", colour=colour))
    if numbered and values.size:
        decimals = decimals_for(values, most=2)
        words = [f"{value:z.{decimals}f}".replace("-", "−") for value in values]
        size = min(0.5, 1.5 / max(map(len, words)))
        for (row, column), value, word in zip(filled, values, words, strict=True):
            colour = palette.on_strong if abs(value) > palette.strong_from * limit else palette.text
            x, y = left + column + 0.5, top + row + 0.5 + 0.35 * size
            parts.append(f'<text x="{x:g}" y="{y:g}" font-size="{size:.2g}" fill="{colour}">{word}</text>')
    return parts
