"""The agent's standing as plain data: the document behind `GET /agent/status` and `trimtab status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trimtab.domain.actions import ActionState, ActionStatus

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
                "hold": None if state.trust.ok else state.trust.reason,
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
        "symptoms": [symptom.evidence for symptom in agent.evidence.analysis.symptoms],
        "awaiting_approval": [record.action_id for record in agent.book.in_state(ActionState.AWAITING_APPROVAL)],
        "frozen_levers": {key: state.frozen for key, state in agent.levers.states.items() if state.frozen},
        "paused": agent.executor.paused,
        "simulation_mode": agent.parts.simulated,
        "journal": {"rows": agent.book.head[0], "head": agent.book.head[1]},
    }
