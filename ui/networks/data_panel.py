"""What the page says about the chosen data set: what it is, and how to get it if it is not here."""

import streamlit as st

from cnn_core import data
from ui import controls
from ui.networks import downloads

BUNDLED = "mnist-5k"
POLL_SECONDS = 0.5


def show(name: str) -> None:
    """Describe a data set; offer its download, or the bundled one meanwhile, if it is not here."""
    spec = data.find_spec(name)
    st.caption(spec.description)
    if name in data.available():
        return
    download = downloads.find(name)
    with st.container(border=True):
        if download and not download.is_over:
            st.fragment(_watch, run_every=POLL_SECONDS)(spec)
        else:
            _offer(spec, download.error if download else "")
        st.button(
            f"Use {data.find_spec(BUNDLED).title} meanwhile",
            key="t-bundled",
            type="tertiary",
            icon=":material/inventory_2:",
            on_click=controls.set_values,
            args=({"t-data": BUNDLED},),
        )


def _offer(spec: data.DatasetSpec, error: str) -> None:
    if error:
        st.error(error, icon=":material/cloud_off:")
    else:
        st.markdown(
            f"**{spec.title} is not on this machine.** It has to be downloaded once: {_megabytes(spec.num_bytes)}."
        )
    st.button(
        "Try again" if error else "Download",
        key="t-download",
        icon=":material/download:",
        on_click=downloads.start,
        args=(spec.name,),
    )


def _watch(spec: data.DatasetSpec) -> None:
    """Show how far the download has come; when it has ended, draw the whole page again."""
    download = downloads.find(spec.name)
    if download.is_over:
        st.rerun()
    progress = download.progress
    if progress is None:
        st.progress(0.0, "Starting the download")
        return
    st.progress(
        min(1.0, progress.bytes_done / spec.num_bytes),
        f"{progress.message}: {_megabytes(progress.bytes_done)} of {_megabytes(spec.num_bytes)}",
    )


def _megabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:.1f} MB"
