"""The OpenAPI document is complete, and /docs shows all of it without a script and without anything from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from api.fake_agent import FakeAgent, FakeTokens
from trimtab.api import create_app


@pytest.fixture(params=[None, FakeTokens()], ids=["no tokens", "tokens"])
def document(request: pytest.FixtureRequest) -> dict[str, Any]:
    return create_app(FakeAgent(), tokens=request.param, allowed_hosts=(), version="1").openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def test_every_answer_has_a_schema(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        assert operation["description"], path
        for status, response in operation["responses"].items():
            kind = "application/problem+json" if int(status) >= 400 else None
            assert response["description"]
            for content_type, body in response["content"].items():
                assert kind in (None, content_type)
                assert body["schema"], (method, path, status)


def test_every_status_that_can_come_is_named(document: dict[str, Any]) -> None:
    secured = "securitySchemes" in document["components"]
    for method, path, operation in operations(document):
        public = path in ("/healthz", "/readyz")
        expected = {"200", "400", "413", "421", "500"}
        expected |= {"403", "415", "422"} if method == "post" else set()
        expected |= {"401", "403"} if secured and not public else set()
        assert expected <= set(operation["responses"]), path
        assert ("security" in operation) == (secured and not public)
    for verb in ("approve", "reject", "rollback"):
        assert {"404", "409"} <= set(document["paths"][f"/agent/action/{verb}"]["post"]["responses"])


def test_every_reference_leads_somewhere_and_every_field_is_described(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert set(re.findall(r"#/components/schemas/(\w+)", str(document))) <= set(schemas)
    assert not [name for name in schemas if "ValidationError" in name]
    requests = ["ApproveIn", "RejectIn", "RollbackIn", "EmptyIn"]
    assert all(schemas[name]["additionalProperties"] is False and schemas[name]["examples"] for name in requests)


class Page(HTMLParser):
    """Collects what a browser would fetch, run or jump to."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: set[str] = set()
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            assert not name.startswith("on") and name not in ("style", "src"), "the policy forbids it"
            if name == "href":
                self.links.add(value or "")
            if name == "id":
                self.anchors.add(value or "")


def test_the_page_stands_alone(open_client: httpx.Client) -> None:
    answer = open_client.get("/docs")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    page = Page()
    page.feed(answer.text)
    assert not page.tags & {"script", "link", "img", "iframe", "object", "embed", "form"}
    assert {link for link in page.links if not link.startswith("#")} == {"/openapi.json"}
    assert {link[1:] for link in page.links if link.startswith("#")} <= page.anchors
    style = re.search(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = answer.headers["Content-Security-Policy"]
    assert f"style-src 'sha256-{digest}'" in policy and "unsafe" not in policy and "default-src 'none'" in policy


def test_the_page_shows_the_whole_document(open_client: httpx.Client) -> None:
    page, document = open_client.get("/docs").text, open_client.get("/openapi.json").json()
    for _, path, operation in operations(document):
        assert f"<code>{path}</code>" in page
        assert f"id='{operation['operationId']}'" in page
        assert all(f"<code>{each['name']}</code>" in page for each in operation.get("parameters", ()))
    for name, schema in document["components"]["schemas"].items():
        assert f"id='schema-{name}'" in page
        assert all(f"<code>{field}</code>" in page for field in schema.get("properties", ()))


def test_the_page_says_whether_a_token_is_needed(
    open_client: httpx.Client, token_client: Callable[[str | None], httpx.Client]
) -> None:
    assert "No token exists" in open_client.get("/docs").text
    assert "Everything but the probes needs a token" in token_client("viewer").get("/docs").text
