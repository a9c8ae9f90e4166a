"""What each route tells, and what each request does, on a real server."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.fake_agent import START, FakeAgent
from trimtab.domain.actions import ActionState

READS = [
    "/",
    "/agent/status",
    "/agent/actions/recent",
    "/agent/actions/recent?count=1000",
    "/agent/actions/kept_1",
    "/agent/actions/undone_1",
    "/agent/actions/nobody",
    "/agent/goals",
    "/agent/plan",
    "/agent/series",
    "/agent/forecast",
    "/agent/forecast?hours=2&metric=queue_length",
    "/agent/forecast?metric=nobody",
    "/agent/series/past?series=host/host_cpu_percent",
    "/metrics",
    "/healthz",
    "/readyz",
    "/docs",
    "/openapi.json",
    "/agent/pause",
    "/agent/action/approve",
]


def strict(text: str) -> Any:
    """JSON without NaN, Infinity, or a name said twice."""

    def constant(word: str) -> None:
        raise AssertionError(f"{word} in JSON")

    return json.loads(text, parse_constant=constant)


def test_status_has_the_documented_fields(open_client: httpx.Client) -> None:
    status = strict(open_client.get("/agent/status").text)
    assert {"state", "uptime_seconds", "pending_actions", "active_actions", "completed_actions", "goals", "stats"} <= set(status)
    assert status["state"] == "running"
    assert status["uptime_seconds"] == 100.0
    unknown, met = status["goals"]
    assert unknown == {"metric": "shop_p95_seconds", "target": 0.2, "current": None, "achieved": None, "hold": "stale for 90 s"}
    assert met["achieved"] is True
    assert status["stats"] == {"total_actions": 5, "successful_actions": 1, "failed_actions": 1, "total_improvement": 0.3}
    assert (status["journal"]["rows"], status["weather"]) == (9, "fair"), "what the agent adds passes through"


def test_recent_actions_come_newest_first(open_client: httpx.Client) -> None:
    actions = strict(open_client.get("/agent/actions/recent").text)
    assert [each["action_id"] for each in actions] == ["proposed_1", "waits_2", "waits_1", "undone_1", "kept_1"]
    kept, undone = actions[-1], actions[-2]
    assert kept["type"] == "workers_increase"
    assert kept["description"] == "Raise shop/workers from 2 to 4"
    assert (kept["status"], kept["state"], kept["executed_at"]) == ("completed", "kept", "2026-03-01T09:30:05.000Z")
    assert kept["result"] == {"success": True, "actual_improvement": 0.3}
    assert (undone["status"], undone["result"]) == ("failed", {"success": False, "actual_improvement": None})
    assert actions[1]["executed_at"] is None
    assert actions[1]["result"] == {"success": None, "actual_improvement": None}


@pytest.mark.parametrize(
    ("query", "status", "length"),
    [
        ("count=1", 200, 1),
        ("count=1000", 200, 5),
        ("count=0", 422, None),
        ("count=1001", 422, None),
        ("count=-1", 422, None),
        ("count=ten", 422, None),
        ("count=", 422, None),
        ("count=NaN", 422, None),
    ],
)
def test_count_has_limits(open_client: httpx.Client, query: str, status: int, length: int | None) -> None:
    answer = open_client.get(f"/agent/actions/recent?{query}")
    assert answer.status_code == status
    assert length is None or len(answer.json()) == length


def test_an_action_tells_its_whole_story(open_client: httpx.Client, agent: FakeAgent) -> None:
    detail = strict(open_client.get("/agent/actions/kept_1").text)
    assert [(row["from_state"], row["to_state"]) for row in detail["transitions"]] == [
        (None, "proposed"),
        ("proposed", "kept"),
        (None, None),
    ]
    assert detail["transitions"][0]["data"]["low"] is None
    assert detail["decision"]["p_success"] == 0.5
    assert detail["decision"]["exploratory"] is True
    assert (detail["verdict"]["low"], detail["verdict"]["high"]) == (0.2, 0.4)
    assert (detail["belief_before"], detail["belief_after"]) == ({"alpha": 1.0}, {"alpha": 2.0, "beta": None})
    assert detail["parameters"] == {"lever": "shop/workers", "from": 2, "to": 4}
    record = agent.records["kept_1"]
    for sentence in (record.action.trigger, record.decision.reason, record.verdict.reason, record.reason):
        assert detail["explanation"].count(sentence) == 1


def test_what_is_not_finite_becomes_null(open_client: httpx.Client) -> None:
    verdict = strict(open_client.get("/agent/actions/undone_1").text)["verdict"]
    assert (verdict["effect"], verdict["low"], verdict["high"]) == (None, None, None)
    proposed = strict(open_client.get("/agent/actions/proposed_1").text)
    assert (proposed["since"], proposed["created_at"]) == (None, None), "no calendar has these times"


def test_goals_show_where_they_hold(open_client: httpx.Client) -> None:
    stale, met = strict(open_client.get("/agent/goals").text)
    assert stale == {
        "goal_id": "goal:shop:shop_p95_seconds",
        "metric_name": "shop_p95_seconds",
        "element": "shop",
        "target_value": 0.2,
        "current_value": None,
        "direction": "minimize",
        "weight": 1.0,
        "achieved": None,
        "progress": 0.0,
        "hold": "stale for 90 s",
    }
    assert (met["current_value"], met["achieved"], met["progress"], met["hold"]) == (20.0, True, 1.0, None)


def test_the_plan_gives_a_hash_and_a_reason_for_each_change(open_client: httpx.Client, agent: FakeAgent) -> None:
    plan = strict(open_client.get("/agent/plan").text)
    assert plan["sentence"] == "2 changes wait for a person"
    assert [each["action_id"] for each in plan["changes"]] == ["waits_1", "waits_2", "kept_1"]
    assert plan["changes"][0]["plan_hash"] == agent.records["waits_1"].action.plan_hash
    assert all(each["reason"] and each["choice"] for each in plan["decisions"])


def test_series_show_their_health(open_client: httpx.Client) -> None:
    rows = strict(open_client.get("/agent/series").text)
    assert [(row["value"], row["health"], row["timestamp"]) for row in rows] == [
        (None, "invalid", "2026-03-01T09:30:00.000Z"),
        (20.0, "ok", "2026-03-01T09:31:30.000Z"),
        (None, "missing", None),
    ]
    assert rows[0]["metric_id"] == 'shop/shop_p95_seconds{route="/päy"}'


def test_a_forecast_tells_its_course_or_why_there_is_none(open_client: httpx.Client) -> None:
    disk, queue = strict(open_client.get("/agent/forecast?hours=2").text)
    assert (disk["about"], disk["limit"], disk["hold"], disk["step_seconds"]) == ("goal", 90.0, None, 3600.0)
    assert disk["course"][0] == {"at": "2026-03-01T09:30:00.000Z", "mean": 70.0, "low": 69.0, "high": 71.0}
    assert (disk["course"][1]["mean"], disk["course"][1]["low"]) == (None, None)
    assert (disk["reached"]["at"], disk["reached"]["latest"]) == ("2026-03-01T11:30:00.000Z", None)
    assert (queue["hold"], queue["course"], queue["reached"]) == ("it stopped", [], None)


@pytest.mark.parametrize("query", ["hours=0", "hours=nan", "hours=inf", "hours=1e9", "hours=soon", "metric="])
def test_a_forecast_of_nonsense_is_refused(open_client: httpx.Client, query: str) -> None:
    assert open_client.get(f"/agent/forecast?{query}").status_code == 422


def test_a_forecast_of_an_unknown_metric_says_where_the_known_are(open_client: httpx.Client) -> None:
    answer = open_client.get("/agent/forecast?metric=nobody")
    assert answer.status_code == 404 and "/agent/series" in strict(answer.text)["detail"]


def test_metrics_are_read_by_prometheus(open_client: httpx.Client) -> None:
    answer = open_client.get("/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    samples = {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert samples["trimtab_agent_state", "running"] == 1.0
    assert samples["trimtab_actions", "pending"] == 3.0
    assert samples["trimtab_actions_by_state", "awaiting_approval"] == 2.0
    assert samples["trimtab_actions_by_state", "ignored"] == 4000.0
    assert samples["trimtab_goal_achieved", "host", "goal:host_cpu_percent", "host_cpu_percent"] == 1.0
    assert ("trimtab_goal_achieved", "shop", "goal:shop:shop_p95_seconds", "shop_p95_seconds") not in samples
    assert samples["trimtab_goal_hold", "shop", "goal:shop:shop_p95_seconds", "shop_p95_seconds"] == 1.0
    assert samples[("trimtab_holds",)] == 1.0


def test_readiness_follows_the_agent(open_client: httpx.Client, agent: FakeAgent) -> None:
    assert open_client.get("/readyz").json() == {"ready": True, "reason": "every stage turned within its period"}
    agent.ready = (False, "the journal cannot be written")
    answer = open_client.get("/readyz")
    assert (answer.status_code, answer.json()["detail"]) == (503, "the journal cannot be written")
    assert open_client.get("/healthz").json() == {"status": "alive"}, "the process still lives"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", READS)
def test_reading_changes_nothing(open_client: httpx.Client, agent: FakeAgent, path: str, method: str) -> None:
    before = agent.digest()
    answer = open_client.request(method, path, headers={"Content-Type": "application/json"})
    assert answer.status_code < 500
    assert agent.digest() == before
    assert bool(answer.content) == (method == "GET")


@pytest.mark.parametrize("path", READS[:6])
def test_head_answers_as_get_does(open_client: httpx.Client, path: str) -> None:
    got, headed = open_client.get(path), open_client.head(path)
    assert (headed.status_code, headed.headers["Content-Length"]) == (got.status_code, got.headers["Content-Length"])


def test_an_approval_counts_once(open_client: httpx.Client, agent: FakeAgent) -> None:
    body = {"action_id": "waits_1", "approved": True}
    first = open_client.post("/agent/action/approve", json=body)
    assert (first.status_code, first.json()["state"], first.json()["actor"]) == (200, "scheduled", "local 127.0.0.1")
    after_first = agent.digest()
    again = [open_client.post("/agent/action/approve", json=each).status_code for each in (body, {**body, "approved": False})]
    assert again == [409, 409]
    assert agent.digest() == after_first
    assert agent.effects == ["waits_1"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("/agent/action/approve", {"approved": False}, id="approved false"),
        pytest.param("/agent/action/reject", {}, id="reject"),
    ],
)
def test_a_rejection_executes_nothing(open_client: httpx.Client, agent: FakeAgent, path: str, body: dict[str, Any]) -> None:
    answer = open_client.post(path, json={"action_id": "waits_1", **body})
    assert (answer.status_code, answer.json()["status"], answer.json()["state"]) == (200, "completed", "rejected")
    assert agent.effects == []


@pytest.mark.parametrize("path", ["/agent/action/approve", "/agent/action/reject"])
def test_a_stale_plan_voids_the_request(open_client: httpx.Client, agent: FakeAgent, path: str) -> None:
    body: dict[str, Any] = {"action_id": "waits_2"} | ({"approved": True} if path.endswith("approve") else {})
    assert open_client.post(path, json={**body, "plan_hash": "0" * 16}).status_code == 409
    assert agent.records["waits_2"].state is ActionState.AWAITING_APPROVAL
    fresh = agent.records["waits_2"].action.plan_hash
    assert open_client.post(path, json={**body, "plan_hash": fresh}).status_code == 200


def test_a_rollback_counts_once(open_client: httpx.Client, agent: FakeAgent) -> None:
    answers = [open_client.post("/agent/action/rollback", json={"action_id": "kept_1"}) for _ in range(2)]
    assert [each.status_code for each in answers] == [200, 409]
    assert answers[0].json()["state"] == "rolling_back"
    assert agent.effects == ["undo kept_1"]


@pytest.mark.parametrize("content", [b"{}", b""])
def test_pause_and_resume(open_client: httpx.Client, agent: FakeAgent, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    for verb, state in (("pause", "paused"), ("pause", "paused"), ("resume", "running")):
        answer = open_client.post(f"/agent/{verb}", content=content, headers=headers)
        more = {"taken_back": []} if verb == "pause" else {}
        assert (answer.status_code, answer.json()) == (200, {"state": state, "actor": "local 127.0.0.1", **more})
    assert open_client.get("/agent/status").json()["state"] == "running"
    assert [verb for verb, _, _ in agent.calls] == ["pause", "pause", "resume"]


def test_a_challenge_is_answered_for_the_address_that_was_reached(open_client: httpx.Client) -> None:
    word, port = "0" * 16, open_client.base_url.port
    for headers in ({}, {"Host": "localhost:1"}, {"X-Forwarded-Host": "127.0.0.1:1", "X-Forwarded-Port": "1"}):
        answer = open_client.get("/healthz", params={"challenge": word}, headers=headers)
        assert answer.json() == {"status": "alive", "proof": f"{word} at 127.0.0.1:{port}"}


@pytest.mark.parametrize("word", ["", "short", "x" * 129, "spaces are not one", "0" * 16 + "\n"], ids=repr)
def test_a_challenge_is_a_word_of_bounded_length(open_client: httpx.Client, word: str) -> None:
    assert open_client.get("/healthz", params={"challenge": word}).status_code == 422


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("", (START + 100 - 3600, START + 100, 10.0, "mean")),
        (f"&start={START - 30 * 86400}&end={START}", (START - 30 * 86400, START, 21_600.0, "mean")),
        (f"&start={START - 30 * 86400}&end={START}&step=7", (START - 30 * 86400, START, 300.0, "mean")),
        (
            "&start=2025-11-20T10:00:00Z&end=2025-11-20T11:00:00Z&step=300&aggregate=max",
            (1763632800.0, 1763636400.0, 300.0, "max"),
        ),
        ("&start=2025-11-20T10:00:00Z&end=2025-11-20T12:00:00%2B01:00&step=60", (1763632800.0, 1763636400.0, 60.0, "mean")),
    ],
    ids=["the last hour", "a month", "too many steps", "by name", "with a zone"],
)
def test_the_past_of_a_series_comes_in_steps_that_fit(
    open_client: httpx.Client, agent: FakeAgent, asked: str, expected: tuple[Any, ...]
) -> None:
    answer = strict(open_client.get(f"/agent/series/past?series=host/host_cpu_percent{asked}").text)
    assert agent.asked == expected
    start, _, step, aggregate = expected
    assert (answer["step_seconds"], answer["aggregate"]) == (step, aggregate)
    assert answer["samples"] == [[start, 20.0], [start + step, None]]


@pytest.mark.parametrize(
    ("asked", "status", "says"),
    [
        ("series=nobody", 404, "nobody"),
        ("", 422, "series"),
        ("series=host/host_cpu_percent&start=2025-11-20T10:00:00", 422, "start"),
        ("series=host/host_cpu_percent&start=2000&end=1000", 404, "later than its end"),
        ("series=host/host_cpu_percent&step=0", 422, "step"),
        ("series=host/host_cpu_percent&aggregate=median", 422, "aggregate"),
    ],
)
def test_a_past_that_cannot_be_told_is_refused(open_client: httpx.Client, asked: str, status: int, says: str) -> None:
    answer = open_client.get(f"/agent/series/past?{asked}")
    assert answer.status_code == status and says in answer.text
