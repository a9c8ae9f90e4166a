"""A small world for the tests of planning: one element, one goal, and builders that say only what differs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from trimtab.domain.actions import ActionRecord, ActionState, Decision, OptimizationAction
from trimtab.domain.beliefs import Belief
from trimtab.domain.direction import Direction
from trimtab.domain.goals import Analysis, Goal, GoalState, Guard, GuardState, Symptom
from trimtab.domain.levers import ActionPriority, LeverSpec, Reversibility
from trimtab.domain.metrics import Health, Severity, Trust
from trimtab.domain.situation import LeverState, Situation
from trimtab.domain.verdicts import Verdict, VerdictStatus

NOW = 100_000.0
OK = Trust(Health.OK)
STALE = Trust(Health.STALE, "is stale: the last sample is 95 s old")
METRIC = "checkout_p95_seconds"
GOAL = Goal(METRIC, 0.2, Direction.MINIMIZE)
COLD = Belief(0.5, 0.1, 0.1, -0.09, 0.1, 0.2257, 0, 0, 0, None)
GOOD = Belief(0.83, 0.6, 0.3, 0.2, 0.06, 0.15, 4, 4, 0, NOW - 4000)

WORKERS = LeverSpec("workers", "checkout", bounds=(1, 16), moves=((METRIC, "down"),))


class Believing:
    """A belief view that says the same of every action, or what it was told of a type."""

    def __init__(self, belief: Belief = COLD, **by_type: Belief) -> None:
        self.belief, self.by_type = belief, by_type

    def of(self, action: OptimizationAction) -> Belief:
        return self.by_type.get(action.action_type, self.belief)


class Proposing:
    """An optimizer that proposes what it was given."""

    def __init__(self, *actions: OptimizationAction) -> None:
        self.actions = actions

    def propose(self, situation: Situation) -> tuple[OptimizationAction, ...]:
        return self.actions


def action(**changes: Any) -> OptimizationAction:
    base = OptimizationAction(
        action_id="workers_increase_1",
        action_type="workers_increase",
        description="raise checkout/workers from 1 to 3",
        element="checkout",
        lever="workers",
        from_value=1,
        to_value=3,
        metric_name=METRIC,
        goal_id=GOAL.goal_id,
        trigger="p95 is high",
        trigger_metric_id=f"checkout/{METRIC}",
        expected_improvement=0.1,
        success_probability=0.5,
        risk_level=0.3,
        priority=ActionPriority.MEDIUM,
        reversibility=Reversibility.REVERSIBLE,
        settle_seconds=20.0,
        created_at=NOW,
        locks=frozenset({"checkout"}),
    )
    return replace(base, **changes)


def record(state: ActionState = ActionState.KEPT, *, at: float = NOW - 10_000, **changes: Any) -> ActionRecord:
    """An action's record. `executed=False`: never started; other names are fields of the record, then of the action."""
    executed = changes.pop("executed", state not in NEVER_STARTED)
    fields = {name: changes.pop(name) for name in list(changes) if name in ActionRecord.__dataclass_fields__}
    base = ActionRecord(
        action(created_at=at, **changes),
        state,
        since=at,
        reason="",
        executed_at=at if executed else None,
        acknowledged=executed,
        ended_at=at if state.terminal else None,
    )
    return replace(base, **fields)


NEVER_STARTED = (
    ActionState.PROPOSED,
    ActionState.IGNORED,
    ActionState.AWAITING_APPROVAL,
    ActionState.REJECTED,
    ActionState.EXPIRED,
    ActionState.SCHEDULED,
    ActionState.SIMULATED,
)
IMPROVED = Verdict(VerdictStatus.IMPROVED, 0.3, 0.2, 0.4, "test", "")
WORSE = Verdict(VerdictStatus.WORSE, -0.3, -0.4, -0.2, "test", "")
INCONCLUSIVE = Verdict(VerdictStatus.INCONCLUSIVE, None, None, None, "test", "")
EXPLORING = Decision(choice="act", reason="", exploratory=True)  # type: ignore[arg-type]


def lever(spec: LeverSpec = WORKERS, value: Any = 1, **changes: Any) -> LeverState:
    return replace(LeverState(spec, value, OK, NOW), **changes)


def guard(value: float | None = 0.001, trust: Trust = OK, limit: float = 0.01) -> GuardState:
    declared = Guard("checkout_error_ratio", max=limit)
    return GuardState(declared, "checkout", value, None if value is None or not trust.ok else declared.breached_by(value), trust)


def goal_state(current: float | None = 0.61, goal: Goal = GOAL, trust: Trust = OK, element: str = "checkout") -> GoalState:
    known = current is not None and trust.ok
    achieved = goal.met_by(current) if known and current is not None else None
    miss = goal.miss(current) if known and current is not None else 0.0
    return GoalState(goal, element, current, current, achieved, 0.0, miss, trust)


def symptom(goal: Goal = GOAL, element: str = "checkout", **changes: Any) -> Symptom:
    base = Symptom("goal_missed", element, goal.metric_name, Severity.WARNING, 0.9, "p95 is high", NOW - 60, goal.goal_id)
    return replace(base, **changes)


def situation(*levers: LeverState, current: float | None = 0.61, trust: Trust = OK, **changes: Any) -> Situation:
    """A missed goal on `checkout`, and its levers (one called workers at 1, unless told)."""
    goal = goal_state(current, trust=trust)
    symptoms = (symptom(),) if goal.achieved is False else ()
    analysis = Analysis(
        NOW, (goal,), changes.pop("guards", (guard(),)), changes.pop("symptoms", symptoms), changes.pop("holds", ())
    )
    levers = levers or (lever(),)
    base = Situation(NOW, analysis, {state.spec.lever_id: state for state in levers})
    return replace(base, **changes)
