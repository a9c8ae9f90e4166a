"""The REST interface as one ASGI app over a running agent. Built once at start, by the server or by a host program of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.responses import HTMLResponse, JSONResponse, Response

from trimtab.api import docs_page, problems, schema
from trimtab.api.access import Access, guarded_route
from trimtab.api.acting import Acting
from trimtab.api.facade import AgentFacade, TokenChecker
from trimtab.api.gate import Gate
from trimtab.api.reading import Reading


def create_app(agent: AgentFacade, *, tokens: TokenChecker | None, allowed_hosts: Sequence[str], version: str) -> FastAPI:
    """The app. It must be served on the event loop that `agent` runs in.

    `tokens` is None exactly where no token exists: then bind to loopback only, as `Server` does. `allowed_hosts` are names that a
    Host header may carry besides the loopback ones, without port.
    """
    access = Access.of(tokens, allowed_hosts)
    app = FastAPI(
        title="trimtab",
        version=version,
        docs_url=None,  # FastAPI's page loads its script from a CDN
        redoc_url=None,
        openapi_url=None,  # served below, behind the same rules as everything else
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    app.router.route_class = guarded_route(access)
    Reading(agent, version).add_to(app)
    Acting(agent).add_to(app)
    _add_documentation(app, with_tokens=tokens is not None)
    problems.install(app)
    app.add_middleware(Gate, access=access)
    return app


def _add_documentation(app: FastAPI, *, with_tokens: bool) -> None:
    document: dict[str, Any] = {}

    def described() -> dict[str, Any]:
        if not document:
            document.update(schema.describe(app, with_tokens=with_tokens))
        return document

    async def get_openapi_document() -> Response:
        return JSONResponse(described())

    async def get_docs() -> Response:
        headers = {"Content-Security-Policy": docs_page.CONTENT_SECURITY_POLICY}
        return HTMLResponse(docs_page.render(described()), headers=headers)

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's documented way to bring one's own
    app.get("/openapi.json", include_in_schema=False)(get_openapi_document)
    app.get("/docs", include_in_schema=False)(get_docs)


def _operation_id(route: APIRoute) -> str:
    return route.name
