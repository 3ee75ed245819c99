"""Choose a kernel by name, or write one's own; its short text is in the address."""

from dataclasses import replace

import numpy as np
import streamlit as st

from cnn_core import cells
from cnn_core.kernels import KERNELS, Kernel, sobel_towards
from ui import controls, explorer, page

OWN, DIRECTION = "your-own", "direction"
FIRST_CELLS, FIRST_ANGLE = "0,1,0;1,-4,1;0,1,0", 45
_TITLES = {name: kernel.title for name, kernel in KERNELS.items()}
_TITLES |= {DIRECTION: "Edges in any direction (a dial)", OWN: "Your own kernel"}


def choose(*, prefix: str, default: str, label: str = "Kernel") -> np.ndarray:
    """Choose one of the named kernels, an edge kernel by its angle, or the visitor's own.

    Args:
        prefix: What the keys of the page's controls begin with; `kernel`, `angle` and `cells` are taken under it.
        default: Name of the kernel to begin with.
        label: What to call it.

    Returns:
        Shape (kH, kW), float64.
    """
    name = controls.choice(
        label, list(_TITLES), key=f"{prefix}kernel", default=default, format=_TITLES.__getitem__
    )
    if name == OWN:
        return _edit(prefix)
    # A control that is not drawn forgets its value: keep the visitor's own kernel for the way back.
    st.session_state[f"{prefix}cells"] = st.session_state.get(_last_good(prefix), FIRST_CELLS)
    kernel = _turn(prefix) if name == DIRECTION else KERNELS[name]
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


def _turn(prefix: str) -> Kernel:
    """Draw the dial; cells are rounded, so that text and code can write them."""
    degrees = controls.integer(
        "Direction in degrees",
        key=f"{prefix}angle",
        default=FIRST_ANGLE,
        low=0,
        high=180,
        step=3,
        help="0 is to the right, 90 is down. Half a turn more changes only the sign.",
    )
    st.markdown(
        rf"$\cos {degrees}^\circ \cdot S_x + \sin {degrees}^\circ \cdot S_y$, with $S_x$ and $S_y$ the Sobel kernels "
        "from left to right and from top to bottom."
    )
    kernel = sobel_towards(degrees)
    return replace(kernel, values=np.round(kernel.values, explorer.DECIMALS) + 0.0)


def _last_good(prefix: str) -> str:
    return f"{prefix}last-good-cells"


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
        st.session_state[_last_good(prefix)] = text
    good = st.session_state.get(_last_good(prefix), FIRST_CELLS)
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
