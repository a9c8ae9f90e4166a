"""Small fakes for the execute room: a lever that can misbehave, a journal in memory, evidence that is what a test says."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import numpy as np

from trimtab.domain.actions import ActionRecord, ActionState, Decision, JournalRow, OptimizationAction
from trimtab.domain.direction import Direction
from trimtab.domain.errors import Conflict, Permanent, Retryable, StoreError
from trimtab.domain.goals import Goal, GoalState, Guard, GuardState
from trimtab.domain.levers import ActionPriority, LeverSpec, Reversibility
from trimtab.domain.metrics import Health, Trust
from trimtab.execute.book import Book
from trimtab.execute.executor import Executor
from trimtab.execute.levers import LeverBook
from trimtab.execute.trial import TrialRules

OK = Trust(Health.OK)
GOAL = Goal("p95_seconds", 0.2, Direction.MINIMIZE, element="shop")
GUARD = Guard("error_ratio", max=0.01, element="shop")
WORKERS = LeverSpec("workers", "shop", bounds=(1, 16), settle_seconds=10.0, locks=frozenset({"shop"}))


def an_action(lever=WORKERS, from_value=1, to_value=4, **changes) -> OptimizationAction:
    action = OptimizationAction(
        action_id="workers_increase_1000",
        action_type="workers_increase",
        description="raise workers",
        element=lever.element,
        lever=lever.name,
        from_value=from_value,
        to_value=to_value,
        metric_name=GOAL.metric_name,
        goal_id=GOAL.goal_id,
        trigger="p95 high",
        trigger_metric_id="shop/p95_seconds",
        expected_improvement=0.1,
        success_probability=0.5,
        risk_level=0.3,
        priority=ActionPriority.HIGH,
        reversibility=Reversibility.REVERSIBLE,
        settle_seconds=lever.settle_seconds,
        created_at=1000.0,
        locks=lever.locks,
    )
    return replace(action, **changes)


def a_record(state=ActionState.VERIFYING, **changes) -> ActionRecord:
    action = changes.pop("action", an_action())
    defaults = {"executed_at": 1000.0, "acknowledged": True, "snapshot": action.from_value}
    return ActionRecord(action, state, 1010.0, "here", **{**defaults, **changes})


def goal_state(current=0.5, achieved=False, trust=OK) -> GoalState:
    return GoalState(GOAL, "shop", current, current, achieved if trust.ok else None, 0.5, 1.0, trust)


def guard_state(value=0.001, trust=OK) -> GuardState:
    return GuardState(GUARD, "shop", value, GUARD.breached_by(value) if trust.ok else None, trust)


class Ticker:
    """A clock that a test moves."""

    def __init__(self, now=1000.0):
        self.t = now

    def now(self):
        return self.t


class FakeLever:
    """Holds a value. `script` spoils the next sets: refuse, lose (error, effect happens), drop (error, no effect), ignore."""

    def __init__(self, spec=WORKERS, value=1):
        self.spec, self.value, self.script, self.sets, self.silent = spec, value, [], [], False

    async def read(self):
        if self.silent:
            raise Retryable("no route to shop")
        return self.value

    async def set(self, value):
        self.sets.append(value)
        fault = self.script.pop(0) if self.script else ""
        if fault == "refuse":
            raise Permanent("422: not now")
        if fault == "drop":
            raise Retryable("timed out")
        if fault != "ignore":
            self.value = value
        if fault == "lose":
            raise Retryable("timed out")

    async def close(self):
        pass


class FakeJournal:
    """Rows in a list, with the fence that a real one has. `full` makes every write fail, as a full disk does."""

    def __init__(self):
        self.rows, self.stands, self.full = [], {}, False

    async def record(self, record, from_state):
        known = self.stands.get(record.action_id)
        if (known.state if known else None) is not from_state:
            raise Conflict("fence")
        row = self._row(
            "transition", record.action_id, from_state, record.state, record.reason, at=record.since, actor=record.actor
        )
        self.stands[record.action_id] = record
        return row

    async def note(self, kind, reason, *, at, actor="trimtab", data=None, action_id=""):
        return self._row(kind, action_id, None, None, reason, data or {}, at=at, actor=actor)

    def _row(self, kind, action_id, before, after, reason, data=None, *, at, actor):
        if self.full:
            raise StoreError("disk is full")
        row = JournalRow(len(self.rows) + 1, at, kind, action_id, before, after, actor, reason, data or {}, "", "")
        self.rows.append(row)
        return row

    async def get(self, action_id):
        return self.stands.get(action_id)

    async def unfinished(self):
        return [r for r in self.stands.values() if not r.state.terminal or r.state is ActionState.KEPT_ON_PROBATION]

    async def recent(self, count):
        return list(self.stands.values())[::-1][:count]

    async def counts(self):
        return {}

    async def head(self):
        return len(self.rows), ""

    async def notes(self, kinds, limit=100):
        return [row for row in reversed(self.rows) if row.kind in kinds][:limit]

    def path(self, action_id="workers_increase_1000"):
        return [row.to_state.value for row in self.rows if row.action_id == action_id and row.to_state is not None]


@dataclass
class Evidence:
    """What the world is said to be."""

    goals: dict = field(default_factory=lambda: {GOAL.goal_id: goal_state()})
    guard_states: list = field(default_factory=lambda: [guard_state()])
    t: np.ndarray = field(default_factory=lambda: np.empty(0))
    y: np.ndarray = field(default_factory=lambda: np.empty(0))
    is_critical: bool = False
    control_values: dict = field(default_factory=dict)

    def goal(self, goal_id):
        return self.goals.get(goal_id)

    def guards(self, elements):
        return [state for state in self.guard_states if state.element in elements]

    def met(self):
        return tuple(key for key, state in self.goals.items() if state.achieved)

    def missed(self):
        return {key: f"{key} is missed" for key, state in self.goals.items() if state.achieved is False}

    def samples(self, goal_id):
        return self.t, self.y

    def critical(self, goal_id):
        return self.is_critical

    def controls(self, goal_id, locks):
        return self.control_values


class World:
    """An executor with everything around it."""

    def __init__(self, *levers, journal=None, rules=None, at_once=3):
        self.levers = levers or (FakeLever(),)
        self.lever = self.levers[0]
        self.clock, self.evidence = Ticker(), Evidence()
        self.journal = journal or FakeJournal()
        self.told = []
        self.book = Book(self.journal, self)
        self.rules = rules or TrialRules(cooldown=60.0, sample_seconds=1.0)
        self.executor = Executor(
            self.book, LeverBook(self.levers, timeout=0.2), self.evidence, self.clock, self.rules, at_once=at_once
        )

    async def notify(self, event, title, body):
        self.told.append(event)

    async def schedule(self, action=None, **about):
        record = await self.book.propose(action or an_action(), Decision("act", "because"), self.clock.t, **about)
        return await self.book.move(record, ActionState.SCHEDULED, "go", self.clock.t)

    async def advance(self, action_id="workers_increase_1000", seconds=0.0):
        self.clock.t += seconds
        await self.executor.advance(action_id)
        return self.book.get(action_id)

    def samples(self, before, after, *, at=1000.0, n_before=30, n_after=8):
        """A step at `at`: levels `before` and `after` with a little deterministic ripple, one sample a second."""
        t = at + np.arange(-n_before, 10 + n_after, dtype=float) + 0.5
        level = np.where(t < at, before, after)
        self.evidence.t, self.evidence.y = t, level * (1 + 0.02 * np.sin(2.1 * np.arange(t.size)))


def run(coroutine):
    return asyncio.run(coroutine)


async def through(world, *, seconds=2.0, turns=60):
    """Advance one action until it has ended."""
    await world.schedule()
    record = await world.advance()
    for _ in range(turns):
        if record.state.terminal:
            break
        record = await world.advance(seconds=seconds)
    return record
