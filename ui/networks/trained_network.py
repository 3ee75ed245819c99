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
    listed = OWN if is_own else name
    key = _key_of(LIST, listed)
    st.selectbox(
        "Network",
        list(_TITLES),
        list(_TITLES).index(listed),
        key=key,
        format_func=_TITLES.get,
        on_change=_take_from_list,
        args=(key,),
    )
    if not is_own:
        st.caption(PRESETS[name].sentence)
        return name
    st.session_state[_OWN_TEXT] = text
    key = _key_of(LINE, text)
    st.text_input(
        "Network in one line",
        text,
        MAX_CHARACTERS,
        key=key,
        help="Layers joined by hyphens, as conv6k5p2-relu-max2-flatten-10.",
        on_change=_take_line,
        args=(key,),
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
    probability = probabilities.pop() if len(probabilities) == 1 else None
    key = _key_of(DROPOUT, probability)
    st.number_input(
        "Dropout",
        0.0,
        max(MAX_DROPOUT, probability or 0.0),
        probability,
        0.1,
        format="%g",
        key=key,
        placeholder="several",
        help="Chance of each number to be dropped in a step of the training, in all dropout layers.",
        on_change=_take_dropout,
        args=(key,),
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


def _key_of(name: str, value: str | float | None) -> str:
    """Return the key of a control that shows a value: a new one's, unless the last one shows it already.

    It is never set through the session state: if a run is cut short, a browser does not hear of that, and answers
    with the empty field that it has. A default it gets in each run.
    """
    number = st.session_state.get(f"{name}-number", 0)
    if st.session_state.get(f"{name}-{number}", value) != value:
        number += 1
        st.session_state[f"{name}-number"] = number
    return f"{name}-{number}"


def _preset_of(text: str) -> str | None:
    """Find the preset that a text names or writes out."""
    try:
        network = find_network(text)
    except ValueError:
        return None
    return next((name for name, preset in PRESETS.items() if preset.network == network), None)


def _take_from_list(key: str) -> None:
    """Take the chosen preset; "Your own" is the visitor's last one, else a copy of the preset, to be edited."""
    if st.session_state[key] != OWN:
        st.session_state[TEXT] = st.session_state[key]
        return
    text = st.session_state.get(_OWN_TEXT, "")
    if not text or _preset_of(text):
        text = format_network(find_network(st.session_state[TEXT]))
    _make_own(text)


def _take_line(key: str) -> None:
    _make_own(st.session_state[key].strip())


def _take_dropout(key: str) -> None:
    probability = st.session_state[key]
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
