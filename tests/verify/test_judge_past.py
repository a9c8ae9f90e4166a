"""Incident reports of services with two days behind them: what their own past, a sister service or a coin has to say."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from trimtab.domain.verdicts import VerdictStatus
from trimtab.verify import Judge, judge, judge_switchback, plan_switchback

DAY = 2880
HISTORY, TRIAL = 2 * DAY, 180
Series = Callable[[np.random.Generator, int], np.ndarray]


def ar1(rng: np.random.Generator, n: int, rho: float, sd: float) -> np.ndarray:
    out, state = [], float(rng.standard_normal())
    for e in rng.standard_normal(n) * math.sqrt(1 - rho * rho):
        state = rho * state + float(e)
        out.append(sd * state)
    return np.asarray(out)


def daily(rng: np.random.Generator, n: int) -> np.ndarray:
    phase = 2 * math.pi * (np.arange(n) / DAY + rng.random())
    return 100 + 20 * np.sin(phase) + 6 * np.sin(2 * phase) + ar1(rng, n, 0.5, 6)


def growing(rng: np.random.Generator, n: int) -> np.ndarray:
    return 100 + rng.choice([-15, 15]) * np.linspace(-1, 1, n) + ar1(rng, n, 0.4, 5)


def bursting(rng: np.random.Generator, n: int) -> np.ndarray:
    y = 100 + ar1(rng, n, 0.3, 5)
    for start in np.flatnonzero(rng.random(n) < 14 / DAY):
        y[start : start + int(rng.integers(10, 50))] += rng.uniform(20, 50)
    return y


def shifting(rng: np.random.Generator, n: int) -> np.ndarray:
    return 100 + np.cumsum((rng.random(n) < 6 / DAY) * rng.normal(0, 6, n)) + ar1(rng, n, 0.3, 4)


def acted_at_worst(series: Series, seed: int, gain: float) -> tuple[np.ndarray, np.ndarray]:
    """(t, y): two days, then a trial; the action comes where the 5-sample mean stood highest in six hours."""
    rng = np.random.default_rng([21, seed])
    y = series(rng, HISTORY + DAY // 4 + TRIAL)
    means = np.convolve(y, np.full(5, 0.2), mode="valid")[HISTORY - 5 : HISTORY + DAY // 4 - 5]
    at = HISTORY - 1 + int(means.argmax())
    y = y[at - HISTORY + 1 : at + TRIAL + 1].copy()
    y[HISTORY:] *= 1 - gain
    return 30.0 * np.arange(y.size), y


def share(series: Series, gain: float, status: VerdictStatus, reps: int = 40) -> float:
    trials = [acted_at_worst(series, seed, gain) for seed in range(reps)]
    return sum(judge((t, y), applied_at=t[HISTORY - 1] + 1, goal="minimize").status is status for t, y in trials) / reps


PASTS = pytest.mark.parametrize(
    ("series", "gain"),
    [(daily, 0.08), (growing, 0.10), (bursting, 0.20), (shifting, 0.35)],
    ids=["a day and a night", "growing", "bursts that end by themselves", "levels that shift"],
)


@PASTS
def test_what_the_past_explains_is_not_ours(series: Series, gain: float) -> None:
    assert share(series, 0.0, VerdictStatus.IMPROVED) <= 0.1
    assert share(series, 0.0, VerdictStatus.WORSE) <= 0.1


@PASTS
def test_a_gain_is_found_all_the_same(series: Series, gain: float) -> None:
    assert share(series, gain, VerdictStatus.IMPROVED, reps=20) >= 0.8


def test_a_sister_service_explains_what_no_history_can() -> None:
    alone = aided = blamed = 0
    for seed in range(20):
        rng = np.random.default_rng([22, seed])
        load = np.cumsum(rng.standard_normal(1600)) * 0.01
        y = 100 * np.exp(load + 0.03 * rng.standard_normal(1600))
        control = {"sister": 7 * np.exp(load + 0.02 * rng.standard_normal(1600))}
        t, better = 30.0 * np.arange(1600), np.where(np.arange(1600) < 1500, 1.0, 0.95)
        alone += judge((t, better * y), applied_at=t[1499] + 1, goal="minimize").status is VerdictStatus.IMPROVED
        aided += (
            judge((t, better * y), applied_at=t[1499] + 1, goal="minimize", controls=control).status is VerdictStatus.IMPROVED
        )
        blamed += judge((t, y), applied_at=t[1499] + 1, goal="minimize", controls=control).conclusive
    assert aided >= 18
    assert alone <= 10
    assert blamed <= 3


def test_a_control_that_falls_silent_leaves_no_verdict() -> None:
    rng = np.random.default_rng(5)
    load = ar1(rng, 700, 0.9, 0.2)
    t, y = 30.0 * np.arange(700), 100 * np.exp(load + 0.02 * rng.standard_normal(700))
    sister = np.exp(load)
    stream = Judge((t[:600], y[:600]), applied_at=t[599] + 1, goal="minimize", controls={"sister": sister[:600]})
    for i in range(600, 700):
        verdict = stream.update(t[i], 0.5 * y[i], {"sister": math.nan})
    assert verdict.status is VerdictStatus.INCONCLUSIVE
    assert "missing" in verdict.reason


def test_a_stream_with_controls_agrees_with_the_batch() -> None:
    rng = np.random.default_rng(6)
    load = ar1(rng, 640, 0.9, 0.2)
    t, sister = 30.0 * np.arange(640), np.exp(load)
    y = 100 * np.exp(load + 0.05 * rng.standard_normal(640)) * np.where(np.arange(640) < 600, 1.0, 0.97)
    stream = Judge((t[:600], y[:600]), applied_at=t[599] + 1, goal="minimize", controls={"sister": sister[:600]})
    for i in range(600, 640):
        streamed = stream.update(t[i], y[i], {"sister": float(sister[i])})
        batch = judge((t[: i + 1], y[: i + 1]), applied_at=t[599] + 1, goal="minimize", controls={"sister": sister[: i + 1]})
        assert streamed == batch


def switched(seed: int, gain: float, series: Series = daily) -> VerdictStatus:
    rng = np.random.default_rng([23, seed])
    t, y = 30.0 * np.arange(160), series(rng, 160)
    blocks = plan_switchback(0.0, 60.0, (rng.random(40) < 0.5).tolist())
    for block in blocks:
        y[(t >= block.begin) & (t < block.end)] *= 1 - gain if block.on else 1.0
    return judge_switchback((t, y), blocks, goal="minimize").status


@pytest.mark.parametrize("series", [daily, bursting, shifting], ids=["daily", "bursts", "shifts"])
def test_switching_back_and_forth_needs_no_past(series: Series) -> None:
    nothing = [switched(seed, 0.0, series) for seed in range(40)]
    assert nothing.count(VerdictStatus.IMPROVED) <= 4
    assert nothing.count(VerdictStatus.WORSE) <= 4
    assert [switched(seed, 0.08, series) for seed in range(10)].count(VerdictStatus.IMPROVED) >= 9
    assert [switched(seed, -0.08, series) for seed in range(10)].count(VerdictStatus.WORSE) >= 9


def test_a_switchback_of_few_pairs_or_of_one_kind_is_refused() -> None:
    t, y = np.arange(40.0), np.ones(40)
    few = judge_switchback((t, y), plan_switchback(0.0, 5.0, [True, False]), goal="minimize")
    assert few.status is VerdictStatus.INCONCLUSIVE
    assert "5 are needed" in few.reason
    blocks = plan_switchback(0.0, 2.0, [True] * 8)
    with pytest.raises(ValueError, match="blocks 0 and 1 are a pair"):
        judge_switchback((t, y), [blocks[0], blocks[2], *blocks[2:]], goal="minimize")


@pytest.mark.parametrize("series", [daily, bursting, shifting])
def test_a_long_stream_comes_to_what_all_of_it_at_once_does(series: Series) -> None:
    t, y = acted_at_worst(series, 3, 0.1)
    stream = Judge((t[:HISTORY], y[:HISTORY]), applied_at=t[HISTORY - 1] + 1, goal="minimize")
    for when, value in zip(t[HISTORY:], y[HISTORY:], strict=True):
        stream.update(when, value)
    assert stream.verdict == judge((t, y), applied_at=t[HISTORY - 1] + 1, goal="minimize")


def test_a_large_gain_among_bursts_lies_within_its_interval() -> None:
    """Bounded values, which are weighed beside the values themselves, cannot show how large it is."""
    t, y = acted_at_worst(bursting, 19, 0.8)
    verdict = judge((t[: HISTORY + 6], y[: HISTORY + 6]), applied_at=t[HISTORY - 1] + 1, goal="minimize")
    assert verdict.status is VerdictStatus.IMPROVED
    assert verdict.low is not None and verdict.effect is not None and verdict.high is not None
    assert 0.0 < verdict.low <= verdict.effect <= verdict.high
    assert verdict.low < 0.8 < verdict.high
