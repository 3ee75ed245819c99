"""Numbers that a visitor types: a wrong text is refused in place, and the last right one stays at work."""

from collections.abc import Callable

import numpy as np
import streamlit as st

from ui import controls, page


def numbers(
    label: str, *, key: str, default: str, read: Callable[[str], np.ndarray], max_chars: int, help: str
) -> np.ndarray:
    """Let a visitor type numbers.

    Args:
        label: Name of the control.
        key: Its key; it stands in the address.
        default: Text to begin with, which can be read.
        read: Makes an array of a text, or raises a ValueError that says what is wrong with it.
        max_chars: Longest text.
        help: What to type.

    Returns:
        What `read` makes of the text; if it is wrong, of the last right one.
    """
    last_right = f"{key}-last-right"
    text = controls.text(label, key=key, default=default, max_chars=max_chars, help=help)
    with page.errors_in_place():
        read(text)
        st.session_state[last_right] = text
    right = st.session_state.get(last_right, default)
    if right != text:
        st.caption("Until this is mended, the page works with the last text that was right.")
    return read(right)
