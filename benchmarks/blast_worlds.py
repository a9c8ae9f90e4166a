"""Generated worlds for the blast radius benchmark: anything may be wrong in them, but seldom everything."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from trimtab.domain.actions import ActionRecord, ActionState, Choice, Decision, OptimizationAction
from trimtab.domain.beliefs import Belief
from trimtab.domain.direction import Direction
from trimtab.domain.goals import Analysis, Goal, GoalState, Guard, GuardState, Symptom
from trimtab.domain.levers import ActionPriority, Autonomy, LeverKind, LeverSpec, LeverValue, Mode, Reversibility
from trimtab.domain.metrics import Health, Severity, Trust
from trimtab.domain.situation import LeverState, Situation
from trimtab.domain.verdicts import Verdict, VerdictStatus
from trimtab.plan import PlanSettings

NOW = 1_000_000.0
OK, BAD = Trust(Health.OK), Trust(Health.STALE, "is stale")
BELIEFS = (
    Belief(0.5, 0.1, 0.1, -0.09, 0.1, 0.2257, 0, 0, 0, None),
    Belief(0.2, 0.05, 0.04, -0.1, 0.1, 0.2, 3, 0, 3, NOW - 50),
    Belief(0.83, 0.6, 0.3, 0.2, 0.06, 0.15, 4, 4, 0, NOW - 50),
)
VERDICTS = (
    None,
    Verdict(VerdictStatus.IMPROVED, 0.3, 0.2, 0.4, "generated", ""),
    Verdict(VerdictStatus.INCONCLUSIVE, None, None, None, "generated", ""),
    Verdict(VerdictStatus.WORSE, -0.3, -0.4, -0.2, "generated", ""),
)
STATES = tuple(ActionState)
UNSTARTED = {"proposed", "ignored", "awaiting_approval", "rejected", "expired", "scheduled", "simulated"}


@dataclass(frozen=True)
class World:
    """One generated case: everything that `make_plan` is given."""

    situation: Situation
    wild: tuple[OptimizationAction, ...]  # proposals of an optimizer that knows no manners
    belief: Belief
    settings: PlanSettings

    def of(self, action: OptimizationAction) -> Belief:
        return self.belief

    def propose(self, situation: Situation) -> tuple[OptimizationAction, ...]:
        return self.wild


def generate(rng: random.Random) -> World:
    """A world with up to nine levers, in which anything may be wrong, but seldom everything."""
    settings = PlanSettings(
        max_risk_threshold=rng.choice((0.7, 0.7, 0.5, 0.9)),
        max_concurrent_actions=rng.choice((1, 3, 3, 3)),
        cooldown_seconds=rng.choice((30.0, 300.0)),
        enable_automatic_actions=rng.random() < 0.95,
        require_approval_for_critical=rng.random() < 0.8,
    )
    elements = [f"e{n}" for n in range(rng.randint(1, 3))]
    specs = [_spec(rng, element, n) for element in elements for n in range(rng.randint(1, 3))]
    goals = [_goal(rng, element) for element in elements]
    guards = tuple(_guard(rng, element) for element in elements if rng.random() < 0.5)
    records = tuple(_record(rng, rng.choice(specs), n, settings) for n in range(rng.choice((0, 0, 1, 2, 4, 8))))
    analysis = Analysis(NOW, tuple(goals), guards, tuple(_symptom(rng, goal) for goal in goals if goal.achieved is False))
    levers = {spec.lever_id: _state(rng, spec) for spec in specs}
    samples = {g.goal.goal_id: rng.choice((2, 5, 9, 99)) for g in goals} if rng.random() < 0.3 else None
    trouble = "HOLD: the journal is lost" if rng.random() < 0.03 else None
    situation = Situation(NOW, analysis, levers, records, rng.random() < 0.03, samples, trouble)
    wild = tuple(_wild(rng, situation, n) for n in range(rng.randint(0, 3)))
    return World(situation, wild, rng.choice(BELIEFS), settings)


def _spec(rng: random.Random, element: str, n: int) -> LeverSpec:
    kind = rng.choice((LeverKind.INTEGER, LeverKind.INTEGER, LeverKind.FLOAT, LeverKind.CHOICE, LeverKind.BOOLEAN))
    low = rng.choice((0.0, 1.0, -3.0))
    step = rng.choice((1.0, 1.0, 2.0) if kind is LeverKind.INTEGER else (0.1, 0.25, 1.0))
    return LeverSpec(
        f"l{n}",
        element,
        kind,
        (low, low + rng.choice((1.0, 5.0, 15.0, 100.0))),
        step,
        ("a", "b", "c"),
        mode=Mode.TUNED if rng.random() < 0.95 else Mode.REGULATED,
        reversibility=rng.choice((*[Reversibility.REVERSIBLE] * 4, Reversibility.TRANSIENT, Reversibility.IRREVERSIBLE)),
        autonomy=rng.choice((*[Autonomy.ACT] * 6, Autonomy.ASK, Autonomy.OBSERVE)),
        risk_level=rng.choice((0.1, 0.3, 0.3, 0.5, 0.7, 0.8)),
        priority=rng.choice(tuple(ActionPriority)),
        expected_improvement=rng.choice((0.05, 0.1, 0.2, 0.3)),
        moves=((f"{element}_seconds", rng.choice(("up", "down", "unknown"))),) if rng.random() < 0.5 else (),
        locks=frozenset(rng.sample(("db", "net", "disk"), rng.choice((0, 0, 0, 1, 2)))),
    )


def _value(rng: random.Random, spec: LeverSpec) -> LeverValue:
    if spec.kind is LeverKind.CHOICE:
        return rng.choice(spec.choices)
    if spec.kind is LeverKind.BOOLEAN:
        return rng.random() < 0.5
    assert spec.bounds is not None
    low, high = spec.bounds
    value = low + spec.step * rng.randint(0, int((high - low) / spec.step + 1e-6))
    return round(value) if spec.kind is LeverKind.INTEGER else float(f"{value:.12g}")


def _state(rng: random.Random, spec: LeverSpec) -> LeverState:
    moved = NOW - rng.choice((5.0, 29.0, 200.0, 400.0)) if rng.random() < 0.1 else None
    frozen = "a rollback failed" if rng.random() < 0.05 else None
    value = None if rng.random() < 0.03 else _value(rng, spec)
    return LeverState(spec, value, BAD if value is None or rng.random() < 0.05 else OK, NOW, moved, frozen)


def _goal(rng: random.Random, element: str) -> GoalState:
    goal = Goal(f"{element}_seconds", 1.0, rng.choice(tuple(Direction)), element=element)
    if rng.random() < 0.07:
        return GoalState(goal, element, None, None, None, 0.0, 0.0, BAD)
    current = rng.choice((0.3, 0.8, 1.3, 3.0))
    return GoalState(goal, element, current, current, goal.met_by(current), 0.0, goal.miss(current), OK)


def _guard(rng: random.Random, element: str) -> GuardState:
    guard, value = Guard(f"{element}_errors", max=0.01, element=element), rng.choice((0.0, 0.009, 0.5))
    return (
        GuardState(guard, element, value, None, BAD)
        if rng.random() < 0.1
        else GuardState(guard, element, value, value > 0.01, OK)
    )


def _symptom(rng: random.Random, goal: GoalState) -> Symptom:
    name = goal.goal.metric_name
    return Symptom(
        "goal_missed", goal.element, name, Severity.WARNING, 0.9, "off", NOW - 60, goal.goal.goal_id, rng.random() < 0.9
    )


def _proposal(
    rng: random.Random, spec: LeverSpec, name: str, start: LeverValue, end: LeverValue, at: float
) -> OptimizationAction:
    suffix = "set" if isinstance(start, bool | str) or isinstance(end, bool | str) else "increase" if end > start else "decrease"
    return OptimizationAction(
        name, f"{spec.name}_{suffix}", name, spec.element, spec.name, start, end, f"{spec.element}_seconds",
        f"goal:{spec.element}:{spec.element}_seconds", "", "", spec.expected_improvement, 0.5, spec.risk_level, spec.priority,
        spec.reversibility, 20.0, at, spec.locks | {spec.element},
    )  # fmt: skip


def _record(rng: random.Random, spec: LeverSpec, n: int, settings: PlanSettings) -> ActionRecord:
    at = NOW - rng.choice((-500.0, 1.0, 29.0, 31.0, 299.0, 301.0, 700.0, 5000.0, 90_000.0))
    state = rng.choice(STATES)
    started = state.value not in UNSTARTED
    return ActionRecord(
        _proposal(rng, spec, f"r{n}", _value(rng, spec), _value(rng, spec), at), state, at, "generated",
        Decision(Choice.ACT, "", exploratory=True) if rng.random() < 0.3 else None,
        executed_at=at if started else None,
        acknowledged=started and rng.random() < 0.8,
        verdict=rng.choice(VERDICTS) if started else None,
        guard_breached="guard" if started and rng.random() < 0.2 else None,
        simulated=state is ActionState.SIMULATED,
    )  # fmt: skip


def _wild(rng: random.Random, situation: Situation, n: int) -> OptimizationAction:
    """A proposal that may be out of date, out of bounds, for no lever, or want locks that it was never given."""
    state = rng.choice(list(situation.levers.values()))
    start = state.value if state.value is not None and rng.random() < 0.9 else _value(rng, state.spec)
    end = _value(rng, state.spec) if rng.random() < 0.9 else 1e9
    action = _proposal(rng, state.spec, f"wild{n}", start, end, NOW)
    locks = action.locks | frozenset(rng.sample(("db", "net", "disk"), rng.choice((0, 1))))
    return replace(action, locks=locks, lever="no such lever" if rng.random() < 0.03 else action.lever)
