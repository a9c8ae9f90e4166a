"""Say in one sentence what a plan comes to: the same words go to the log, the interface, the dashboard and the command line."""

from __future__ import annotations

from collections.abc import Sequence

from trimtab.domain.actions import Choice
from trimtab.domain.goals import GoalState
from trimtab.domain.levers import Mode
from trimtab.domain.situation import Situation
from trimtab.domain.words import setting
from trimtab.plan.guards import lever_hindrance
from trimtab.plan.history import History
from trimtab.plan.ordering import Decided
from trimtab.plan.settings import PlanSettings
from trimtab.plan.storm import storm
from trimtab.plan.words import joined, where_it_stands


def sentence(
    decided: Sequence[Decided], situation: Situation, history: History, settings: PlanSettings, faults: Sequence[str] = ()
) -> str:
    """The sentence for the whole plan. What is not trusted is always said; of reasons not to act, the one nearest to acting."""
    holds = _holds(situation)
    parts = [*_changes(decided)]
    if not parts and not holds:
        parts = [f"No action: {_why_not(decided, situation, history, settings)}"]
    if holds:
        parts.append(f"HOLD: {joined(holds)}" if parts else f"No action. HOLD: {joined(holds)}")
    return ". ".join([*parts, *faults])


def _changes(decided: Sequence[Decided]) -> list[str]:
    acts = [f"{action.description} ({decision.reason})" for action, decision in decided if decision.choice is Choice.ACT]
    asks = [f"{action.description} ({decision.reason})" for action, decision in decided if decision.choice is Choice.ASK]
    return [f"{word}: {'; '.join(found)}" for word, found in (("Acting", acts), ("Asking", asks)) if found]


def _holds(situation: Situation) -> list[str]:
    """One clause for each thing that cannot be trusted: a lost store first, then the analysis, in its own words if it has any."""
    analysis = situation.analysis
    lost = [situation.trouble.removeprefix("HOLD: ")] if situation.trouble is not None else []
    unsure = [
        f"{name} {trust.why}"
        for name, trust in (
            *((g.goal.metric_name, g.trust) for g in analysis.goals),
            *((g.guard.metric_name, g.trust) for g in analysis.guards),
        )
        if not trust.ok
    ]
    said = [hold.removeprefix("HOLD: ") for hold in analysis.holds]
    return list(dict.fromkeys([*lost, *(said or unsure)]))


def _why_not(decided: Sequence[Decided], situation: Situation, history: History, settings: PlanSettings) -> str:
    if situation.paused:
        return situation.paused_because or "paused: nothing new starts until a person resumes"
    if (halt := storm(situation.records, settings.storm, situation.now, situation.harm_dates)) is not None:
        return halt.sentence
    missed = [goal for goal in situation.analysis.goals if goal.achieved is False]
    if history.active and (missed or not situation.analysis.goals):
        return "; ".join(f"{r.action.move} is under way ({r.state.value.replace('_', ' ')})" for r in history.active)
    if reasons := [d.reason for _, d in decided if d.choice is Choice.WAIT]:
        return joined(list(dict.fromkeys(reasons)), between="; ", more="more held back")
    if ignored := [f"{a.move}: {d.reason}" for a, d in decided if d.choice is Choice.IGNORE]:
        return joined(ignored, between="; ", more="more not worth it")
    if missed:
        return f"{where_it_stands(missed[0])}, {_nothing_left(missed[0], situation, history, settings)}"
    if not situation.analysis.goals:
        return "no goal is set"
    return joined([where_it_stands(goal) for goal in situation.analysis.goals], 2)


def _nothing_left(goal: GoalState, situation: Situation, history: History, settings: PlanSettings) -> str:
    """Why nothing was proposed for a missed goal."""
    tuned = [i for i, s in sorted(situation.levers.items()) if s.spec.element == goal.element and s.spec.mode is Mode.TUNED]
    regulated = [s for s in situation.levers.values() if s.spec.governs and s.spec.element == goal.element]
    if not tuned and regulated:
        return f"and its levers are regulated: {regulated[0].spec.lever_id} is at {setting(regulated[0].value)}"
    if not tuned:
        return f"and {goal.element or 'its element'} has no lever to try"
    if not any(s.goal_id == goal.goal.goal_id for s in situation.analysis.symptoms):
        return "not yet for long enough to be a symptom"
    hindered = [found for i in tuned if (found := lever_hindrance(i, situation, history, settings)) is not None]
    return joined(hindered, 2) if hindered else f"and nothing is left to try on {joined(tuned)}"
