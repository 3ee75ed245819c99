from types import SimpleNamespace

import pytest

from cnn_core import runs
from cnn_core.training import Settings
from tests.app.recorded import PAGE, followed, record
from ui import cookie, visitor


@pytest.fixture
def browser(monkeypatch):
    """A visitor's browser: its cookies, and the session that the server keeps for it."""
    browser = SimpleNamespace(context=SimpleNamespace(cookies={}), session_state={}, query_params={})
    monkeypatch.setattr(visitor, "st", browser)
    monkeypatch.setattr(cookie, "st", browser)
    return browser


@pytest.mark.parametrize("value", [None, "", "nonsense", "0f" * 15, "0f" * 17, "0F" * 16, "0f" * 16 + "\n"])
def test_without_a_cookie_of_the_app_the_session_tells_visitors_apart(browser, value):
    if value is not None:
        browser.context.cookies[cookie.NAME] = value
    first = visitor.owner()
    assert visitor.owner() == first
    assert len(first) == 32
    browser.session_state = {}
    assert visitor.owner() != first


def test_a_browser_is_known_by_its_cookie_whatever_session_it_opens(browser):
    browser.context.cookies[cookie.NAME] = "0f" * 16
    assert visitor.owner() == "0f" * 16
    assert browser.session_state == {}


def test_a_run_under_way_is_found_in_a_new_session_whatever_page_comes_first(open_page, asleep, monkeypatch):
    monkeypatch.setattr(visitor, "owner", lambda: "a visitor")
    run_id = runs.submit(Settings(), owner="a visitor")
    record(Settings(seed=1), owner="a visitor")  # interrupted: it is over
    app = open_page("networks/architecture.py")
    app.switch_page(f"pages/{PAGE}").run()
    assert not app.exception
    assert followed(app).id == run_id
