"""From the domain's values to the shapes that leave the agent. Pure; called by the routes for every answer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from numbers import Integral, Real
from typing import Any

from pydantic import JsonValue

from trimtab.api.facade import SeriesRow
from trimtab.api.models import (
    ActionDetailOut,
    ActionOut,
    DecisionOut,
    ForecastOut,
    GoalOut,
    PlanOut,
    ProposalOut,
    ResultOut,
    SeriesOut,
    StatusOut,
    TransitionOut,
    VerdictOut,
)
from trimtab.domain.actions import ActionRecord, Decision, JournalRow, OptimizationAction, Plan
from trimtab.domain.forecasts import Foretold
from trimtab.domain.goals import GoalState
from trimtab.domain.levers import LeverValue
from trimtab.domain.verdicts import Verdict
from trimtab.domain.words import rfc3339


def finite(value: float | None) -> float | None:
    """`value`, or None where JSON has no word for it.

    >>> finite(float("nan")), finite(1.5)
    (None, 1.5)
    """
    return value if value is not None and math.isfinite(value) else None


def plain(value: object) -> JsonValue:
    """Any value as JSON can carry it: what is not finite becomes null, what is unknown its text.

    >>> plain({"low": float("-inf"), "locks": ("shop",)})
    {'low': None, 'locks': ['shop']}
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Real):  # floats, and the numbers of NumPy
        return int(value) if isinstance(value, Integral) else finite(float(value))
    if isinstance(value, str):
        return str.__str__(value).encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, set | frozenset):
        return sorted((plain(each) for each in value), key=str)
    return [plain(each) for each in value] if isinstance(value, Iterable) and not isinstance(value, bytes) else str(value)


def status(raw: Mapping[str, Any]) -> StatusOut:
    """What the agent says of itself."""
    return StatusOut.model_validate(plain(raw))


def action(record: ActionRecord) -> ActionOut:
    """An action in one row of a list."""
    return ActionOut(**_action_fields(record))


def action_detail(record: ActionRecord, rows: Sequence[JournalRow]) -> ActionDetailOut:
    """An action with the whole of its life."""
    return ActionDetailOut(
        **_action_fields(record),
        explanation=explanation(record),
        decision=DecisionOut(**_decision_fields(record.decision)) if record.decision else None,
        verdict=_verdict(record.verdict) if record.verdict else None,
        snapshot=_setting(record.snapshot),
        guard_breached=record.guard_breached,
        rollback_reason=record.rollback_reason,
        context={name: label for name, label in asdict(record.action.context).items() if label},
        belief_before=_believed(rows, "before") or {name: finite(value) for name, value in record.belief_before.items()},
        belief_after=_believed(rows, "after"),
        learned=next((row.reason for row in reversed(rows) if row.kind == "learned"), ""),
        transitions=[_transition(row) for row in rows],
    )


def explanation(record: ActionRecord) -> str:
    """The story of an action in its own sentences: symptom, decision, verdict, where it stands, what failed.

    Each is said once: what a longer one contains is left out.
    """
    told = (
        record.action.trigger,
        record.action.description,
        record.decision.reason if record.decision else None,
        record.verdict.reason if record.verdict else None,
        record.rollback_reason,
        record.reason,
        record.error,
    )
    sentences = list(dict.fromkeys(part.strip().rstrip(".") for part in told if part and part.strip()))
    news = [one for one in sentences if not any(one in other for other in sentences if other != one)]
    return " ".join(f"{sentence}." for sentence in news)


def goal(state: GoalState) -> GoalOut:
    """A goal as it stands."""
    return GoalOut(
        goal_id=state.goal.goal_id,
        metric_name=state.goal.metric_name,
        element=state.element,
        target_value=finite(state.goal.target_value),
        current_value=finite(state.current),
        direction=state.goal.direction,
        weight=finite(state.goal.weight),
        achieved=state.achieved,
        progress=min(1.0, max(0.0, finite(state.progress) or 0.0)),
        hold=None if state.trust.ok else state.trust.why,
    )


def plan(of: Plan) -> PlanOut:
    """The last plan, with what would be done and what would not."""
    decisions = [_proposal(proposed, decision) for proposed, decision in of.decided]
    chosen = {change.action_id for change in of.changes}
    changes = [proposal for proposal in decisions if proposal.action_id in chosen]
    return PlanOut(at=rfc3339(of.at), sentence=of.sentence, changes=changes, decisions=decisions)


def series(row: SeriesRow) -> SeriesOut:
    """A series with its latest value."""
    identity, value, at, trust = row
    return SeriesOut(
        metric_id=identity.metric_id,
        metric_name=identity.name,
        element=identity.element,
        labels=dict(identity.labels),
        metric_type=identity.metric_type,
        unit=identity.unit.value,
        source=identity.source,
        value=finite(value),
        timestamp=rfc3339(at),
        health=trust.health,
        reason=trust.reason,
    )


def forecast(of: Foretold) -> ForecastOut:
    """What is expected."""
    reached = of.reached
    return ForecastOut.model_validate(
        {
            "about": of.subject.about,
            "element": of.subject.element,
            "metric_name": of.subject.metric_name,
            "sentence": of.sentence,
            "hold": of.hold or None,
            "limit": finite(of.subject.limit),
            "reached": {name: rfc3339(getattr(reached, name)) for name in ("at", "earliest", "latest")} if reached else None,
            "step_seconds": of.step_seconds or None,
            "course": [
                {"at": rfc3339(one.at), "mean": finite(one.mean), "low": finite(one.low), "high": finite(one.high)}
                for one in of.course
            ],
        }
    )


def _action_fields(record: ActionRecord) -> dict[str, Any]:
    of = record.action
    return {
        "action_id": of.action_id,
        "type": of.action_type,
        "module": of.module,
        "description": of.description,
        "status": record.status,
        "state": record.state,
        "since": rfc3339(record.since),
        "reason": record.reason,
        "actor": record.actor,
        "created_at": rfc3339(of.created_at),
        "executed_at": rfc3339(record.executed_at),
        "ended_at": rfc3339(record.ended_at),
        "expires_at": rfc3339(record.expires_at),
        "approved_by": record.approved_by,
        "parameters": {name: _setting(value) for name, value in of.parameters.items()},
        "goal_id": of.goal_id,
        "metric_name": of.metric_name,
        "trigger": of.trigger,
        "trigger_metric_id": of.trigger_metric_id,
        "expected_improvement": finite(of.expected_improvement),
        "risk_level": finite(of.risk_level),
        "priority": of.priority,
        "reversibility": of.reversibility,
        "plan_hash": of.plan_hash,
        "simulated": record.simulated,
        "result": ResultOut(success=record.success, actual_improvement=finite(record.actual_improvement)),
        "error": record.error,
    }


def _decision_fields(decision: Decision) -> dict[str, Any]:
    return {
        "choice": decision.choice,
        "reason": decision.reason,
        "expected_value": finite(decision.expected_value),
        "score": finite(decision.score),
        "p_success": finite(decision.p_success),
        "p_harm": finite(decision.p_harm),
        "exploratory": decision.exploratory,
    }


def _proposal(proposed: OptimizationAction, decision: Decision) -> ProposalOut:
    return ProposalOut(
        **_decision_fields(decision),
        action_id=proposed.action_id,
        type=proposed.action_type,
        description=proposed.description,
        lever=proposed.lever_id,
        from_value=_setting(proposed.from_value),
        to_value=_setting(proposed.to_value),
        goal_id=proposed.goal_id,
        priority=proposed.priority,
        risk_level=finite(proposed.risk_level),
        plan_hash=proposed.plan_hash,
    )


def _verdict(verdict: Verdict) -> VerdictOut:
    return VerdictOut(
        status=verdict.status,
        effect=finite(verdict.effect),
        low=finite(verdict.low),
        high=finite(verdict.high),
        method=verdict.method,
        reason=verdict.reason,
        n_before=verdict.n_before,
        n_after=verdict.n_after,
    )


def _believed(rows: Sequence[JournalRow], when: str) -> dict[str, float | None]:
    """What was believed just before, or is since, the action's outcome, from the row that `learn` wrote; empty until then."""
    told = next((row.data.get(when) for row in reversed(rows) if row.kind == "learned"), None)
    numbers = told if isinstance(told, Mapping) else {}
    return {str(name): finite(value) for name, value in numbers.items() if isinstance(value, int | float)}


def _transition(row: JournalRow) -> TransitionOut:
    return TransitionOut(
        seq=row.seq,
        at=rfc3339(row.at),
        kind=row.kind,
        from_state=row.from_state,
        to_state=row.to_state,
        actor=row.actor,
        reason=row.reason,
        data={name: plain(value) for name, value in row.data.items()},
        hash=row.hash,
    )


def _setting(value: LeverValue | None) -> Any:
    """A lever's value; one that is not finite as its text, since a setting is never nothing."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
