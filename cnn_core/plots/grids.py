"""Arrays as grids of square cells: pictures in grey or colour, signed values in blue and orange."""

import numpy as np
import plotly.graph_objects as go

from cnn_core.plots.theme import LIGHT, Palette, colorscale, finish

# Up to this many cells along the longer side, each cell shows its number, if it can be read there.
MAX_NUMBERED = 16
MIN_TYPE_SIZE = 7

# Under the grid, not beside it: two grids in columns of equal width keep cells of equal size.
_SCALE = {"orientation": "h", "thickness": 10, "outlinewidth": 0, "y": -0.02, "yanchor": "top"}


def limit_of(*arrays: np.ndarray) -> float:
    """Return the largest magnitude in the arrays, so that several grids share one signed scale.

    Example:
        >>> limit_of(np.array([1.0, -3.0]), np.array([2.0]))
        3.0
    """
    magnitude = max((float(np.max(np.abs(array))) for array in arrays if array.size), default=0.0)
    return magnitude or 1.0


def decimals_for(array: np.ndarray, *, most: int = 3) -> int:
    """Return the fewest decimals, at most `most`, that write every number of the array exactly.

    Example:
        >>> decimals_for(np.array([1.0, -2.0])), decimals_for(np.array([0.25, 1 / 3]))
        (0, 3)
    """
    for decimals in range(most):
        if np.allclose(array, np.round(array, decimals), rtol=0, atol=1e-6):
            return decimals
    return most


def signed(
    array: np.ndarray,
    *,
    title: str = "",
    limit: float | None = None,
    numbers: bool | None = None,
    decimals: int | None = None,
    show_scale: bool = False,
    within: tuple[int, int] | None = None,
    height: int = 320,
    palette: Palette = LIGHT,
) -> go.Figure:
    """Draw a signed array: blue below zero, orange above, neutral at zero.

    Args:
        array: Shape (H, W).
        title: What the grid is, shown above it.
        limit: Magnitude at the ends of the scale; the array's own largest magnitude if None.
        numbers: Write each value into its cell; if None, where they fit, on grids of up to 16 cells a side.
        decimals: Decimals of the written numbers; if None, as few as write them exactly, at most 3.
        show_scale: Draw the colour bar, under the grid.
        within: Rows and columns of the space in which the grid is centred, so that a smaller grid beside a
            larger one has cells of the same size; None is the grid's own shape.
        height: Height of the figure in pixels.
        palette: Colours of the page's theme.

    Returns:
        One heatmap; row 0 on top, square cells.
    """
    limit = limit_of(array) if limit is None else limit
    heat = go.Heatmap(
        z=array,
        zmin=-limit,
        zmax=limit,
        colorscale=colorscale(palette.signed),
        showscale=show_scale,
        colorbar=_SCALE,
        hovertemplate="row %{y}, column %{x}: %{z:.6~g}<extra></extra>",
    )
    fig = _square(go.Figure(heat), array.shape, title=title, within=within, height=height, palette=palette)
    strong = np.abs(array) > palette.strong_from * limit
    colours = np.where(strong, palette.on_strong, palette.text)
    _write_numbers(
        fig,
        array,
        colours,
        numbers=numbers,
        decimals=decimals,
        cell_size=(height - 40) / max(array.shape),
    )
    return fig


def picture(
    image: np.ndarray,
    *,
    title: str = "",
    vmin: float = 0,
    vmax: float = 255,
    numbers: bool | None = None,
    decimals: int | None = None,
    show_scale: bool = False,
    within: tuple[int, int] | None = None,
    height: int = 320,
    palette: Palette = LIGHT,
) -> go.Figure:
    """Draw a picture: grey from black at `vmin` to white at `vmax`, or colour.

    Args:
        image: Shape (H, W), or (H, W, 3) with uint8 red, green and blue.
        title: What the picture is, shown above it.
        vmin: Value drawn black.
        vmax: Value drawn white.
        numbers: Write each value into its cell of a grey picture, as in `signed`.
        decimals: Decimals of the written numbers, as in `signed`.
        show_scale: Draw the bar of greys, under a grey picture.
        within: Rows and columns of the space in which the grid is centred, so that a smaller grid beside a
            larger one has cells of the same size; None is the grid's own shape.
        height: Height of the figure in pixels.
        palette: Colours of the page's theme.

    Returns:
        One heatmap (grey) or one image (colour); row 0 on top, square cells.
    """
    if image.ndim == 3:
        colour = go.Image(z=image, hovertemplate="row %{y}, column %{x}: %{z}<extra></extra>")
        return _square(
            go.Figure(colour), image.shape[:2], title=title, within=within, height=height, palette=palette
        )
    heat = go.Heatmap(
        z=image,
        zmin=vmin,
        zmax=vmax,
        colorscale=[(0, "#000000"), (1, "#ffffff")],
        showscale=show_scale,
        colorbar=_SCALE,
        hovertemplate="row %{y}, column %{x}: %{z}<extra></extra>",
    )
    fig = _square(go.Figure(heat), image.shape, title=title, within=within, height=height, palette=palette)
    colours = np.where(image < (vmin + vmax) / 2, "#ffffff", "#000000")
    _write_numbers(
        fig,
        image,
        colours,
        numbers=numbers,
        decimals=decimals,
        cell_size=(height - 40) / max(image.shape),
    )
    return fig


def outline(fig: go.Figure, rows: range, columns: range, *, palette: Palette = LIGHT) -> go.Figure:
    """Frame some cells of a grid in the accent colour: a window, or the output it makes.

    Args:
        fig: A grid of this module; changed in place.
        rows: The framed rows; those beyond the grid are cut off.
        columns: The framed columns.
        palette: Colours of the page's theme.

    Returns:
        The same figure.
    """
    box = {"x0": columns[0] - 0.5, "x1": columns[-1] + 0.5, "y0": rows[0] - 0.5, "y1": rows[-1] + 0.5}
    # The light line below keeps the frame in sight on dark pictures.
    fig.add_shape(type="rect", **box, line={"color": palette.background, "width": 5}, name="window halo")
    return fig.add_shape(type="rect", **box, line={"color": palette.accent, "width": 3}, name="window")


def _square(
    fig: go.Figure,
    shape: tuple[int, int],
    *,
    title: str,
    within: tuple[int, int] | None,
    height: int,
    palette: Palette,
) -> go.Figure:
    finish(fig, palette=palette, height=height)
    rows, columns = shape
    room_rows, room_columns = within or shape
    above, left = (room_rows - rows) / 2 + 0.5, (room_columns - columns) / 2 + 0.5
    hidden = {"showgrid": False, "zeroline": False, "showticklabels": False, "ticks": "", "fixedrange": True}
    frame = {"type": "rect", "x0": -0.5, "x1": columns - 0.5, "y0": -0.5, "y1": rows - 0.5}
    # All in one update, because each of them takes Plotly milliseconds.
    fig.update_layout(
        xaxis={"range": (-left, room_columns - left), "constrain": "domain", **hidden},
        yaxis={
            "range": (room_rows - above, -above),
            "scaleanchor": "x",
            "scaleratio": 1,
            "constrain": "domain",
            "constraintoward": "top",
            **hidden,
        },
        shapes=[{**frame, "line": {"color": palette.line, "width": 1}}],
        title={"text": title, "x": 0.5, "xanchor": "center", "y": 0.98, "font": {"size": 14}},
    )
    return fig


def _write_numbers(
    fig: go.Figure,
    array: np.ndarray,
    colours: np.ndarray,
    *,
    numbers: bool | None,
    decimals: int | None,
    cell_size: float,
) -> None:
    if numbers is False or (numbers is None and max(array.shape) > MAX_NUMBERED):
        return
    decimals = decimals_for(array) if decimals is None else decimals
    text = [f"{value:z.{decimals}f}" for value in array.ravel()]
    size = int(cell_size * 1.4 / max(2, *map(len, text)))
    if numbers is None and size < MIN_TYPE_SIZE:
        return
    rows, columns = np.indices(array.shape)
    fig.add_scatter(
        x=columns.ravel(),
        y=rows.ravel(),
        text=text,
        mode="text",
        textfont={"size": max(8, min(16, size)), "color": colours.ravel().tolist()},
        hoverinfo="skip",
        showlegend=False,
    )
