"""The outermost layer of the app: every request and response passes here, whatever becomes of it further in.

Checks the Host header, limits the body, answers HEAD as GET without its body, adds the security headers, and turns an error
that nobody foresaw into a 500 that tells nothing but where to look in the log.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from contextlib import suppress

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trimtab.api.access import PUSH_PATHS, Access
from trimtab.api.problems import Refused, problem

BODY_LIMIT = 64 * 1024  # bytes
PUSH_LIMIT = 16 * 1024 * 1024  # of a body full of samples, as it comes: compressed
_LINGER_BYTES, _LINGER_SECONDS = 1024 * 1024, 1.0  # read on a little before 413: closing on unread data can lose the answer

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
log = logging.getLogger("trimtab.api")


class Gate:
    """Pure ASGI, so that streams pass through unbuffered."""

    def __init__(self, app: ASGIApp, access: Access, body_limit: int = BODY_LIMIT) -> None:
        self.app, self.access, self.body_limit = app, access, body_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        answer = _Answer(send, bodiless=scope["method"] == "HEAD")
        inner = {**scope, "method": "GET"} if answer.bodiless else scope
        limit = PUSH_LIMIT if scope["path"] in PUSH_PATHS else self.body_limit
        try:
            self.access.check_host(Headers(scope=scope))
            await self._refuse_long(scope, receive, limit)
            await self.app(inner, _Limited(receive, limit).receive, answer.send)
        except Refused as refused:
            response = problem(refused.status_code, str(refused.detail), scope, headers=refused.headers)
            await response(scope, receive, answer.send)
        except Exception:
            reference = secrets.token_hex(4)
            log.exception("Error %s while answering %s %r", reference, scope["method"], scope["path"])
            if answer.started:
                raise  # half an answer cannot be taken back: the server cuts the connection
            detail = f"This is an error of the agent, not of yours. Its log tells more under {reference}"
            await problem(500, detail, scope)(scope, receive, answer.send)
        return None

    async def _refuse_long(self, scope: Scope, receive: Receive, limit: int) -> None:
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdigit() and int(declared) > limit:
            await _Limited(receive, limit).refuse()


class _Limited:
    """A body that ends in 413 once it is longer than the limit, declared or not."""

    def __init__(self, inner: Receive, limit: int) -> None:
        self._inner, self._limit, self._seen = inner, limit, 0

    async def receive(self) -> Message:
        message = await self._inner()
        self._seen += len(message.get("body", b""))
        if self._seen > self._limit:
            await self.refuse(more=message.get("more_body", False))
        return message

    async def refuse(self, *, more: bool = True) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._linger(more), _LINGER_SECONDS)
        raise Refused(413, f"The body is longer than {self._limit} bytes. Every request of this interface fits into less")

    async def _linger(self, more: bool) -> None:
        while more and self._seen <= _LINGER_BYTES:
            message = await self._inner()
            self._seen += len(message.get("body", b""))
            more = message.get("more_body", False)  # a disconnect has none


class _Answer:
    """Adds the security headers where the route has not set its own, and drops the body of HEAD."""

    def __init__(self, inner: Send, *, bodiless: bool) -> None:
        self._inner, self.bodiless, self.started = inner, bodiless, False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        elif self.bodiless and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await self._inner(message)
