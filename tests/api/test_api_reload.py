"""Pausing with an undo, and reloading: what passes to the agent, and how its refusals leave."""

from __future__ import annotations

import httpx
import pytest

from api.fake_agent import FakeAgent
from trimtab.domain.errors import ConfigError, Conflict

HEADERS = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("content", "call", "taken"),
    [
        (b"", "pause", []),
        (b"{}", "pause", []),
        (b'{"undo": false}', "pause", []),
        (b'{"undo": true}', "pause and undo", ["waits_1"]),
    ],
)
def test_a_pause_says_what_it_takes_back(open_client: httpx.Client, agent: FakeAgent, content, call, taken) -> None:
    answer = open_client.post("/agent/pause", content=content, headers=HEADERS)
    assert (answer.status_code, answer.json()["taken_back"]) == (200, taken)
    assert agent.calls == [(call, "", "local 127.0.0.1")]


@pytest.mark.parametrize("content", [b'{"undo": "true"}', b'{"undo": 1}', b'{"undoo": true}'])
def test_a_misspelt_undo_is_no_pause(open_client: httpx.Client, agent: FakeAgent, content) -> None:
    assert open_client.post("/agent/pause", content=content, headers=HEADERS).status_code == 422
    assert agent.calls == []


def test_a_reload_names_what_changed(open_client: httpx.Client, agent: FakeAgent) -> None:
    answer = open_client.post("/agent/reload", content=b"", headers=HEADERS)
    assert (answer.status_code, answer.json()["changes"]) == (200, ["goals"])
    assert agent.calls == [("reload", "", "local 127.0.0.1")]


def test_every_mistake_of_the_configuration_leaves_with_its_place(open_client: httpx.Client, agent: FakeAgent) -> None:
    lines = ("/etc/t.yaml:3:7: api.port: 0 is out of range; give at least 1", "environment variable TRIMTAB_X: no such setting")
    agent.reload_fails = ConfigError("The configuration /etc/t.yaml cannot be used: 2 mistakes", problems=lines)
    answer = open_client.post("/agent/reload", content=b"{}", headers=HEADERS)
    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert (problem["type"], problem["title"]) == ("urn:trimtab:problem:configuration", "The configuration cannot be used")
    assert [f"{each['where']}: {each['message']}" for each in problem["errors"]] == list(lines)
    assert "stay in use" in problem["detail"]


def test_a_second_reload_at_once_is_a_conflict(open_client: httpx.Client, agent: FakeAgent) -> None:
    agent.reload_fails = Conflict("the agent is being reloaded right now")
    assert open_client.post("/agent/reload", content=b"{}", headers=HEADERS).status_code == 409
