"""The storm halt: what counts as harm, when it begins and ends, and that ordinary search never trips it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plan.plan_world import IMPROVED, INCONCLUSIVE, NOW, WORSE, Believing, Proposing, action, record, situation
from trimtab.domain.actions import ActionState as S
from trimtab.domain.actions import Choice
from trimtab.plan import PlanSettings, make_plan
from trimtab.plan.settings import StormRules
from trimtab.plan.storm import did_harm, storm

RULES = StormRules(harmful_actions=3, window_seconds=600.0)


def hurt(at: float, **changes):
    return record(S.ROLLED_BACK, at=at, verdict=WORSE, **changes)


@pytest.mark.parametrize(
    ("about", "harm"),
    [
        (record(S.ROLLED_BACK, verdict=WORSE), True),
        (record(S.ROLLED_BACK, guard_breached="guard:errors"), True),
        (record(S.ROLLING_BACK, guard_breached="guard:errors"), True),  # known before the undo has ended
        (record(S.KEPT_ON_PROBATION, verdict=WORSE), True),  # rollback_on_failure is off
        (record(S.FAILED), True),
        (record(S.ROLLBACK_FAILED), True),
        (record(S.FAILED, interrupted=True), False),  # the agent ended
        (record(S.ROLLED_BACK, verdict=INCONCLUSIVE), False),
        (record(S.ROLLED_BACK, actor="alice", verdict=INCONCLUSIVE), False),  # undone by a person
        (record(S.ROLLED_BACK, actor="alice"), False),
        (record(S.STEPPED_BACK, verdict=INCONCLUSIVE), False),
        (record(S.KEPT, verdict=IMPROVED), False),
        (record(S.YIELDED), False),
        (record(S.EXPIRED), False),
        (record(S.SIMULATED, simulated=True, verdict=WORSE, executed=True), False),
    ],
)
def test_what_counts_as_harm(about, harm):
    assert did_harm(about) is harm


@pytest.mark.parametrize(
    ("ages", "dated", "until"),
    [
        ([10, 20], {}, None),
        ([10, 20, 30], {}, 570),  # over once the oldest of the three has left the window
        ([10, 20, 599], {}, 1),
        ([10, 20, 600], {}, None),
        ([5, 10, 20, 30, 500], {}, 580),  # the third newest counts
        ([10, 20, 30], {2: float("inf")}, None),  # a person has forgiven one of them
        ([10, 20, 30, 40], {3: float("inf")}, 570),
        ([10, 20, 30], {0: float("inf"), 1: float("inf"), 2: float("inf")}, None),
        ([-86_400, -9, -1], {}, 600),  # the clock was set back since: done by now, whatever was noted
        ([-86_400, -9, -1], {0: 30, 1: 20, 2: 10}, 570),  # and known since when
        ([-86_400, -9, -1], {0: 700}, None),
    ],
)
def test_when_it_holds_and_until_when(ages, dated, until):
    records = [hurt(NOW - age, action_id=f"a{n}") for n, age in enumerate(ages)]
    found = storm(records, RULES, NOW, {f"a{n}": NOW - age for n, age in dated.items()})
    assert (found and found.until - NOW) == until


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_the_limit_is_the_one_that_is_set(limit):
    for count in range(5):
        halted = storm([hurt(NOW - 1 - n) for n in range(count)], replace(RULES, harmful_actions=limit), NOW)
        assert (halted is not None) is (count >= limit)


@pytest.mark.parametrize(("window", "halted"), [(61.0, True), (59.0, False)])
def test_the_window_is_the_one_that_is_set(window, halted):
    records = [hurt(NOW - 60), hurt(NOW - 1), hurt(NOW)]
    assert (storm(records, replace(RULES, window_seconds=window), NOW) is not None) is halted


def test_the_sentence_says_how_much_and_until_when():
    rules = StormRules(timezone="Europe/Berlin")
    found = storm([hurt(NOW - n) for n in range(5)], rules, NOW)
    assert found is not None
    assert found.sentence == (
        "storm halt: 5 changes did harm within 60 min; "
        "nothing new starts before Fri 05:46 Europe/Berlin, or until `trimtab resume`"
    )


harmless = st.builds(
    lambda state, age, verdict: record(state, at=NOW - age, verdict=verdict),
    st.sampled_from([S.ROLLED_BACK, S.STEPPED_BACK, S.KEPT, S.KEPT_ON_PROBATION, S.SETTLING, S.VERIFYING, S.YIELDED]),
    st.floats(0, 3600),
    st.sampled_from([INCONCLUSIVE, IMPROVED, None]),
)


@given(st.lists(harmless, max_size=60))
def test_ordinary_search_with_many_inconclusive_trials_never_trips_it(records):
    assert storm(records, StormRules(harmful_actions=1), NOW) is None


@pytest.mark.parametrize("automatic", [True, False], ids=["acting", "asking"])
@pytest.mark.parametrize("resumed", [False, True], ids=["halted", "resumed"])
def test_while_it_holds_nothing_is_started_or_asked(automatic, resumed):
    rules = PlanSettings(storm=RULES, cooldown_seconds=0, enable_automatic_actions=automatic)
    records = tuple(
        hurt(NOW - 1 - n, action_id=f"a{n}", element="db", locks=frozenset({"db"}), goal_id="other") for n in range(3)
    )
    forgiven = dict.fromkeys(("a0", "a1", "a2"), float("-inf")) if resumed else None
    plan = make_plan(situation(records=records, harm_dates=forgiven), [Proposing(action())], Believing(), rules)
    ((_, decision),) = plan.decided
    usual = Choice.ACT if automatic else Choice.ASK
    assert decision.choice is (usual if resumed else Choice.WAIT)
    assert ("storm halt: 3 changes" in plan.sentence) is (not resumed)
