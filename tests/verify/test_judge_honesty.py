"""Incident reports in short: an action that does nothing earns nothing, one that works is credited in time."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trimtab.domain.verdicts import VerdictStatus
from trimtab.verify import Judge, judge

HISTORY, TRIAL = 1440, 180
HISTORIES = pytest.mark.parametrize(
    ("healthy", "faulty"),
    [(12, 3), (30, 8), (60, 15), (0, 15)],
    ids=["fresh", "minutes", "older", "never healthy"],
)


def ar1(rng: np.random.Generator, n: int, rho: float, sd: float) -> np.ndarray:
    out, state = [], float(rng.standard_normal())
    for e in rng.standard_normal(n) * math.sqrt(1 - rho * rho):
        state = rho * state + float(e)
        out.append(sd * state)
    return np.asarray(out)


def acted_at_worst(rng: np.random.Generator, rho: float) -> np.ndarray:
    """(HISTORY + TRIAL,) values around 100; at HISTORY the 5-sample mean stands at its maximum over half a day."""
    y = 100.0 + ar1(rng, 2 * HISTORY + TRIAL, rho, 10.0)
    means = np.convolve(y, np.full(5, 0.2), mode="valid")[HISTORY - 5 : 2 * HISTORY - 5]
    at = HISTORY - 1 + int(means.argmax())
    return y[at - HISTORY + 1 : at + TRIAL + 1]


def before_after(y: np.ndarray) -> bool:
    """The comparison that everybody makes."""
    return bool(y[HISTORY : HISTORY + 10].mean() < y[HISTORY - 5 : HISTORY].mean())


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_nothing_done_at_an_extreme_earns_nothing(rho: float) -> None:
    series = [acted_at_worst(np.random.default_rng([7, rep]), rho) for rep in range(100)]
    t = 30.0 * np.arange(HISTORY + TRIAL)
    statuses = [judge((t, y), applied_at=t[HISTORY - 1] + 1, goal="minimize").status for y in series]
    assert statuses.count(VerdictStatus.IMPROVED) <= 6
    assert statuses.count(VerdictStatus.WORSE) <= 6
    assert sum(map(before_after, series)) >= 80  # so this test can fail


@pytest.mark.parametrize("rho", [0.0, 0.5])
def test_a_fifth_less_is_found_within_sixty_samples(rho: float) -> None:
    t = 30.0 * np.arange(HISTORY + 60)
    found = 0
    for rep in range(30):
        y = acted_at_worst(np.random.default_rng([8, rep]), rho)[: HISTORY + 60]
        y[HISTORY:] *= 0.8
        found += judge((t, y), applied_at=t[HISTORY - 1] + 1, goal="minimize").status is VerdictStatus.IMPROVED
    assert found >= 28


def incident(seed: int, after: float, *, healthy: int = 30, faulty: int = 8, sd: float = 0.15) -> Judge:
    """A latency of 0.1 s, a fault that takes it to 0.6, an action, then 12 samples at `after`."""
    rng = np.random.default_rng([9, seed])
    level = np.concatenate((np.full(healthy, 0.1), np.full(faulty, 0.6), np.full(12, after)))
    y = level * np.exp(ar1(rng, level.size, 0.3, sd))
    t = 2.0 * np.arange(y.size)
    before = healthy + faulty
    judge_ = Judge((t[:before], y[:before]), applied_at=t[before - 1] + 0.5, goal="minimize")
    for i in range(before, y.size):
        judge_.update(float(t[i]), float(y[i]))
    return judge_


def share(judges: list[Judge], status: VerdictStatus, within: int = 12) -> float:
    return sum(j.verdict.status is status and j.verdict.n_after <= within for j in judges) / len(judges)


@HISTORIES
def test_a_repair_is_credited_within_eight_samples(healthy: int, faulty: int) -> None:
    judges = [incident(seed, 0.11, healthy=healthy, faulty=faulty) for seed in range(25)]
    assert share(judges, VerdictStatus.IMPROVED, within=8) >= 0.9
    assert share(judges, VerdictStatus.WORSE) == 0.0


@HISTORIES
def test_a_useless_lever_earns_nothing(healthy: int, faulty: int) -> None:
    judges = [incident(seed, 0.6, healthy=healthy, faulty=faulty) for seed in range(25)]
    assert share(judges, VerdictStatus.INCONCLUSIVE) >= 0.95


def test_a_useless_lever_is_given_up_soon() -> None:
    judges = [incident(seed, 0.6, faulty=12, sd=0.1) for seed in range(25)]
    assert sum(j.verdict.futile for j in judges) >= 22


def test_with_hardly_any_time_before_a_moderate_gain_is_said_to_be_undecidable_and_with_more_it_is_proven() -> None:
    hasty = [incident(seed, 0.42, faulty=5, sd=0.2) for seed in range(25)]
    patient = [incident(seed, 0.42, faulty=40, sd=0.2) for seed in range(25)]
    given_up = [j for j in hasty if j.verdict.undecidable]
    assert len(given_up) >= 8
    assert all("time before" in j.verdict.reason for j in given_up)
    assert sum(j.verdict.undecidable for j in patient) <= 5
    assert share(patient, VerdictStatus.IMPROVED) > share(hasty, VerdictStatus.IMPROVED)


def test_a_repair_is_not_given_up() -> None:
    judges = [incident(seed, 0.3, faulty=12) for seed in range(25)]
    assert not any(j.verdict.futile for j in judges)


def test_harm_is_seen_as_quickly() -> None:
    judges = [incident(seed, 1.8, faulty=10) for seed in range(25)]
    assert share(judges, VerdictStatus.WORSE, within=8) >= 0.9


def test_a_fault_that_is_still_growing_is_not_our_harm() -> None:
    rng = np.random.default_rng(5)
    blamed = 0
    for _ in range(25):
        ramp = np.interp(np.arange(30), [0, 8], [math.log(0.1), math.log(0.6)])
        y = np.exp(np.concatenate((np.full(30, math.log(0.1)), ramp)) + 0.1 * rng.standard_normal(60))
        t = np.arange(60.0)
        blamed += judge((t, y), applied_at=34.5, goal="minimize").status is VerdictStatus.WORSE
    assert blamed <= 3


def second_fault(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Healthy 30, faulty 8, repaired by us at 38, healthy 15, faulty 8, then an action that repairs it."""
    levels = np.repeat([0.1, 0.6, 0.1, 0.6, 0.1], [30, 8, 15, 8, 10])
    return np.arange(71.0), levels * np.exp(0.1 * np.random.default_rng([11, seed]).standard_normal(71))


def test_a_fault_that_went_away_by_itself_before_is_not_ours_to_claim() -> None:
    claimed = [judge(second_fault(s), applied_at=60.5, goal="minimize").status for s in range(20)]
    ours = [judge(second_fault(s), applied_at=60.5, goal="minimize", changes=[37.5]).status for s in range(20)]
    assert claimed.count(VerdictStatus.IMPROVED) <= 2
    assert ours.count(VerdictStatus.IMPROVED) >= 18
