"""What the server does once, before its first visitor: warm up, and say how a mishap is shown."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

FULL_SEARCH_SECONDS = 60


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[None]:
    """Prepare the process before it answers the first request."""
    # The folder pages/ makes Streamlit take an app for one of its first kind, without st.navigation, until a
    # script has run: the first visitor who follows a deep link would be told that the page does not exist.
    PagesManager.uses_pages_directory = False
    # What is imported once is there before the first visitor.
    import pandas  # noqa: F401
    import plotly.graph_objects  # noqa: F401

    collecting = asyncio.create_task(_set_old_objects_aside())
    yield
    collecting.cancel()


async def _set_old_objects_aside() -> None:
    """Keep objects that live out of searches for garbage, but for a full search now and then.

    Streamlit searches all objects after each run of a script. In a class of 30 that took 70 % of the server's time.
    """
    for second in count():
        if second % FULL_SEARCH_SECONDS == 0:
            gc.unfreeze()
        gc.collect()
        gc.freeze()
        await asyncio.sleep(1)


def on_script_error(error: Exception) -> bool:
    """Log an error no page has foreseen, and show a way on instead of a traceback."""
    logging.getLogger(__name__).error("a page failed", exc_info=error)
    st.error(
        "Something went wrong on this page. Your other pages are not affected. "
        "Open the page again from the menu; if the address holds unusual settings, remove them.",
        icon=":material/error:",
    )
    return True
