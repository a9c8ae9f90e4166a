"""The agent's standing as plain data: the document behind `GET /agent/status` and `trimtab status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trimtab.domain.actions import ActionState, ActionStatus
from trimtab.domain.words import rfc3339

if TYPE_CHECKING:
    from trimtab.loop.desk import Desk


def status_of(agent: Desk) -> dict[str, Any]:
    """Requirement A11's fields, then what else an operator asks first."""
    counts = agent.book.counts
    by_status = {status: sum(n for state, n in counts.items() if state.status is status) for status in ActionStatus}
    credited = [record for record in agent.book.records if record.success]
    return {
        "state": agent.state,
        "uptime_seconds": max(0.0, agent.now() - agent.started_at),
        "pending_actions": by_status[ActionStatus.PENDING],
        "active_actions": by_status[ActionStatus.EXECUTING],
        "completed_actions": by_status[ActionStatus.COMPLETED] + by_status[ActionStatus.FAILED],
        "goals": [
            {
                "metric": state.goal.metric_name,
                "element": state.element,
                "target": state.goal.target_value,
                "current": state.current,
                "achieved": state.achieved,
                "hold": None if state.trust.ok else state.trust.why,
            }
            for state in agent.goal_states()
        ],
        "stats": {
            "total_actions": sum(counts.values()),
            "successful_actions": len(credited),
            "failed_actions": by_status[ActionStatus.FAILED],
            "total_improvement": sum(record.actual_improvement or 0.0 for record in credited),
        },
        "plan": agent.plan.sentence,
        "holds": list(agent.holds),
        "pace": agent.throttle.sentence,
        "attention": _attention(agent),
        "symptoms": [symptom.evidence for symptom in agent.evidence.analysis.symptoms],
        "ahead": [symptom.evidence for symptom in agent.evidence.analysis.symptoms if symptom.kind == "forecast"],
        "diagnoses": [found.sentence for found in agent.evidence.analysis.diagnoses],
        "awaiting_approval": [record.action_id for record in agent.book.in_state(ActionState.AWAITING_APPROVAL)],
        "frozen_levers": {key: state.frozen for key, state in agent.levers.states.items() if state.frozen},
        "regulation": [_regulation(standing) for standing in agent.regulation.standing()],
        **_gate(agent),
        "config": _config(agent),
        "simulation_mode": agent.parts.simulated,
        "pushed": agent.parts.inbox.tally.numbers() if agent.parts.inbox is not None else None,
        "journal": {"rows": agent.book.head[0], "head": agent.book.head[1]},
    }


def _attention(agent: Desk) -> list[str]:
    """What is looked at less closely or less often than it might be, and why."""
    tiers, attention = agent.parts.analyzer.deep.sentence, agent.throttle.attention
    return [*([tiers] if tiers else []), *(attention.sentences(agent.now()) if attention is not None else [])]


def _gate(agent: Desk) -> dict[str, Any]:
    """Who may start something now."""
    standing = dict(agent.gatekeeper.status(agent.now()))
    standing["paused_since"] = rfc3339(standing["paused_since"])
    standing["windows"] = [{**window, "changes_at": rfc3339(window["changes_at"])} for window in standing["windows"]]
    return standing


def _regulation(standing: dict[str, Any]) -> dict[str, Any]:
    """A policy with its set-points and its last moves."""
    left = {lever: rfc3339(until) for lever, until in standing["left_to_others"].items()}
    return {**standing, "left_to_others": left, "last_moves": [{**m, "at": rfc3339(m["at"])} for m in standing["last_moves"]]}


def _config(agent: Desk) -> dict[str, Any] | None:
    """Which settings are in use, and why those in the file are not, where they are not."""
    origin = agent.parts.origin
    return {"path": origin.path, "loaded_at": rfc3339(origin.loaded_at), "problem": origin.problem} if origin else None
