"""The REST interface: what the agent knows, for reading, and the few requests that a person may make of it.

Reads: an `AgentFacade` (the running agent), tokens. Produces: JSON, Prometheus text, RFC 9457 problems; calls approve, rollback,
pause and resume on the agent in the name of the caller. May import: `domain`. Never: an adapter (systems, storage, notify); a
decision of its own; an effect on GET.

FastAPI and uvicorn load with the first use of `create_app` or `Server`: importing this room costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from trimtab.api.facade import AgentFacade

if TYPE_CHECKING:
    from trimtab.api.app import create_app as create_app
    from trimtab.api.server import Server as Server

__all__ = ["AgentFacade", "Server", "create_app"]

_HOMES = {"create_app": "app", "Server": "server"}


def _load_fastapi() -> None:
    """Load FastAPI without building the models in which it describes all of OpenAPI: 1.4 MB and 50 ms.

    Nobody needs them before somebody reads the documentation; they are built then.
    """
    from pydantic import BaseModel

    BaseModel.model_config["defer_build"] = True  # what is defined meanwhile inherits it
    try:
        import_module("fastapi")
    finally:
        BaseModel.model_config.pop("defer_build", None)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        _load_fastapi()
        return getattr(import_module(f"trimtab.api.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'trimtab.api' has no attribute {name!r}")
