from types import SimpleNamespace

import pytest

from ui import visitor


@pytest.fixture
def browser(monkeypatch):
    """A visitor's browser: its cookies, and the session that the server keeps for it."""
    browser = SimpleNamespace(context=SimpleNamespace(cookies={}), session_state={}, query_params={})
    monkeypatch.setattr(visitor, "st", browser)
    return browser


def test_a_browser_is_known_again_although_its_cookie_is_masked_anew(browser):
    owners = set()
    # The token 0f0f0f0f0f0f under two masks.
    for cookie in ("2|00000000|0f0f0f0f0f0f|1", "2|01020304|0e0d0c0b0e0d|2"):
        browser.context.cookies["_streamlit_xsrf"] = cookie
        browser.session_state = {}
        owners.add(visitor.owner())
    assert owners == {"0f0f0f0f0f0f"}


@pytest.mark.parametrize(
    "cookie", ["", "2|00|", "nonsense", "2||0f0f|1", "2|xy|0f|1", "2|00000000||1", "||||||"]
)
def test_without_a_readable_cookie_the_session_tells_visitors_apart(browser, cookie):
    browser.context.cookies["_streamlit_xsrf"] = cookie
    first = visitor.owner()
    assert visitor.owner() == first
    assert len(first) == 32
    browser.session_state = {}
    assert visitor.owner() != first
