"""Put proposals in the order in which they are considered. Called by the planner between deciding and accepting."""

from __future__ import annotations

from trimtab.domain.actions import Decision, OptimizationAction
from trimtab.domain.beliefs import BeliefView
from trimtab.domain.situation import Situation

Decided = tuple[OptimizationAction, Decision]
Rank = tuple[int, float, float, float, bool, str, str]


def in_order(decided: list[Decided], situation: Situation, beliefs: BeliefView) -> list[Decided]:
    """The most urgent first: priority, then expected improvement, lower risk, past success, a declared effect, name.

    Improvement and success are what is believed by now, so that a lever which did nothing steps behind one not yet tried.
    """
    return sorted(decided, key=lambda pair: _rank(pair[0], situation, beliefs))


def _rank(action: OptimizationAction, situation: Situation, beliefs: BeliefView) -> Rank:
    belief = beliefs.of(action)
    state = situation.levers.get(action.lever_id)
    declared = dict(state.spec.moves).get(action.metric_name, "unknown") if state is not None else "unknown"
    return (
        action.priority.rank,
        -round(belief.improvement, 9),  # sums differ in their last digit: that must not decide
        action.risk_level,
        -round(belief.p_success, 9),
        declared == "unknown",
        action.lever_id,
        action.action_id,
    )
