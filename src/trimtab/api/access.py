"""Who may do what. Called for every matched route, before its body is read.

Two regimes: without tokens only loopback is served, and a change must come from the same origin (a web page elsewhere can make a
browser send requests to 127.0.0.1); with tokens everything needs one, apart from the two probes.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from trimtab.api.problems import Refused
from trimtab.domain.access import Role
from trimtab.domain.ports import TokenChecker

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
PUBLIC_PATHS = frozenset({"/healthz", "/readyz"})  # a supervisor that probes holds no token
PUSH_PATHS = frozenset({"/api/v1/write", "/v1/metrics"})  # bodies are protobuf there, and a token need not be good for more
_SAFE_METHODS = frozenset({"GET", "HEAD"})
_AUTHORITY = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?")
_ORIGIN = re.compile(r"(https?)://(.+)")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Access:
    """The rules in force. `hosts` are the names that a Host header may carry, as `host_name` writes them.

    The door closes for good with the first token that is seen: revoking the last one does not open it again before a restart.
    """

    def __init__(self, tokens: TokenChecker | None, allowed_hosts: Iterable[str], now: Callable[[], float]) -> None:
        extra = (f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host for host in allowed_hosts)
        self.hosts = frozenset(host.lower().rstrip(".") for host in (*LOOPBACK_NAMES, *extra))
        self._tokens, self._now = tokens, now
        self._closed = tokens is not None and not tokens.empty

    def door(self) -> TokenChecker | None:
        """The tokens that are asked for; None while none was ever made. Raises `StoreError` where that cannot be told."""
        self._closed = self._closed or (self._tokens is not None and not self._tokens.empty)
        return self._tokens if self._closed else None

    def check_host(self, headers: Headers) -> None:
        """Refuse a Host header that is not ours: a name that an attacker's DNS turned towards us (DNS rebinding).

        Raises `Refused` 400 where there is none to judge, 421 where it is another's.
        """
        name = host_name(_only(headers, "host") or "")
        if name is None:
            raise Refused(400, "The Host header is missing or malformed. Send the name that this server is reached by")
        if name not in self.hosts:
            raise Refused(421, f"This server is not {name!r}. Use a loopback name, or add the name to api.allowed_hosts")

    def admit(self, request: Request) -> str:
        """The actor in whose name the request is carried out. Raises `Refused` 401, 403 or 415, `StoreError`."""
        changes = request.method not in _SAFE_METHODS
        public = request.scope["path"] in PUBLIC_PATHS  # request.url would parse the path anew, and could read it otherwise
        door = None if public else self.door()
        push = request.scope["path"] in PUSH_PATHS
        if door is not None:
            needed = Role.SENDER if push else Role.OPERATOR if changes else Role.VIEWER
            actor = self._token_holder(door, request, needed)
        else:
            actor = f"local {request.client.host}" if request.client else "local"
            if changes:
                _require_same_origin(request.headers)
        if changes:
            _require_type(request.headers, "application/x-protobuf" if push else "application/json")
        return actor

    def _token_holder(self, tokens: TokenChecker, request: Request, role: Role) -> str:
        scheme, _, token = (_only(request.headers, "authorization") or "").partition(" ")
        bearer = scheme.lower() == "bearer" and token.strip()
        grant = tokens.check(token.strip(), self._now()) if bearer else None
        if grant is None:
            challenge = 'Bearer realm="trimtab"' + (', error="invalid_token"' if scheme else "")
            raise Refused(
                401,
                "Send a token of this agent: 'Authorization: Bearer …'. `trimtab token create NAME` makes one",
                {"WWW-Authenticate": challenge},
            )
        if not grant.role.may(role):
            raise Refused(403, f"The token {grant.name!r} has the role {grant.role.value!r}; this needs {role.value!r}")
        return grant.name


def host_name(header: str) -> str | None:
    """The name in a Host header, without its port; None where the header is malformed.

    >>> host_name("LocalHost.:8642"), host_name("[::1]:8642"), host_name("localhost@evil.example")
    ('localhost', '[::1]', None)
    """
    match = _AUTHORITY.fullmatch(header)
    return match[1].lower().rstrip(".") or None if match else None


def same_origin(origin: str, host: str) -> bool:
    """Whether a page of `origin` was served by `host`, ports included.

    >>> same_origin("http://localhost:8642", "localhost:8642"), same_origin("http://localhost:3000", "localhost:8642")
    (True, False)
    >>> same_origin("https://trimtab.example", "trimtab.example:443"), same_origin("null", "null")
    (True, False)
    """
    match = _ORIGIN.fullmatch(origin)
    if match is None:
        return False
    default = _DEFAULT_PORTS[match[1]]
    theirs, ours = _authority(match[2], default), _authority(host, default)
    return theirs is not None and theirs == ours


def _authority(text: str, default_port: int) -> tuple[str, int] | None:
    match = _AUTHORITY.fullmatch(text)
    return (match[1].lower().rstrip("."), int(match[2] or default_port)) if match else None


def _require_same_origin(headers: Headers) -> None:
    site = headers.get("sec-fetch-site", "none")
    origins = headers.getlist("origin")
    host = headers.get("host", "")
    if site not in ("same-origin", "none") or not all(same_origin(origin, host) for origin in origins):
        raise Refused(403, "The request comes from a page of another origin. Send it from this server's pages or from a terminal")


def _require_type(headers: Headers, wanted: str) -> None:
    received = headers.get("content-type", "")
    if received.partition(";")[0].strip().lower() != wanted:  # a form can send neither of them without asking first
        raise Refused(415, f"Content-Type is {received[:80]!r}; send 'Content-Type: {wanted}'", {"Accept": wanted})


def _only(headers: Headers, name: str) -> str | None:
    """The header where it is sent exactly once: of two that differ, two readers may pick different ones."""
    values = headers.getlist(name)
    return values[0] if len(values) == 1 else None


def guarded_route(access: Access) -> type[APIRoute]:
    """The route class whose every route asks `access` first and leaves the actor in `request.state.actor`.

    At the route, not in a middleware: an unknown path stays 404 and a wrong method 405. Not a dependency either: those run only
    after the body was read and parsed.
    """

    class GuardedRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle: Callable[[Request], Awaitable[Response]] = super().get_route_handler()

            async def admit_then_handle(request: Request) -> Response:
                request.state.actor = access.admit(request)
                return await handle(request)

            return admit_then_handle

    return GuardedRoute
