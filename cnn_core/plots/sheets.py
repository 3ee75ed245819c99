"""Several pictures on one sheet of square cells, so that they stay together however wide the page is."""

from typing import Any

from cnn_core.plots.theme import Palette, layout

GREYS = {"zmin": 0, "zmax": 255, "colorscale": ((0.0, "#000000"), (1.0, "#ffffff"))}
"""How a heatmap draws a picture with values from 0 to 255."""


def unit_square(shape: tuple[int, ...], place: tuple[float, float], *, side: int = 0) -> dict[str, float]:
    """Put a heatmap or an image of any size where its longer side is 1.

    Args:
        shape: (H, W, ...) of the array.
        place: Row and column of its upper left corner, in units of the sheet.
        side: Pixels that make 1 instead of the longer side.

    Returns:
        Where Plotly puts the first pixel's centre, and the step from pixel to pixel.

    Example:
        >>> unit_square((2, 4), (0, 1))
        {'x0': 1.125, 'y0': 0.125, 'dx': 0.25, 'dy': 0.25}
    """
    step = 1 / (side or max(shape[:2]))
    return {"x0": place[1] + step / 2, "y0": place[0] + step / 2, "dx": step, "dy": step}


def sheet_layout(
    *, x: tuple[float, float], y: tuple[float, float], height: int, palette: Palette
) -> dict[str, Any]:
    """Return the layout of a figure with one pair of axes, square cells and nothing else to see.

    A figure that is made with its layout takes half as long as one that gets it later.

    Args:
        x: Left and right end.
        y: Lower and upper end; the lower is the larger number, so that row 0 is on top.
        height: Height of the figure in pixels.
        palette: Colours of the page's theme.
    """
    hidden = {"visible": False, "fixedrange": True, "constrain": "domain"}
    square = {"scaleanchor": "x", "scaleratio": 1, "constraintoward": "top"}
    return layout(palette=palette, height=height) | {
        "xaxis": {"range": x, **hidden},
        "yaxis": {"range": y, **square, **hidden},
        "margin": {"l": 4, "r": 4, "t": 8, "b": 8},
    }
