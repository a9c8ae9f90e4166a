"""From what a broken target says to what is concluded: nothing rests on a bad sample, and the hold shows in the next analysis.

covers: F8, A15 (bad data leads to no action and a visible reason)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest

from trimtab.domain.direction import Direction
from trimtab.domain.errors import SensorError
from trimtab.domain.goals import Goal, Guard
from trimtab.domain.metrics import Reading, Series
from trimtab.monitor import Monitor

Analyzer = pytest.importorskip("trimtab.analyze").Analyzer

P95 = Series.named("checkout_p95_seconds", "shop")
ERRORS = Series.named("checkout_error_ratio", "shop")
GOAL = Goal(P95.name, 0.2, Direction.MINIMIZE, element="shop")
GUARD = Guard(ERRORS.name, max=0.01, element="shop")
STEP = 10.0
WAYS = ("null", "nan", "inf", "minus_inf", "stale", "clock_back", "future", "http_500", "time_out", "zero_on_error", "absent")


@dataclass(eq=False)
class Sensor:
    name: str = "prometheus http://127.0.0.1:9/metrics"
    element: str = "shop"
    interval: float | None = None
    metric_names: tuple[str, ...] = (P95.name, ERRORS.name)

    async def read(self, now: float):
        raise NotImplementedError

    async def close(self) -> None:
        pass


@dataclass
class Loop:
    """Monitor and analyzer over one sensor; `turn` posts one read and analyses it."""

    def __post_init__(self) -> None:
        self.sensor, self.now = Sensor(), 1_000_000.0
        self.monitor = Monitor([self.sensor], interval_seconds=STEP, window_seconds=3600.0)
        self.analyzer = Analyzer([GOAL], {"shop": [GUARD]})

    def turn(self, result):
        """Post what a read came to (None: it has not come back) and analyse."""
        if result is not None:
            self.monitor.post(self.sensor, result, self.now)
        return self.analyzer.analyze(self.monitor, self.now)

    def read(self, p95, errors, at=None):
        at = self.now if at is None else at
        return [Reading(P95, p95, at), Reading(ERRORS, errors, at)]


def broken(way, loop, rng):
    """What the sensor comes back with; every number in it would be a goal missed, or met."""
    wild = float(rng.choice([50.0, 1e9, 0.0001]))
    values = {"null": None, "nan": math.nan, "inf": math.inf, "minus_inf": -math.inf, "zero_on_error": 0.0}
    if way in values:
        return loop.read(values[way], math.nan if way == "zero_on_error" else values[way])
    if way in ("stale", "clock_back"):
        return loop.read(wild, wild, at=loop.now - STEP * (3.0 if way == "stale" else float(rng.integers(10, 100_000))))
    if way == "future":
        return loop.read(wild, wild, at=loop.now + STEP * float(rng.integers(2, 1_000)))
    return {"http_500": SensorError("HTTP 500"), "time_out": SensorError("no answer within 5 s"), "absent": []}[way]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("ill", [False, True], ids=["goal-met-before", "goal-missed-before"])
def test_nothing_rests_on_bad_data(way, ill):
    for case in range(50):  # 11 ways × 2 × 50 = 1,100 cases
        rng, loop = np.random.default_rng([WAYS.index(way), ill, case]), Loop()
        for _ in range(int(rng.integers(6, 15))):
            loop.now += STEP
            before = loop.turn(loop.read((0.5 if ill else 0.1) + 0.01 * rng.random(), 0.05 if ill else 0.001))
        assert bool(before.symptoms) is ill and not before.holds
        kept = {series.name: loop.monitor.window(series.metric_id).v.tolist() for series in (P95, ERRORS)}
        loop.now += STEP
        analysis = loop.turn(broken(way, loop, rng))
        for series in (P95, ERRORS):
            assert loop.monitor.window(series.metric_id).v.tolist() == kept[series.name]
            assert any(hold.startswith(f"HOLD: {series.name}: ") for hold in analysis.holds), (way, analysis.holds)
        assert analysis.symptoms == ()
        assert analysis.goals[0].achieved is None and analysis.guards[0].breached is None


@pytest.mark.parametrize("way", WAYS)
def test_it_ends_with_the_next_good_samples(way):
    rng, loop = np.random.default_rng(0), Loop()
    for _ in range(10):
        loop.now += STEP
        loop.turn(loop.read(0.5 + 0.01 * rng.random(), 0.05))
    loop.now += STEP
    loop.turn(broken(way, loop, rng))
    loop.now += STEP
    analysis = loop.turn(loop.read(0.5, 0.05))
    assert analysis.holds == ()
    assert {symptom.kind for symptom in analysis.symptoms} == {"goal_missed", "guard_breached"}


def test_a_sensor_that_fails_from_the_first_read_is_named():
    loop = Loop()
    assert "has not been read yet" in loop.turn(None).holds[0]
    holds = loop.turn(SensorError("HTTP 500 from http://127.0.0.1:9/metrics")).holds
    assert [hold.split(": ")[1] for hold in holds] == [P95.name, ERRORS.name]
    assert all("HTTP 500" in hold for hold in holds)


def test_a_sensor_that_never_comes_back_goes_stale():
    loop = Loop()
    for _ in range(10):
        loop.now += STEP
        loop.turn(loop.read(0.5, 0.05))
    loop.now += 2.5 * STEP + 1.1
    analysis = loop.turn(None)
    assert analysis.symptoms == () and all("26.1 s old" in hold for hold in analysis.holds) and len(analysis.holds) == 2
