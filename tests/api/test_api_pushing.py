"""Pushing over HTTP: every outcome has its status, and a token for sending is good for nothing else."""

from __future__ import annotations

import contextlib

import httpx
import pytest

import monitor.pushing as p
from api.conftest import serving
from api.fake_agent import FakeAgent, FakeTokens
from trimtab.domain.errors import StoreError
from trimtab.loop.inbox import Overloaded
from trimtab.monitor.ingest import Malformed, TooLarge, Unavailable

REMOTE = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}


class Intake:
    def __init__(self, error=None):
        self.taken, self.error = [], error

    async def take(self, kind, encoding, body):
        if self.error is not None:
            raise self.error
        self.taken.append((kind, encoding, body))


@contextlib.contextmanager
def client(intake, tokens=None, role=None):
    headers = {"Authorization": f"Bearer {role}-token"} if role else {}
    with (
        serving(FakeAgent(), tokens, intake=intake) as server,
        httpx.Client(base_url=server.url, headers=headers, trust_env=False) as one,
    ):
        yield one


def test_what_is_taken_is_answered_as_each_protocol_wants_it():
    intake = Intake()
    with client(intake) as one:
        assert one.post("/api/v1/write", headers=REMOTE, content=b"a").status_code == 204
        answer = one.post("/v1/metrics", headers={"Content-Type": "application/x-protobuf"}, content=b"b" * 100_000)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"", "application/x-protobuf")
    assert [(kind, encoding, len(body)) for kind, encoding, body in intake.taken] == [
        ("remote write", "snappy", 1),
        ("otlp", "", 100_000),
    ]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Malformed("the body is nonsense"), 400),
        (TooLarge("the body is huge"), 413),
        (Overloaded("too much"), 503),
        (StoreError("the disk is full"), 503),
        (Unavailable("protobuf is not installed"), 501),
    ],
)
def test_each_refusal_has_its_status_and_says_why(error, status):
    with client(Intake(error)) as one:
        answer = one.post("/api/v1/write", headers=REMOTE, content=b"a")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert ("Retry-After" in answer.headers) == (status == 503)
    if not isinstance(error, StoreError):
        assert error.message in answer.json()["detail"]


@pytest.mark.parametrize(
    "kind", ["application/json", "text/plain", "application/x-protobuf;proto=io.prometheus.write.v2.Request", ""]
)
def test_another_form_is_refused_unread(kind):
    intake = Intake()
    with client(intake) as one:
        assert one.post("/api/v1/write", headers={"Content-Type": kind}, content=b"a").status_code == 415
    assert not intake.taken


def test_a_page_of_another_origin_cannot_push():
    with client(intake := Intake()) as one:
        assert one.post("/api/v1/write", headers=REMOTE | {"Origin": "http://evil.example"}, content=b"a").status_code == 403
    assert not intake.taken


@pytest.mark.parametrize(("role", "status"), [("sender", 204), ("viewer", 403), ("operator", 204), (None, 401)])
def test_who_may_push(role, status):
    with client(Intake(), FakeTokens(), role) as one:
        assert one.post("/api/v1/write", headers=REMOTE, content=b"a").status_code == status
        if role == "sender":
            assert one.get("/agent/status").status_code == 403
            assert one.post("/agent/pause", json={}).status_code == 403


def test_a_body_beyond_the_limit_is_refused():
    with client(Intake()) as one:
        assert one.post("/v1/metrics", headers=REMOTE, content=b"x" * (16 * 1024 * 1024 + 1)).status_code == 413


def test_without_an_intake_there_is_no_such_path():
    with serving(FakeAgent(), None) as server:
        assert httpx.post(f"{server.url}/api/v1/write", headers=REMOTE, content=b"", trust_env=False).status_code == 404


def test_bodies_are_made_by_hand_in_tests():
    assert p.varint(300) == b"\xac\x02"
