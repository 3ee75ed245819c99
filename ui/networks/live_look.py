"""A look into a network while it trains: its first kernels, and one picture on its way through the first layers."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from cnn_core import data, inspection, runs
from cnn_core.data.permutation import permute
from cnn_core.inspection import Parameters
from cnn_core.network import Activation, Conv, Network
from cnn_core.plots import training as plots
from cnn_core.plots.theme import Palette
from cnn_core.runs import glimpse
from cnn_core.summary import LayerSummary, summarize
from ui import page
from ui.wording import first_of

PICTURE = 0
MAX_TILES = 32
MAX_STAGES = 2
MAX_MULT_ADDS = 30_000_000
"""Most multiplications for a look, which is taken each second: about a tenth of a second."""

MAX_BYTES = 10_000_000
"""Most memory for the outputs of all layers up to the last that is shown."""

KERNELS_WIDTH, MAPS_WIDTH = 360, 600


@dataclass(frozen=True)
class Tiles:
    """A picture of tiles.

    Attributes:
        address: The whole PNG file as an address: a file of its own would be gone before a slow browser asks for it.
        caption: What it shows.
    """

    address: str
    caption: str


@dataclass(frozen=True)
class Look:
    """What is seen of a network at one moment.

    Attributes:
        kernels: Of its first convolution.
        maps: Feature maps of some picture after its first layers.
        note: Why not all of these are there; may be empty.
    """

    kernels: Tiles
    maps: tuple[Tiles, ...]
    note: str


def show(run: runs.Run) -> None:
    """Draw what is known of a running network's inside; nothing before its first second, or if it has no convolution.

    Args:
        run: A run that is under way.
    """
    try:
        changed = (run.folder / glimpse.FILE_NAME).stat().st_mtime_ns
    except OSError:
        return
    look = _look(run.id, changed, page.palette(), run)
    if look is None:
        return
    left, right = st.columns([1, 2], gap="medium")
    left.image(look.kernels.address, look.kernels.caption, width="stretch", alt=look.kernels.caption)
    for tiles in look.maps:
        right.image(tiles.address, tiles.caption, width="stretch", alt=tiles.caption)
    if look.note:
        right.caption(look.note)


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs={Palette: id})
def _look(run_id: str, changed: int, palette: Palette, _run: runs.Run) -> Look | None:
    """Look once for all who watch, each time that the worker has written the parameters anew."""
    seen = glimpse.read(_run.folder, _run.settings)
    if seen is None:
        return None
    network, parameters = seen
    first = next((i for i, layer in enumerate(network.layers) if isinstance(layer, Conv)), None)
    if first is None:
        return None
    name = network.names[first]
    weight = parameters[f"{name}.weight"]
    if not np.isfinite(weight).all():  # it has diverged, and says so in a moment
        return None
    kernels = weight.reshape(-1, *weight.shape[2:])
    caption = f"Kernels of {name}{_some(len(kernels), 'kernel')}, as they are now"
    drawn = _draw(kernels, caption, width=KERNELS_WIDTH, palette=palette)
    try:
        return Look(drawn, *_maps(_run, network, parameters, palette))
    except (data.DataUnavailable, ValueError) as error:
        return Look(drawn, (), f"There are no feature maps: {error}.")


def _maps(
    run: runs.Run, network: Network, parameters: Parameters, palette: Palette
) -> tuple[tuple[Tiles, ...], str]:
    """Draw the feature maps after the first layers; say what is left out because it would take too long."""
    rows = summarize(network, run.settings.spec.input_shape)
    places = _stages(rows)
    fitting = [place for place in places if _is_cheap(rows[: place + 1])]
    note = ""
    if len(fitting) < len(places):
        note = (
            f"The feature maps after {rows[places[len(fitting)]].name} are not drawn meanwhile: "
            "they would take too long for a look each second."
        )
    if not fitting:
        return (), note
    cut = Network(network.layers[: fitting[-1] + 1])
    known = {row.name for row in rows[: fitting[-1] + 1]}
    some = {name: array for name, array in parameters.items() if name.split(".")[0] in known}
    outputs = inspection.activations(cut, some, _picture(run.settings.data, run.settings.permuted))
    permuted = ", permuted" * run.settings.permuted
    return tuple(
        _draw(
            maps,
            f"Feature maps after {name}{_some(len(maps), 'feature map')}, of test picture {PICTURE}{permuted}",
            width=MAPS_WIDTH,
            palette=palette,
        )
        for name, maps in (outputs[place] for place in fitting)
    ), note


def _stages(rows: Sequence[LayerSummary]) -> list[int]:
    """Return the places of the first activations, or of the convolutions where there are none."""
    for kind in (Activation, Conv):
        found = [
            place
            for place, row in enumerate(rows)
            if isinstance(row.layer, kind) and len(row.output_shape) == 3
        ]
        if found:
            return found[:MAX_STAGES]
    return []


def _is_cheap(rows: Sequence[LayerSummary]) -> bool:
    mult_adds, num_bytes = sum(row.mult_adds for row in rows), sum(row.activation_bytes for row in rows)
    return mult_adds <= MAX_MULT_ADDS and num_bytes <= MAX_BYTES


@st.cache_resource(max_entries=4, show_spinner=False)
def _picture(name: str, is_permuted: bool) -> np.ndarray:
    """Return the picture that is looked at, as a network takes it: (C, H, W)."""
    image = data.load(name, split="test").images[PICTURE]
    return inspection.as_input(permute(image) if is_permuted else image)


def _some(total: int, thing: str) -> str:
    """Say how many of several things are drawn, unless it is all."""
    return "" if total <= MAX_TILES else f": {first_of(MAX_TILES, total, thing)}"


def _draw(tiles: np.ndarray, caption: str, *, width: int, palette: Palette) -> Tiles:
    file = page.png(plots.mosaic(tiles[:MAX_TILES], width=width, palette=palette))
    return Tiles(f"data:image/png;base64,{base64.b64encode(file).decode()}", caption)
