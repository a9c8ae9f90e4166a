"""Turn a situation into a plan: propose, decide, order, hold back, say. Called once a turn; reads beliefs, never the clock.

Every proposal leaves with a decision and the sentence that says why, those that come to nothing too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite

from trimtab.domain.actions import Choice, Decision, OptimizationAction, Plan, unique
from trimtab.domain.beliefs import BeliefView
from trimtab.domain.ports import Optimizer
from trimtab.domain.situation import Situation
from trimtab.plan.context import context_of
from trimtab.plan.decide import decide
from trimtab.plan.guards import Candidate, hindrance
from trimtab.plan.history import History
from trimtab.plan.ordering import Decided, in_order
from trimtab.plan.sentence import sentence
from trimtab.plan.settings import PlanSettings


def make_plan(
    situation: Situation, optimizers: Sequence[Optimizer], beliefs: BeliefView, settings: PlanSettings | None = None
) -> Plan:
    """The plan for one turn. The same arguments always yield an equal plan.

    An optimizer that raises loses its own proposals, is named in the plan's sentence, and stops nobody else's.
    """
    settings = settings if settings is not None else PlanSettings()
    history = History.of(situation)
    proposals, faults = _propose(situation, optimizers)
    decided = [(action, _decide(action, situation, beliefs, settings)) for action in proposals]
    accepted = _accept(in_order(decided, situation, history, beliefs), situation, history, settings)
    return Plan(situation.now, sentence(accepted, situation, history, settings, faults), tuple(accepted))


def _propose(situation: Situation, optimizers: Sequence[Optimizer]) -> tuple[list[OptimizationAction], list[str]]:
    """What every optimizer proposes, under ids that no other action has; and one sentence for each that failed."""
    proposals: list[OptimizationAction] = []
    faults: list[str] = []
    for optimizer in optimizers:
        try:
            proposals.extend(replace(one, context=context_of(one, situation)) for one in optimizer.propose(situation))
        except Exception as error:  # it may be somebody else's code
            faults.append(f"{type(optimizer).__name__} could not propose anything: {type(error).__name__}: {error}")
    return unique(proposals, (record.action_id for record in situation.records)), faults


def _decide(action: OptimizationAction, situation: Situation, beliefs: BeliefView, settings: PlanSettings) -> Decision:
    """The decision on one proposal; a malformed one, or one for a lever that is not known, is ignored before any arithmetic."""
    state = situation.levers.get(action.lever_id)
    if state is None:
        return Decision(Choice.IGNORE, f"there is no lever {action.lever_id}")
    if (fault := _malformed(action)) is not None:
        return Decision(Choice.IGNORE, f"{fault}; correct the optimizer, or the priors of {action.lever_id}")
    return decide(action, beliefs.of(action), settings, autonomy=state.spec.autonomy)


def _malformed(action: OptimizationAction) -> str | None:
    """What makes the numbers of a proposal unusable: NaN compares false with every limit, and would slip past all of them."""
    for name in ("risk_level", "success_probability"):
        value = getattr(action, name)
        if not (isfinite(value) and 0.0 <= value <= 1.0):
            return f"its {name} is {value}, and must lie between 0 and 1"
    if not isfinite(action.expected_improvement):
        return f"its expected_improvement is {action.expected_improvement}, and must be a number"
    return None


def _accept(ordered: list[Decided], situation: Situation, history: History, settings: PlanSettings) -> list[Decided]:
    """The decisions after everything that stands in the way now: each accepted proposal may stand in the way of the next."""
    result: list[Decided] = []
    accepted: list[Decided] = []
    for action, decision in ordered:
        if decision.choice in (Choice.ACT, Choice.ASK):
            reason = hindrance(Candidate(action, decision, situation, history, settings, accepted))
            if reason is None:
                accepted.append((action, decision))
            else:
                decision = replace(decision, choice=Choice.WAIT, reason=reason, exploratory=False)
        result.append((action, decision))
    return result
