"""Every error is a problem that says what happened and what to do, and tells nothing of the inside."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from api.fake_agent import FakeAgent
from trimtab.domain.errors import Conflict, StoreError, TrimtabError

APPROVE = "/agent/action/approve"
JSON = {"Content-Type": "application/json"}


def assert_problem(answer: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "instance"} <= set(document)
    assert (document["type"], document["status"]) == (f"urn:trimtab:problem:{slug}", status)
    assert document["instance"] == answer.url.raw_path.decode().partition("?")[0]
    assert document["title"]
    assert len(document["detail"]) > 20, "a sentence, not a word"
    return document


@pytest.mark.parametrize(
    ("method", "path", "how", "status", "slug"),
    [
        pytest.param("GET", "/nowhere", {}, 404, "not-found", id="no such path"),
        pytest.param("GET", "/agent/status/", {}, 404, "not-found", id="a slash too many"),
        pytest.param("GET", "/agent/actions/nobody", {}, 404, "not-found", id="no such action"),
        pytest.param("GET", "/agent/actions/%00%FF%22", {}, 404, "not-found", id="an id of odd bytes"),
        pytest.param("GET", "/agent/actions/" + "a" * 201, {}, 422, "invalid", id="an id too long"),
        pytest.param("GET", "/agent/actions/recent?count=0", {}, 422, "invalid", id="query"),
        pytest.param("GET", APPROVE, {}, 405, "wrong-method", id="GET on a request"),
        pytest.param("DELETE", "/agent/status", {}, 405, "wrong-method", id="DELETE"),
        pytest.param("OPTIONS", APPROVE, {"headers": {"Origin": "http://evil.example"}}, 405, "wrong-method", id="preflight"),
        pytest.param("POST", APPROVE, {"content": b"{}"}, 415, "wrong-content-type", id="no content type"),
        pytest.param("POST", APPROVE, {"content": b"{", "headers": JSON}, 422, "invalid", id="half a document"),
        pytest.param("POST", APPROVE, {"content": b"", "headers": JSON}, 422, "invalid", id="no document"),
        pytest.param("POST", APPROVE, {"content": b'{"\xff": 1}', "headers": JSON}, 400, "bad-request", id="not UTF-8"),
        pytest.param("POST", APPROVE, {"content": b"[" * 60_000, "headers": JSON}, 400, "bad-request", id="60,000 deep"),
        pytest.param("POST", APPROVE, {"json": []}, 422, "invalid", id="a list"),
        pytest.param("POST", APPROVE, {"json": {}}, 422, "invalid", id="nothing said"),
        pytest.param("POST", APPROVE, {"json": {"action_id": "waits_1"}}, 422, "invalid", id="approved missing"),
        pytest.param(
            "POST", APPROVE, {"json": {"action_id": "waits_1", "approved": "false"}}, 422, "invalid", id="a word for false"
        ),
        pytest.param("POST", APPROVE, {"json": {"action_id": "waits_1", "approved": 1}}, 422, "invalid", id="a number for true"),
        pytest.param("POST", APPROVE, {"json": {"action_id": 1, "approved": True}}, 422, "invalid", id="a number for an id"),
        pytest.param(
            "POST", APPROVE, {"json": {"action_id": "waits_1", "approved": True, "planhash": "x"}}, 422, "invalid", id="misspelt"
        ),
        pytest.param(
            "POST",
            APPROVE,
            {"content": b'{"action_id": "\\ud800", "approved": true, "\\udfff": 1}', "headers": JSON},
            422,
            "invalid",
            id="half a character",
        ),
        pytest.param("POST", APPROVE, {"json": {"action_id": "nobody", "approved": True}}, 404, "not-found", id="unknown id"),
        pytest.param("POST", APPROVE, {"json": {"action_id": "kept_1", "approved": True}}, 409, "conflict", id="not waiting"),
        pytest.param("POST", "/agent/action/rollback", {"json": {"action_id": "waits_1"}}, 409, "conflict", id="nothing to undo"),
        pytest.param("POST", "/agent/pause", {"json": {"for": 5}}, 422, "invalid", id="pause with more"),
        pytest.param(
            "POST", APPROVE, {"json": {}, "headers": {"Origin": "http://evil.example"}}, 403, "not-allowed", id="another origin"
        ),
        pytest.param("GET", "/agent/status", {"headers": {"Host": "evil.example"}}, 421, "wrong-host", id="another host"),
        pytest.param("GET", "/agent/status", {"headers": {"Host": "a b"}}, 400, "bad-request", id="no host at all"),
        pytest.param("POST", APPROVE, {"content": b" " * 65_537, "headers": JSON}, 413, "too-large", id="a byte too long"),
    ],
)
def test_each_error_is_a_problem(
    open_client: httpx.Client, agent: FakeAgent, method: str, path: str, how: dict[str, Any], status: int, slug: str
) -> None:
    before = agent.digest()
    assert_problem(open_client.request(method, path, **how), status, slug)
    assert agent.digest() == before


@pytest.mark.parametrize("total", [65_536, 65_537, 2_000_000])
@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
def test_the_body_has_a_limit_however_it_is_sent(open_client: httpx.Client, agent: FakeAgent, total: int, chunked: bool) -> None:
    document = b'{"action_id": "waits_1", "approved": true}'.ljust(total)

    def pieces() -> Iterator[bytes]:
        yield from (document[at : at + 10_000] for at in range(0, total, 10_000))

    answer = open_client.post(APPROVE, content=pieces() if chunked else document, headers=JSON)
    assert answer.status_code == (200 if total <= 65_536 else 413)
    assert bool(agent.effects) == (total <= 65_536)


def test_a_wrong_method_names_the_right_ones(open_client: httpx.Client) -> None:
    assert open_client.put("/agent/status").headers["Allow"] == "GET, HEAD"
    assert open_client.put(APPROVE).headers["Allow"] == "POST"


def test_every_mistake_is_named_at_once(open_client: httpx.Client) -> None:
    body = {"action_id": "", "approved": "yes", "plan_hash": 5, "extra": 1}
    document = assert_problem(open_client.post(APPROVE, json=body), 422, "invalid")
    assert {each["where"] for each in document["errors"]} == {f"body.{name}" for name in body}


def test_the_remedy_reaches_the_caller(open_client: httpx.Client) -> None:
    document = assert_problem(open_client.get("/agent/actions/nobody"), 404, "not-found")
    assert document["detail"] == "no action 'nobody'. `trimtab history` lists them"


@pytest.mark.parametrize("error", [RuntimeError("secret /etc/path"), TrimtabError("secret"), KeyError("secret")], ids=repr)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_unforeseen_error_tells_nothing_but_is_logged(
    open_client: httpx.Client, agent: FakeAgent, caplog: pytest.LogCaptureFixture, error: Exception, method: str
) -> None:
    agent.fail_with = error
    with caplog.at_level(logging.ERROR, logger="trimtab.api"):
        answer = open_client.request(method, "/agent/status")
    logged = [record for record in caplog.records if record.name == "trimtab.api"]
    assert len(logged) == 1
    assert logged[0].exc_info and logged[0].exc_info[1] is error
    assert answer.status_code == 500
    assert "secret" not in answer.text
    if method == "GET":
        detail = assert_problem(answer, 500, "internal")["detail"]
        assert logged[0].args and logged[0].args[0] in detail, "the reference finds the line in the log"


@pytest.mark.parametrize(
    ("error", "status", "slug"),
    [(StoreError("disk /secret"), 503, "not-ready"), (Conflict("the action has ended by now"), 409, "conflict")],
)
def test_errors_of_the_domain_have_their_status(
    open_client: httpx.Client, agent: FakeAgent, error: TrimtabError, status: int, slug: str
) -> None:
    agent.fail_with = error
    document = assert_problem(open_client.post("/agent/action/rollback", json={"action_id": "kept_1"}), status, slug)
    assert "secret" not in str(document)


def test_a_refusal_with_tokens_is_a_problem(token_client: Callable[[str | None], httpx.Client]) -> None:
    assert_problem(token_client(None).get("/agent/status"), 401, "no-token")
    document = assert_problem(token_client("viewer").post("/agent/pause", json={}), 403, "not-allowed")
    assert "viewer" in document["detail"] and "operator" in document["detail"]


def test_http_1_0_without_a_host_is_refused(open_client: httpx.Client) -> None:
    with socket.create_connection((open_client.base_url.host, open_client.base_url.port or 0), timeout=5) as raw:
        raw.sendall(b"GET /agent/status HTTP/1.0\r\n\r\n")
        answer = b"".join(iter(lambda: raw.recv(4096), b""))
    assert b" 400 " in answer.splitlines()[0]
    assert b"urn:trimtab:problem:bad-request" in answer


def test_text_that_is_no_json_is_told_without_a_parser_s_words(open_client: httpx.Client) -> None:
    answer = open_client.request("POST", APPROVE, content=b"{nonsense", headers=JSON)
    problem = assert_problem(answer, 422, "invalid")
    (error,) = problem["errors"]
    assert error["where"] == "body" and error["message"].startswith("is not JSON: ") and "character 1" in error["message"]
    assert "JSON decode error" not in answer.text


def test_the_root_points_to_the_documentation(open_client: httpx.Client) -> None:
    document = open_client.get("/").json()
    assert {open_client.get(document[key]).status_code for key in ("docs", "openapi", "status")} == {200}
