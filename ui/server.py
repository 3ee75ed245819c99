"""What the server does once, before its first visitor: warm up, and say how a mishap is shown."""

import gc
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[None]:
    """Prepare the process before it answers the first request."""
    # The folder pages/ makes Streamlit take an app for one of its first kind, without st.navigation, until a
    # script has run: the first visitor who follows a deep link would be told that the page does not exist.
    PagesManager.uses_pages_directory = False
    # Streamlit collects all garbage after each run of a script. What is imported once need not be searched.
    import pandas  # noqa: F401
    import plotly.graph_objects  # noqa: F401

    gc.collect()
    gc.freeze()
    yield


def on_script_error(error: Exception) -> bool:
    """Log an error no page has foreseen, and show a way on instead of a traceback."""
    logging.getLogger(__name__).error("a page failed", exc_info=error)
    st.error(
        "Something went wrong on this page. Your other pages are not affected. "
        "Open the page again from the menu; if the address holds unusual settings, remove them.",
        icon=":material/error:",
    )
    return True
