"""Who a visitor is, and which run he follows: it stands in the address, so that a reload or a link finds it."""

from uuid import uuid4

import streamlit as st

from cnn_core import runs
from cnn_core.runs import rows
from ui import cookie

MAX_OPENED = 50
_FOLLOWED = "followed-run"
_OPENED = "opened-runs"
_SESSION = "visitor"


def owner() -> str:
    """Return a text that tells this visitor from others, the same after a reload and when he comes back.

    In a browser that takes no cookies it lasts as long as the session.
    """
    return cookie.token() or st.session_state.setdefault(_SESSION, uuid4().hex)


def follow(run_id: str) -> None:
    """Show this run from now on, also after a reload, and when the visitor comes back by the menu."""
    st.session_state[_FOLLOWED] = run_id
    st.query_params["run"] = run_id
    others = [each for each in opened_ids() if each != run_id]
    st.session_state[_OPENED] = [*others, run_id][-MAX_OPENED:]


def forget(run_id: str) -> None:
    """Show this run no longer."""
    if st.session_state.get(_FOLLOWED) == run_id:
        st.session_state[_FOLLOWED] = None
        st.query_params.pop("run", None)
    st.session_state[_OPENED] = [each for each in opened_ids() if each != run_id]


def opened_ids() -> list[str]:
    """Return the runs that were followed in this session, whosever they are; the last ones of them."""
    return st.session_state.get(_OPENED, [])


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
        under_way = (row.id for row in rows.rows(owner()) if not row.is_over)
        st.session_state[_FOLLOWED] = next(under_way, None)
    try:
        return runs.get(st.session_state[_FOLLOWED])
    except runs.UnknownRun:  # none was followed, or it has been tidied away
        return None
