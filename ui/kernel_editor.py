"""Choose a kernel by name, or edit one cell by cell; the short text of an edited kernel is in the address."""

import math

import numpy as np
import pandas as pd
import streamlit as st

from cnn_core import cells
from cnn_core.kernels import KERNELS
from ui import controls, page

OWN = "your-own"
FIRST_CELLS = "0,1,0;1,-4,1;0,1,0"
_GRID, _MIRRORED, _LAST_GOOD = "kernel-grid", "kernel-mirrored-text", "kernel-last-good-text"


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


def _edit(prefix: str) -> np.ndarray:
    """Draw the editor. The text is the truth, and the grid mirrors it; a wrong text leaves the last good kernel."""
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
        _draw_grid(kernel, text, prefix)
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


def _draw_grid(kernel: np.ndarray, text: str, prefix: str) -> None:
    """Draw the cells. The grid begins anew when the text changed by other means, and stays while it is edited."""
    state = st.session_state
    version, base = state.get(_GRID, (0, kernel))
    if f"{prefix}grid-{version}" not in state or state.get(_MIRRORED) != text:
        version, base = state[_GRID] = version + 1, kernel
        state[_MIRRORED] = text
    key = f"{prefix}grid-{version}"
    columns = [str(column) for column in range(base.shape[1])]
    cell = st.column_config.NumberColumn(
        min_value=-cells.MAX_CELL, max_value=cells.MAX_CELL, step=0.0001, format="%.4g", width=56
    )
    st.data_editor(
        pd.DataFrame(base, columns=columns),
        key=key,
        hide_index=True,
        width="content",
        column_config=dict.fromkeys(columns, cell),
        on_change=_mirror,
        args=(key, base, f"{prefix}cells"),
        alt="The cells of the kernel, to be edited",
    )


def _mirror(key: str, base: np.ndarray, text_key: str) -> None:
    """Write what was edited in the grid into the text."""
    edited = base.copy()
    for row, changes in st.session_state[key]["edited_rows"].items():
        for column, value in changes.items():
            is_number = value is not None and math.isfinite(value)
            edited[int(row), int(column)] = value if is_number else math.nan
    text = cells.format(edited)
    st.session_state[_MIRRORED] = text
    controls.set_values({text_key: text})
