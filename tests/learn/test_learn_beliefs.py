"""What outcomes do to beliefs: tables for each kind of outcome, and laws that hold for any sequence of them."""

from __future__ import annotations

import math
import pickle
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.domain.actions import OptimizationAction, Outcome
from trimtab.domain.levers import ActionPriority, Reversibility
from trimtab.domain.verdicts import VerdictStatus
from trimtab.learn import Beliefs

IMPROVED, WORSE, INCONCLUSIVE = VerdictStatus.IMPROVED, VerdictStatus.WORSE, VerdictStatus.INCONCLUSIVE


def action(element: str = "checkout", *, improvement: float = 0.1, success: float = 0.5) -> OptimizationAction:
    return OptimizationAction(
        "a1", "workers_increase", "", element, "workers", 1, 2, "p95_seconds", "goal:p95_seconds", "", "", improvement, success,
        0.3, ActionPriority.MEDIUM, Reversibility.REVERSIBLE, 20.0, 0.0,
    )  # fmt: skip


def outcome(
    n: int, status: VerdictStatus, effect: float | None = None, *, harmed: bool = False, element: str = "checkout"
) -> Outcome:
    return Outcome(f"id{n}", "workers_increase", element, status, effect, harmed, float(n))


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
        (outcome(1, INCONCLUSIVE, 0.4), 1 / 3, 0.2 / 3, 1 / 11, 0),
        (outcome(1, INCONCLUSIVE, None), 1 / 3, 0.2 / 3, 1 / 11, 0),
        (outcome(1, WORSE, -0.4, harmed=True), 1 / 3, -0.2 / 3, 2 / 11, 0),
        (outcome(1, WORSE, None, harmed=True), 1 / 3, 0.1, 2 / 11, 0),
        (outcome(1, INCONCLUSIVE, None, harmed=True), 1 / 3, 0.2 / 3, 2 / 11, 0),
        (outcome(1, IMPROVED, 0.4, harmed=True), 1 / 3, 0.2 / 3, 2 / 11, 0),
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
    assert 0.2 < belief.improvement_low < belief.improvement < 0.26  # failures count as zero: 0.8 × 0.3
    assert belief.p_harm_high < 0.02


def test_bounds_cover_as_often_as_they_promise():
    """A belief's lower bound on success should lie below the truth in about 90 % of histories when truths follow the prior."""
    rng = random.Random(11)
    covered = 0
    for world in range(600):
        truth = rng.random()  # Beta(1, 1), the prior at success_probability 0.5
        told = [outcome(n, IMPROVED if rng.random() < truth else INCONCLUSIVE, 0.1) for n in range(1 + world % 12)]
        covered += Beliefs.from_outcomes(told).of(action()).p_success_low <= truth
    assert 0.86 <= covered / 600 <= 0.94


statuses = st.sampled_from(list(VerdictStatus))
histories = st.lists(
    st.tuples(
        statuses, st.one_of(st.none(), st.floats(-2.0, 2.0)), st.booleans(), st.sampled_from(["checkout", "search", "cart"])
    ),
    max_size=25,
).map(lambda rows: [outcome(n, s, e, harmed=h, element=el) for n, (s, e, h, el) in enumerate(rows)])


@given(histories, st.randoms(use_true_random=False))
def test_order_does_not_matter(told, rng):
    mixed = list(told)
    rng.shuffle(mixed)
    folded = Beliefs()
    for one in mixed:
        folded = folded.updated(one)
    for element in ("checkout", "search", "elsewhere"):
        expected, got = Beliefs.from_outcomes(told).of(action(element)).numbers(), folded.of(action(element)).numbers()
        assert got == pytest.approx(expected, abs=1e-9)


@given(histories, st.floats(0.0, 1.0), st.floats(-1.0, 1.0))
def test_beliefs_stay_in_their_ranges(told, success, improvement):
    belief = Beliefs.from_outcomes(told).of(action(improvement=improvement, success=success))
    assert 0.0 <= belief.p_success_low <= belief.p_success <= 1.0
    assert 0.0 <= belief.p_harm <= belief.p_harm_high <= 1.0
    assert belief.improvement_low <= belief.improvement
    assert all(math.isfinite(value) for value in belief.numbers().values())
    assert belief.successes <= belief.trials and belief.consecutive_failures <= belief.trials


@given(histories)
def test_memory_is_bounded_and_pickles_equal(told):
    beliefs = Beliefs.from_outcomes(told)
    assert all(len(tally.recent) <= 8 for tally in beliefs.tallies.values())
    assert pickle.loads(pickle.dumps(beliefs)) == beliefs


@given(histories)
def test_a_success_never_lowers_and_a_failure_never_raises_the_odds(told):
    beliefs = Beliefs.from_outcomes(told)
    now = beliefs.of(action()).p_success
    assert beliefs.updated(outcome(99, IMPROVED, 0.2)).of(action()).p_success >= now - 1e-12
    assert beliefs.updated(outcome(99, INCONCLUSIVE)).of(action()).p_success <= now + 1e-12
