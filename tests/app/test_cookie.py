import asyncio
from http.cookies import SimpleCookie

import pytest

from ui import cookie


def answer(path="/_stcore/health", *, scheme="http", value=""):
    """Ask an app of one empty answer behind the middleware; return the cookie that it gives, if any."""
    sent = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-kept", b"yes")]})
        await send({"type": "http.response.body"})

    async def remember(message):
        sent.append(message)

    headers = [(b"cookie", f"other=1; {cookie.NAME}={value}".encode())] if value else []
    scope = {"type": "http", "scheme": scheme, "path": path, "headers": headers}
    asyncio.run(cookie.Giver(app)(scope, None, remember))
    start, _ = sent
    given = dict(start["headers"])
    assert given[b"x-kept"] == b"yes"
    return SimpleCookie(given.get(b"set-cookie", b"").decode()).get(cookie.NAME)


def test_each_browser_gets_a_token_of_its_own_that_no_script_reads():
    first, second = answer(), answer()
    assert first.value != second.value
    assert len(first.value) == 32
    assert (first["httponly"], first["samesite"], first["path"]) == (True, "lax", "/")
    assert first["max-age"] == str(cookie.SECONDS)


def test_a_token_stays_the_same_and_what_is_none_is_replaced():
    assert answer(value="0f" * 16).value == "0f" * 16
    assert answer(value="nonsense").value != "nonsense"


@pytest.mark.parametrize(("scheme", "secure"), [("http", ""), ("https", True)])
def test_a_token_that_came_by_a_safe_way_leaves_by_a_safe_way_only(scheme, secure):
    assert answer(scheme=scheme)["secure"] == secure


def test_files_that_a_cache_on_the_way_may_keep_carry_no_token():
    assert answer("/static/js/index.js") is None
    assert answer("/") is None


def test_the_path_may_stand_below_that_of_the_app():
    assert answer("/workbench/_stcore/health")
