"""How often to look: the optimum under a budget, within bounds; and how often something happens, learned."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.stats import Hazard, inspection_intervals

positive = st.floats(1e-6, 1e6)


@st.composite
def cases(draw):
    n = draw(st.integers(1, 12))
    each = [draw(st.lists(positive, min_size=n, max_size=n)) for _ in range(2)]
    value, cost = (np.array(one) for one in each)
    shortest = np.array(draw(st.lists(st.floats(1.0, 100.0), min_size=n, max_size=n)))
    return value, cost, shortest, 16.0 * shortest, draw(st.floats(0.01, 1.5))


def loss(value, intervals):
    return float((value * intervals).sum())


@given(cases())
def test_bounds_and_budget_are_kept(case):
    value, cost, shortest, longest, share = case
    budget = share * float((cost / shortest).sum())
    found = inspection_intervals(value, cost, shortest, longest, budget)
    assert (found >= shortest * (1 - 1e-9)).all() and (found <= longest * (1 + 1e-9)).all()
    spent = float((cost / found).sum())
    assert spent <= max(budget, float((cost / longest).sum())) * (1 + 1e-6)
    if share >= 1.0:
        np.testing.assert_allclose(found, shortest)


@given(cases(), st.integers(0, 2**32 - 1))
def test_nothing_that_costs_as_little_loses_less(case, seed):
    value, cost, shortest, longest, share = case
    budget = share * float((cost / shortest).sum())
    best = inspection_intervals(value, cost, shortest, longest, budget)
    spent = float((cost / best).sum())
    rng = np.random.default_rng(seed)
    for _ in range(20):
        other = np.clip(best * np.exp(rng.normal(0.0, 0.3, len(best))), shortest, longest)
        if float((cost / other).sum()) <= spent:
            assert loss(value, other) >= loss(value, best) * (1 - 1e-6)


def test_worth_nothing_is_read_rarely_and_not_never():
    one = np.ones(4)
    found = inspection_intervals(np.array([1.0, 1.0, 0.0, 0.0]), one, 30.0 * one, 480.0 * one, 0.05)
    assert found[2] == found[3] == pytest.approx(480.0)
    assert inspection_intervals(np.empty(0), np.empty(0), np.empty(0), np.empty(0), 1.0).shape == (0,)


def test_four_times_the_value_is_read_twice_as_often_and_four_times_the_cost_half_as_often():
    shortest, longest = np.full(3, 1.0), np.full(3, 1e4)
    found = inspection_intervals(np.array([4.0, 1.0, 1.0]), np.array([1.0, 1.0, 4.0]), shortest, longest, 0.1)
    assert found / found[1] == pytest.approx([0.5, 1.0, 2.0], rel=1e-6)


def test_rates_are_learned_and_the_past_fades():
    hazard, hour = Hazard(3), 3600.0
    assert hazard.rates()[0] == pytest.approx(1.0 / (7 * 86_400.0))  # before anything is known: once a week
    for i in range(24 * 28):
        hazard.note(hour, np.array([i % 12 == 0, i % 96 == 0, False]))
    often, seldom, never = hazard.rates() * 86_400.0
    assert often == pytest.approx(2.0, rel=0.25)  # drawn towards once a week
    assert seldom == pytest.approx(0.25, rel=0.25)
    assert never < 0.05
    for _ in range(24 * 60):
        hazard.note(hour, np.zeros(3, bool))
    assert hazard.rates()[0] * 86_400.0 < 0.2


def test_what_has_just_begun_is_likely_to_go_on_for_a_while():
    hazard = Hazard(1)
    before = hazard.rates()[0]
    hazard.note(30.0, np.array([True]))
    assert hazard.rates()[0] > 50.0 * before
    hazard.note(4.0 * 3600.0, np.array([False]))
    assert hazard.rates()[0] < 5.0 * before
