"""Every error as RFC 9457 problem+json: what happened, and what to do. The one place where an exception becomes a status."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from fastapi import HTTPException as FastAPIHTTPException
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from trimtab.domain.errors import ConfigError, Conflict, NotFound, StoreError, TrimtabError
from trimtab.loop.inbox import Overloaded
from trimtab.monitor.ingest import Malformed, TooLarge, Unavailable

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:trimtab:problem:"

KINDS: Mapping[int, tuple[str, str]] = {  # status → last part of `type`, and what it means here
    400: ("bad-request", "The request cannot be read"),
    401: ("no-token", "A valid token is needed"),
    403: ("not-allowed", "The caller may not do this"),
    404: ("not-found", "No such thing"),
    405: ("wrong-method", "The path does not take this method"),
    409: ("conflict", "The request does not fit the state that it meets"),
    413: ("too-large", "The body is too large"),
    415: ("wrong-content-type", "The body must be sent in another form"),
    421: ("wrong-host", "The Host header names somebody else"),
    422: ("invalid", "The request does not have the documented form"),
    429: ("too-fast", "More is sent than can be taken"),
    500: ("internal", "An error of the agent itself"),
    501: ("not-installed", "A part of trimtab that is not installed"),
    503: ("not-ready", "Not now"),
}
_STATUS_OF: Sequence[tuple[type[TrimtabError], int]] = (
    *((NotFound, 404), (Conflict, 409), (StoreError, 503)),
    *((TooLarge, 413), (Malformed, 400), (Overloaded, 503), (Unavailable, 501)),
)
RETRY_SECONDS = "2"

_OF_CONFIGURATION: Mapping[str, Any] = {"type": TYPE_PREFIX + "configuration", "title": "The configuration cannot be used"}


class Refused(FastAPIHTTPException):
    """A request turned away: `detail` says what was wrong and what to do."""


def problem(status: int, detail: str, scope: Scope, *, headers: Mapping[str, str] | None = None, **more: Any) -> Response:
    """The response to the request of `scope`; `more` become extension members."""
    slug, title = KINDS.get(status, (f"http-{status}", HTTPStatus(status).phrase))
    document = {
        "type": TYPE_PREFIX + slug,
        "title": title,
        "status": status,
        "detail": _encodable(detail),
        "instance": _instance(scope),
        **more,
    }
    return Response(json.dumps(document, allow_nan=False), status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make the app answer all errors that it foresees as problems; the gate answers those that it does not."""
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(TrimtabError, _trimtab_error)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    detail = str(error.detail)
    if error.status_code == 405:
        allowed = headers.get("Allow", "")
        headers["Allow"] = allowed.replace("GET", "GET, HEAD")  # the gate answers HEAD wherever GET is
        detail = f"{request.method} is not offered here: use {headers['Allow']}"
    elif error.status_code == 404 and not isinstance(error, Refused):
        detail = "There is no such path. /docs lists those that there are"
    elif error.status_code == 400 and not isinstance(error, Refused):
        detail = "The body cannot be read. Send one JSON object in UTF-8, as /docs shows it"
    return problem(error.status_code, detail, request.scope, headers=headers)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [
        {"where": ".".join(_encodable(str(part)) for part in _place(each)), "message": _encodable(_said(each))}
        for each in error.errors()
    ]
    detail = "; ".join(f"{each['where']}: {each['message']}" for each in errors[:5]) + ". /docs shows the form"
    return problem(422, detail, request.scope, errors=errors[:50])


def _place(error: Mapping[str, Any]) -> Sequence[Any]:
    """Where it is; of text that is no JSON only that it is the body: the number behind it is no field."""
    loc: Sequence[Any] = error["loc"]
    return loc[:1] if error["type"] == "json_invalid" else loc


def _said(error: Mapping[str, Any]) -> str:
    if error["type"] == "json_invalid":
        why = str(error.get("ctx", {}).get("error", ""))
        return f"is not JSON: {why}, at character {error['loc'][-1]}"
    return str(error["msg"]).removeprefix("Value error, ")


async def _trimtab_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, TrimtabError)
    if isinstance(error, ConfigError):
        return _bad_configuration(error, request.scope)
    status = next((status for kind, status in _STATUS_OF if isinstance(error, kind)), 500)
    if status == 500:
        raise error  # not foreseen here: the gate logs it and tells nothing
    if isinstance(error, Overloaded):
        return problem(503, str(error), request.scope, headers={"Retry-After": RETRY_SECONDS})
    if status == 503:  # its message names files and servers: for the log, not for callers
        detail = "The agent's store cannot be used right now. See the agent's log; ask again once /readyz says ready"
        return problem(503, detail, request.scope, headers={"Retry-After": "5"})
    return problem(status, str(error), request.scope)


def _bad_configuration(error: ConfigError, scope: Scope) -> Response:
    """Every mistake by its place in the file, as a request's mistakes are listed by their field."""
    errors = []
    for line in error.problems:
        where, _, message = line.partition(": ")
        errors.append({"where": _encodable(where), "message": _encodable(message or line)})
    said = error.message if error.problems else str(error).rstrip(".")
    detail = f"{said}. The settings that were in use stay in use"
    return problem(422, detail, scope, **_OF_CONFIGURATION, errors=errors[:200])


def _instance(scope: Scope) -> str:
    """The path as it was sent, where it is a URI; what is none is escaped."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return quote(raw.partition(b"?")[0], safe="/%:@!$&'()*+,;=-._~")


def _encodable(text: str) -> str:
    """`text` without the lone surrogates that a JSON escape can smuggle into a string, and not longer than a page."""
    return text.encode("utf-8", "replace").decode()[:2000]
