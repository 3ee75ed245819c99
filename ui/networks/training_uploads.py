"""Files that are brought along to the trainer's page: settings and weights, refused in place where they are wrong."""

from pathlib import Path

import numpy as np
import streamlit as st

from cnn_core.summary import BYTES_PER_NUMBER
from cnn_core.training import Settings, initial
from ui import controls, page
from ui.networks import recipe

MAX_BYTES = 100_000
UPLOAD = "t-file"
WEIGHTS_UPLOAD = "t-weights-file"
_REFUSED = "trainer-refused-file"
_WEIGHTS = "trainer-weights-file"
_NUM_DROPPED = "trainer-weights-dropped"


def bring_settings() -> None:
    """Draw the place for a file of settings, and say in place why one is refused."""
    with st.popover("Settings from a file", icon=":material/upload_file:"):
        st.file_uploader(
            "A settings.json of this page",
            type="json",
            max_upload_size=1,
            key=UPLOAD,
            on_change=_take_file,
        )
    if refused := st.session_state.get(_REFUSED):
        page.refusal(refused)


def _take_file() -> None:
    """Let the controls show what a new file says; one that is refused changes nothing."""
    file = st.session_state[UPLOAD]
    st.session_state[_REFUSED] = None
    if file is None:
        return
    try:
        controls.set_values(recipe.control_values(_read(file.getvalue())))
    except (ValueError, TypeError) as error:
        st.session_state[_REFUSED] = error


def _read(raw: bytes) -> Settings:
    if len(raw) > MAX_BYTES:
        raise ValueError(f"the file has {len(raw):,} bytes, settings at most {MAX_BYTES:,}: choose another")
    try:
        return Settings.from_json(raw.decode())
    except UnicodeDecodeError:
        raise ValueError("the file is not text: choose a settings.json of this page") from None


def bring_weights(settings: Settings | None) -> dict[str, np.ndarray] | None:
    """Draw the place for a file of weights, and say in place what a training begins from if one was brought.

    Args:
        settings: What would be trained; None if it cannot be.

    Returns:
        The weights of the file, if there is one and it fits the network; None for those that the seed draws.
    """
    # The only way to empty the control is to draw another one.
    key = f"{WEIGHTS_UPLOAD}-{st.session_state.setdefault(_NUM_DROPPED, 0)}"
    with st.popover("Weights from a file", icon=":material/upload_file:"):
        megabytes = st.get_option("server.maxUploadSize")
        st.file_uploader(
            "A weights.safetensors of this page, for the network that is chosen",
            type="safetensors",
            key=key,
            help=f"At most {megabytes} MB. A parameter takes {BYTES_PER_NUMBER} bytes, so that is enough for "
            f"{megabytes * 2**20 // BYTES_PER_NUMBER // 100_000 / 10:g} million of them.",
            on_change=_take_weights,
            args=(key,),
        )
    if _WEIGHTS not in st.session_state or settings is None:
        return None
    weights = _read_weights(settings)
    st.button(
        "Use the seed's weights again",
        key="t-seed-weights",
        type="tertiary",
        icon=":material/undo:",
        on_click=_drop_weights,
    )
    return weights


def _read_weights(settings: Settings) -> dict[str, np.ndarray] | None:
    """Read the file that was brought, and say whether Start begins from it."""
    try:
        weights = initial.read(st.session_state[_WEIGHTS], settings.layers, settings.spec.input_shape)
    except ValueError as error:
        page.refusal(ValueError(f"These weights cannot be used: {error}. Start takes the seed's weights."))
        return None
    st.info(
        f"Start begins from the weights of your file: {sum(array.size for array in weights.values()):,} numbers. "
        f"Seed {settings.seed} still decides all else that is drawn. "
        "The code and the PyTorch script below begin from the weights of the seed.",
        icon=":material/upload_file:",
    )
    return weights


def begin_from(path: Path | None) -> None:
    """Let Start begin from the weights in a file of this machine, or from those that the seed draws if it is None.

    Raises:
        ValueError: If the file cannot be read; nothing is changed then.
    """
    try:
        raw = path and path.read_bytes()
    except OSError as error:
        raise ValueError(f"its initial weights cannot be read ({error.strerror})") from None
    _drop_weights()
    if raw:
        st.session_state[_WEIGHTS] = raw


def _take_weights(key: str) -> None:
    """Keep the content of a new file; it is checked against the network whenever the page is drawn."""
    file = st.session_state[key]
    if file is None:
        _drop_weights()
    else:
        st.session_state[_WEIGHTS] = file.getvalue()


def _drop_weights() -> None:
    st.session_state.pop(_WEIGHTS, None)
    st.session_state[_NUM_DROPPED] += 1
