"""The detectors: what they must never alarm on, how often chance may fool them, and what they must find."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.analyze import FleetDetector, StreamDetector
from trimtab.analyze.stream import WARM_UP


def alerts(values, detector=None, step=60.0):
    detector = detector or StreamDetector()
    return [i for i, value in enumerate(values) if detector.update(step * i, float(value)).is_anomaly]


# -- never


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(1, 400))
def test_never_on_a_constant(value, n):
    detector = StreamDetector()
    found = [detector.update(float(i), value) for i in range(n)]
    assert not any(d.is_anomaly for d in found)
    assert all(d.score == 0.0 for d in found)


@given(st.lists(st.floats(-1e300, 1e300), max_size=WARM_UP))
def test_never_in_the_warm_up(values):
    assert alerts(values) == []


@given(st.lists(st.sampled_from([math.nan, math.inf, -math.inf, 1.0, 2.0, 3.0]), min_size=1, max_size=300))
def test_never_on_missing_values_which_leave_no_trace(values):
    gappy, whole = StreamDetector(), StreamDetector()
    for i, value in enumerate(values):
        seen = gappy.update(float(i), value)
        if math.isfinite(value):
            expected = whole.update(float(i), value)
            assert seen == expected or (math.isnan(seen.expected) and math.isnan(expected.expected))
        else:
            assert not seen.is_anomaly and seen.score == 0.0


@pytest.mark.parametrize("back", [0.0, 5.0, 1e6], ids=["same", "older", "much-older"])
def test_never_on_late_samples(back):
    detector = StreamDetector()
    alerts(np.random.default_rng(0).normal(size=200), detector)
    assert not any(detector.update(60.0 * 199 - back, 1e6).is_anomaly for _ in range(10))


def test_never_on_the_first_samples_after_a_gap():
    rng, detector = np.random.default_rng(0), StreamDetector()
    alerts(rng.normal(100.0, 1.0, size=200), detector)
    after = [detector.update(60.0 * (1000 + i), 200.0 + float(rng.normal())).is_anomaly for i in range(10)]
    assert not any(after[:5])
    assert sum(after) == 1  # but a change that lasts is told once it is judged again


@given(st.integers(31, 300), st.integers(1, 2), st.floats(1.0, 1e6))
def test_a_constant_that_leaves_its_value_for_a_moment_is_no_incident(before, moments, jump):
    assert alerts([5.0] * before + [5.0 + jump] * moments + [5.0] * 50) == []


@pytest.mark.parametrize("level", [5.0, 0.0], ids=["five", "zero"])
def test_a_constant_that_changes_for_good_is_one_incident(level):
    assert alerts([level] * 100 + [level + 1.0] * 500) == [102]


# -- chance

NULLS = {
    "normal": lambda rng, n: rng.normal(size=n),
    "ar-half": lambda rng, n: autoregressive(rng, n, 0.5),
    "student-t3": lambda rng, n: rng.standard_t(3, size=n),
    "log-normal": lambda rng, n: rng.lognormal(size=n),
}

OTHER_NULLS = {
    "ar-nine-tenths": lambda rng, n: autoregressive(rng, n, 0.9),
    "day": lambda rng, n: 5.0 * np.sin(np.arange(n) / 288.0 * 2.0 * np.pi) + rng.normal(size=n),
    "counter": lambda rng, n: np.cumsum(rng.poisson(200.0, size=n)).astype(float),
    "ratio": lambda rng, n: rng.binomial(50, 0.98, size=n) / 50.0,
}


def autoregressive(rng, n, rho):
    noise, x = rng.normal(size=n), 0.0
    return np.array([x := rho * x + e for e in noise])


def test_about_one_false_incident_a_series_and_week():
    weeks, rates = 6, {}
    for kind, null in {**NULLS, **OTHER_NULLS}.items():
        rates[kind] = len(alerts(null(np.random.default_rng(20), weeks * 2016), step=300.0)) / weeks
    assert max(rates.values()) <= 2.0, rates
    assert np.mean(list(rates.values())) <= 1.0, rates


# -- what must be found


@pytest.mark.parametrize("kind", NULLS)
@pytest.mark.parametrize("side", [1.0, -1.0], ids=["up", "down"])
def test_a_large_lasting_shift_is_found_soon_and_told_once(kind, side):
    found = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        values = NULLS[kind](rng, 600)
        values[500:] += side * 12.0 * (np.quantile(values[:500], 0.75) - np.quantile(values[:500], 0.25)) / 1.349
        told = [i for i in alerts(values) if i >= 500]
        assert len(told) <= 1, told
        found += bool(told) and told[0] <= 515
    assert found >= 9


def test_a_lasting_shift_within_the_range_of_the_past_is_found():
    found = 0
    for seed in range(10):
        values = np.random.default_rng(seed).normal(size=800)
        values[600:] += 4.0
        found += any(600 <= i <= 632 for i in alerts(values))
    assert found >= 9


def test_a_spike_beyond_anything_before_is_found():
    values = np.random.default_rng(1).normal(size=400)
    values[300] = 40.0
    assert alerts(values) == [300]


def test_a_counter_is_judged_by_its_rate_and_may_begin_anew():
    grown = np.random.default_rng(4).poisson(200.0, size=1200)
    grown[1000:] *= 2
    values = np.cumsum(grown).astype(float)
    values[600:] -= values[600] - grown[600]  # a restart
    assert alerts(values) == [1000]


def test_what_is_usual_at_noon_is_strange_at_midnight():
    values = 10.0 - 8.0 * np.cos(np.arange(288 * 10) / 288.0 * 2.0 * np.pi) + np.random.default_rng(5).normal(size=2880) * 0.5
    midnight = 288 * 9
    values[midnight : midnight + 4] = 18.0
    assert midnight in alerts(values, step=300.0)


def test_a_lasting_level_becomes_the_usual_one():
    rng, detector = np.random.default_rng(2), StreamDetector()
    alerts(np.concatenate([rng.normal(0.0, 1.0, 300), rng.normal(50.0, 1.0, 200)]), detector)
    seen = detector.update(60.0 * 500, 50.0)
    assert seen.lower < 50.0 < seen.upper and abs(seen.expected - 50.0) < 1.0 and seen.score < 0.5


@pytest.mark.parametrize(("threshold", "found"), [(1.0, True), (2.5, True), (10.0, False)])
def test_the_threshold_widens_the_limits(threshold, found):
    values = np.concatenate([np.random.default_rng(3).normal(size=300), np.full(5, 8.0)])
    assert bool(alerts(values, StreamDetector(threshold))) is found


@pytest.mark.parametrize("threshold", [0.0, -1.0, math.nan])
def test_a_threshold_is_positive(threshold):
    with pytest.raises(ValueError, match="positive"):
        StreamDetector(threshold)


@given(st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=200))
def test_scores_and_limits_are_in_order_whatever_comes(values):
    detector = StreamDetector()
    for i, value in enumerate(values):
        d = detector.update(float(i), value)
        assert 0.0 <= d.score <= 1.0
        assert (d.score >= 0.5) == d.is_anomaly
        assert math.isnan(d.expected) or d.lower <= d.expected <= d.upper


def test_small():
    detector, values = StreamDetector(), np.random.default_rng(0).normal(size=3000).tolist()
    alerts(values, detector)
    assert deep_size(detector) < 20_000


def deep_size(thing, seen=None):
    seen = set() if seen is None else seen
    if id(thing) in seen:
        return 0
    seen.add(id(thing))
    size = sys.getsizeof(thing)
    if isinstance(thing, list | tuple) or type(thing).__name__ == "deque":
        size += sum(deep_size(one, seen) for one in thing)
    for name in getattr(type(thing), "__slots__", ()):
        size += deep_size(getattr(thing, name), seen)
    return size


# -- the fleet


def test_a_fleet_finds_the_one_that_is_off_and_scores_missing_as_nothing():
    rng, fleet = np.random.default_rng(0), FleetDetector(5_000)
    for i in range(200):
        fleet.update(60.0 * i, rng.normal(100.0, 3.0, 5_000))
    values = rng.normal(100.0, 3.0, 5_000)
    values[7], values[8], values[9] = 140.0, math.nan, math.inf
    scores = fleet.update(60.0 * 200, values)
    assert scores.shape == (5_000,) and scores[7] > 0.7
    assert scores[8] == scores[9] == 0.0
    assert (scores > 0.5).sum() <= 5  # 4 standard deviations: one in 16,000, and the scale is learned


def test_missing_ticks_leave_a_series_as_it_was():
    rng = np.random.default_rng(1)
    gappy, whole = FleetDetector(1), FleetDetector(1)
    for i in range(300):
        value = float(rng.normal())
        seen = gappy.update(float(i), [value if i % 3 else math.nan])
        if i % 3:
            expected = whole.update(float(i), [value])
            if i > 10:
                assert seen == pytest.approx(expected)


@pytest.mark.parametrize("level", [0.0, 1e-9, 5.0, -1e9])
def test_a_fleet_never_scores_constants_nor_warm_up(level):
    fleet = FleetDetector(3)
    rng = np.random.default_rng(0)
    for i in range(400):
        scores = fleet.update(float(i), [level, level, float(rng.normal(0, 10 ** (i % 7)))])
        assert scores[:2].max() == pytest.approx(0.0, abs=1e-3)
        assert i >= WARM_UP or scores[2] == 0.0


def test_a_fleet_is_quiet_after_a_gap_and_ignores_late_ticks():
    rng, fleet = np.random.default_rng(0), FleetDetector(1)
    for i in range(200):
        fleet.update(float(i), rng.normal(size=1))
    assert fleet.update(150.0, [1e6]).tolist() == [0.0]
    scores = [fleet.update(1_000.0 + i, [30.0])[0] for i in range(6)]
    assert scores[:5] == [0.0] * 5 and scores[5] > 0.0


def test_a_fleet_says_what_it_expects():
    with pytest.raises(ValueError, match="expected 3 values"):
        FleetDetector(3).update(0.0, [1.0, 2.0])
    with pytest.raises(ValueError, match="positive"):
        FleetDetector(3, half_life=0.0)
    assert FleetDetector(0).update(0.0, []).shape == (0,)
