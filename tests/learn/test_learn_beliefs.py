"""What outcomes do to beliefs: tables for each kind of outcome, and laws that hold for any sequence of them."""

from __future__ import annotations

import math
import pickle
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.domain.actions import OptimizationAction, Outcome
from trimtab.domain.contexts import UNKNOWN, Context
from trimtab.domain.levers import ActionPriority, Reversibility
from trimtab.domain.verdicts import VerdictStatus
from trimtab.learn import Beliefs
from trimtab.learn.beliefs import REMEMBERED
from trimtab.learn.regimes import HAZARD, READINGS

IMPROVED, WORSE, INCONCLUSIVE = VerdictStatus.IMPROVED, VerdictStatus.WORSE, VerdictStatus.INCONCLUSIVE


def action(
    element: str = "checkout", *, improvement: float = 0.1, success: float = 0.5, context: Context = UNKNOWN
) -> OptimizationAction:
    return OptimizationAction(
        "a1", "workers_increase", "", element, "workers", 1, 2, "p95_seconds", "goal:p95_seconds", "", "", improvement, success,
        0.3, ActionPriority.MEDIUM, Reversibility.REVERSIBLE, 20.0, 0.0, context=context,
    )  # fmt: skip


def outcome(
    n: int,
    status: VerdictStatus,
    effect: float | None = None,
    *,
    harmed: bool = False,
    element: str = "checkout",
    context: Context = UNKNOWN,
) -> Outcome:
    return Outcome(f"id{n}", "workers_increase", element, status, effect, harmed, float(n), context)


def test_cold_beliefs_are_the_declared_priors():
    belief = Beliefs().of(action())
    assert (belief.p_success, belief.improvement, belief.p_harm) == pytest.approx((0.5, 0.1, 0.1))
    assert belief.p_harm_high == pytest.approx(1 - 0.1 ** (1 / 9))
    assert (belief.trials, belief.successes, belief.consecutive_failures, belief.last_at) == (0, 0, 0, None)
    assert not belief.proven


@pytest.mark.parametrize(
    ("told", "p_success", "improvement", "p_harm", "successes"),
    [
        (outcome(1, IMPROVED, 0.4), 2 / 3, 0.6 / 3, 1 / 11, 1),
        (outcome(1, INCONCLUSIVE, 0.4), 1 / 3, 0.1, 1 / 11, 0),
        (outcome(1, INCONCLUSIVE, None), 1 / 3, 0.1, 1 / 11, 0),
        (outcome(1, WORSE, -0.4, harmed=True), 1 / 3, 0.1, 2 / 11, 0),
        (outcome(1, WORSE, None, harmed=True), 1 / 3, 0.1, 2 / 11, 0),
        (outcome(1, INCONCLUSIVE, None, harmed=True), 1 / 3, 0.1, 2 / 11, 0),
        (outcome(1, IMPROVED, 0.4, harmed=True), 1 / 3, 0.1, 2 / 11, 0),
        (outcome(1, IMPROVED, math.nan), 2 / 3, 0.1, 1 / 11, 1),
        (outcome(1, IMPROVED, math.inf), 2 / 3, 0.1, 1 / 11, 1),
    ],
    ids=["improved", "inconclusive", "no-estimate", "worse", "worse-unsized", "guard", "improved-but-guard", "nan", "inf"],
)
def test_one_outcome(told, p_success, improvement, p_harm, successes):
    belief = Beliefs().updated(told).of(action())
    assert belief.p_success == pytest.approx(p_success)
    assert belief.improvement == pytest.approx(improvement)
    assert belief.p_harm == pytest.approx(p_harm)
    assert (belief.trials, belief.successes, belief.last_at) == (1, successes, 1.0)


def test_runs_of_failures_end_at_a_success():
    told = [outcome(n, status) for n, status in enumerate([INCONCLUSIVE, INCONCLUSIVE, IMPROVED, INCONCLUSIVE, WORSE])]
    runs = [Beliefs.from_outcomes(told[: n + 1]).of(action()).consecutive_failures for n in range(5)]
    assert runs == [1, 2, 0, 1, 2]


def test_an_outcome_told_twice_counts_once():
    once = Beliefs().updated(outcome(1, IMPROVED, 0.3))
    assert once.updated(outcome(1, IMPROVED, 0.3)) == once


def test_updating_leaves_the_old_value_as_it_was():
    before = Beliefs()
    before.updated(outcome(1, IMPROVED, 0.3))
    assert before == Beliefs() and before.trials == 0


def test_other_elements_lend_a_little():
    elsewhere = [outcome(n, WORSE, -0.2, harmed=True, element="search") for n in range(50)]
    belief = Beliefs.from_outcomes(elsewhere).of(action())
    assert belief.trials == 0 and belief.last_at is None and belief.consecutive_failures == 0
    assert belief.p_success == pytest.approx(1 / 4)  # two pseudo-trials, both failed, however many there were
    assert belief.p_harm == pytest.approx(3 / 12)
    unrelated = Outcome("x", "cache_increase", "checkout", WORSE, -0.9, True, 1.0)
    assert Beliefs().updated(unrelated).of(action()) == Beliefs().of(action())


def test_bounds_close_in_on_the_truth():
    rng = random.Random(7)
    told = []
    for n in range(400):
        told.append(outcome(n, IMPROVED, 0.3 + rng.gauss(0, 0.05)) if rng.random() < 0.8 else outcome(n, INCONCLUSIVE))
    belief = Beliefs.from_outcomes(told).of(action())
    assert belief.p_success_low < 0.8 < belief.p_success + 0.05 and belief.p_success - belief.p_success_low < 0.04
    assert 0.28 < belief.improvement_low < belief.improvement < 0.32  # of a success
    assert belief.improvement * belief.p_success == pytest.approx(0.24, abs=0.02)  # the expected gain: failures count once
    assert belief.p_harm_high < 0.02


def test_bounds_cover_as_often_as_they_promise():
    """A belief's lower bound on success should lie below the truth in about 90 % of histories when truths follow the prior."""
    rng = random.Random(11)
    covered = 0
    for world in range(300):
        truth = rng.random()  # Beta(1, 1), the prior at success_probability 0.5
        told = [outcome(n, IMPROVED if rng.random() < truth else INCONCLUSIVE, 0.1) for n in range(1 + world % 12)]
        covered += Beliefs.from_outcomes(told).of(action()).p_success_low <= truth
    assert 0.86 <= covered / 300 <= 0.94


statuses = st.sampled_from(list(VerdictStatus))
histories = st.lists(
    st.tuples(
        statuses, st.one_of(st.none(), st.floats(-2.0, 2.0)), st.booleans(), st.sampled_from(["checkout", "search", "cart"])
    ),
    max_size=25,
).map(lambda rows: [outcome(n, s, e, harmed=h, element=el) for n, (s, e, h, el) in enumerate(rows)])


@settings(max_examples=40)
@given(histories, st.randoms(use_true_random=False))
def test_the_order_of_a_batch_does_not_matter(told, rng):
    mixed = list(told)
    rng.shuffle(mixed)
    assert Beliefs.from_outcomes(mixed) == Beliefs.from_outcomes(told)


@settings(max_examples=40)
@given(histories)
def test_telling_one_by_one_is_telling_all_at_once(told):
    folded = Beliefs()
    for one in told:
        folded = folded.updated(one)
    assert folded == Beliefs.from_outcomes(told)


@settings(max_examples=40)
@given(histories)
def test_outcomes_told_again_change_nothing(told):
    beliefs = Beliefs.from_outcomes(told)
    assert beliefs.with_outcomes(told) == beliefs


@settings(max_examples=40)
@given(histories, st.floats(0.0, 1.0), st.floats(-1.0, 1.0))
def test_beliefs_stay_in_their_ranges(told, success, improvement):
    belief = Beliefs.from_outcomes(told).of(action(improvement=improvement, success=success))
    assert 0.0 <= belief.p_success_low <= belief.p_success <= 1.0
    assert 0.0 <= belief.p_harm <= belief.p_harm_high <= 1.0
    assert belief.improvement_low <= belief.improvement
    assert all(math.isfinite(value) for value in belief.numbers().values())
    assert belief.successes <= belief.trials and belief.consecutive_failures <= belief.trials


@settings(max_examples=40)
@given(histories)
def test_memory_is_bounded_and_pickles_equal(told):
    beliefs = Beliefs.from_outcomes(told)
    assert all(len(story.past.readings) <= READINGS for story in beliefs.stories.values())
    assert pickle.loads(pickle.dumps(beliefs)) == beliefs


@settings(max_examples=40)
@given(histories)
def test_a_success_never_lowers_and_a_failure_never_raises_the_odds(told):
    beliefs = Beliefs.from_outcomes(told)
    now = beliefs.of(action()).p_success
    doubt = HAZARD  # each outcome may be the first of a new time: so much of what is believed is never certain
    assert beliefs.updated(outcome(99, IMPROVED, 0.2)).of(action()).p_success >= now - doubt
    assert beliefs.updated(outcome(99, INCONCLUSIVE)).of(action()).p_success <= now + doubt


HIGH, LOW = Context(load="high", hour="night"), Context(load="low", hour="night")


def by_load(count: int) -> list[Outcome]:
    """Succeeds under high load, fails under low load, and does harm there."""
    told = []
    for n in range(count):
        told.append(outcome(2 * n, IMPROVED, 0.4, context=HIGH))
        told.append(outcome(2 * n + 1, WORSE, -0.2, harmed=True, context=LOW))
    return told


def test_contexts_that_matter_are_told_apart_and_named():
    beliefs = Beliefs.from_outcomes(by_load(20))
    high, low = beliefs.of(action(context=HIGH)), beliefs.of(action(context=LOW))
    assert high.p_success > 0.85 and low.p_success < 0.15
    assert high.p_harm < 0.2 < 0.5 < low.p_harm
    assert high.improvement > 0.3 and low.improvement * low.p_success < 0.05
    assert high.hope > low.hope
    assert "told apart by load high" in high.basis and "hour" not in high.basis
    between = beliefs.of(action())  # where the context is unknown
    assert low.p_success < between.p_success < high.p_success


def test_a_context_never_seen_borrows_from_the_others():
    told = [outcome(n, IMPROVED, 0.3, context=Context(load="high")) for n in range(30)]
    beliefs = Beliefs.from_outcomes(told)
    elsewhere = beliefs.of(action(context=Context(load="low")))
    assert elsewhere.p_success > 0.7
    here = beliefs.of(action(context=Context(load="high")))
    width = here.p_success_interval[1] - here.p_success_interval[0]
    assert elsewhere.p_success_interval[1] - elsewhere.p_success_interval[0] > width


def test_what_changed_is_forgotten_within_fifty_outcomes_and_what_did_not_stays_sharp():
    steady = [outcome(n, IMPROVED, 0.3) for n in range(200)]
    before = Beliefs.from_outcomes(steady).of(action())
    assert before.p_success > 0.97
    after = Beliefs.from_outcomes([*steady, *(outcome(200 + n, INCONCLUSIVE) for n in range(25))]).of(action())
    assert after.p_success < 0.15
    assert (after.trials, after.consecutive_failures) == (225, 8)
    assert "still count" in after.basis
    slip = [*steady, outcome(200, INCONCLUSIVE), *(outcome(201 + n, IMPROVED, 0.3) for n in range(4))]
    assert Beliefs.from_outcomes(slip).of(action()).p_success > 0.9  # one failure is no change


def test_elements_that_are_alike_lend_more_than_those_that_are_not():
    def on_others(*successes: int) -> Beliefs:
        told = [
            outcome(100 * place + n, IMPROVED if 7 * n % 20 < count else INCONCLUSIVE, 0.2, element=f"e{place}")
            for place, count in enumerate(successes)
            for n in range(20)
        ]
        return Beliefs.from_outcomes(told)

    alike, unlike = on_others(16, 15, 17, 16, 16).of(action()), on_others(20, 0, 20, 0, 20).of(action())
    assert alike.p_success > 0.7 and unlike.p_success < 0.62
    assert "lent by other elements" in alike.basis
    width = alike.p_success_interval[1] - alike.p_success_interval[0]
    assert width < unlike.p_success_interval[1] - unlike.p_success_interval[0]


def test_the_interval_lies_around_the_mean_and_says_how_much_is_known():
    cold = Beliefs().of(action())
    assert cold.p_success_interval == pytest.approx((0.05, 0.95))  # uniform
    assert cold.basis == "nothing tried yet: the declared priors alone"
    assert cold.hope == cold.improvement  # of what nothing is known, all that was declared


def test_a_story_keeps_its_latest_outcomes_only():
    story = next(iter(Beliefs.from_outcomes([outcome(n, IMPROVED, 0.1) for n in range(REMEMBERED + 5)]).stories.values()))
    assert len(story.told) == REMEMBERED and story.trials == REMEMBERED + 5
