"""Who a visitor is, and which run he follows: it stands in the address, so that a reload or a link finds it."""

from itertools import cycle
from uuid import uuid4

import streamlit as st

from cnn_core import runs

_FOLLOWED = "followed-run"
_SESSION = "visitor"


def owner() -> str:
    """Return a text that tells this visitor from others, the same after a reload.

    It is the token of the cookie that Streamlit gives each browser; without one, it lasts as long as the
    session. The cookie's form is `2|mask|masked token|time`, with a new mask each time.
    """
    try:
        _, mask, masked, _ = st.context.cookies.get("_streamlit_xsrf", "").split("|")
        token = bytes(a ^ b for a, b in zip(bytes.fromhex(masked), cycle(bytes.fromhex(mask)), strict=False))
    except ValueError:
        token = b""
    return token.hex() or st.session_state.setdefault(_SESSION, uuid4().hex)


def follow(run_id: str) -> None:
    """Show this run from now on, also after a reload, and when the visitor comes back by the menu."""
    st.session_state[_FOLLOWED] = run_id
    st.query_params["run"] = run_id


def followed_run() -> runs.Run | None:
    """Return the run that the page shows: that of the address, else the visitor's last one.

    In a session that has followed none yet, it is one that he started in another and that is not over.

    Raises:
        runs.UnknownRun: If the address names a run that is not here.
    """
    run = runs.get(st.query_params["run"]) if "run" in st.query_params else last_run()
    if run:
        follow(run.id)
    return run


def last_run() -> runs.Run | None:
    """Return the run that the visitor followed last, if it is still here."""
    if _FOLLOWED not in st.session_state:
        st.session_state[_FOLLOWED] = None
        return next((run for run in runs.list(owner()) if not run.is_over), None)
    try:
        return runs.get(st.session_state[_FOLLOWED])
    except runs.UnknownRun:  # none was followed, or it has been tidied away
        return None
