"""A small agent that is honest: records in a dict, a count of effects, `Conflict` on a second approval."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from trimtab.domain.access import Grant, Role
from trimtab.domain.actions import ActionRecord, ActionState, Choice, Decision, JournalRow, OptimizationAction, Plan
from trimtab.domain.direction import Direction
from trimtab.domain.errors import Conflict, NotFound, StoreError
from trimtab.domain.forecasts import Expected, Foretold, Reached, Subject
from trimtab.domain.goals import Goal, GoalState
from trimtab.domain.levers import ActionPriority, Reversibility
from trimtab.domain.metrics import Aggregate, Health, Series, Trust
from trimtab.domain.verdicts import Verdict, VerdictStatus

START = 1_772_357_400.0  # 2026-03-01T09:30:00Z
NAN = float("nan")


def action(action_id: str, **changes: Any) -> OptimizationAction:
    about: dict[str, Any] = {
        "action_id": action_id,
        "action_type": "workers_increase",
        "description": "Raise shop/workers from 2 to 4",
        "element": "shop",
        "lever": "workers",
        "from_value": 2,
        "to_value": 4,
        "metric_name": "shop_p95_seconds",
        "goal_id": "goal:shop:shop_p95_seconds",
        "trigger": "shop_p95_seconds is 0.4, above its target of 0.2",
        "trigger_metric_id": "shop/shop_p95_seconds",
        "expected_improvement": 0.1,
        "success_probability": 0.5,
        "risk_level": 0.3,
        "priority": ActionPriority.HIGH,
        "reversibility": Reversibility.REVERSIBLE,
        "settle_seconds": 20.0,
        "created_at": START,
        "locks": frozenset({"shop"}),
    }
    return OptimizationAction(**{**about, **changes})


def records() -> list[ActionRecord]:
    """One of each kind that looks different from outside, oldest first."""
    improved = Verdict(VerdictStatus.IMPROVED, 0.3, 0.2, 0.4, "ar-block e-process", "p95 fell by 30 % (20 to 40 %)", 100, 60)
    unclear = Verdict(VerdictStatus.INCONCLUSIVE, NAN, float("-inf"), float("inf"), "ar-block e-process", "too little data")
    act = Decision(Choice.ACT, "worth it: 0.05 expected", 0.05, 0.03, 0.5, 0.1, exploratory=True)
    ask = Decision(Choice.ASK, "autonomy is ask", NAN, 0.0, 0.5, 0.1)
    return [
        ActionRecord(
            action("kept_1"),
            ActionState.KEPT,
            START + 60,
            "kept: improved by at least 20 %",
            act,
            executed_at=START + 5,
            ended_at=START + 60,
            snapshot=2,
            verdict=improved,
            belief_before={"alpha": 1.0},
        ),
        ActionRecord(
            action("undone_1", to_value=NAN),
            ActionState.ROLLED_BACK,
            START + 90,
            "rolled back",
            act,
            executed_at=START + 70,
            verdict=unclear,
            error="no answer",
        ),
        ActionRecord(action("waits_1"), ActionState.AWAITING_APPROVAL, START + 95, "asks", ask, expires_at=START + 900),
        ActionRecord(
            action("waits_2", lever="mode", from_value="a", to_value="b"), ActionState.AWAITING_APPROVAL, START + 96, "asks", ask
        ),
        ActionRecord(action("proposed_1", created_at=1e300), ActionState.PROPOSED, NAN, "new"),
    ]


@dataclass
class FakeAgent:
    """The facade. `effects` counts what would have reached a lever; `calls` what was asked, by whom."""

    state: str = "running"
    started_at: float = START
    ready: tuple[bool, str] = (True, "every stage turned within its period")
    effects: list[str] = field(default_factory=list)
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    records: dict[str, ActionRecord] = field(default_factory=lambda: {each.action_id: each for each in records()})
    fail_with: Exception | None = None  # raised by whatever is asked next
    clock: float = START + 100.0
    reload_fails: Exception | None = None

    def now(self) -> float:
        return self.clock

    def digest(self) -> str:
        """Of everything that a request could have changed."""
        parts = (self.state, self.started_at, self.ready, self.effects, self.calls, sorted(self.records.items()), self.clock)
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def prove(self, challenge: str, host: str, port: int) -> str:
        return f"{challenge} at {host}:{port}"

    @property
    def plan(self) -> Plan:
        decided = [(record.action, record.decision) for record in self.records.values() if record.decision]
        return Plan(START + 95, "2 changes wait for a person", tuple(decided[2:] + decided[:1]))

    def get_status(self) -> Mapping[str, Any]:
        if self.fail_with:
            raise self.fail_with
        return {
            "state": self.state,
            "uptime_seconds": self.now() - self.started_at,
            "pending_actions": 3,
            "active_actions": 0,
            "completed_actions": 1,
            "goals": [
                {"metric": "shop_p95_seconds", "target": 0.2, "current": NAN, "achieved": None, "hold": "stale for 90 s"},
                {"metric": "host_cpu_percent", "target": 85.0, "current": 20.0, "achieved": True, "hold": None},
            ],
            "stats": {"total_actions": 5, "successful_actions": 1, "failed_actions": 1, "total_improvement": 0.3},
            "holds": ["shop_p95_seconds: stale for 90 s"],
            "paused": self.state == "paused",
            "plan": self.plan.sentence,
            "awaiting_approval": ["waits_1", "waits_2"],
            "journal": {"rows": 9, "head": "ab" * 32},
            "weather": "fair",
        }

    def get_recent_actions(self, count: int) -> Sequence[ActionRecord]:
        return list(reversed(self.records.values()))[:count]

    def goal_states(self) -> Sequence[GoalState]:
        p95 = Goal("shop_p95_seconds", 0.2, Direction.MINIMIZE, element="shop")
        cpu = Goal("host_cpu_percent", 85.0, Direction.MINIMIZE, weight=0.5)
        return [
            GoalState(p95, "shop", NAN, None, None, NAN, NAN, Trust(Health.STALE, "stale for 90 s")),
            GoalState(cpu, "host", 20.0, 21.0, True, 1.0, 0.0, Trust(Health.OK)),
        ]

    def series(self) -> Sequence[tuple[Series, float | None, float | None, Trust]]:
        return [
            (Series.named("shop_p95_seconds", "shop", {"route": "/päy"}), NAN, START, Trust(Health.INVALID, "NaN")),
            (Series.named("host_cpu_percent", "host"), 20.0, START + 90, Trust(Health.OK)),
            (Series.named("queue_length", "shop"), None, None, Trust(Health.MISSING, "never read")),
        ]

    async def forecast(self, seconds: float, metric: str | None = None) -> Sequence[Foretold]:
        if self.fail_with:
            raise self.fail_with
        if metric not in (None, "queue_length"):
            raise NotFound(f"no series is called {metric!r}", remedy="GET /agent/series lists them")
        disk = Subject("goal", "shop", "disk_usage_percent", 90.0)
        course = (Expected(START, 70.0, 69.0, 71.0), Expected(START + 3600, NAN, -float("inf"), 71.0))
        return [
            Foretold(disk, "disk_usage_percent: 70 % now", "", 3600.0, course, Reached(START + 7200, START, START + 1e300)),
            Foretold(Subject("load", "shop", "queue_length"), "queue_length: nothing is foretold: it stopped", "it stopped"),
        ]

    async def past(
        self, metric_id: str, start: float, end: float, step: float, aggregate: Aggregate
    ) -> Sequence[tuple[float, float]]:
        if metric_id != "host/host_cpu_percent":
            raise NotFound(f"no series {metric_id!r} was ever written")
        self.asked = (start, end, step, aggregate)
        return [(start, 20.0), (start + step, NAN)]

    @property
    def counts(self) -> Mapping[ActionState, int]:
        return {**Counter(record.state for record in self.records.values()), ActionState.IGNORED: 4000}

    def _known(self, action_id: str) -> ActionRecord:
        if self.fail_with:
            raise self.fail_with
        if action_id not in self.records:
            raise NotFound(f"no action {action_id!r}", remedy="`trimtab history` lists them")
        return self.records[action_id]

    async def explain(self, action_id: str) -> tuple[ActionRecord, Sequence[JournalRow]]:
        record = self._known(action_id)
        data = {"low": NAN, "locks": frozenset({"shop"}), "choice": Choice.ASK, "decision": record.decision}
        row = JournalRow(1, START, "transition", action_id, None, ActionState.PROPOSED, "trimtab", "new", data, "", "ab" * 32)
        entered = replace(row, seq=2, from_state=ActionState.PROPOSED, to_state=record.state, reason=record.reason)
        learned = replace(row, seq=3, kind="learned", to_state=None, data={"before": {}, "after": {"alpha": 2.0, "beta": NAN}})
        return record, [row, entered, *([learned] if record.ended_at is not None else [])]

    async def approve(self, action_id: str, *, approved: bool, plan_hash: str | None, actor: str) -> ActionRecord:
        record = self._known(action_id)
        if record.state is not ActionState.AWAITING_APPROVAL:
            raise Conflict(f"{action_id} is {record.state.value}, and does not wait for approval", remedy="Look at it first")
        if plan_hash is not None and plan_hash != record.action.plan_hash:
            raise Conflict("the plan is another by now", remedy="Look at the new one")
        state = ActionState.SCHEDULED if approved else ActionState.REJECTED
        if approved:
            self.effects.append(action_id)
        return self._replace(record, state, "approve" if approved else "reject", actor)

    async def rollback(self, action_id: str, *, actor: str) -> ActionRecord:
        record = self._known(action_id)
        if record.state is not ActionState.KEPT:
            raise Conflict(f"{action_id} holds nothing to take back", remedy="Look at its state")
        self.effects.append(f"undo {action_id}")
        return self._replace(record, ActionState.ROLLING_BACK, "rollback", actor)

    async def pause(self, actor: str, *, undo: bool) -> Sequence[str]:
        self.calls.append(("pause and undo" if undo else "pause", "", actor))
        self.state = "paused"
        return ["waits_1"] if undo else []

    async def reload(self, actor: str) -> Sequence[str]:
        if self.reload_fails is not None:
            raise self.reload_fails
        self.calls.append(("reload", "", actor))
        return ["goals"]

    async def resume(self, actor: str) -> None:
        self.calls.append(("resume", "", actor))
        self.state = "running"

    def _replace(self, record: ActionRecord, state: ActionState, verb: str, actor: str) -> ActionRecord:
        self.calls.append((verb, record.action_id, actor))
        self.records[record.action_id] = replace(record, state=state, actor=actor, reason=f"{verb} by {actor}", since=self.clock)
        return self.records[record.action_id]


class FakeTokens:
    """A token for each role, `<role>-token`, held by `<role>-name`; those of an old one ended when the agent started."""

    def __init__(self, roles: Sequence[Role] = tuple(Role)) -> None:
        self.known = {f"{role.value}-token": Grant(f"{role.value}-name", role) for role in roles}
        self.lost = False

    def check(self, token: str, now: float) -> Grant | None:
        if self.lost:
            raise StoreError("/secret/access.json is damaged")
        return Grant("old-name", Role.ADMIN) if token == "old-token" and now < START else self.known.get(token)

    @property
    def empty(self) -> bool:
        return not self.known
