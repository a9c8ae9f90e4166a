"""The page at /docs: the OpenAPI document as one HTML page, without scripts and without anything from elsewhere.

It works in a terminal browser and behind the strictest policy, and shows the document that clients are generated from.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from trimtab.api.problems import KINDS, TYPE_PREFIX

_STYLE = """
:root{color-scheme:light dark;--line:#8885;--soft:#8882;--get:#2a7f4f;--post:#a15c00}
body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}
h1{margin-bottom:0}h2{margin-top:3rem;border-bottom:1px solid var(--line)}h3{margin:2.5rem 0 .3rem}
code,pre{font:.88em/1.45 ui-monospace,monospace}pre{background:var(--soft);padding:.7rem;overflow-x:auto}
table{border-collapse:collapse;width:100%;margin:.5rem 0 1rem}
th,td{text-align:left;vertical-align:top;padding:.25rem .7rem .25rem 0;border-bottom:1px solid var(--line)}
.get,.post{color:#fff;border-radius:.3rem;padding:.1rem .5rem;font-size:.8em}
.get{background:var(--get)}.post{background:var(--post)}
"""
_POLICY_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_POLICY_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def render(document: Mapping[str, Any]) -> str:
    """`document` as HTML."""
    info = document["info"]
    operations = [(method, path, each) for path, methods in document["paths"].items() for method, each in methods.items()]
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>",
        f"<title>{escape(info['title'])}</title><style>{_STYLE}</style>",
        f"<h1>{escape(info['title'])}</h1><p>{escape(info['version'])} · <a href='/openapi.json'>openapi.json</a></p>",
        f"<p>{_prose(info.get('description', ''))}</p>",
        _access(document),
        "<h2 id='paths'>Paths</h2>",
        _table(
            ("", "path", ""),
            ((_badge(m), f"<a href='#{_anchor(o)}'><code>{escape(p)}</code></a>", _prose(_first(o))) for m, p, o in operations),
        ),
        *(_operation(method, path, each) for method, path, each in operations),
        "<h2 id='problems'>Problems</h2>",
        _table(
            ("status", "type", "meaning"),
            ((str(status), f"<code>{TYPE_PREFIX}{slug}</code>", escape(title)) for status, (slug, title) in KINDS.items()),
        ),
        "<h2 id='schemas'>Schemas</h2>",
        *(_schema(name, each) for name, each in sorted(document["components"]["schemas"].items())),
        "</html>",
    ]
    return "\n".join(parts)


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    parts = [
        f"<h3 id='{_anchor(operation)}'>{_badge(method)} <code>{escape(path)}</code></h3>",
        f"<p>{_prose(operation.get('description', ''))}</p>",
    ]
    if parameters := operation.get("parameters"):
        parts.append(_table(("parameter", "in", "type", ""), (_parameter(each) for each in parameters)))
    if body := operation.get("requestBody"):
        schema = body["content"]["application/json"]["schema"]
        parts.append(f"<p>Body{'' if body.get('required') else ' (may be left out)'}: {_type(schema)}</p>")
    parts.append(
        _table(("status", "", "body"), (_response(status, each) for status, each in operation["responses"].items())),
    )
    return "\n".join(parts)


def _parameter(parameter: Mapping[str, Any]) -> tuple[str, ...]:
    name = f"<code>{escape(parameter['name'])}</code>{' (required)' if parameter.get('required') else ''}"
    return name, escape(parameter["in"]), _type(parameter["schema"]), _prose(parameter.get("description", ""))


def _response(status: str, response: Mapping[str, Any]) -> tuple[str, ...]:
    bodies = ", ".join(
        f"{_type(each.get('schema', {}))} <code>{kind}</code>" for kind, each in response.get("content", {}).items()
    )
    return escape(status), _prose(response.get("description", "")), bodies


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    parts = [f"<h3 id='schema-{escape(name)}'>{escape(name)}</h3><p>{_prose(schema.get('description', ''))}</p>"]
    required = schema.get("required", ())
    if properties := schema.get("properties"):
        rows = (
            (
                f"<code>{escape(key)}</code>{'' if key in required else ' (optional)'}",
                _type(each),
                _prose(each.get("description", "")),
                _example(each),
            )
            for key, each in properties.items()
        )
        parts.append(_table(("field", "type", "", "example"), rows))
    if values := schema.get("enum"):
        parts.append(f"<p>{_codes(values)}</p>")
    parts += [f"<pre>{escape(json.dumps(each, indent=2))}</pre>" for each in schema.get("examples", ())]
    return "\n".join(parts)


def _type(schema: Mapping[str, Any]) -> str:
    """A type in words, with links to named schemas."""
    if reference := schema.get("$ref"):
        name = escape(str(reference).rpartition("/")[2])
        return f"<a href='#schema-{name}'>{name}</a>"
    if choices := schema.get("anyOf"):
        return " or ".join(_type(each) for each in choices)
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if isinstance(values := schema.get("additionalProperties"), Mapping):
        return f"map to {_type(values)}"
    words = escape(str(schema.get("format") or schema.get("type") or "anything"))
    limits = {"minimum": "≥", "maximum": "≤", "minLength": "length ≥", "maxLength": "length ≤", "default": "default"}
    return ", ".join([words, *(f"{word} {escape(json.dumps(schema[key]))}" for key, word in limits.items() if key in schema)])


def _access(document: Mapping[str, Any]) -> str:
    schemes = document["components"].get("securitySchemes")
    text = (
        "Everything but the probes needs a token: <code>Authorization: Bearer …</code>."
        if schemes
        else "No token exists: only this machine is served, and changes only from this origin."
    )
    return f"<p>{text}</p>"


def _example(schema: Mapping[str, Any]) -> str:
    return _codes(schema.get("examples", ()))


def _codes(values: Iterable[Any]) -> str:
    return " ".join(f"<code>{escape(json.dumps(value, ensure_ascii=False))}</code>" for value in values)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Cells are HTML already."""
    header = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{header}</tr>{body}</table>"


def _prose(text: str) -> str:
    """Text with `code` marked as such."""
    pieces = escape(text).split("`")
    return "".join(f"<code>{piece}</code>" if index % 2 else piece for index, piece in enumerate(pieces))


def _badge(method: str) -> str:
    return f"<span class='{escape(method)}'>{escape(method.upper())}</span>"


def _anchor(operation: Mapping[str, Any]) -> str:
    return escape(str(operation["operationId"]))


def _first(operation: Mapping[str, Any]) -> str:
    return str(operation.get("description", "")).partition(". ")[0].rstrip(".") + "."
