"""The shared mathematics: tables where the answer is known, laws where it is not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.stats import (
    Shifts,
    change_points,
    critical_t,
    difference_noise,
    find_rhythm,
    fit_ar1,
    fit_core,
    least_surprise,
    level_precision,
    log_e,
    mad_sd,
    median,
    running_means,
    surprise,
    tame,
    tame_history,
)


def ar1(seed: int, n: int, rho: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    out = np.empty(n)
    state = float(rng.standard_normal())
    for i, e in enumerate(rng.standard_normal(n) * math.sqrt(1 - rho * rho)):
        out[i] = state = rho * state + e
    return out


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9, 0.98])
def test_autocorrelation_is_found_and_rather_too_high(rho: float) -> None:
    fits = [fit_ar1(ar1(seed, 4000, rho)) for seed in range(10)]
    assert np.mean([f.rho for f in fits]) >= rho
    assert max(f.rho for f in fits) <= rho + 0.06
    assert np.mean([f.sd for f in fits]) == pytest.approx(1.0, abs=0.12)


def test_few_samples_are_taken_for_autocorrelated() -> None:
    assert fit_ar1(ar1(1, 8, 0.0)).rho > 0.2


def test_a_level_shift_does_not_count_as_autocorrelation() -> None:
    y = ar1(2, 200, 0.2)
    y[120:] += 20.0
    assert fit_ar1(y).rho > 0.9
    assert fit_ar1(y, (0, 120)).rho < 0.5


@pytest.mark.parametrize("n", [1, 2, 5, 50])
def test_a_constant_has_the_floor_for_its_noise(n: int) -> None:
    fit = fit_ar1(np.full(n, 3.0), floor=0.01)
    assert fit.sd == 0.01
    assert 0.0 <= fit.rho < 1.0


SHIFTS = [
    pytest.param([0] * 30 + [9] * 3, (0, 30), id="a fault of three samples"),
    pytest.param([0] * 12 + [9] * 12, (0, 12), id="half and half"),
    pytest.param([0] * 20 + [9] * 8 + [0] * 10 + [9] * 8, (0, 20, 28, 38), id="up, down, up"),
    pytest.param([0] * 40, (0,), id="nothing"),
    pytest.param([0] * 20 + [9] + [0] * 20, (0,), id="an outlier"),
]


@pytest.mark.parametrize(("levels", "starts"), SHIFTS)
def test_shifts_are_found_where_they_are(levels: list[int], starts: tuple[int, ...]) -> None:
    hits = 0
    for seed in range(20):
        y = np.asarray(levels, float) + ar1(seed, len(levels), 0.2)
        found = change_points(tame_history(y, 4.0), 0.01)
        hits += len(found) == len(starts) and all(abs(a - b) <= 1 for a, b in zip(found, starts, strict=True))
    assert hits >= 18


def test_what_bends_goes_on_as_it_went_last() -> None:
    t, x = 30.0 * np.arange(4000), np.linspace(0.0, 1.0, 4000)
    for level, last in ((40.0 * x, 40.0), (40.0 * x * x, 80.0), (40.0 * np.expm1(x), 40.0 * math.e)):
        rhythm = find_rhythm(t, 100.0 + level + ar1(4, 4000, 0.3), 0.01)
        assert rhythm is not None
        assert rhythm.slope * t[-1] == pytest.approx(last, rel=0.15)


@pytest.mark.parametrize("n", [4, 6, 7, 100, 128, 129, 1000])
def test_one_search_for_several_chances_finds_what_one_each_would(n: int) -> None:
    y = ar1(5, n, 0.3) + 4.0 * (np.arange(n) // 40 % 2)
    search = Shifts(y, 0.01)
    chances = (0.005, 0.5, 0.1)
    assert [search.starts(chance) for chance in chances] == [change_points(y, 0.01, chance) for chance in chances]
    assert len(search.starts(0.005)) > n // 50


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_stationary_noise_has_one_regime(rho: float) -> None:
    assert sum(len(change_points(ar1(seed, 2000, rho), 0.01)) > 1 for seed in range(20)) <= 1


@pytest.mark.parametrize("rho", [0.5, 0.9, 0.98])
def test_the_autocorrelation_of_a_long_history_is_not_raised(rho: float) -> None:
    fits = [(fit_core(y)[1], fit_ar1(y)) for y in (ar1(seed, 4000, rho) for seed in range(20))]
    error = math.sqrt((1.0 - rho * rho) / 4000)
    assert np.mean([core.rho for core, _ in fits]) == pytest.approx(rho, abs=error)
    assert all(core.rho < fit.rho - 0.9 * error for core, fit in fits)
    assert not any(core.slow for core, _ in fits)


def test_something_slow_under_the_noise_is_seen_in_means_of_many() -> None:
    fit = fit_core(ar1(1, 4000, 0.95) + 2.0 * ar1(2, 4000, 0.0))[1]
    assert fit.slow
    assert fit.sd > 2.5


def test_differences_see_the_noise_behind_shifts() -> None:
    y = ar1(3, 2000, 0.9)
    y[1000:] += 30.0
    noise = difference_noise(y, 0.01)
    assert 0.75 < noise.rho < 0.92
    assert noise.step == pytest.approx(math.sqrt(2 * (1 - 0.9)), rel=0.1)


def test_the_critical_t_is_where_the_evidence_reaches_the_level() -> None:
    information, df = np.array([0.5, 3.0, 40.0, 4000.0]), np.array([8.0, 20.0, 200.0, 5000.0])
    t = critical_t(information, df, 0.05)
    assert np.allclose(log_e(t**2, information, df), math.log(20), atol=1e-6)
    assert np.all(log_e(t**2, information, df) < math.log(20))


@settings(max_examples=100, deadline=None)
@given(st.floats(1e-6, 1e5), st.floats(1, 1e5), st.sampled_from([0.2, 0.05, 0.001]))
def test_the_critical_t_is_found_wherever_there_is_one(information: float, df: float, alpha: float) -> None:
    t, target = float(critical_t(information, df, alpha)), -math.log(alpha)
    if math.isinf(t):
        assert log_e(1e10, information, df) < target
    else:
        assert abs(float(log_e(t * t, information, df)) - target) < 1e-6
        assert surprise(t * t, df) > least_surprise(alpha)


def test_with_next_to_no_data_no_t_is_enough() -> None:
    assert critical_t(1e-6, 1.0, 0.05) == np.inf


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 1e4), st.floats(1e-3, 1e5), st.floats(1, 1e5))
def test_evidence_grows_with_t(t2: float, information: float, df: float) -> None:
    assert log_e(t2 + 1.0, information, df) >= log_e(t2, information, df) - 1e-9


def test_peeking_at_every_sample_stays_within_the_level() -> None:
    """Ville: over 300 looks at white noise, evidence beyond 1/α in at most α of the series; a t test at every look does not."""
    crossed = naive = 0
    for seed in range(200):
        a, b = ar1(seed, 60, 0.0), ar1(seed + 10_000, 300, 0.0)
        n = np.arange(2, 301)
        means = np.cumsum(b)[1:] / n
        information = 60 * n / (60 + n)
        rest = np.square(a - a.mean()).sum() + np.cumsum(b**2)[1:] - n * means**2
        t2 = (means - a.mean()) ** 2 * information * (60 + n - 2) / rest
        crossed += bool(np.any(log_e(t2, information, 60.0 + n - 2) >= math.log(20)))
        naive += bool(np.any(t2 > 3.9))
    assert crossed <= 0.05 * 200 + 6
    assert naive >= 40


def test_blocks() -> None:
    assert running_means(np.arange(4.0), 5).size == 0
    assert level_precision(1, 0.9) == 1.0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.floats(1e-3, 1e3))
def test_taming_is_causal_from_the_third_sample_on(values: list[float], limit: float) -> None:
    y = np.asarray(values)
    whole = tame(y, limit)
    for end in range(3, y.size):
        assert np.array_equal(tame(y[:end], limit), whole[:end])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40), st.floats(-1e3, 1e3), st.floats(0.1, 10))
def test_robust_scale_moves_with_the_unit_only(values: list[float], shift: float, factor: float) -> None:
    y = np.asarray(values)
    assert mad_sd(factor * y + shift) == pytest.approx(factor * mad_sd(y), rel=1e-6, abs=1e-6)


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=40))
def test_the_median_is_numpys_to_the_last_bit(values: list[float]) -> None:
    with np.errstate(over="ignore"):
        assert median(np.array(values)) == float(np.median(values))
