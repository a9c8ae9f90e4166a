"""Who may do what: both regimes, every header that decides, both values of each."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from fastapi.routing import APIRoute

from api.conftest import serving
from api.fake_agent import FakeAgent, FakeTokens
from trimtab.api import create_app

APPROVE = "/agent/action/approve"
BODY = {"action_id": "waits_1", "approved": True}
JSON = "application/json"
VIEWER = {"Authorization": "Bearer viewer-token"}
Headers = list[tuple[str, str]]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param([], 200, id="a terminal"),
        pytest.param([("Origin", "{url}")], 200, id="same origin"),
        pytest.param([("Origin", "http://evil.example")], 403, id="another origin"),
        pytest.param([("Origin", "http://127.0.0.1:1")], 403, id="same host, another port"),
        pytest.param([("Origin", "null")], 403, id="origin null"),
        pytest.param([("Origin", "{url}"), ("Origin", "http://evil.example")], 403, id="two origins"),
        pytest.param([("Sec-Fetch-Site", "same-origin")], 200, id="fetch from the same origin"),
        pytest.param([("Sec-Fetch-Site", "none")], 200, id="typed by the user"),
        pytest.param([("Sec-Fetch-Site", "same-site")], 403, id="fetch from the same site"),
        pytest.param([("Sec-Fetch-Site", "cross-site")], 403, id="fetch from elsewhere"),
        pytest.param([("Origin", "{url}"), ("Sec-Fetch-Site", "cross-site")], 403, id="one sign suffices to refuse"),
    ],
)
def test_without_tokens_a_change_comes_from_the_same_origin(
    open_client: httpx.Client, agent: FakeAgent, headers: Headers, status: int
) -> None:
    filled = [(name, value.replace("{url}", str(open_client.base_url).rstrip("/"))) for name, value in headers]
    assert open_client.post(APPROVE, json=BODY, headers=filled).status_code == status
    assert agent.effects == (["waits_1"] if status == 200 else [])
    assert open_client.get("/agent/status", headers=filled).status_code == 200, "reading tells a foreign page nothing: no CORS"


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        pytest.param(JSON, 200, id="json"),
        pytest.param("Application/JSON; charset=utf-8", 200, id="json with parameters"),
        pytest.param(None, 415, id="none"),
        pytest.param("text/plain", 415, id="text"),
        pytest.param("application/x-www-form-urlencoded", 415, id="a form"),
        pytest.param("application/problem+json", 415, id="some other json"),
        pytest.param("multipart/form-data; boundary=application/json", 415, id="json in a parameter"),
    ],
)
@pytest.mark.parametrize("path", [APPROVE, "/agent/pause"])
def test_a_change_is_sent_as_json(
    open_client: httpx.Client, agent: FakeAgent, path: str, content_type: str | None, status: int
) -> None:
    content = b'{"action_id": "waits_1", "approved": true}' if path == APPROVE else b"{}"
    headers = {"Content-Type": content_type} if content_type else {}
    assert open_client.post(path, content=content, headers=headers).status_code == status
    assert bool(agent.calls) == (status == 200)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        pytest.param("127.0.0.1:{port}", 200, id="address"),
        pytest.param("127.0.0.1", 200, id="without a port"),
        pytest.param("LOCALHOST:{port}", 200, id="name in capitals"),
        pytest.param("localhost.:{port}", 200, id="absolute name"),
        pytest.param("[::1]:{port}", 200, id="IPv6"),
        pytest.param("trimtab.example", 200, id="configured"),
        pytest.param("evil.example:{port}", 421, id="rebound name"),
        pytest.param("localhost.evil.example", 421, id="our name as a prefix"),
        pytest.param("trimtab.example.evil", 421, id="a configured name as a prefix"),
        pytest.param("localhost@evil.example", 400, id="user part"),
        pytest.param("evil.example/localhost", 400, id="path"),
        pytest.param("", 400, id="empty"),
    ],
)
@pytest.mark.parametrize("path", ["/agent/status", "/healthz", "/nowhere"])
def test_the_host_header_is_on_the_list(token_client: Callable[[str], httpx.Client], host: str, status: int, path: str) -> None:
    client = token_client("viewer")
    answer = client.get(path, headers={"Host": host.format(port=client.base_url.port)})
    assert answer.status_code == (404 if status == 200 and path == "/nowhere" else status)


@pytest.mark.parametrize(
    ("role", "read", "change"),
    [
        pytest.param(None, 401, 401, id="no token"),
        pytest.param("unknown", 401, 401, id="unknown token"),
        pytest.param("old", 401, 401, id="expired token"),
        pytest.param("viewer", 200, 403, id="viewer"),
        pytest.param("operator", 200, 200, id="operator"),
        pytest.param("admin", 200, 200, id="admin"),
    ],
)
def test_with_tokens_the_role_decides(
    token_client: Callable[[str | None], httpx.Client], agent: FakeAgent, role: str | None, read: int, change: int
) -> None:
    client = token_client(role)
    for path in ("/", "/agent/status", "/docs", "/openapi.json", "/metrics"):
        answer = client.get(path)
        assert answer.status_code == read
        assert answer.headers.get("WWW-Authenticate", "").startswith("Bearer") == (read == 401)
    assert client.post(APPROVE, json=BODY).status_code == change
    assert agent.effects == (["waits_1"] if change == 200 else [])
    assert [client.get(path).status_code for path in ("/healthz", "/readyz")] == [200, 200]


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("operator-token", id="no scheme"),
        pytest.param("Basic operator-token", id="another scheme"),
        pytest.param("Bearer", id="no token"),
        pytest.param("Bearer operator-token x", id="more than a token"),
    ],
)
def test_a_malformed_authorization_is_no_token(token_client: Callable[[str | None], httpx.Client], header: str) -> None:
    assert token_client(None).get("/agent/status", headers={"Authorization": header}).status_code == 401


def test_two_authorizations_are_none(token_client: Callable[[str | None], httpx.Client]) -> None:
    twice = [("Authorization", "Bearer operator-token"), ("Authorization", "Bearer viewer-token")]
    assert token_client(None).get("/agent/status", headers=twice).status_code == 401


def test_a_refusal_comes_before_the_body_is_read(token_client: Callable[[str | None], httpx.Client]) -> None:
    broken = {"content": b"{", "headers": {"Content-Type": JSON}}
    assert token_client(None).post(APPROVE, **broken).status_code == 401
    assert token_client("viewer").post(APPROVE, **broken).status_code == 403
    assert token_client("operator").post(APPROVE, **broken).status_code == 422


def test_the_actor_is_the_tokens_name(token_client: Callable[[str | None], httpx.Client], agent: FakeAgent) -> None:
    token_client("operator").post(APPROVE, json=BODY)
    token_client("admin").post("/agent/pause", json={})
    assert agent.calls == [("approve", "waits_1", "operator-name"), ("pause", "", "admin-name")]


def test_without_tokens_the_actor_is_local_and_cannot_be_chosen(open_client: httpx.Client, agent: FakeAgent) -> None:
    open_client.post(APPROVE, json=BODY, headers={"X-Forwarded-For": "9.9.9.9", "Forwarded": "for=9.9.9.9"})
    assert agent.calls == [("approve", "waits_1", "local 127.0.0.1")]


@pytest.fixture
def api_routes() -> list[APIRoute]:
    app = create_app(FakeAgent(), tokens=FakeTokens(), allowed_hosts=(), version="1")
    return [route for route in app.routes if isinstance(route, APIRoute)]


def test_no_route_escapes(api_routes: list[APIRoute], token_client: Callable[[str | None], httpx.Client]) -> None:
    assert len(api_routes) == 20
    client = token_client(None)
    for route in api_routes:
        for method in route.methods:
            answer = client.request(method, route.path)
            assert answer.status_code == (200 if route.path in ("/healthz", "/readyz") else 401), route.path


@pytest.mark.parametrize("path", ["/agent/status", "/docs", "/nowhere", "/metrics"])
def test_every_answer_carries_the_security_headers(open_client: httpx.Client, path: str) -> None:
    headers = open_client.get(path, headers={"Origin": "http://evil.example"}).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert not [name for name in headers if name.startswith("access-control-") or name in ("set-cookie", "server")]


def test_the_first_token_closes_the_door_and_revoking_it_opens_nothing(agent: FakeAgent) -> None:
    tokens = FakeTokens(roles=())
    with serving(agent, tokens) as server, httpx.Client(base_url=server.url, trust_env=False) as client:
        seen = [client.get("/agent/status").status_code]
        assert "securitySchemes" not in client.get("/openapi.json").json()["components"]
        tokens.known = FakeTokens().known
        seen.append(client.get("/agent/status").status_code)
        seen.append(client.get("/agent/status", headers=VIEWER).status_code)
        assert "securitySchemes" in client.get("/openapi.json", headers=VIEWER).json()["components"]
        tokens.known = {}
        seen.append(client.get("/agent/status").status_code)
        seen.append(client.post(APPROVE, json=BODY).status_code)
    assert seen == [200, 401, 200, 401, 401]
    assert agent.effects == []


def test_tokens_that_cannot_be_read_let_nobody_in(agent: FakeAgent) -> None:
    tokens = FakeTokens()
    with serving(agent, tokens) as server, httpx.Client(base_url=server.url, trust_env=False) as client:
        tokens.lost = True
        answer = client.get("/agent/status", headers=VIEWER)
        assert client.get("/healthz").status_code == 200
    assert (answer.status_code, answer.headers["Content-Type"]) == (503, "application/problem+json")
    assert "secret" not in answer.text
