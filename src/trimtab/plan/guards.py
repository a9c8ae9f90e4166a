"""Hold back, right now, what is right in principle. Called by the planner for every proposal that was decided to act or to ask.

Each check answers with a sentence (with the seconds left, where they are known) or with None. The first that holds is reported:
from a lost store and what a person did, over what cannot be trusted, to what merely has to wait its turn. What is held back is
planned anew at the next turn and is no decision to journal. Fails closed: an unknown lever or goal stops the action.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trimtab.domain.actions import ActionRecord, ActionState, Choice, Decision, OptimizationAction
from trimtab.domain.situation import LeverState, Situation
from trimtab.domain.words import setting
from trimtab.plan.history import History, backoff, moved_at, refused_by_a_person, remaining
from trimtab.plan.settings import BASELINE_SAMPLES, REJECTED_FOR, PlanSettings
from trimtab.plan.storm import storm
from trimtab.plan.windows import out_of_hours
from trimtab.plan.words import moment, wait


@dataclass(frozen=True, slots=True)
class Candidate:
    """A proposal about to be accepted, with all that may speak against it."""

    action: OptimizationAction
    decision: Decision
    situation: Situation
    history: History
    settings: PlanSettings
    accepted: Sequence[tuple[OptimizationAction, Decision]]  # earlier in this plan

    @property
    def lever(self) -> LeverState | None:
        """The lever's state, where it is known."""
        return self.situation.levers.get(self.action.lever_id)

    @property
    def acts(self) -> bool:
        """Whether it would run without a person."""
        return self.decision.choice is Choice.ACT


def hindrance(candidate: Candidate) -> str | None:
    """The first thing that stands in the way of `candidate`; None where nothing does."""
    return next((found for check in _CHECKS if (found := check(candidate)) is not None), None)


def lever_hindrance(lever_id: str, situation: Situation, history: History, settings: PlanSettings) -> str | None:
    """What stands in the way of moving a lever at all, whichever way: frozen, unreadable, a foreign hand, its cool-down."""
    state = situation.levers.get(lever_id)
    if state is None:
        return f"{lever_id} is not known"
    if state.frozen is not None:
        return f"{lever_id} is frozen: {state.frozen}"
    if state.value is None or not state.trust.ok:
        return f"{lever_id} cannot be trusted: {state.trust.why}"
    if left := remaining(state.moved_by_others_at, settings.cooldown_seconds, situation.now):
        return f"somebody else moved {lever_id}: cool-down, {wait(left)} left"
    if left := remaining(history.last_moved(lever_id), settings.cooldown_seconds, situation.now):
        return f"cool-down of {lever_id}, {wait(left)} left"
    return None


def _in_trouble(c: Candidate) -> str | None:
    """With a store lost, nothing that is started could be proven or undone."""
    return c.situation.trouble


def _paused(c: Candidate) -> str | None:
    paused = "paused: nothing new starts until a person resumes"
    return (c.situation.paused_because or paused) if c.situation.paused else None


def _storm(c: Candidate) -> str | None:
    """Several of our own changes did harm: whatever the next one is, a person should look first."""
    found = storm(c.situation.records, c.settings.storm, c.situation.now, c.situation.harm_dates)
    return found.sentence if found is not None else None


def _out_of_hours(c: Candidate) -> str | None:
    """Asking is held back, too: the answer would come when nothing may be started."""
    return out_of_hours(c.settings.calendar, c.action.element, c.situation.now)


def _already_asked(c: Candidate) -> str | None:
    asked = next((r for r in c.history.of_lever(c.action.lever_id) if r.state is ActionState.AWAITING_APPROVAL), None)
    return f"{asked.action.move} already awaits a person's approval ({asked.action_id})" if asked is not None else None


def _outdated(c: Candidate) -> str | None:
    """A plan that does not start from what the lever holds, or leads outside of what was declared, is void."""
    if c.lever is None or c.lever.value is None:
        return None  # reported, better, by the next check
    spec, action = c.lever.spec, c.action
    if not spec.same(c.lever.value, action.from_value):
        reads = f"{action.lever_id} reads {setting(c.lever.value)}, not {setting(action.from_value)}"
        return f"planned from a value that has changed: {reads}"
    if not spec.allows(action.to_value) or spec.same(action.from_value, action.to_value):
        return f"{setting(action.to_value)} is no new value that {action.lever_id} may take"
    return None


def _lever(c: Candidate) -> str | None:
    return lever_hindrance(c.action.lever_id, c.situation, c.history, c.settings)


def _data(c: Candidate) -> str | None:
    """Every number that the trial would be judged by must be trusted before it starts."""
    goal = c.situation.analysis.goal(c.action.goal_id)
    if goal is None:
        return f"HOLD: the goal {c.action.goal_id} is not being analysed"
    if not goal.trust.ok or goal.achieved is None or goal.current is None:
        return f"HOLD: {goal.goal.metric_name} {goal.trust.why}"
    for guard in c.situation.analysis.guards_of(c.action.locks):
        if not guard.trust.ok or guard.breached is None:
            return f"HOLD: guard {guard.guard.metric_name} {guard.trust.why}"
    return None


def _unconfirmed(c: Candidate) -> str | None:
    symptoms = [s for s in c.situation.analysis.symptoms if s.goal_id == c.action.goal_id]
    unsure = bool(symptoms) and not any(s.confirmed for s in symptoms)
    return f"looking again: {symptoms[0].evidence}" if unsure else None


def _baseline(c: Candidate) -> str | None:
    count = (c.situation.samples or {}).get(c.action.goal_id, BASELINE_SAMPLES)
    return f"the present level is not known yet: {count} of {BASELINE_SAMPLES} samples" if count < BASELINE_SAMPLES else None


def _stretched_cooldown(c: Candidate) -> str | None:
    at, failures = c.history.last_failure(c.action)
    left = remaining(at, c.settings.cooldown_seconds * backoff(failures), c.situation.now)
    return f"cool-down of {c.action.lever_id} after {failures} failures in a row, {wait(left)} left" if left else None


def _refused(c: Candidate) -> str | None:
    """A person's no stands for a while; a question that nobody answered is not put again before one cool-down."""
    for record in c.history.of_lever(c.action.lever_id):
        if record.action.way != c.action.way:
            continue
        if refused_by_a_person(record) and (left := remaining(record.since, REJECTED_FOR, c.situation.now)):
            return _said_no(c, record, left)
        unanswered = record.state is ActionState.EXPIRED and record.expires_at is not None and record.approved_by is None
        if unanswered and (left := remaining(record.since, c.settings.cooldown_seconds, c.situation.now)):
            return f"nobody answered {record.action_id}: asked again in {wait(left)}"
    return None


def _said_no(c: Candidate, record: ActionRecord, left: float) -> str:
    now, timezone = c.situation.now, c.settings.storm.timezone
    said, until = (moment(at, timezone, now) for at in (min(record.since, now), now + left))
    what = f"declined {record.action_id}" if record.state is ActionState.REJECTED else f"took {record.action_id} back"
    return f"a person {what} at {said}: not {'tried' if c.acts else 'asked'} again before {until}"


def _locks(c: Candidate) -> str | None:
    for record in c.history.active:
        if shared := _shared(c.action, record.action):
            return f"{record.action.move} ({record.state.value.replace('_', ' ')}) holds {shared}"
    for action, decision in c.accepted:
        shared = _shared(c.action, action) if decision.choice is Choice.ACT else ""  # asking holds no lock
        if shared or action.lever_id == c.action.lever_id:
            return f"{action.move} comes first and holds {shared or action.lever_id}"
    return None


def _shared(a: OptimizationAction, b: OptimizationAction) -> str:
    """What both would hold, empty where they may run side by side; the goal is named only where it is all they share."""
    return ", ".join(sorted(a.locks & b.locks or a.held & b.held))


def _exploring(c: Candidate) -> str | None:
    """One unproven trial per element per cool-down: two at once could not be told apart, and each may do harm."""
    if not (c.acts and c.decision.exploratory):
        return None
    for record in c.situation.records:
        explored = record.decision is not None and record.decision.exploratory and record.action.element == c.action.element
        nothing_happened = record.state is ActionState.FAILED and not record.acknowledged
        if explored and not nothing_happened:
            left = remaining(moved_at(record), c.settings.cooldown_seconds, c.situation.now)
            if left:
                return f"one unproven trial at a time on {c.action.element}: cool-down, {wait(left)} left"
    return None


def _crowded(c: Candidate) -> str | None:
    running = len(c.history.active) + sum(decision.choice is Choice.ACT for _, decision in c.accepted)
    most = c.settings.max_concurrent_actions
    return f"{running} actions are under way, at most {most} at once" if c.acts and running >= most else None


_CHECKS: tuple[Callable[[Candidate], str | None], ...] = (
    _in_trouble,
    _paused,
    _storm,
    _out_of_hours,
    _already_asked,
    _locks,
    _outdated,
    _lever,
    _data,
    _unconfirmed,
    _baseline,
    _refused,
    _stretched_cooldown,
    _exploring,
    _crowded,
)
