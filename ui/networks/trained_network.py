"""The network that the trainer trains: one of the presets, or the visitor's own in one line."""

from dataclasses import replace

import streamlit as st

from cnn_core.network import MAX_CHARACTERS, PRESETS, Dropout, Network
from cnn_core.network import format as format_network
from cnn_core.shapes import write_shape
from cnn_core.training.settings import find_network
from ui import controls, page

TEXT, LIST, LINE, DROPOUT = "t-network", "t-preset", "t-line", "t-dropout"
OWN = "own"
MAX_IN_ADDRESS = 2000
MAX_DROPOUT = 0.99
_TITLES = {name: preset.title for name, preset in PRESETS.items()} | {OWN: "Your own"}
_NAMES = {preset.title: name for name, preset in PRESETS.items()}
_IN_ADDRESS = "trainer-network-in-address"
_OWN_TEXT = "trainer-own-text"


def choose(*, default: str) -> str | None:
    """Choose a preset, or write a network in one line; the address carries either.

    Args:
        default: Name of the preset to begin with.

    Returns:
        The preset's name or the notation, as `Settings` takes it. None, with a message in place, if the line
        cannot be read.
    """
    text = _text(default)
    name = _preset_of(text)
    is_own = name is None or (text not in PRESETS and text == st.session_state.get(_OWN_TEXT))
    _show(LIST, OWN if is_own else name)
    st.selectbox("Network", list(_TITLES), key=LIST, format_func=_TITLES.get, on_change=_take_from_list)
    if not is_own:
        st.caption(PRESETS[name].sentence)
        return name
    st.session_state[_OWN_TEXT] = text
    _show(LINE, text)
    st.text_input(
        "Network in one line",
        key=LINE,
        max_chars=MAX_CHARACTERS,
        help="Layers joined by hyphens, as conv6k5p2-relu-max2-flatten-10.",
        on_change=_take_line,
    )
    with page.errors_in_place():
        network = find_network(text)
        _choose_dropout(network)
        return name or format_network(network)
    return None


def _choose_dropout(network: Network) -> None:
    """Offer one probability for all dropout layers, if there are any; the line has each of them."""
    probabilities = {layer.probability for layer in network.layers if isinstance(layer, Dropout)}
    if not probabilities:
        return
    _show(DROPOUT, probabilities.pop() if len(probabilities) == 1 else None)
    st.number_input(
        "Dropout",
        min_value=0.0,
        max_value=max(MAX_DROPOUT, st.session_state[DROPOUT] or 0.0),
        step=0.1,
        format="%g",
        key=DROPOUT,
        placeholder="several",
        help="Chance of each number to be dropped in a step of the training, in all dropout layers.",
        on_change=_take_dropout,
    )


def link_to_architecture(network: str, input_shape: tuple[int, ...]) -> None:
    """Lead to the page that shows each shape in a network; what is too long for an address stays here."""
    if len(network) > MAX_IN_ADDRESS:
        return
    st.page_link(
        "pages/networks/architecture.py",
        label="Open in Architecture",
        icon=":material/schema:",
        query_params={"a-network": network, "a-input": write_shape(input_shape)},
    )


def _text(default: str) -> str:
    """Return what is chosen, as a text. An address that somebody else has written counts more than the visit's."""
    given = st.query_params.get(TEXT)
    if given is not None and given != st.session_state.get(_IN_ADDRESS):
        st.session_state[TEXT] = _NAMES.get(given, given)[:MAX_CHARACTERS] or default
    text = controls.hidden(key=TEXT, default=default, max_chars=MAX_IN_ADDRESS)
    st.session_state[_IN_ADDRESS] = st.query_params.get(TEXT)
    return text


def _show(key: str, value: str) -> None:
    """Let a control show a value; where it does already, setting it again would undo what is being typed."""
    if st.session_state.get(key) != value:
        st.session_state[key] = value


def _preset_of(text: str) -> str | None:
    """Find the preset that a text names or writes out."""
    try:
        network = find_network(text)
    except ValueError:
        return None
    return next((name for name, preset in PRESETS.items() if preset.network == network), None)


def _take_from_list() -> None:
    """Take the chosen preset; "Your own" is the visitor's last one, else a copy of the preset, to be edited."""
    if st.session_state[LIST] != OWN:
        st.session_state[TEXT] = st.session_state[LIST]
        return
    text = st.session_state.get(_OWN_TEXT, "")
    if not text or _preset_of(text):
        text = format_network(find_network(st.session_state[TEXT]))
    _make_own(text)


def _take_line() -> None:
    _make_own(st.session_state[LINE].strip())


def _take_dropout() -> None:
    probability = st.session_state[DROPOUT]
    if probability is not None:
        layers = find_network(st.session_state[TEXT]).layers
        changed = [
            replace(layer, probability=round(probability, 4)) if isinstance(layer, Dropout) else layer
            for layer in layers
        ]
        _make_own(format_network(Network(changed)))


def _make_own(text: str) -> None:
    """Take a text as the visitor's own, also where it is a preset written out: then its control stays."""
    st.session_state[TEXT] = st.session_state[_OWN_TEXT] = text
