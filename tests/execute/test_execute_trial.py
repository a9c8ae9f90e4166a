"""Tables over the pure rules: what becomes of an action from what is seen of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from execute.kit import GOAL, GUARD, WORKERS, a_record, an_action, goal_state, guard_state
from trimtab.domain.actions import ActionState as S
from trimtab.domain.errors import IllegalTransition
from trimtab.domain.levers import Reversibility
from trimtab.domain.metrics import Health, Trust
from trimtab.domain.verdicts import Verdict, VerdictStatus
from trimtab.execute import states
from trimtab.execute.observer import harm_of_policy
from trimtab.execute.trial import IN_DOUBT_SECONDS, PROBE_SECONDS, ROLLBACK_SECONDS, Seen, TrialRules, after_rollback, next_step

RULES = TrialRules(min_effect=0.05, cooldown=60.0, sample_seconds=1.0)
BAD = Trust(Health.STALE, "last sample is 90 s old")


def verdict(status, low=None, high=None, futile=False):
    effect = None if low is None else (low + high) / 2
    return Verdict(VerdictStatus(status), effect, low, high, "test", f"{status} for the test", futile=futile)


IMPROVED, WEAK = verdict("improved", 0.2, 0.4), verdict("improved", 0.01, 0.1)
WORSE, OPEN, FUTILE = verdict("worse", -0.4, -0.2), verdict("inconclusive", -0.1, 0.2), verdict("inconclusive", -0.02, 0.03, True)


def seen(at=1020.0, value=4, **changes):
    base = Seen(at, WORKERS, value, goal=goal_state(), guards=(guard_state(),), goals_missed={GOAL.goal_id: "missed"})
    return replace(base, **changes)


MET = {"goal": goal_state(0.1, True), "goals_missed": {}}
LATE = 1000.0 + 10.0 + 30.0  # executed + settle + three settling times

POLICY = replace(WORKERS, governs=("web/servers",))

UNDECIDABLE = replace(OPEN, undecidable=True)

VERIFYING = [
    ("improved and worth it", seen(verdict=IMPROVED, **MET), S.KEPT),
    ("improved, the goal still missed", seen(verdict=IMPROVED), S.KEPT),
    ("improved, not proven to be worth it", seen(verdict=WEAK, **MET), S.KEPT_ON_PROBATION),
    ("worse", seen(verdict=WORSE), S.ROLLING_BACK),
    ("worse although the goal is met", seen(verdict=WORSE, **MET), S.ROLLING_BACK),
    ("open before the deadline", seen(verdict=OPEN), None),
    ("open at the deadline, goal missed", seen(LATE, verdict=OPEN), S.ROLLING_BACK),
    ("open at the deadline, goal met", seen(LATE, verdict=OPEN, **MET), S.KEPT_ON_PROBATION),
    ("futile", seen(verdict=FUTILE), S.ROLLING_BACK),
    ("futile although the goal is met", seen(verdict=FUTILE, **MET), S.ROLLING_BACK),
    ("undecidable, goal missed", seen(verdict=UNDECIDABLE), S.ROLLING_BACK),
    ("undecidable, goal met: wait", seen(verdict=UNDECIDABLE, **MET), None),
    ("guard breached", seen(verdict=IMPROVED, guards=(guard_state(0.02),)), S.ROLLING_BACK),
    ("guard unknown, improved", seen(verdict=IMPROVED, guards=(guard_state(0.001, BAD),)), None),
    ("guard unknown at the deadline", seen(LATE, verdict=IMPROVED, guards=(guard_state(0.001, BAD),)), S.ROLLING_BACK),
    ("goal stale, improved", seen(verdict=IMPROVED, goal=goal_state(trust=BAD)), None),
    ("goal stale at the deadline", seen(LATE, verdict=IMPROVED, goal=goal_state(trust=BAD)), S.ROLLING_BACK),
    ("a policy, goal stale: wait", seen(spec=POLICY, goal=goal_state(trust=BAD)), None),
    ("a policy, goal stale at the deadline", seen(LATE, spec=POLICY, goal=goal_state(trust=BAD)), S.KEPT_ON_PROBATION),
    ("a policy that does harm", seen(spec=POLICY, verdict=WORSE), S.ROLLING_BACK),
    ("another hand", seen(value=7, verdict=IMPROVED), S.YIELDED),
    ("another hand put the snapshot back", seen(value=1, verdict=IMPROVED), S.YIELDED),
    ("lever silent: wait", seen(value=None, unreadable="no route", verdict=IMPROVED, **MET), None),
    ("lever silent at the deadline", seen(LATE, value=None, unreadable="no route", verdict=IMPROVED, **MET), S.ROLLING_BACK),
    ("another hand on a sibling", seen(disturbed="another hand moved shop/cache", verdict=None, **MET), S.ROLLING_BACK),
    ("a person takes it back", seen(recall="taken back by ann"), S.ROLLING_BACK),
]


@pytest.mark.parametrize(("at", "to"), [pytest.param(s, to, id=name) for name, s, to in VERIFYING])
def test_verifying(at, to):
    step = next_step(a_record(), at, RULES)
    assert (step.to if step else None) is to
    assert step is None or step.reason


def test_another_goal_that_was_met_and_is_missed_now_spoils_the_credit():
    record = a_record(goals_met_before=("goal:cost",))
    step = next_step(record, seen(verdict=IMPROVED, goals_missed={"goal:cost": "cost is missed now"}), RULES)
    assert step.to is S.ROLLING_BACK
    assert "cost is missed now" in step.reason


@pytest.mark.parametrize(
    ("value", "to"), [(0.02, None), (0.021, None), (0.0225, S.ROLLING_BACK)], ids=["as bad", "a little", "worse"]
)
def test_a_guard_that_was_broken_before_must_not_get_worse(value, to):
    record = a_record(guards_broken_before=((GUARD.guard_id, 0.02),))
    step = next_step(record, seen(verdict=OPEN, guards=(guard_state(value),)), RULES)
    assert (step.to if step else None) is to


def test_credit_needs_every_guard_to_hold_at_the_end_even_one_that_was_broken_before():
    record = a_record(guards_broken_before=((GUARD.guard_id, 0.02),))
    assert next_step(record, seen(verdict=IMPROVED, guards=(guard_state(0.015),)), RULES).to is S.ROLLING_BACK


PROBING = [
    ("ours", seen(1002.0, 4), {}, S.SETTLING),
    ("ours after a crash", seen(1002.0, 4), {"interrupted": True}, S.ROLLING_BACK),
    ("not yet, still in doubt", seen(1000.0 + IN_DOUBT_SECONDS - 0.1, 1), {}, None),
    ("never happened", seen(1000.0 + IN_DOUBT_SECONDS, 1), {}, S.FAILED),
    ("foreign", seen(1002.0, 9), {}, S.YIELDED),
    ("silent, for a while", seen(1010.0 + PROBE_SECONDS - 0.1, None, unreadable="no route"), {}, None),
    ("silent, for too long", seen(1010.0 + PROBE_SECONDS, None, unreadable="no route"), {}, S.ROLLING_BACK),
    ("seen before, gone now", seen(1002.0, 1), {"acknowledged": True}, S.YIELDED),
]


@pytest.mark.parametrize(("at", "about", "to"), [pytest.param(s, about, to, id=name) for name, s, about, to in PROBING])
def test_probing(at, about, to):
    step = next_step(a_record(S.PROBING, **{"acknowledged": False, **about}), at, RULES)
    assert (step.to if step else None) is to


PROBATION_ENDS = 1010.0 + 100.0  # ten settling times are longer than the cool-down here
NEEDED = verdict("inconclusive", -0.1, 1.5)  # best guess 70 %: without it 0.1 would be 0.33, and the goal is 0.2

PROBATION = [
    ("open, early", seen(1100.0, verdict=OPEN, **MET), S.KEPT_ON_PROBATION, None),
    ("open, calm", seen(PROBATION_ENDS, verdict=OPEN, **MET), S.KEPT_ON_PROBATION, S.ROLLING_BACK),
    ("open, not calm", seen(PROBATION_ENDS, verdict=OPEN, quiet=False, **MET), S.KEPT_ON_PROBATION, None),
    ("open, the goal is missed", seen(PROBATION_ENDS, verdict=OPEN), S.KEPT_ON_PROBATION, None),
    ("proven meanwhile", seen(1100.0, verdict=IMPROVED, **MET), S.KEPT_ON_PROBATION, S.KEPT),
    ("credited, never worth it", seen(PROBATION_ENDS, verdict=WEAK, **MET), S.KEPT_ON_PROBATION, S.KEPT),
    ("guard breached", seen(1100.0, guards=(guard_state(0.02),)), S.KEPT_ON_PROBATION, S.ROLLING_BACK),
    ("worse by now", seen(1100.0, verdict=WORSE, **MET), S.KEPT_ON_PROBATION, S.ROLLING_BACK),
    ("proven, but the goal is stale", seen(1100.0, verdict=IMPROVED, goal=goal_state(trust=BAD)), S.KEPT_ON_PROBATION, None),
    (
        "proven, but a guard is unknown",
        seen(1100.0, verdict=IMPROVED, guards=(guard_state(0.001, BAD),)),
        S.KEPT_ON_PROBATION,
        None,
    ),
    ("proven, but the lever is silent", seen(1100.0, None, unreadable="?", verdict=IMPROVED, **MET), S.KEPT_ON_PROBATION, None),
    ("a later change went on", seen(1100.0, 9, verdict=OPEN, successor="later", **MET), S.KEPT_ON_PROBATION, S.KEPT),
    ("open, calm, but it seems to be needed", seen(PROBATION_ENDS, verdict=NEEDED, **MET), S.KEPT_ON_PROBATION, None),
    ("needed, and overdue", seen(1010.0 + 1000.0, verdict=NEEDED, **MET), S.KEPT_ON_PROBATION, S.ROLLING_BACK),
    ("guard breached, by another trial", seen(1100.0, guards=(guard_state(0.02),), suspect=False), S.KEPT_ON_PROBATION, None),
    ("kept, guard breached by another trial", seen(1100.0, None, guards=(guard_state(0.02),), suspect=False), S.KEPT, None),
    ("kept, guard breached soon after", seen(1100.0, None, guards=(guard_state(0.02),)), S.KEPT, S.ROLLING_BACK),
    ("kept, guard breached long after", seen(1200.0, None, guards=(guard_state(0.02),)), S.KEPT, None),
    ("kept, nothing new", seen(1100.0, None), S.KEPT, None),
]


@pytest.mark.parametrize(("at", "state", "to"), [pytest.param(s, state, to, id=name) for name, s, state, to in PROBATION])
def test_what_was_kept_is_watched(at, state, to):
    step = next_step(a_record(state, ended_at=1010.0), at, RULES)
    assert (step.to if step else None) is to


@pytest.mark.parametrize("switch", [True, False])
@pytest.mark.parametrize("state", [S.SETTLING, S.VERIFYING, S.KEPT_ON_PROBATION, S.KEPT])
def test_automatic_rollback_can_be_switched_off(switch, state):
    bad = seen(verdict=WORSE, guards=(guard_state(0.05),))
    step = next_step(a_record(state, ended_at=1010.0), bad, replace(RULES, rollback_on_failure=switch))
    standing = state in (S.KEPT, S.KEPT_ON_PROBATION)
    expected = S.ROLLING_BACK if switch else (None if standing else S.KEPT_ON_PROBATION)
    assert (step.to if step else None) is expected
    if step is not None:
        states.check(state, step.to)


@pytest.mark.parametrize("state", [S.PROBING, S.SETTLING, S.VERIFYING])
def test_a_simulated_action_never_turns_back_because_nothing_was_set(state):
    step = next_step(a_record(state, simulated=True), seen(verdict=WORSE, recall="taken back"), RULES)
    assert step.to is S.SIMULATED


ROLLBACK = [
    ("restored", seen(1012.0, 1), {}, S.ROLLED_BACK),
    ("stepped back", seen(1012.0, 1), {"undo_ends": S.STEPPED_BACK}, S.STEPPED_BACK),
    ("ours still there", seen(1012.0, 4), {}, None),
    ("foreign", seen(1012.0, 9), {}, S.YIELDED),
    ("silent", seen(1012.0, None, unreadable="no route"), {}, None),
    ("silent for too long", seen(1011.0 + ROLLBACK_SECONDS, None, unreadable="no route"), {}, S.ROLLBACK_FAILED),
    ("will not change", seen(1011.0 + ROLLBACK_SECONDS, 4), {}, S.ROLLBACK_FAILED),
    ("the effect may still come", seen(1002.0, 1), {"acknowledged": False}, None),
    ("the effect never came", seen(1000.0 + IN_DOUBT_SECONDS, 1), {"acknowledged": False}, S.ROLLED_BACK),
]


@pytest.mark.parametrize(("at", "about", "to"), [pytest.param(s, about, to, id=name) for name, s, about, to in ROLLBACK])
def test_rolling_back(at, about, to):
    step = after_rollback(a_record(S.ROLLING_BACK, **about), at)
    assert (step.to if step else None) is to


def test_what_is_irreversible_is_not_rolled_back_blindly():
    record = a_record(S.ROLLING_BACK, action=an_action(reversibility=Reversibility.IRREVERSIBLE))
    assert after_rollback(record, seen(1012.0, 4)).to is S.ROLLBACK_FAILED


def test_every_step_that_the_rules_take_is_in_the_table():
    cases = [(S.VERIFYING, s, to) for _, s, to in VERIFYING] + [(S.PROBING, s, to) for _, s, _, to in PROBING]
    cases += [(state, s, to) for _, s, state, to in PROBATION] + [(S.ROLLING_BACK, s, to) for _, s, _, to in ROLLBACK]
    for state, _, to in cases:
        if to is not None:
            states.check(state, to)


def test_the_table_refuses_what_it_does_not_have():
    legal = {(a, b) for a, several in states.TRANSITIONS.items() for b in several}
    assert len(legal) > 30
    for a in (*S, None):
        for b in S:
            if (a, b) not in legal:
                with pytest.raises(IllegalTransition):
                    states.check(a, b)


def test_from_every_state_an_end_can_be_reached():
    ends = {state for state in S if state.terminal}
    reach = set(ends)
    for _ in S:
        reach |= {a for a, several in states.TRANSITIONS.items() if several & reach and a is not None}
    assert reach == set(S)


@pytest.mark.parametrize(
    ("goal", "status"),
    [
        (goal_state(0.9, False), VerdictStatus.WORSE),
        (goal_state(0.1, True), VerdictStatus.INCONCLUSIVE),
        (replace(goal_state(trust=BAD), achieved=None), VerdictStatus.INCONCLUSIVE),
    ],
    ids=["missed", "met", "cannot be told"],
)
def test_worse_is_a_policys_harm_only_where_the_goal_is_known_to_be_missed(goal, status):
    assert harm_of_policy(a_record(), WORSE, goal, None).status is status
