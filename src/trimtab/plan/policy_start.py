"""Propose to start the policy of an element whose levers are declared as regulated. Called once a turn.

It does not wait for a goal to be missed: following load is the point. Predictive is preferred; where it did harm within a day, or
a trial of it was undone since the other one was tried, the other has its turn. Cool-downs, refusals and beliefs decide the rest,
as for every proposal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trimtab.domain.actions import OptimizationAction
from trimtab.domain.goals import GoalState
from trimtab.domain.levers import LeverSpec
from trimtab.domain.regulation import HOLD, PREDICTIVE, REACTIVE
from trimtab.plan.history import History, failed

if TYPE_CHECKING:
    from trimtab.domain.situation import LeverState, Situation

PREFERENCE = (PREDICTIVE, REACTIVE)


class PolicyStart:
    """The optimizer for regulated levers."""

    def propose(self, situation: Situation) -> Sequence[OptimizationAction]:
        """One policy for each element whose policy is `hold` and whose levers can be read."""
        history = History.of(situation)
        return [
            _action(state.spec, goal, policy, situation)
            for _, state in sorted(situation.levers.items())
            if state.spec.governs
            and state.value == HOLD
            and _reachable(state.spec, situation)
            and (goal := _judge_of(state.spec, situation)) is not None
            and (policy := _policy(state.spec, history)) is not None
        ]


def _reachable(spec: LeverSpec, situation: Situation) -> bool:
    """Whether every governed lever was read, and one at least is not left to another hand."""
    states: list[LeverState | None] = [situation.levers.get(lever_id) for lever_id in spec.governs]
    read = all(state is not None and state.value is not None and state.trust.ok for state in states)
    return read and any(state is not None and state.left_until is None and state.frozen is None for state in states)


def _judge_of(spec: LeverSpec, situation: Situation) -> GoalState | None:
    """The goal that judges the policy: of its element the weightiest, else one that its levers are declared to move, else any."""
    moved = {name for lever_id in spec.governs for name, _ in situation.levers[lever_id].spec.moves}

    def nearness(state: GoalState) -> tuple[bool, bool, float]:
        return (state.element == spec.element, state.goal.metric_name in moved, state.goal.weight)

    return max(situation.analysis.goals, key=nearness, default=None)


def _policy(spec: LeverSpec, history: History) -> str | None:
    """The preferred policy that did no harm within a day; of two that failed, the one whose turn it is."""
    unsafe = {record.action.to_value for record in history.unsafe(spec.lever_id)}
    safe = [policy for policy in PREFERENCE if policy not in unsafe]
    last_failed = {record.action.to_value: record.since for record in reversed(history.of_lever(spec.lever_id)) if failed(record)}
    return min(safe, key=lambda policy: last_failed.get(policy, 0.0), default=None)


def _action(spec: LeverSpec, goal: GoalState, policy: str, situation: Situation) -> OptimizationAction:
    levers = ", ".join(spec.governs)
    return OptimizationAction.on(
        spec,
        HOLD,
        policy,
        goal=goal,
        action_type=f"regulation_{policy}",
        description=f"start the {policy} policy of {spec.element}: let {levers} follow load",
        trigger=f"{levers} {'is' if len(spec.governs) == 1 else 'are'} declared as regulated",
        now=situation.now,
    )
