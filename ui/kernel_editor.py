"""Choose a kernel by name, or write one's own; its short text is in the address."""

import numpy as np
import streamlit as st

from cnn_core import cells
from cnn_core.kernels import KERNELS
from ui import controls, explorer, page

OWN = "your-own"
FIRST_CELLS = "0,1,0;1,-4,1;0,1,0"
_LAST_GOOD = "kernel-last-good-text"


def choose(*, prefix: str, default: str) -> np.ndarray:
    """Choose one of the named kernels, or the visitor's own.

    Args:
        prefix: What the keys of the page's controls begin with; `kernel` and `cells` are taken under it.
        default: Name of the kernel to begin with.

    Returns:
        Shape (kH, kW), float64.
    """
    name = controls.choice(
        "Kernel",
        [*KERNELS, OWN],
        key=f"{prefix}kernel",
        default=default,
        format=lambda name: "Your own kernel" if name == OWN else KERNELS[name].title,
    )
    if name == OWN:
        return _edit(prefix)
    # A control that is not drawn forgets its value: keep the visitor's own kernel for the way back.
    st.session_state[f"{prefix}cells"] = st.session_state.get(_LAST_GOOD, FIRST_CELLS)
    kernel = KERNELS[name]
    st.markdown(kernel.purpose)
    copied = {f"{prefix}kernel": OWN, f"{prefix}cells": cells.format(kernel.values)}
    st.button(
        "Edit its cells",
        key=f"{prefix}edit",
        icon=":material/edit:",
        on_click=controls.set_values,
        args=(copied,),
    )
    return kernel.values


def take_over(edited: np.ndarray, shown: np.ndarray, *, prefix: str) -> None:
    """Make a kernel that was edited in the explorer the visitor's own; call it before `choose`.

    Args:
        edited: What the explorer gave back, shape (kH, kW). Fractions stay if they have a small common
            denominator with the new decimals.
        shown: What it was given, same shape.
        prefix: As in `choose`.
    """
    if np.array_equal(edited, shown):
        return
    try:
        cells.common_denominator(edited)
    except ValueError:
        edited = np.round(edited, explorer.DECIMALS)
    controls.set_values({f"{prefix}kernel": OWN, f"{prefix}cells": cells.format(edited)})


def _edit(prefix: str) -> np.ndarray:
    """Draw the editor; a wrong text leaves the last good kernel."""
    above = st.container()
    text = controls.text(
        "Cells as text",
        key=f"{prefix}cells",
        default=FIRST_CELLS,
        max_chars=cells.MAX_CHARS,
        help="Commas between cells, semicolons between rows; 1/9 is a cell too. The link carries this text.",
    )
    with page.errors_in_place():
        cells.parse(text)
        st.session_state[_LAST_GOOD] = text
    good = st.session_state.get(_LAST_GOOD, FIRST_CELLS)
    if good != text:
        st.caption("Until this is mended, the page works with the last kernel that was right.")
    kernel = cells.parse(good)
    with above:
        st.markdown(f"Kernel size: {kernel.shape[0]} x {kernel.shape[1]}")
        _draw_sizes(kernel, prefix)
    return kernel


def _draw_sizes(kernel: np.ndarray, prefix: str) -> None:
    rows, columns = kernel.shape
    with st.container(horizontal=True, gap="small"):
        for label, icon, help, changed in (
            ("Row", "add", "Add a row below", cells.resize(kernel, rows + 1, columns)),
            ("Row", "remove", "Remove the last row", cells.resize(kernel, rows - 1, columns)),
            ("Column", "add", "Add a column on the right", cells.resize(kernel, rows, columns + 1)),
            ("Column", "remove", "Remove the last column", cells.resize(kernel, rows, columns - 1)),
            ("Transpose", "swap_horiz", "Make columns of the rows", kernel.T),
        ):
            st.button(
                label,
                key=f"{prefix}{label}-{icon}",
                icon=f":material/{icon}:",
                help=help,
                disabled=not 0 < min(changed.shape) <= max(changed.shape) <= cells.MAX_SIZE,
                on_click=controls.set_values,
                args=({f"{prefix}cells": cells.format(changed)},),
            )
