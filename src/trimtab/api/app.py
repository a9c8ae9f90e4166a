"""The REST interface as one ASGI app over a running agent. Built once at start, by the server or by a host program of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.responses import HTMLResponse, JSONResponse, Response

from trimtab.api import problems
from trimtab.api.access import Access, guarded_route
from trimtab.api.acting import Acting
from trimtab.api.facade import AgentFacade
from trimtab.api.gate import Gate
from trimtab.api.pushing import Intake, Pushing
from trimtab.api.reading import Reading
from trimtab.domain.ports import TokenChecker


def create_app(
    agent: AgentFacade,
    *,
    tokens: TokenChecker | None,
    allowed_hosts: Sequence[str],
    version: str,
    intake: Intake | None = None,
) -> FastAPI:
    """The app. It must be served on the event loop that `agent` runs in. Where `intake` is given, metrics may be pushed.

    Where `tokens` is None or empty, bind to loopback only, as `Server` does; a token made later counts from the next request on.
    `allowed_hosts` are names that a Host header may carry besides the loopback ones, without port. Raises `StoreError` where the
    tokens cannot be read.
    """
    access = Access(tokens, allowed_hosts, agent.now)
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
    if intake is not None:
        Pushing(intake).add_to(app)
    _add_documentation(app, access)
    problems.install(app)
    app.add_middleware(Gate, access=access)
    return app


def _add_documentation(app: FastAPI, access: Access) -> None:
    """What writes it is loaded when somebody reads it."""
    documents: dict[bool, dict[str, Any]] = {}

    def described() -> dict[str, Any]:
        with_tokens = access.door() is not None
        if with_tokens not in documents:
            from trimtab.api import schema

            documents[with_tokens] = schema.describe(app, with_tokens=with_tokens)
        return documents[with_tokens]

    async def get_openapi_document() -> Response:
        return JSONResponse(described())

    async def get_docs() -> Response:
        from trimtab.api import docs_page

        headers = {"Content-Security-Policy": docs_page.CONTENT_SECURITY_POLICY}
        return HTMLResponse(docs_page.render(described()), headers=headers)

    async def get_pointer() -> Response:
        return JSONResponse({"title": app.title, "docs": "/docs", "openapi": "/openapi.json", "status": "/agent/status"})

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's documented way to bring one's own
    app.get("/", include_in_schema=False)(get_pointer)
    app.get("/openapi.json", include_in_schema=False)(get_openapi_document)
    app.get("/docs", include_in_schema=False)(get_docs)


def _operation_id(route: APIRoute) -> str:
    return route.name
