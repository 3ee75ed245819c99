"""The lesson "LeNet, layer by layer": a picture on its way through a network, with the real numbers of each layer."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from cnn_core import inspection
from cnn_core.inspection import Parameters
from cnn_core.network import Network, format_layer
from cnn_core.plots import architecture
from cnn_core.plots import training as plots
from cnn_core.plots.grids import limit_of
from cnn_core.shapes import format_shape
from cnn_core.summary import LayerSummary, Shape, summarize
from ui import controls, page
from ui.networks import on_the_way_text
from ui.networks.model_input import Picture

MAX_MULT_ADDS = 300_000_000
"""Most multiplications that are done for a visitor's look: about a second."""

MAX_BYTES = 50_000_000
"""Most memory for the outputs of all layers for one picture, so that a look does not stop the other visitors."""

MAX_CHANNELS = 32
"""Most feature maps of one layer that are drawn."""

SIDE = 352
"""Width and height of the largest drawing, in pixels: a telephone shows it unscaled, so all keep one scale."""

LARGEST_CELL = 16
STRIP = 10
"""Height of one channel of a signal, in pixels."""

SILHOUETTE = 40
"""Height of the signal that goes in, in cells."""

NUMBER, NUMBERS_ACROSS, MAX_NUMBERS = 5, 50, 500
"""Size of one number of a vector, in pixels; how many stand in a row; how many are drawn."""

MAX_BARS = 32


def section(network: Network, input_shape: Shape, picture: Picture, *, parameters: Parameters) -> None:
    """Draw what each layer makes of a picture, one layer below the other.

    Args:
        network: A network that fits the input.
        input_shape: (C, H, W), (C, L) or (features,).
        picture: What goes in.
        parameters: Parameters of the network by name.
    """
    st.subheader("Layer by layer: a picture on its way", anchor=False)
    rows = summarize(network, input_shape)
    if reason := _too_much(rows):
        st.info(reason, icon=":material/hourglass_disabled:")
    else:
        with page.errors_in_place():
            outputs = inspection.activations(network, parameters, picture.x)
            st.fragment(_steps)(rows, picture, [output for _, output in outputs])
    _listing(rows)


def _too_much(rows: Sequence[LayerSummary]) -> str:
    """Say why a network is not computed for a look; "" if it is."""
    mult_adds = sum(row.mult_adds for row in rows)
    num_bytes = sum(row.activation_bytes for row in rows)
    if mult_adds > MAX_MULT_ADDS:
        much = f"{mult_adds / 1e6:,.0f} million multiplications, more than the {MAX_MULT_ADDS / 1e6:,.0f} million"
    elif num_bytes > MAX_BYTES:
        much = f"{num_bytes / 1e6:,.0f} MB of numbers, more than the {MAX_BYTES / 1e6:,.0f} MB"
    else:
        return ""
    return (
        f"One picture needs {much} that this page spends on a look. Take a smaller input or fewer channels."
    )


def _steps(rows: Sequence[LayerSummary], picture: Picture, outputs: Sequence[np.ndarray]) -> None:
    maps = [output[:MAX_CHANNELS] for output in (picture.x, *outputs) if output.ndim > 1]
    scale = fitting_scale(output.shape for output in maps)
    one_scale = bool(maps) and controls.switch(
        "One scale",
        key="a-scale",
        default=scale >= 0.5,
        help="Draw all pixels in one size, so that a smaller map looks smaller.",
    )
    page.reading(on_the_way_text.from_to(rows, picture.x.shape))
    scale = scale if one_scale else None
    _input(picture, scale)
    before = picture.x
    for row, output in zip(rows, outputs, strict=True):
        left, right = st.columns([2, 3], gap="medium", vertical_alignment="center")
        with left:
            st.markdown(
                f"**{row.name}** `{format_layer(row.layer)}` :gray-badge[{format_shape(row.output_shape)}]\n\n"
                + on_the_way_text.what_it_did(row, before)
            )
        with right:
            _output(row, output, scale, picture.class_names, is_last=row is rows[-1])
        before = output


def _input(picture: Picture, scale: float | None) -> None:
    left, right = st.columns([2, 3], gap="medium", vertical_alignment="center")
    shape = format_shape(picture.x.shape)
    left.markdown(f"**input** :gray-badge[{shape}]\n\n{picture.name}. Its numbers run from 0 to 1.")
    if picture.shown.ndim == 1:
        scale = scale or fitting_scale([(1, len(picture.shown))])
        levels = np.arange(SILHOUETTE, 0, -1)[:, None] / SILHOUETTE  # (SILHOUETTE, 1)
        drawn = _reduced((picture.shown >= levels)[None].astype(float), (1, _block(scale)))
        image = _tiles(drawn, _cell(scale), columns=1)
    else:
        scale = scale or fitting_scale([(1, *picture.shown.shape[:2])])
        channels = np.atleast_3d(picture.shown).transpose(2, 0, 1).astype(float)
        drawn = _reduced(channels, (_block(scale),) * 2).transpose(1, 2, 0)
        cell = _cell(scale)
        image = drawn.round().astype(np.uint8).repeat(cell, axis=0).repeat(cell, axis=1).squeeze()
    right.image(image, width=image.shape[1], output_format="PNG", alt=f"what goes in: {picture.name}")


def _output(
    row: LayerSummary, output: np.ndarray, scale: float | None, class_names: Sequence[str], *, is_last: bool
) -> None:
    if not np.isfinite(output).all():
        st.warning(
            "Some of these numbers have grown beyond what a float32 can hold.", icon=":material/warning:"
        )
    elif output.ndim > 1:
        _maps(row, output, scale)
    elif is_last and len(output) <= MAX_BARS:
        _bars(row, output, class_names)
    else:
        shown = output[:MAX_NUMBERS]
        width = NUMBER * (2 * NUMBERS_ACROSS - 1)
        image = plots.mosaic(
            shown.reshape(-1, 1, 1),
            columns=min(len(shown), NUMBERS_ACROSS),
            limit=limit_of(output),
            width=width if len(shown) >= NUMBERS_ACROSS else NUMBER * (2 * len(shown) - 1),
            palette=page.palette(),
        )
        _image(row, output, image, shown=len(shown), things="numbers")


def _maps(row: LayerSummary, output: np.ndarray, scale: float | None) -> None:
    shown = output[:MAX_CHANNELS]
    scale = scale or fitting_scale([shown.shape])
    block, cell = _block(scale), _cell(scale)
    if output.ndim == 2:
        strips = _reduced(shown[:, None], (1, block)).repeat(math.ceil(STRIP / cell), axis=1)
        image = _tiles(strips, cell, columns=1, limit=limit_of(output))
    else:
        tiles = _reduced(shown, (block, block))
        columns = min(len(tiles), _columns(tiles.shape[2] * cell, cell))
        image = _tiles(tiles, cell, columns=columns, limit=limit_of(output))
    mean = f" Each drawn pixel is the mean of {block} along each axis." if block > 1 else ""
    _image(row, output, image, shown=len(shown), things="feature maps", more=mean)


def _image(
    row: LayerSummary, output: np.ndarray, image: np.ndarray, *, shown: int, things: str, more: str = ""
) -> None:
    part = f"The first {shown} of {len(output):,} {things}. " if shown < len(output) else ""
    st.image(
        image,
        width=image.shape[1],
        output_format="PNG",
        alt=f"the {shown} {things} after {row.name} as tiles",
    )
    st.caption(f"{part}{on_the_way_text.values(output)}{more}")


def _bars(row: LayerSummary, output: np.ndarray, class_names: Sequence[str]) -> None:
    names = class_names if len(class_names) == len(output) else [str(index) for index in range(len(output))]
    best = int(output.argmax())
    st.vega_lite_chart(
        pd.DataFrame(architecture.number_bars(output, names)),
        architecture.number_spec(palette=page.palette()),
        height=24 * len(output) + 16,
        key="a-logits",
        alt=f"the {len(output)} numbers that come out of {row.name}; the largest is that of {names[best]}",
    )
    st.caption(f"One logit for each class. The largest, {output[best]:.3g}, is that of {names[best]}.")


def _listing(rows: Sequence[LayerSummary]) -> None:
    st.markdown(
        "The same as text: what PyTorch prints if a loop sends one example through the layers. The first size is "
        "the batch."
    )
    st.code(on_the_way_text.listing(rows), language=None)


def fitting_scale(shapes: Iterable[Shape]) -> float:
    """Choose the size of a pixel so that each layer's maps fit the drawing.

    Args:
        shapes: (C, H, W) or (C, L) of each layer; C counts what is drawn.

    Returns:
        Pixels of the screen for each pixel of a map: a whole number, or one divided by a whole number.

    Example:
        >>> fitting_scale([(1, 28, 28), (6, 28, 28), (16, 5, 5)]), fitting_scale([(3, 700, 700)])
        (4, 0.25)
    """
    shapes = list(shapes)
    enlarged = (cell for cell in range(LARGEST_CELL, 1, -1) if all(_fits(shape, cell) for shape in shapes))
    if cell := next(enlarged, None):
        return cell
    block = 1
    while not all(_fits(shape, 1 / block) for shape in shapes):
        block += 1
    return 1 / block if block > 1 else 1


def _fits(shape: Shape, scale: float) -> bool:
    channels, *_, across = shape
    block, cell = _block(scale), _cell(scale)
    width = math.ceil(across / block) * cell
    if len(shape) == 2:
        return width <= SIDE
    height = math.ceil(shape[1] / block) * cell
    columns = _columns(width, cell)
    return columns > 0 and math.ceil(channels / columns) * (height + _gap(cell)) <= SIDE + _gap(cell)


def _columns(width: int, cell: int) -> int:
    """Count the tiles that stand side by side."""
    return (SIDE + _gap(cell)) // (width + _gap(cell))


def _gap(cell: int) -> int:
    """Return the room between two tiles of `plots.mosaic`."""
    return max(2, cell // 2)


def _cell(scale: float) -> int:
    return max(1, int(scale))


def _block(scale: float) -> int:
    """Return how many pixels of a map, along one axis, share a pixel of the screen."""
    return max(1, round(1 / scale))


def _reduced(maps: np.ndarray, block: tuple[int, int]) -> np.ndarray:
    """Take the mean of each block of pixels; maps (C, H, W). At the end the last pixel counts repeatedly."""
    if max(block) == 1:
        return maps
    rows, columns = block
    channels, height, width = maps.shape
    padded = np.pad(maps, ((0, 0), (0, -height % rows), (0, -width % columns)), mode="edge")
    blocks = padded.reshape(channels, -(-height // rows), rows, -(-width // columns), columns)
    return blocks.mean((2, 4))


def _tiles(tiles: np.ndarray, cell: int, *, columns: int, limit: float | None = None) -> np.ndarray:
    width = cell * (columns * tiles.shape[2] + columns - 1)
    return plots.mosaic(tiles, columns=columns, limit=limit, width=width, palette=page.palette())
