"""The cookie by which a browser is known again, also when it has been closed meanwhile."""

import re
from collections.abc import Mapping
from secrets import token_hex

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NAME = "cnn-visitor"
SECONDS = 365 * 24 * 3600
# Each page asks for this before it opens its connection, and no cache on the way may keep the answer.
_PATH = "/_stcore/health"
_TOKEN = re.compile(r"[0-9a-f]{32}")


class Giver:
    """Middleware that gives a token to each browser, or the same one for longer. No script can read it there."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or not scope["path"].endswith(_PATH):
            return await self.app(scope, receive, send)
        written = Response()
        written.set_cookie(
            NAME,
            _read(HTTPConnection(scope).cookies) or token_hex(16),
            max_age=SECONDS,
            secure=scope["scheme"] == "https",
            httponly=True,
            samesite="lax",
        )

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("Set-Cookie", written.headers["Set-Cookie"])
            await send(message)

        return await self.app(scope, receive, send_with_cookie)


def token() -> str:
    """Return the token of the browser that this session belongs to; "" if it takes no cookies."""
    return _read(st.context.cookies)


def _read(cookies: Mapping[str, str]) -> str:
    value = cookies.get(NAME, "")
    return value if _TOKEN.fullmatch(value) else ""
