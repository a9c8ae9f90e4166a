"""What is true when an action is planned, in the few facts that beliefs are kept apart by. Called by the planner."""

from __future__ import annotations

from trimtab.domain.actions import OptimizationAction
from trimtab.domain.contexts import Context, hour_of, third
from trimtab.domain.situation import Situation
from trimtab.plan.settings import FAR


def context_of(action: OptimizationAction, situation: Situation) -> Context:
    """The context of a proposal, as far as the situation tells it."""
    return Context(
        load=(situation.loads or {}).get(action.element, ""),
        hour=hour_of(situation.now),
        miss=_miss(action, situation),
        position=_position(action, situation),
    )


def _miss(action: OptimizationAction, situation: Situation) -> str:
    state = situation.analysis.goal(action.goal_id)
    if state is None or state.achieved is not False:
        return ""
    return "far" if state.miss >= FAR else "near"


def _position(action: OptimizationAction, situation: Situation) -> str:
    state = situation.levers.get(action.lever_id)
    if state is None or state.spec.bounds is None or isinstance(action.from_value, str):
        return ""
    low, high = state.spec.bounds
    return third((float(action.from_value) - low) / (high - low)) if high > low else ""
