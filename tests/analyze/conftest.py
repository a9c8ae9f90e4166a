"""A monitor's stand-in that holds what a test puts in, one sample every 10 s."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from trimtab.domain.metrics import Health, Series, Trust

STEP = 10.0


@dataclass(frozen=True)
class FakeWindow:
    t: np.ndarray
    v: np.ndarray
    trust: Trust = field(default_factory=lambda: Trust(Health.OK))
    series: tuple[Series, ...] = ()

    @property
    def n(self) -> int:
        return len(self.v)

    @property
    def latest(self) -> float | None:
        return float(self.v[-1]) if self.n else None

    @property
    def mean(self) -> float | None:
        return float(self.v.mean()) if self.n else None


@dataclass
class FakeView:
    values: dict[str, list[float]] = field(default_factory=dict)
    known: dict[str, Series] = field(default_factory=dict)
    bad: dict[str, Trust] = field(default_factory=dict)
    crowded: str | None = None

    @property
    def now(self) -> float:
        return STEP * max(len(v) for v in self.values.values())

    def add(self, name: str, *values: float, element: str = "shop", **about: str) -> FakeView:
        series = Series.named(name, element, **about)
        self.known[series.metric_id] = series
        self.values.setdefault(series.metric_id, []).extend(values)
        return self

    def distrust(self, metric_id: str, reason: str, health: Health = Health.MISSING) -> None:
        self.bad[metric_id] = Trust(health, reason)

    def series(self) -> Sequence[Series]:
        return list(self.known.values())

    def trust(self, metric_id: str, now: float) -> Trust:
        return self.bad.get(metric_id, Trust(Health.OK))

    def window(self, metric_id: str) -> FakeWindow:
        values = np.array(self.values[metric_id], dtype=float)
        return FakeWindow(STEP * np.arange(1, len(values) + 1), values)

    def distrusted(self, now: float) -> list[tuple[Series, Trust]]:
        return [(one, self.bad[i]) for i, one in self.known.items() if i in self.bad]

    def news(self, metric_id: str, after: float, at_most: int) -> tuple[list[float], list[float]]:
        window = self.window(metric_id)
        first = max(int((window.t <= after).sum()), len(window.t) - at_most)
        return window.t[first:].tolist(), window.v[first:].tolist()

    def crowding(self) -> str | None:
        return self.crowded

    def aggregate(self, name, element, where, how, now, seconds) -> FakeWindow:
        ids = [i for i, s in self.known.items() if s.name == name and element in (None, s.element)]
        if not ids:
            return FakeWindow(np.empty(0), np.empty(0), Trust(Health.MISSING, f"no sensor yields {name}"))
        keep = max(5, int(seconds / STEP))
        v = getattr(np, how)(np.array([self.values[i][-keep:] for i in ids], dtype=float), axis=0)
        t = STEP * np.arange(1, len(self.values[ids[0]]) + 1)[-keep:]
        bad = next((self.bad[i] for i in ids if i in self.bad), Trust(Health.OK))
        return FakeWindow(t, v, bad, tuple(self.known[i] for i in ids))


@pytest.fixture
def view() -> FakeView:
    return FakeView()
