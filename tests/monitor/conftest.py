"""A sensor that says what a test tells it to, and a monitor over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from trimtab.domain.metrics import Reading, Series
from trimtab.monitor import Monitor


@dataclass(eq=False)
class FakeSensor:
    name: str = "shop metrics"
    element: str = "shop"
    interval: float | None = None
    metric_names: Sequence[str] = ()

    async def read(self, now: float) -> Sequence[Reading]:
        raise NotImplementedError

    async def close(self) -> None:
        pass


@dataclass
class Bench:
    """One monitor with one sensor of 10 s; `say` posts a read of named values."""

    sensor: FakeSensor = field(default_factory=FakeSensor)
    others: tuple[FakeSensor, ...] = ()
    max_samples: int = 4096
    window_seconds: float = 3600.0
    monitor: Monitor = field(init=False)

    def __post_init__(self) -> None:
        self.monitor = Monitor(
            (self.sensor, *self.others), interval_seconds=10.0, window_seconds=self.window_seconds, max_samples=self.max_samples
        )

    def series(self, name: str, **about: str) -> Series:
        return Series.named(name, self.sensor.element, **about)

    def say(self, now: float, at: float | None = None, by: FakeSensor | None = None, **values: object) -> list[Reading]:
        readings = [Reading(self.series(name), value, now if at is None else at) for name, value in values.items()]
        return self.monitor.post(by or self.sensor, readings, now)

    def say_often(self, n: int, start: float = 0.0, **values: object) -> float:
        """`n` reads, 10 s apart; a callable is asked for each. Returns the time of the last."""
        for i in range(n):
            self.say(start + 10.0 * i, **{name: value(i) if callable(value) else value for name, value in values.items()})
        return start + 10.0 * (n - 1)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def make_bench() -> type[Bench]:
    return Bench


@pytest.fixture
def make_sensor() -> type[FakeSensor]:
    return FakeSensor
