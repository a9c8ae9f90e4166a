"""Put proposals in the order in which they are considered. Called by the planner between deciding and accepting."""

from __future__ import annotations

from trimtab.domain.actions import Decision, OptimizationAction
from trimtab.domain.beliefs import BeliefView
from trimtab.domain.situation import Situation
from trimtab.domain.verdicts import VerdictStatus
from trimtab.plan.history import History, improved, promising

Decided = tuple[OptimizationAction, Decision]
Rank = tuple[int, bool, float, float, float, float, int, bool, str, str]


def in_order(decided: list[Decided], situation: Situation, history: History, beliefs: BeliefView) -> list[Decided]:
    """The most urgent first: priority, then promise, expected improvement, lower risk, past success, suspicion, name.

    Improvement and success are what is believed by now, so that a lever which did nothing steps behind one not yet tried. Between
    rivals of one priority the expected gain counts with the benefit of the doubt (`Belief.hope`): a contextual bandit by upper
    confidence bounds, which tries what is little known in this context and settles on what proves best. Of what nothing is known
    that is all of the declared improvement. It only ever orders what was decided already.
    """
    return sorted(decided, key=lambda pair: _rank(pair[0], situation, history, beliefs))


def _rank(action: OptimizationAction, situation: Situation, history: History, beliefs: BeliefView) -> Rank:
    belief = beliefs.of(action)
    state = situation.levers.get(action.lever_id)
    declared = state is not None and state.spec.effect_on(action.metric_name) != 0
    return (
        action.priority.rank,
        not _promising(action, history),
        -round(belief.hope if belief.hope is not None else belief.improvement * belief.p_success, 9),  # not by the last digit
        action.risk_level,
        -round(belief.p_success, 9),
        -_suspicion(action, situation),
        _disappointments(action, history),
        not declared,
        action.lever_id,
        action.action_id,
    )


def _suspicion(action: OptimizationAction, situation: Situation) -> float:
    """How likely the trouble that the action is for began at its element, in tenths: less is no difference."""
    wanted = [symptom.symptom_id for symptom in situation.analysis.symptoms if symptom.goal_id == action.goal_id]
    found = [diagnosis for name in wanted if (diagnosis := situation.analysis.diagnosis_of(name)) is not None]
    return max((round(diagnosis.probability_of(action.element), 1) for diagnosis in found), default=0.0)


def _promising(action: OptimizationAction, history: History) -> bool:
    """Whether the lever's last trial this way seemed to help and could only not be proven."""
    last = next((r for r in history.trials(action.lever_id, action.goal_id) if r.action.way == action.way), None)
    return last is not None and promising(last)


def _disappointments(action: OptimizationAction, history: History) -> int:
    """How often the lever lately came to nothing for this goal, whichever way it was moved.

    What has no effect upwards hardly has one downwards, so another lever goes first. Where the other way made things worse, this
    way may well make them better: that counts in its favour.
    """
    count = 0
    for record in history.trials(action.lever_id, action.goal_id):
        worse = record.verdict is not None and record.verdict.status is VerdictStatus.WORSE
        if worse and record.action.way * action.way < 0:
            count -= 1
        elif not improved(record):
            count += 1
    return count
