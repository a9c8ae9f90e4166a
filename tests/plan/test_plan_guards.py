"""What holds an action back that is right in principle: each reason alone, what it says, and when it ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from plan.plan_world import (
    COLD,
    EXPLORING,
    GOAL,
    GOOD,
    IMPROVED,
    NOW,
    STALE,
    WORKERS,
    Believing,
    Proposing,
    action,
    goal_state,
    guard,
    lever,
    record,
    situation,
    symptom,
)
from trimtab.domain.actions import ActionState, Choice, Decision, Plan
from trimtab.domain.goals import Analysis
from trimtab.domain.levers import Autonomy, LeverSpec
from trimtab.domain.metrics import Health, Trust
from trimtab.plan import PlanSettings, make_plan
from trimtab.plan.history import remaining

ACT, ASK, WAIT, IGNORE = Choice.ACT, Choice.ASK, Choice.WAIT, Choice.IGNORE
S = ActionState
CACHE = LeverSpec("cache", "checkout", bounds=(0, 100))
SEARCH = LeverSpec("depth", "search", bounds=(0, 100))


def planned(world, *actions, belief=COLD, **settings) -> Plan:
    return make_plan(world, [Proposing(*(actions or (action(),)))], Believing(belief), PlanSettings(**settings))


def at(seconds: float) -> str:
    """So long after NOW, as it is told."""
    return f"Fri {datetime.fromtimestamp(NOW + seconds, UTC):%H:%M} UTC"


def only(plan: Plan) -> Decision:
    assert len(plan.decided) == 1
    return plan.decided[0][1]


def test_what_would_be_asked_is_told_as_not_asked_again():
    refused = (record(S.REJECTED, at=NOW - 600, actor="ann"),)
    world = situation(lever(replace(WORKERS, autonomy=Autonomy.ASK)), records=refused)
    assert only(planned(world)).reason.endswith(f"declined workers_increase_1 at {at(-600)}: not asked again before {at(3000)}")


def test_nothing_in_the_way():
    assert only(planned(situation())).choice is ACT


goals_of = [goal_state(trust=STALE)]

CASES = {
    "store-lost": (situation(trouble="HOLD: the journal cannot be written"), WAIT, "HOLD: the journal cannot be written"),
    "paused": (situation(paused=True), WAIT, "paused"),
    "frozen": (situation(lever(frozen="its rollback failed")), WAIT, "frozen: its rollback failed"),
    "lever-stale": (situation(lever(trust=STALE)), WAIT, "checkout/workers cannot be trusted: is stale"),
    "lever-unread": (situation(lever(value=None, trust=Trust(Health.MISSING, "HTTP 500"))), WAIT, "HTTP 500"),
    "lever-changed": (situation(lever(value=5)), WAIT, "reads 5, not 1"),
    "no-new-value": (situation(lever(replace(WORKERS, bounds=(1, 2)))), WAIT, "3 is no new value that checkout/workers may take"),
    "goal-stale": (situation(trust=STALE), WAIT, "HOLD: checkout_p95_seconds is stale"),
    "goal-unknown": (replace(situation(), analysis=Analysis(NOW)), WAIT, "HOLD: the goal goal:checkout_p95_seconds is not being"),
    "guard-stale": (situation(guards=(guard(trust=STALE),)), WAIT, "HOLD: guard checkout_error_ratio is stale"),
    "guard-unread": (
        situation(guards=(guard(None, Trust(Health.MISSING, "")),)),
        WAIT,
        "HOLD: guard checkout_error_ratio missing",
    ),
    "unconfirmed": (situation(symptoms=(symptom(confirmed=False),)), WAIT, "looking again: p95 is high"),
    "baseline": (situation(samples={action().goal_id: 3}), WAIT, "the present level is not known yet: 3 of 5 samples"),
    "foreign": (
        situation(lever(moved_by_others_at=NOW - 100)),
        WAIT,
        "somebody else moved checkout/workers: cool-down, 200 s left",
    ),
    "cooldown": (situation(records=(record(at=NOW - 260),)), WAIT, "cool-down of checkout/workers, 40 s left"),
    "cooldown-undone": (situation(records=(record(S.ROLLED_BACK, at=NOW - 260),)), WAIT, "40 s left"),
    "cooldown-from-the-undoing": (
        situation(records=(record(S.ROLLED_BACK, at=NOW - 900, ended_at=NOW - 60),)),
        WAIT,
        "240 s left",
    ),
    "cooldown-simulated": (situation(records=(record(S.SIMULATED, at=NOW - 260, simulated=True),)), WAIT, "40 s left"),
    "asked": (
        situation(records=(record(S.AWAITING_APPROVAL),)),
        WAIT,
        "checkout/workers 1 → 3 already awaits a person's approval (workers_increase_1)",
    ),
    "rejected": (
        situation(records=(record(S.REJECTED, at=NOW - 600, actor="ann"),)),
        WAIT,
        f"a person declined workers_increase_1 at {at(-600)}: not tried again before {at(3000)}",
    ),
    "taken-back": (
        situation(records=(record(S.ROLLED_BACK, at=NOW - 600, actor="ann"),)),
        WAIT,
        f"a person took workers_increase_1 back at {at(-600)}: not tried again before {at(3000)}",
    ),
    "rejected-then-the-clock-was-set-back": (
        situation(records=(record(S.REJECTED, at=NOW + 9000, actor="ann"),)),
        WAIT,
        f"at {at(0)}: not tried again before {at(3600)}",
    ),
    "unanswered": (
        situation(records=(record(S.EXPIRED, at=NOW - 100, expires_at=NOW - 100),)),
        WAIT,
        "nobody answered workers_increase_1: asked again in 200 s",
    ),
    "in-flight": (situation(records=(record(S.SETTLING, lever="cache"),)), WAIT, "cache 1 → 3 (settling) holds checkout"),
    "scheduled": (situation(records=(record(S.SCHEDULED, lever="cache"),)), WAIT, "cache 1 → 3 (scheduled) holds checkout"),
    "one-goal": (
        situation(records=(record(S.SETTLING, element="search", locks=frozenset()),)),
        WAIT,
        "search/workers 1 → 3 (settling) holds goal:checkout_p95_seconds",
    ),
    "foreign-lock": (
        situation(records=(record(S.APPLYING, element="db", locks=frozenset({"checkout"})),)),
        WAIT,
        "holds checkout",
    ),
    "exploring": (
        situation(records=(record(lever="cache", at=NOW - 100, decision=EXPLORING),)),
        WAIT,
        "one unproven trial at a time",
    ),
}


@pytest.mark.parametrize(("world", "choice", "words"), CASES.values(), ids=CASES)
def test_each_reason(world, choice, words):
    decision = only(planned(world))
    assert decision.choice is choice
    assert words in decision.reason
    assert decision.expected_value == pytest.approx(0.05)  # the numbers stay: they are still true


PASSED = {
    "foreign-long-ago": situation(lever(moved_by_others_at=NOW - 300)),
    "cooldown-over": situation(records=(record(at=NOW - 300),)),
    "never-executed": situation(records=(record(S.IGNORED, at=NOW - 1),)),
    "other-lever": situation(records=(record(lever="cache", at=NOW - 100),)),
    "expired-unasked": situation(records=(record(S.EXPIRED, at=NOW - 100),)),
    "undone-by-itself": situation(records=(record(S.ROLLED_BACK, at=NOW - 600),)),
    "rejected-long-ago": situation(records=(record(S.REJECTED, at=NOW - 3600, actor="ann"),)),
    "other-way-rejected": situation(records=(record(S.REJECTED, at=NOW - 60, actor="ann", from_value=3, to_value=1),)),
    "withdrawn-by-a-pause": situation(records=(record(S.REJECTED, at=NOW - 60),)),
    "undone-by-a-pause": situation(records=(record(S.ROLLED_BACK, at=NOW - 600),)),
    "baseline-known": situation(samples={action().goal_id: 5}),
    "baseline-not-counted": situation(samples={}),
    "one-of-two-symptoms-confirmed": situation(symptoms=(symptom(confirmed=False), symptom())),
    "guard-elsewhere": situation(guards=(replace(guard(trust=STALE), element="search"),)),
    "guard-broken-before": situation(guards=(guard(0.5),)),
    "other-element-in-flight": situation(records=(record(S.SETTLING, element="search", locks=frozenset(), goal_id="goal:else"),)),
    "explored-elsewhere": situation(records=(record(element="search", locks=frozenset(), at=NOW - 1, decision=EXPLORING),)),
    "never-arrived": situation(records=(record(S.FAILED, lever="cache", at=NOW - 1, decision=EXPLORING, acknowledged=False),)),
    "on-probation": situation(records=(record(S.KEPT_ON_PROBATION, at=NOW - 301),)),
}


@pytest.mark.parametrize("world", PASSED.values(), ids=PASSED)
def test_what_holds_nothing_back(world):
    assert only(planned(world)).choice is ACT


def test_the_proven_need_not_wait_for_an_exploration():
    world = situation(records=(record(lever="cache", at=NOW - 100, decision=EXPLORING),))
    assert only(planned(world, belief=GOOD)).choice is ACT


@pytest.mark.parametrize(("failures", "length"), [(1, 300), (2, 600), (3, 1200), (4, 2400), (7, 2400)])
def test_repeated_failures_stretch_the_cooldown(failures, length):
    ends = [NOW - length + 1 - 3000 * back for back in range(failures)][::-1]
    world = situation(records=tuple(record(S.ROLLED_BACK, at=at) for at in ends))
    assert only(planned(world)).reason.endswith("1 s left")
    later = replace(world, now=NOW + 1)
    assert only(planned(later)).choice is ACT
    if failures > 1:  # moved the other way there is only the plain cool-down
        high = replace(world, levers={WORKERS.lever_id: lever(value=3)})
        assert only(planned(high, action(from_value=3, to_value=1))).choice is ACT


def test_the_guards_of_what_the_lever_depends_on_count_too():
    world = situation(guards=(replace(guard(trust=STALE), element="db"),))
    assert only(planned(world, action(locks=frozenset({"db"})))).reason == (
        "HOLD: guard checkout_error_ratio is stale: the last sample is 95 s old"
    )
    assert only(planned(world, action(locks=frozenset({"cache"})))).choice is ACT


def test_a_move_is_known_by_its_values_whoever_asked_for_it():
    """A person's two tries are both `workers_requested`: 2 → 8 failed twice, which says nothing of 8 → 2."""
    tries = [
        record(S.ROLLED_BACK, at=at, action_type="workers_requested", from_value=2, to_value=8) for at in (NOW - 900, NOW - 400)
    ]
    world = situation(lever(value=5), records=tuple(tries))
    assert "after 2 failures in a row" in only(planned(world, action(from_value=5, to_value=8))).reason
    assert only(planned(world, action(from_value=5, to_value=2))).choice is ACT


def test_a_success_ends_the_stretch():
    records = [
        record(S.ROLLED_BACK, at=NOW - 9000),
        record(S.ROLLED_BACK, at=NOW - 7000),
        record(verdict=IMPROVED, at=NOW - 5000),
    ]
    world = situation(records=(*records, record(S.ROLLED_BACK, at=NOW - 301)))
    assert only(planned(world)).choice is ACT


def test_a_clock_set_back_never_lengthens_a_cooldown():
    world = situation(records=(record(at=NOW + 50_000),))
    assert only(planned(world)).reason == "cool-down of checkout/workers, 300 s left"
    assert remaining(NOW + 50_000, 300.0, NOW) == 300.0


def three_elements(count: int = 5):
    specs = [LeverSpec("workers", f"shop{n}", bounds=(1, 16)) for n in range(count)]
    levers = {spec.lever_id: lever(spec) for spec in specs}
    goals = [replace(GOAL, element=spec.element) for spec in specs]
    actions = [action(action_id=f"a{n}", element=f"shop{n}", goal_id=goals[n].goal_id, locks=frozenset()) for n in range(count)]
    states = tuple(goal_state(goal=goal, element=goal.element or "") for goal in goals)
    return replace(situation(), levers=levers, analysis=Analysis(NOW, states)), actions


@pytest.mark.parametrize(("limit", "running", "acting"), [(3, 0, 3), (3, 2, 1), (3, 3, 0), (1, 0, 1), (3, 7, 0), (0, 0, 0)])
def test_never_more_than_so_many_at_once(limit, running, acting):
    world, actions = three_elements()
    records = [
        record(S.VERIFYING if n % 2 else S.SCHEDULED, element=f"other{n}", locks=frozenset(), goal_id=f"goal:{n}")
        for n in range(running)
    ]
    plan = planned(replace(world, records=tuple(records)), *actions, max_concurrent_actions=limit)
    choices = [decision.choice for _, decision in plan.decided]
    assert choices.count(ACT) == acting and choices.count(WAIT) == 5 - acting
    assert f"at most {limit} at once" in plan.decided[-1][1].reason


def test_asking_counts_neither_as_running_nor_holds_the_element():
    ask = replace(WORKERS, autonomy=Autonomy.ASK)
    world = situation(lever(ask), lever(CACHE, 10))
    proposals = [
        action(expected_improvement=0.5),
        action(action_id="c", lever="cache", action_type="cache_up", from_value=10, to_value=20),
    ]
    plan = planned(world, *proposals, max_concurrent_actions=1)
    assert [d.choice for _, d in plan.decided] == [ASK, ACT]


def test_one_proposal_for_a_lever_and_one_lock_set_at_a_time():
    world = situation(lever(), lever(CACHE, 10), lever(SEARCH, 10))
    proposals = [
        action(action_id="a"),
        action(action_id="b", to_value=2),
        action(action_id="c", lever="cache", action_type="c_up", from_value=10, to_value=20),
        action(action_id="d", element="search", lever="depth", from_value=10, to_value=20, locks=frozenset({"checkout"})),
    ]
    plan = planned(world, *proposals, belief=GOOD)
    assert [d.choice for _, d in plan.decided].count(ACT) == 1
    assert all("comes first and holds" in d.reason for _, d in plan.decided if d.choice is WAIT)


def test_two_questions_about_one_lever_are_one_too_many():
    world = situation(lever(replace(WORKERS, autonomy=Autonomy.ASK)))
    plan = planned(world, action(action_id="a"), action(action_id="b", to_value=2))
    assert sorted(d.choice.value for _, d in plan.decided) == ["ask", "wait"]


@pytest.mark.parametrize(
    ("proposal", "words"),
    [
        (action(lever="nothing"), "there is no lever checkout/nothing"),
        (action(risk_level=float("nan")), "its risk_level is nan"),
        (action(risk_level=1.5), "its risk_level is 1.5"),
        (action(success_probability=-0.1), "its success_probability is -0.1"),
        (action(expected_improvement=float("inf")), "its expected_improvement is inf"),
    ],
)
def test_a_malformed_proposal_is_ignored_and_says_why(proposal, words):
    decision = only(planned(situation(), proposal))
    assert decision.choice is IGNORE and words in decision.reason
