"""The agent's own budget: how much more rarely it looks. Laws of the pure part, against loads of every shape."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.loop.pace import LEAST_SECONDS, LONGEST, MOST_SECONDS, Pace, next_factor

BUDGET = 2.0
percents = st.floats(0.0, 400.0)
factors = st.floats(1.0, LONGEST)


def driven(pace: Pace, seconds: float, cost, start: float = 0.0, used: float = 0.0, step: float = 5.0):
    """Let `cost(factor, at)` (per cent of a core) run for `seconds`; returns (time, factor) at each change, and the CPU used."""
    changes, at = [], start
    while at <= start + seconds:
        if pace.note(at, used):
            changes.append((at, pace.factor))
        at += step
        used += step * cost(pace.factor, at) / 100.0
    return changes, at, used


@given(factors, percents, st.floats(0.1, 100.0))
def test_the_factor_is_bounded(factor, percent, budget):
    assert 1.0 <= next_factor(factor, percent, budget) <= LONGEST


@given(factors, percents, percents)
def test_who_costs_more_is_never_paced_less(factor, one, other):
    low, high = sorted((one, other))
    assert next_factor(factor, low, BUDGET) <= next_factor(factor, high, BUDGET)


@given(factors, percents)
def test_it_moves_the_right_way(factor, percent):
    wanted = next_factor(factor, percent, BUDGET)
    if percent > 1.1 * BUDGET:
        assert wanted >= min(round(factor, 2), LONGEST)
    if percent < 0.7 * BUDGET:
        assert wanted <= factor
    if 0.7 * BUDGET <= percent <= 1.1 * BUDGET:
        assert wanted == factor


@settings(max_examples=60, deadline=None)
@given(st.floats(0.0, 1.4), st.floats(0.1, 28.0), factors)
def test_a_constant_load_settles_within_the_budget_and_never_swings(fixed, varying, begun):
    """Cost = fixed + varying / factor, the fixed part within what the budget leaves room for."""
    pace = Pace(BUDGET)
    pace.factor = begun
    changes, _, _ = driven(pace, 7200.0, lambda factor, _: fixed + varying / factor)
    cost = fixed + varying / pace.factor
    if (fixed + varying / LONGEST) < BUDGET:
        assert cost <= 1.1 * BUDGET + 1e-6
    steps = [after - before for (_, before), (_, after) in zip([(0.0, begun), *changes], changes, strict=False)]
    assert all(step > 0 for step in steps) or all(step < 0 for step in steps)  # one way only, whichever it is
    assert not [at for at, _ in changes if at > 3600.0]


@settings(max_examples=40, deadline=None)
@given(st.floats(3.0, 300.0), st.floats(60.0, 3000.0))
def test_it_returns_to_one_once_the_load_is_gone(busy, seconds):
    pace = Pace(BUDGET)
    _, at, used = driven(pace, seconds, lambda factor, _: busy / factor)
    driven(pace, MOST_SECONDS + 2.0 * LEAST_SECONDS, lambda factor, _: 0.2, at, used)
    assert pace.factor == 1.0 and pace.sentence is None


@given(st.lists(st.tuples(st.floats(0.0, 30.0), st.floats(0.0, 30.0)), max_size=30), st.floats(0.001, 10.0))
def test_nothing_is_decided_on_less_than_a_minute(steps, budget):
    pace, at, used = Pace(budget), 1000.0, 5.0
    for seconds, cpu in steps:
        at, used = at + seconds, used + cpu
        if pace.note(at, used):
            assert at - 1000.0 >= LEAST_SECONDS
        if at - 1000.0 < LEAST_SECONDS:
            assert pace.factor == 1.0


def test_what_was_used_long_ago_is_forgotten():
    pace = Pace(BUDGET)
    _, at, used = driven(pace, 1000.0, lambda *_: 1.5)
    changes, _, _ = driven(pace, MOST_SECONDS, lambda factor, _: 6.0 / factor, at, used)
    assert changes and pace.factor > 1.0


@pytest.mark.parametrize(("at", "used"), [(0.0, 500.0), (5000.0, 0.0)], ids=["the clock went back", "another process"])
def test_what_cannot_be_is_no_measurement(at, used):
    pace = Pace(BUDGET)
    _, last, total = driven(pace, 600.0, lambda *_: 1.5)
    assert not pace.note(at if at == 0.0 else last + at, used if used == 0.0 else total)
    assert pace.factor == 1.0


def test_it_says_why_and_when_it_can_do_no_more():
    pace = Pace(BUDGET)
    driven(pace, 65.0, lambda *_: 4.8)
    assert pace.sentence == "intervals lengthened 2.67 ×: CPU 4.8 % over the budget of 2 % of a core"
    driven(pace, 600.0, lambda *_: 90.0, 70.0, 65.0 * 0.048)
    assert pace.factor == LONGEST and "which is as far as it goes" in (pace.sentence or "")


@pytest.mark.parametrize("budget", [0.0, -1.0, float("nan")])
def test_a_budget_is_more_than_nothing(budget):
    with pytest.raises(ValueError):
        Pace(budget)
