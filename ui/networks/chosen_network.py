"""The network and the input that a visitor has chosen: two texts in the address, and what comes of them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from cnn_core import beside
from cnn_core.fixes import Fix, suggest
from cnn_core.network import LENET, PRESETS, Layer, Network
from cnn_core.network import format as format_network
from cnn_core.published import INPUT_SHAPE, PUBLISHED
from cnn_core.shapes import format_shape, parse_shape, write_shape
from cnn_core.summary import LayerSummary, check_budget, follow
from cnn_core.training.settings import Settings, find_network
from ui import controls, layer_table, page
from ui.networks import architecture_lines

NETWORK, INPUT, START, EDITED = "a-network", "a-input", "a-start", "a-edited"
MAX_CHARS = 2000
OWN = "own"
USUAL_NETWORK = format_network(LENET)
USUAL_INPUT = "1x28x28"
MAX_INPUT_NUMBERS = 4_000_000
"""Most numbers of an input that is drawn and run; a network of any size is counted."""


@dataclass(frozen=True)
class Chosen:
    """What the page shows.

    Attributes:
        text: The network as the terminal takes it: the name of a published network, or the notation.
        network: The network; None if it is published, or has no layer yet.
        input_shape: Shape of one example.
        rows: The layer table, up to the first layer that does not fit.
        reason: Why that one does not fit; "" if all do.
        fixes: What would make it fit.
        obstacle: Why nothing can be computed with real numbers; "" if it can.
    """

    text: str
    network: Network | None
    input_shape: tuple[int, ...]
    rows: Sequence[LayerSummary] = ()
    reason: str = ""
    fixes: Sequence[Fix] = ()
    obstacle: str = ""

    @property
    def is_published(self) -> bool:
        """Whether it comes from torchvision."""
        return self.text in PUBLISHED

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers that can be edited."""
        return self.network.layers if self.network else ()

    @property
    def fitting(self) -> Network | None:
        """The network of the layers that fit; None if there is none, or if it is published."""
        return Network([row.layer for row in self.rows]) if self.network and self.rows else None


def choose() -> Chosen:
    """Draw the controls, and return what is to be shown."""
    if EDITED in st.session_state:
        st.session_state[NETWORK] = st.session_state.pop(EDITED)
    _write_presets_out()
    left, right = st.columns([3, 2], gap="large")
    with right:
        shape_text = controls.text(
            "Input shape",
            key=INPUT,
            default=USUAL_INPUT,
            max_chars=40,
            help="Channels x height x width of a picture, as 3x32x32. A signal is 1x128, a vector 784.",
        )
        shape = _readable(INPUT, shape_text, parse_shape, default=USUAL_INPUT)
    start = left.container()
    text = controls.text(
        "Network in one line",
        key=NETWORK,
        default=USUAL_NETWORK,
        max_chars=MAX_CHARS,
        help="Layers joined by hyphens, as conv6k5p2-relu-max2-flatten-10.",
    )
    if text in PRESETS:  # the control has it from the address; from now on it can be set
        st.rerun()
    chosen = _follow(_readable(NETWORK, text, _read, default=USUAL_NETWORK), shape)
    if len(text) >= MAX_CHARS:
        st.caption(f"The line is full: it holds {MAX_CHARS:,} characters. What came after them is cut off.")
    with start:
        _choose_start(chosen)
    return chosen


def edited(chosen: Chosen) -> Chosen | None:
    """Return what the visitor has just made of it in the layer table; None if nothing was done there.

    The controls show it when the whole page has been run again.
    """
    if chosen.is_published:
        return None
    before = None
    if EDITED in st.session_state:  # a second edit, before the page has been run again
        chosen = before = _follow(_read(st.session_state[EDITED]), chosen.input_shape)
    fixes = [fix.network.layers for fix in chosen.fixes]
    layers = layer_table.received("a-", chosen.layers, fixes=fixes)
    if layers is None:
        return before
    network = Network(layers) if layers else None
    st.session_state[EDITED] = format_network(network) if network else ""
    return _follow(network, chosen.input_shape)


def _readable(key: str, text: str, read: Callable[[str], Any], *, default: str) -> Any:
    """Read a typed text; where that cannot be done, say so and go on with the last that could be read."""
    try:
        value = read(text)
    except ValueError as error:
        page.refusal(error)
        st.caption("Below is the last one that could be read.")
        return read(st.session_state.get(f"{key}-good", default))
    st.session_state[f"{key}-good"] = text
    return value


def _read(text: str) -> str | Network | None:
    """Read a network: the name of a published one stays a name; nothing is no layer yet."""
    text = text.strip()
    if not text:
        return None
    return text.lower() if text.lower() in PUBLISHED else find_network(text)


def _follow(network: str | Network | None, shape: tuple[int, ...]) -> Chosen:
    if network is None:
        return Chosen("", None, shape)
    if isinstance(network, str):
        try:
            return Chosen(network, None, shape, _published_rows(network, shape))
        except (ValueError, beside.Failed) as error:
            page.refusal(error)
            return Chosen(network, None, shape)
    text = format_network(network)
    rows, reason = follow(network, shape)
    fixes = suggest(network, shape) if reason else ()
    chosen = Chosen(text, network, shape, rows, reason, fixes)
    return replace(chosen, obstacle=_over_budget(chosen.fitting, shape)) if rows else chosen


def _over_budget(network: Network, shape: tuple[int, ...]) -> str:
    numbers = math.prod(shape)
    if numbers > MAX_INPUT_NUMBERS:
        return f"the input has {numbers:,} numbers, more than {MAX_INPUT_NUMBERS:,}"
    try:
        check_budget(network, shape, batch_size=Settings().batch_size)
    except ValueError as error:
        return str(error)
    return ""


@st.cache_data(
    max_entries=32,
    show_spinner="PyTorch follows a picture through it. The first time that takes some seconds.",
)
def _published_rows(name: str, shape: tuple[int, ...]) -> list[LayerSummary]:
    return beside.layer_table(name, shape)


def _write_presets_out() -> None:
    """Show a preset that the address names by its layers, so that they can be read and edited."""
    name = st.session_state.get(NETWORK)
    if name in PRESETS:
        st.session_state[NETWORK] = format_network(PRESETS[name].network)


def _choose_start(chosen: Chosen) -> None:
    """Offer the networks worth starting from; the list shows which one the layers are."""
    name = _name_of(chosen)
    options = [*PRESETS, *PUBLISHED, *([OWN] if name == OWN else [])]
    st.session_state[START] = name
    titles = {key: each.title for key, each in (PRESETS | PUBLISHED).items()} | {OWN: "Your own"}
    st.selectbox("Start from", options, key=START, format_func=titles.get, on_change=_start)
    if name in PUBLISHED:
        st.caption(f"{PUBLISHED[name].sentence} As torchvision builds it: shown, not edited.")
    elif name in PRESETS:
        st.caption(PRESETS[name].sentence)


def _start() -> None:
    name = st.session_state[START]
    if name in PUBLISHED:
        controls.set_values({NETWORK: name, INPUT: write_shape(INPUT_SHAPE)})
    elif name in PRESETS:
        controls.set_values({NETWORK: format_network(PRESETS[name].network), INPUT: USUAL_INPUT})


def _name_of(chosen: Chosen) -> str:
    if chosen.is_published:
        return chosen.text
    return next((name for name, preset in PRESETS.items() if preset.network == chosen.network), OWN)


def show_table(chosen: Chosen) -> None:
    """Draw the layer table, and what keeps its network from being built."""
    unfitting = []
    if chosen.network:
        named = list(zip(chosen.network.names, chosen.network.layers, strict=True))
        unfitting = named[len(chosen.rows) :]
    written = architecture_lines.lines(
        chosen.rows,
        unfitting=unfitting,
        reason=chosen.reason,
        fixes=[fix.words for fix in chosen.fixes],
        num_axes=len(chosen.input_shape) - 1,
    )
    sums = architecture_lines.totals(chosen.rows)
    layer_table.show(
        written,
        prefix="a-",
        totals={column: f"{number:,}" for column, number in sums.items()},
        editable=not chosen.is_published,
        input_text=format_shape(chosen.input_shape),
    )
