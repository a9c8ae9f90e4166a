"""The routes that metrics are pushed to: Prometheus remote write and OTLP over HTTP."""

from __future__ import annotations

from typing import Any, Protocol

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from trimtab.api.problems import Refused

_BODY = {"content": {"application/x-protobuf": {"schema": {"type": "string", "format": "binary"}}}, "required": True}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The body is not what it should be. Nothing of it was taken; sending it again is no use."},
    501: {"description": "What decodes it is not installed: pip install 'trimtab[otlp]'."},
    503: {"description": "No room now, or the store cannot be written. Nothing was taken; send it again."},
}


class Intake(Protocol):
    """Where bodies are taken in."""

    async def take(self, kind: str, encoding: str, body: bytes) -> None:
        """Take a body in. Raises `TrimtabError`s as `loop.inbox.Inbox` does."""
        ...


class Pushing:
    """The endpoints; `add_to` lists their paths."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def add_to(self, app: FastAPI) -> None:
        """Register both."""
        about: dict[str, Any] = {"tags": ["metrics"], "responses": _ANSWERS, "openapi_extra": {"requestBody": _BODY}}
        app.post("/api/v1/write", status_code=204, **about)(self.remote_write)
        app.post("/v1/metrics", **about)(self.otlp)

    async def remote_write(self, request: Request) -> Response:
        """Take samples in, as Prometheus sends them (remote write 1.0, Snappy)."""
        if "write.v2" in request.headers.get("content-type", ""):
            raise Refused(415, "Remote write 2.0 is not taken; senders fall back to 1.0 (prometheus.WriteRequest)")
        await self._intake.take("remote write", request.headers.get("content-encoding", "snappy"), await request.body())
        return Response(status_code=204)

    async def otlp(self, request: Request) -> Response:
        """Take metrics in, as OpenTelemetry sends them (OTLP/HTTP, protobuf, gzip or plain)."""
        await self._intake.take("otlp", request.headers.get("content-encoding", ""), await request.body())
        return Response(b"", media_type="application/x-protobuf")  # an empty ExportMetricsServiceResponse: all was taken
