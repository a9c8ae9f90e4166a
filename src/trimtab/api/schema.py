"""The OpenAPI document, complete: each status that an operation can answer with, errors as problem+json, and who may call.

Built once, from the routes, and corrected here where FastAPI describes its own defaults instead of this interface.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from trimtab.api.access import PUBLIC_PATHS
from trimtab.api.models import FieldProblem, Problem
from trimtab.api.problems import KINDS, MEDIA_TYPE

_ALWAYS = (400, 413, 421, 500)
_CHANGING = (403, 415, 422)
_SECURED = (401, 403, 503)  # 503: the tokens cannot be read
_REPLACED = ("HTTPValidationError", "ValidationError")  # FastAPI's own shape of a 422, which never leaves this app

DESCRIPTION = (
    "What the agent sees, decides and does, and the requests that a person may make of it. Errors are RFC 9457 problems. "
    "Changes need `Content-Type: application/json`."
)


def describe(app: FastAPI, *, with_tokens: bool) -> dict[str, Any]:
    """The document for `app`; `with_tokens` adds the Bearer scheme and what a missing token is answered with."""
    document = get_openapi(title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes)
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in _REPLACED:
        schemas.pop(name, None)
    for model in (FieldProblem, Problem):
        schemas[model.__name__] = _schema_of(model)
    if with_tokens:
        components["securitySchemes"] = {
            "token": {"type": "http", "scheme": "bearer", "description": "`trimtab token create NAME` makes one."}
        }
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            _complete(operation, method, secured=with_tokens and path not in PUBLIC_PATHS)
    return document


def _schema_of(model: type[Problem | FieldProblem]) -> dict[str, Any]:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}", mode="validation")
    schema.pop("$defs", None)
    return schema


def _complete(operation: dict[str, Any], method: str, *, secured: bool) -> None:
    responses: dict[str, Any] = operation["responses"]
    statuses = {*_ALWAYS, *(_CHANGING if method == "post" else ()), *(_SECURED if secured else ())}
    for status in statuses:
        responses.setdefault(str(status), {})
    for status, response in responses.items():
        if int(status) >= 400:
            title = KINDS[int(status)][1] + "."
            response["description"] = title if status == "422" else response.get("description", title)
            response["content"] = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    if (
        "requestBody" in operation
    ):  # pause and resume take an empty one too, but only with its Content-Type, which no schema can say
        operation["requestBody"]["required"] = True
    if secured:
        operation["security"] = [{"token": []}]
        responses["401"]["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}, "required": True}}
    operation["responses"] = dict(sorted(responses.items()))
