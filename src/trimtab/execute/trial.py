"""What becomes of an action next, decided from what is seen of it: pure, so that every verdict on a trial can be replayed.

`next_step` is asked for each action under way, once a turn. It returns the state to enter and the sentence that says why, or None
to stay. It does no I/O; `executor` looks, asks, journals and then acts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from trimtab.domain.actions import ActionRecord
from trimtab.domain.actions import ActionState as S
from trimtab.domain.goals import GoalState, GuardState
from trimtab.domain.levers import BROKEN, LeverSpec, LeverValue, Reversibility
from trimtab.domain.verdicts import Verdict, VerdictStatus
from trimtab.domain.words import of_metric, setting
from trimtab.execute.switchback import is_over, is_stuck, may_switch, next_switch, wanted

PROBE_SECONDS = 12.0  # how long to look for an effect in doubt before turning back
ROLLBACK_SECONDS = 15.0  # how long to try to restore before a person is paged; with probing, within 30 s of a restart
IN_DOUBT_SECONDS = 12.0  # an unanswered request may still take effect this long after: two effect time-outs and some


@dataclass(frozen=True, slots=True)
class TrialRules:
    """The settings that a trial runs by; times in seconds, `min_effect` relative."""

    min_effect: float = 0.05
    cooldown: float = 300.0
    verify_seconds: float | None = None  # how long to look for an effect after settling; None: from settling time and sampling
    sample_seconds: float = 30.0
    rollback_on_failure: bool = True

    def deadline(self, record: ActionRecord) -> float:
        """When an undecided trial ends: three settling times or twelve samples after settling, whichever is later."""
        settle = record.action.settle_seconds
        span = self.verify_seconds if self.verify_seconds is not None else max(3.0 * settle, 12.0 * self.sample_seconds)
        return record.effective_at + settle + span

    def watched_until(self, record: ActionRecord) -> float:
        """Until when a kept change is watched: ten settling times or a cool-down after it was kept."""
        return (record.ended_at or record.since) + max(10.0 * record.action.settle_seconds, self.cooldown)


@dataclass(frozen=True, slots=True)
class Seen:
    """What is seen of an action at one moment. `value` is None, and `unreadable` says why, where the lever does not answer."""

    now: float
    spec: LeverSpec
    value: LeverValue | None
    unreadable: str | None = None
    goal: GoalState | None = None
    guards: tuple[GuardState, ...] = ()
    goals_missed: Mapping[str, str] | None = None  # goal id → sentence, of the goals that are missed now
    verdict: Verdict | None = None
    recall: str | None = None  # why it is to be taken back: a person, or the agent stops
    quiet: bool = True  # nothing else is under way on the same things
    suspect: bool = True  # a guard that breaks now would be this change's doing
    successor: str | None = None  # a later change of the same lever, which was kept
    critical: bool = False  # the goal is missed so badly that there is no time for experiments
    disturbed: str | None = None  # another hand moved something that this trial depends on
    blameless: frozenset[str] = frozenset()  # ids of guards that this change cannot have broken


@dataclass(frozen=True, slots=True)
class Step:
    """A state to enter, with why.

    `guard` names the guard that was breached; `interrupted` says that no verdict is possible; `ends` is where a rollback ends;
    `switch` sets the lever first, to the change or back to what was there before it.
    """

    to: S
    reason: str
    guard: str | None = None
    interrupted: bool = False
    acknowledged: bool | None = None
    switch: bool | None = None
    ends: S = S.ROLLED_BACK


def next_step(record: ActionRecord, seen: Seen, rules: TrialRules) -> Step | None:
    """The step that `record` takes now, None to stay where it is."""
    step = _STEPS[record.state](record, seen, rules) if record.state in _STEPS else None
    if step is None:
        return None
    if record.simulated and step.to not in (S.SETTLING, S.VERIFYING, S.PROBING):
        return Step(S.SIMULATED, f"simulation: {record.description} would have been tried; nothing was set ({step.reason})")
    return step


def _probing(record: ActionRecord, seen: Seen, rules: TrialRules) -> Step | None:
    """An effect in doubt, or a job at work: look, never send again blind."""
    if seen.value is None:
        if seen.now - record.since < PROBE_SECONDS:
            return None
        return Step(S.ROLLING_BACK, f"{seen.unreadable}; turning back", interrupted=True)
    if record.switches:
        why = "the agent was interrupted while it switched back and forth, so that nothing proves this change"
        return Step(S.ROLLING_BACK, seen.recall or why, interrupted=True)
    if half_way(record, seen):
        return _half_way(record, seen, rules)
    if in_place(record, seen):
        return _found_in_place(record, seen)
    if not seen.spec.same(seen.value, record.snapshot):
        return Step(S.YIELDED, _foreign(record, seen))
    if seen.now < (record.executed_at or record.since) + in_doubt(seen.spec) and not record.acknowledged:
        return None  # a slow target may still carry out what it was asked
    if seen.spec.run_once and record.in_place_at is None and record.acknowledged:
        return Step(S.FAILED, f"{record.action.lever_id} ended without an effect and is {seen.value} again: nothing changed")
    if record.acknowledged:
        return Step(S.YIELDED, f"{record.action.lever_id} is back at {setting(seen.value)} without us")
    return Step(
        S.FAILED,
        f"{record.error or 'no acknowledgement'}; {record.action.lever_id} still reads {setting(seen.value)}: nothing changed",
    )


def _half_way(record: ActionRecord, seen: Seen, rules: TrialRules) -> Step | None:
    """A job that runs, or a pool on its way, is waited for while its guards hold; what breaks or takes too long is taken back."""
    ended = _called_off(record, seen, rules)
    if ended:
        return ended
    if record.interrupted:
        why = "the agent was interrupted, so that nothing could prove this change"
        return Step(S.ROLLING_BACK, f"{record.action.lever_id} is {setting(seen.value)}; {why}", interrupted=True)
    if seen.value == BROKEN:
        return Step(S.ROLLING_BACK, f"{record.action.lever_id} broke", interrupted=True)
    patience = max(seen.spec.takes_seconds, PROBE_SECONDS)
    if seen.now - (record.executed_at or record.since) > patience:
        why = f"{record.action.lever_id} is {setting(seen.value)}, and not done after {patience:g} s"
        return Step(S.ROLLING_BACK, why, interrupted=True)
    return None


def _found_in_place(record: ActionRecord, seen: Seen) -> Step:
    if record.interrupted or seen.recall:
        why = seen.recall or "the agent was interrupted, so that nothing proves this change"
        return Step(S.ROLLING_BACK, why, interrupted=record.interrupted, acknowledged=True)
    return Step(S.SETTLING, f"{record.action.lever_id} was found at {setting(seen.value)}", acknowledged=True)


def _settling(record: ActionRecord, seen: Seen, rules: TrialRules) -> Step | None:
    ended = _called_off(record, seen, rules)
    if ended:
        return ended
    settle = record.action.settle_seconds
    if seen.now >= record.effective_at + settle:
        return Step(S.VERIFYING, f"settled for {settle:g} s; measuring {record.action.metric_name}")
    return None


def _verifying(record: ActionRecord, seen: Seen, rules: TrialRules) -> Step | None:
    ended = _called_off(record, seen, rules)
    if ended:
        return ended
    if seen.disturbed:
        return _turn_back(record, rules, seen.disturbed)
    if record.switches:
        return _switching(record, seen, rules)
    verdict, over = seen.verdict, seen.now >= rules.deadline(record)
    if verdict is not None and verdict.status is VerdictStatus.WORSE:
        return _turn_back(record, rules, verdict.reason)
    doubt = _untrusted(seen)
    if doubt and not seen.spec.governs:  # what load is followed with stays until it is shown to do harm
        return _turn_back(record, rules, f"{doubt}; no verdict by the deadline") if over else None
    if not doubt and verdict is not None and verdict.status is VerdictStatus.IMPROVED:
        return _credited(record, seen, rules, verdict)
    return _undecided(record, seen, rules, verdict, over)


def _switching(record: ActionRecord, seen: Seen, rules: TrialRules) -> Step | None:
    """On and off, until the pairs of blocks decide, or nothing is to be gained by going on."""
    verdict, sample = seen.verdict, rules.sample_seconds
    why = verdict.reason if verdict is not None else "no verdict"
    if seen.critical:
        return _turn_back(record, rules, "the goal is missed by far: no time to switch back and forth")
    if verdict is not None and (verdict.status is VerdictStatus.WORSE or verdict.futile):
        return _turn_back(record, rules, why)
    if is_stuck(record, seen.now, sample):
        return _turn_back(record, rules, f"{why}; {record.action.lever_id} could not be switched for too long")
    if verdict is not None and verdict.status is VerdictStatus.IMPROVED and not _untrusted(seen):
        if record.is_on:
            return _credited(record, seen, rules, verdict)
        return Step(S.VERIFYING, f"{why}; putting it on to stay", switch=True)
    if is_over(record, seen.now, sample):
        return _turn_back(record, rules, why)
    return _next_block(record, seen, rules, why) if not (verdict is not None and verdict.conclusive) else None


def _next_block(record: ActionRecord, seen: Seen, rules: TrialRules, why: str) -> Step | None:
    on = next_switch(record, seen.now, rules.sample_seconds)
    if on is None:
        return None
    block = f"block {len(record.switches) + 1} of a switchback, {'with' if on else 'without'} the change"
    return Step(S.VERIFYING, f"{block}: {why}", switch=on)


def _credited(record: ActionRecord, seen: Seen, rules: TrialRules, verdict: Verdict) -> Step | None:
    spoiled = _spoiled(record, seen)
    if spoiled and seen.spec.governs:
        return Step(S.KEPT_ON_PROBATION, f"{verdict.reason}; but {spoiled}, which may be the load's doing")
    if spoiled:
        return _turn_back(record, rules, f"{verdict.reason}; but {spoiled}")
    if _worth_it(verdict, rules):
        return Step(S.KEPT, verdict.reason)
    return Step(S.KEPT_ON_PROBATION, f"{verdict.reason}; not yet proven to be worth {rules.min_effect:.0%}")


def _undecided(record: ActionRecord, seen: Seen, rules: TrialRules, verdict: Verdict | None, over: bool) -> Step | None:
    why = verdict.reason if verdict is not None else "no verdict"
    met = seen.goal is not None and bool(seen.goal.achieved)
    if seen.spec.governs:  # a person declared that these levers follow load: what is not shown to do harm stays
        return Step(S.KEPT_ON_PROBATION, f"{why}; declared as regulated, so it stays without credit") if over else None
    if verdict is not None and verdict.futile:
        return _turn_back(record, rules, why)
    if verdict is not None and verdict.undecidable and not met:
        if _switchable(record, seen, rules):
            return _next_block(record, seen, rules, why)
        again = "the goal is still missed: to be tried again from a level that is known better"
        return _turn_back(record, rules, f"{why}, and {again}")
    if not over:
        return None
    spoiled = _spoiled(record, seen)
    if not spoiled and _switchable(record, seen, rules):
        return _next_block(record, seen, rules, why)
    if spoiled or not met:
        return _turn_back(record, rules, f"{why}; {spoiled or 'the goal is still missed'} at the deadline")
    return Step(S.KEPT_ON_PROBATION, f"{why}; the goal is met, so the change stays without credit until a calm time")


def _switchable(record: ActionRecord, seen: Seen, rules: TrialRules) -> bool:
    """Whether what the past leaves undecided may be decided by a switchback. Not while people wait for the goal to be met."""
    overdue = seen.now - rules.deadline(record)
    return may_switch(record, seen.spec, overdue, rules.sample_seconds) and not seen.critical and rules.rollback_on_failure


def _on_probation(record: ActionRecord, seen: Seen, rules: TrialRules) -> Step | None:
    verdict = seen.verdict or record.verdict
    credited = verdict is not None and verdict.status is VerdictStatus.IMPROVED
    if seen.successor is not None:
        return Step(S.KEPT, f"{seen.successor} went on from here and was kept")
    ended = _called_off(record, seen, rules)
    if ended:
        return ended
    if verdict is not None and verdict.status is VerdictStatus.WORSE:
        return _turn_back(record, rules, verdict.reason)
    if _untrusted(seen) or _spoiled(record, seen):
        return None
    if verdict is not None and credited and _worth_it(verdict, rules):
        return Step(S.KEPT, verdict.reason)
    if seen.now < rules.watched_until(record) or not seen.quiet or not rules.rollback_on_failure:
        return None
    if credited:
        return Step(S.KEPT, "credited, and its guards held through the probation")
    if seen.spec.governs:
        return Step(S.KEPT, "declared as regulated, and its guards held through the probation: kept without credit")
    if seen.goal is not None and seen.goal.achieved and _calm(record, seen, rules, verdict):
        reason = "stepping back at a calm time: the change was never proven to help"
        return Step(S.ROLLING_BACK, reason, ends=S.STEPPED_BACK)
    return None


def _worth_it(verdict: Verdict, rules: TrialRules) -> bool:
    return verdict.low is not None and verdict.low >= rules.min_effect


def _calm(record: ActionRecord, seen: Seen, rules: TrialRules, verdict: Verdict | None) -> bool:
    """Whether stepping back would leave the goal met, even if the change did all that its interval allows.

    An experiment that may break the goal is put off; after ten watches it is made anyway: nothing unproven stays for ever.
    """
    ended = record.ended_at or record.since
    if seen.now - ended >= 10.0 * (rules.watched_until(record) - ended):
        return True
    if verdict is None or verdict.high is None or seen.goal is None or seen.goal.current is None:
        return False
    goal, most = seen.goal.goal, min(verdict.high, 0.99)
    without = seen.goal.current / (1.0 - most) if goal.direction.sign < 0 else seen.goal.current / (1.0 + verdict.high)
    return goal.met_by(without)


def _kept(record: ActionRecord, seen: Seen, rules: TrialRules) -> Step | None:
    if seen.recall:
        return Step(S.ROLLING_BACK, seen.recall)
    watched = seen.now < rules.watched_until(record) or bool(seen.spec.governs)  # a policy goes on moving
    return _breach(record, seen, rules) if watched else None


def _called_off(record: ActionRecord, seen: Seen, rules: TrialRules) -> Step | None:
    """What ends a trial before its time: a person, a foreign hand, a breached guard."""
    if seen.recall:
        return Step(S.ROLLING_BACK, seen.recall, interrupted=True)
    if seen.value is not None and not holds_ours(record, seen):
        return Step(S.YIELDED, _foreign(record, seen))
    if seen.spec.run_once and half_way(record, seen) and record.state is not S.PROBING:
        return Step(S.ROLLING_BACK, f"{record.action.lever_id} was done and is {seen.value} now", interrupted=True)
    return _breach(record, seen, rules)


def _breach(record: ActionRecord, seen: Seen, rules: TrialRules) -> Step | None:
    """A guard that held before and is broken now, or that was broken and is clearly worse (by a fifth of its excess)."""
    standing = record.state in (S.KEPT, S.KEPT_ON_PROBATION)  # all guards held when it was kept
    if standing and not seen.suspect:
        return None
    before = {} if standing else dict(record.guards_broken_before)
    for state in seen.guards:
        if not state.breached or state.value is None or state.guard.guard_id in seen.blameless:
            continue
        known = state.guard.guard_id in before
        if known and state.guard.excess(state.value) <= 1.2 * state.guard.excess(before[state.guard.guard_id]):
            continue
        read = of_metric(state.guard.metric_name, state.value)
        reason = f"guard {state.guard.metric_name} breached: {read} against {state.guard.limits}"
        step = _turn_back(record, rules, reason)
        return step if step is None else replace(step, guard=state.guard.guard_id)
    return None


def _turn_back(record: ActionRecord, rules: TrialRules, reason: str) -> Step | None:
    if rules.rollback_on_failure:
        return Step(S.ROLLING_BACK, reason)
    if record.state in (S.KEPT, S.KEPT_ON_PROBATION):
        return None  # it stands already, and the symptom is shown; with automatic rollback off a person decides
    return Step(S.KEPT_ON_PROBATION, f"{reason}; automatic rollback is switched off, a person decides")


def _spoiled(record: ActionRecord, seen: Seen) -> str | None:
    """What the change may have cost elsewhere: a guard outside of its limit, or a goal that was met before and is missed now."""
    broken = next((state for state in seen.guards if state.breached), None)
    if broken is not None:
        return f"guard {broken.guard.metric_name} does not hold"
    missed = seen.goals_missed or {}
    return next((missed[goal_id] for goal_id in record.goals_met_before if goal_id in missed), None)


def _untrusted(seen: Seen) -> str | None:
    """What nothing may be credited on: a lever, a goal or a guard that cannot be read."""
    if seen.value is None:
        return seen.unreadable or "the lever was not read"
    if seen.goal is None or not seen.goal.trust.ok:
        return seen.goal.trust.reason if seen.goal is not None else "the goal's metric is not there"
    return next((state.trust.reason for state in seen.guards if not state.trust.ok), None)


def in_doubt(spec: LeverSpec) -> float:
    """For how long, in seconds, what was asked may still take effect unseen."""
    return max(IN_DOUBT_SECONDS, spec.takes_seconds) if spec.gradual else IN_DOUBT_SECONDS


def in_place(record: ActionRecord, seen: Seen) -> bool:
    """Whether the lever holds the value that the trial set: in a switchback's blocks without the change, the one before it."""
    return seen.spec.same(seen.value, wanted(record) if record.state is S.VERIFYING else record.action.to_value)


def holds_ours(record: ActionRecord, seen: Seen) -> bool:
    """Whether what stands there is the action's doing, whole or half done: what may be taken back."""
    on_its_way = seen.spec.run_once or record.state in (S.APPLYING, S.PROBING, S.ROLLING_BACK)
    return in_place(record, seen) or (on_its_way and half_way(record, seen))


def half_way(record: ActionRecord, seen: Seen) -> bool:
    """Whether the action's effect is under way, or got stuck."""
    return seen.spec.half_way(seen.value, record.action.from_value, record.action.to_value)


def _foreign(record: ActionRecord, seen: Seen) -> str:
    read = f"{record.action.lever_id} reads {setting(seen.value)}"
    return f"{read}, which is not what we set: another hand has it, or the target changed what it was asked; we let go"


def after_rollback(record: ActionRecord, seen: Seen) -> Step | None:
    """How a rollback stands, from what the lever reads: done, out of our hands, failed, or (None) still to be set."""
    if record.action.reversibility is Reversibility.IRREVERSIBLE:
        return Step(S.ROLLBACK_FAILED, f"{record.reason}; the action is irreversible: a person has to decide")
    if seen.value is not None and seen.spec.same(seen.value, record.snapshot):
        if not record.acknowledged and seen.now < record.last_set_at + in_doubt(seen.spec):
            return None  # what was asked may still take effect: then it has to be taken back
        done = f"{record.action.lever_id} is back at {setting(seen.value)}, read back"
        return Step(record.undo_ends, f"{record.rollback_reason or record.reason}; {done}")
    if seen.value is not None and not holds_ours(record, seen):
        return Step(S.YIELDED, _foreign(record, seen))
    if seen.now - record.since > max(ROLLBACK_SECONDS, seen.spec.takes_seconds if seen.spec.gradual else 0.0):
        stuck = seen.unreadable or f"{record.action.lever_id} still reads {setting(seen.value)}"
        return Step(
            S.ROLLBACK_FAILED, f"could not restore {record.action.lever_id} to {setting(record.snapshot)}: {stuck}; it is frozen"
        )
    return None


_Rule = Callable[[ActionRecord, Seen, TrialRules], Step | None]
_STEPS: Mapping[S, _Rule] = {
    S.PROBING: _probing,
    S.SETTLING: _settling,
    S.VERIFYING: _verifying,
    S.KEPT_ON_PROBATION: _on_probation,
    S.KEPT: _kept,
}
