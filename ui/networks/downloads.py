"""Data sets on their way to this machine: threads of the server watch them, so a rerun or a reload does not."""

import threading

import streamlit as st

from cnn_core import data


class Download:
    """One download.

    Attributes:
        progress: How far it has come; None before the first word of it.
        error: Why it failed and what to do; "" if it did not.
        is_over: Whether it has ended, one way or the other.
    """

    def __init__(self, name: str):
        self.progress: data.Progress | None = None
        self.error = ""
        self.is_over = False
        threading.Thread(target=self._watch, args=(name,), name=f"fetch-{name}", daemon=True).start()

    def _watch(self, name: str) -> None:
        try:
            for self.progress in data.fetch(name):
                pass
        except data.DataUnavailable as error:
            self.error = str(error)
        finally:
            self.is_over = True


@st.cache_resource
def _downloads() -> dict[str, Download]:
    return {}


def start(name: str) -> None:
    """Begin to fetch a data set, for all visitors, unless that is going on."""
    download = find(name)
    if download is None or download.is_over:
        _downloads()[name] = Download(name)


def find(name: str) -> Download | None:
    """Return the last download of a data set, if there was one."""
    return _downloads().get(name)
