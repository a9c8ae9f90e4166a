"""Forecasts against worlds whose future is known; crossings against trends whose moment is known."""

from __future__ import annotations

import time

import numpy as np
import pytest

from trimtab.domain.errors import TrimtabError
from trimtab.stats import forecast
from trimtab.stats.crossing import crossing

HOUR, DAY, WEEK = 3600.0, 24, 168


def ar1(rng: np.random.Generator, n: int, rho: float = 0.6) -> np.ndarray:
    out = np.zeros(n)
    for i, shock in enumerate(rng.standard_normal(n - 1), 1):
        out[i] = rho * out[i - 1] + np.sqrt(1 - rho * rho) * shock
    return out


def load(rng: np.random.Generator, weeks: int = 7) -> np.ndarray:
    hours = np.arange(weeks * WEEK)
    quiet = np.where(hours // DAY % 7 >= 5, 0.4, 1.0)
    return 100 + 30 * np.sin(2 * np.pi * hours / DAY) * quiet + 5 * ar1(rng, hours.size)


def test_it_beats_last_week_and_its_interval_holds():
    ours, naive, inside = [], [], []
    for seed in range(30):
        y = load(np.random.default_rng(seed))
        past, truth = y[:-DAY], y[-DAY:]
        found = forecast(past, HOUR, DAY)
        ours.append(np.abs(found.mean - truth).mean())
        naive.append(np.abs(past[-WEEK:][:DAY] - truth).mean())
        inside.append(((truth >= found.low) & (truth <= found.high)).mean())
    assert np.mean(ours) < 0.9 * np.mean(naive)
    assert 0.84 < np.mean(inside) < 0.96


def test_the_first_hour_knows_the_level_of_now():
    rng = np.random.default_rng(3)
    y = load(rng) + np.repeat([0.0, 40.0], [6 * WEEK + 100, WEEK - 100])
    found = forecast(y, HOUR, 3)
    assert abs(found.mean[0] - 0.5 * (found.low[0] + found.high[0])) < 20
    assert found.mean[0] > 100


def test_missing_samples_are_no_zeros():
    y = load(np.random.default_rng(1))
    holes = y.copy()
    holes[np.random.default_rng(2).random(y.size) < 0.2] = np.nan
    whole, torn = forecast(y[:-DAY], HOUR, DAY), forecast(holes[:-DAY], HOUR, DAY)
    assert np.abs(whole.mean - torn.mean).mean() < 3.0


def test_a_series_without_a_season_is_about_its_level():
    y = 50 + np.random.default_rng(0).standard_normal(300)
    found = forecast(y, 1.0, 20)
    assert found.period == 0.0
    assert np.abs(found.mean - 50).max() < 1.0


def test_a_constant_stays_one():
    found = forecast(np.full(400, 7.0), HOUR, 24)
    assert np.allclose(found.mean, 7.0)
    assert np.allclose(found.high - found.low, 0.0)


def test_the_scale_does_not_matter():
    y = load(np.random.default_rng(5))
    one, other = forecast(y, HOUR, DAY), forecast(1e6 * y, HOUR, DAY)
    assert np.allclose(1e6 * one.mean, other.mean, rtol=1e-6)


@pytest.mark.parametrize(
    ("y", "horizon"),
    [(np.arange(5.0), 3), (np.full(100, np.nan), 3), (np.arange(100.0), 0), (np.append(np.arange(100.0), np.inf), 3)],
    ids=["too few", "none", "no horizon", "infinite"],
)
def test_what_cannot_be_foretold_is_said(y, horizon):
    with pytest.raises(TrimtabError, match="not possible"):
        forecast(y, HOUR, horizon)


def test_it_costs_next_to_nothing():
    y = load(np.random.default_rng(0))
    forecast(y, HOUR, DAY)
    costs = []
    for _ in range(20):
        began = time.thread_time()
        forecast(y, HOUR, DAY)
        costs.append(time.thread_time() - began)
    assert min(costs) < 0.01  # the bench holds it to 2 ms; a shared machine is not the place to


def test_the_moment_of_a_crossing_lies_within_its_interval():
    held = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        t = 60.0 * np.arange(200)
        slope = rng.uniform(8, 20) / t[-1]
        due = rng.uniform(0.2, 0.7) * t[-1]
        found = crossing(t, slope * t + ar1(rng, 200, 0.5), slope * (t[-1] + due))
        if found is not None:
            held.append(found.earliest <= due <= found.latest)
    assert len(held) > 45
    assert np.mean(held) > 0.8


def test_a_falling_series_crosses_downwards():
    t = 60.0 * np.arange(200)
    y = 100 - 0.2 * np.arange(200) + 0.3 * np.sin(np.arange(200.0) ** 2)
    found = crossing(t, y, 50.0, rising=False)
    assert found is not None
    assert found.after == pytest.approx(51 * 60, rel=0.05)


def test_noise_alone_foretells_nothing():
    said = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        said += crossing(60.0 * np.arange(120), ar1(rng, 120, rng.uniform(0, 0.9)), 2.0) is not None
    assert said <= 2


@pytest.mark.parametrize(
    "y",
    [np.full(100, 5.0), np.arange(20.0), np.append(np.arange(99.0), np.nan), np.minimum(np.arange(100.0), 60.0)],
    ids=["constant", "short", "missing", "a trend that ended"],
)
def test_nothing_to_say(y):
    assert crossing(60.0 * np.arange(y.size), y, 130.0) is None


def test_not_later_than_the_trend_has_lasted():
    t = 60.0 * np.arange(200)
    y = np.arange(200) + 0.3 * np.sin(np.arange(200.0) ** 2)
    assert crossing(t, y, 350.0) is not None
    assert crossing(t, y, 420.0) is None


def test_a_trend_that_began_lately_is_not_followed_for_long():
    """A rise in the newest quarter, fifty samples long, tells of the next fifty at most."""
    t = 60.0 * np.arange(200)
    y = np.maximum(0.0, np.arange(200.0) - 150.0) + 0.3 * np.sin(np.arange(200.0) ** 2)
    near, far = crossing(t, y, 70.0), crossing(t, y, 120.0)
    assert near is None or near.latest <= 50 * 60.0
    assert far is None


@pytest.mark.parametrize(("rise", "weeks"), [(0.3, 6.0), (-0.3, 2.6), (5.0, 6.0)], ids=["rising", "falling, cut short", "steep"])
def test_a_steady_trend_is_followed_and_no_season(rise, weeks):
    hours = np.arange(24 * 7 * weeks + 24)
    y = 1000 + rise * hours + 20 * np.sin(2 * np.pi * hours / 24) + np.random.default_rng(4).standard_normal(hours.size)
    found = forecast(y[:-24], HOUR, 24)
    assert np.abs(found.mean - y[-24:]).mean() < 4.0
    assert ((found.low <= y[-24:]) & (y[-24:] <= found.high)).mean() >= 0.8


def test_phases_that_were_never_seen_lie_between_their_neighbours():
    hours = np.arange(24 * 42)
    clean = 100 + 30 * np.sin(2 * np.pi * hours / 24)
    found = forecast(np.where(hours % 2, clean, np.nan), HOUR, 24)
    assert np.abs(found.mean - clean[:24]).max() < 2.0


@pytest.mark.parametrize("scale", [1e300, 1e-300, -1.0])
def test_nor_do_an_extreme_scale_and_the_sign(scale):
    y = 100 + 30 * np.sin(np.arange(600.0) / 4) + np.random.default_rng(8).standard_normal(600)
    plain, found = forecast(y, HOUR, 5), forecast(scale * y, HOUR, 5)
    np.testing.assert_allclose(found.mean, scale * plain.mean, rtol=1e-9)
    np.testing.assert_allclose(
        np.sort([found.low, found.high], axis=0), np.sort([scale * plain.low, scale * plain.high], axis=0), rtol=1e-6
    )


def test_what_was_never_negative_is_not_foretold_to_be():
    found = forecast((np.random.default_rng(1).random(800) < 0.02) * 1e6, HOUR, 24)
    assert found.low.min() == 0.0 and (found.mean >= 0.0).all()


def test_the_interval_holds_what_is_expected():
    y = np.concatenate((np.full(3000, np.nan), np.arange(16.0)))
    found = forecast(y, HOUR, 24)
    assert (found.low <= found.mean).all() and (found.mean <= found.high).all()


@pytest.mark.parametrize(("silent", "refused"), [(10, False), (16, False), (60, False), (61, True), (600, True)])
def test_a_series_that_has_stopped_is_refused(silent, refused):
    y = np.concatenate((np.sin(np.arange(600.0)), np.full(silent, np.nan)))
    if refused:
        with pytest.raises(TrimtabError, match=f"nothing is known of the last {silent} samples"):
            forecast(y, HOUR, 24)
    else:
        assert np.isfinite(forecast(y, HOUR, 24).mean).all()


@pytest.mark.parametrize(
    ("y", "step", "horizon"),
    [
        (np.ones(100), 0.0, 5),
        (np.ones(100), np.nan, 5),
        (np.ones(100), np.inf, 5),
        (np.ones((20, 20)), HOUR, 5),
        (np.ones(100), HOUR, 0),
    ],
    ids=["no step", "step NaN", "step infinite", "two rows", "no horizon"],
)
def test_nonsense_is_refused_in_words(y, step, horizon):
    with pytest.raises(TrimtabError, match="is not possible"):
        forecast(y, step, horizon)


def test_a_week_that_is_no_whole_number_of_samples_is_no_season():
    assert forecast(np.sin(np.arange(200.0)), 90_000.0, 5).period == 0.0


def staircase(n: int = 1000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A disk in whole per cent, an hour to the sample: 30 steps up, the last value 79; 82 is reached 84 hours later."""
    level = 50 + 0.03 * np.arange(n) + 0.05 * np.random.default_rng(seed).standard_normal(n)
    return HOUR * np.arange(n), np.floor(level)


def test_a_disk_in_whole_per_cent_crosses_too():
    t, y = staircase()
    found = crossing(t, y, 82.0)
    due = ((82.0 - 50.0) / 0.03 - 999) * HOUR
    assert found.earliest <= due <= found.latest
    assert found.latest - found.earliest < due


def test_the_moment_counts_from_the_last_sample():
    t = HOUR * np.arange(400.0)
    found = crossing(t, 10 + 0.1 * np.arange(400.0) + 1e-3 * np.sin(np.arange(400.0) ** 2), 59.9)
    assert found.after == pytest.approx(100 * HOUR, abs=0.2 * HOUR)


def test_a_daily_rhythm_too_coarse_to_be_told_from_a_trend_says_nothing():
    hours = np.arange(1008.0)
    y = 50 + 0.03 * hours + 8 * np.sin(2 * np.pi * hours / 24) + 0.3 * np.random.default_rng(2).standard_normal(1008)
    assert crossing(HOUR * hours, y, 92.0) is None


def test_huge_values_cross_as_small_ones_do():
    t, y = HOUR * np.arange(400.0), 50 + 0.1 * np.arange(400.0) + 0.2 * np.sin(np.arange(400.0) ** 2)
    assert crossing(t, 1e300 * y, 95e300).after == pytest.approx(crossing(t, y, 95.0).after)


def sawtooth(rises, per=40, by=0.7, seed=0):
    """Heaps: `rises` of so many samples each, from 40 on, a minute apart; t, y."""
    i = np.concatenate([np.arange(n) for n in rises])
    return 60.0 * np.arange(i.size), 40.0 + by * i + 0.3 * np.random.default_rng(seed).standard_normal(i.size)


@pytest.mark.parametrize("seed", range(5))
def test_what_fell_again_and_again_short_of_the_limit_is_no_trend(seed):
    assert crossing(*sawtooth([40, 40, 40], seed=seed), 80.0) is None


@pytest.mark.parametrize(
    ("rises", "limit"),
    [([40, 40, 52], 80.0), ([60, 50], 90.0), ([60, 60, 50], 80.0)],
    ids=["it has gone beyond", "it fell once", "it fell when it had crossed"],
)
def test_a_rise_that_may_well_go_on_is_told(rises, limit):
    assert crossing(*sawtooth(rises), limit) is not None
