"""The series on which verdicts are measured, and the moments at which one would act on them. Read by `verdicts.py`."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Series = Callable[[np.random.Generator, int], Array]

DAY = 2880  # samples at 30 s
HISTORY, TRIAL, STEP = 2 * DAY, 180, 10


def ar1(rng: np.random.Generator, n: int, rho: float, sd: float = 1.0) -> Array:
    """Stationary AR(1) noise (n,) of standard deviation `sd`."""
    shock = rng.standard_normal(n) * math.sqrt(1.0 - rho * rho)
    shock[0] = rng.standard_normal()
    out = np.empty(n)
    state = 0.0
    for i, e in enumerate(shock.tolist()):
        state = rho * state + e
        out[i] = state
    return np.asarray(sd * out)


def noise(rho: float, sd: float = 10.0) -> Series:
    return lambda rng, n: np.asarray(100.0 + ar1(rng, n, rho, sd))


def season(rng: np.random.Generator, n: int) -> Array:
    phase = rng.uniform(0, 2 * math.pi)
    return np.asarray(100.0 + 20.0 * np.sin(2 * math.pi * np.arange(n) / DAY + phase) + ar1(rng, n, 0.5, 6.0))


def trend(rng: np.random.Generator, n: int) -> Array:
    return np.asarray(100.0 + rng.choice([-1, 1]) * 12.0 * np.linspace(-1, 1, n) + ar1(rng, n, 0.5, 6.0))


def heavy(rng: np.random.Generator, n: int) -> Array:
    return 100.0 + np.clip(4.0 * rng.standard_t(3, n), -80, 200)


def shifts(rng: np.random.Generator, n: int) -> Array:
    levels = 100.0 + np.cumsum((rng.random(n) < 6 / DAY) * rng.normal(0, 8.0, n))
    return np.asarray(np.maximum(levels, 30.0) + ar1(rng, n, 0.3, 5.0))


def bursts(rng: np.random.Generator, n: int) -> Array:
    y = 100.0 + ar1(rng, n, 0.3, 5.0)
    for start in np.flatnonzero(rng.random(n) < 12 / DAY):
        y[start : start + int(rng.integers(10, 60))] += rng.uniform(20, 60)
    return y


def lognormal(rng: np.random.Generator, n: int) -> Array:
    return np.asarray(0.1 * np.exp(ar1(rng, n, 0.7, 0.4)))


FAMILIES: dict[str, Series] = {
    "ar1 0": noise(0.0), "ar1 .5": noise(0.5), "ar1 .9": noise(0.9), "ar1 .98": noise(0.98), "ar1 .9, sd 5 %": noise(0.9, 5.0),
    "season": season, "trend": trend, "heavy tails": heavy, "level shifts": shifts, "bursts": bursts, "lognormal": lognormal,
}  # fmt: skip


def trigger(rng: np.random.Generator, y: Array, rep: int, rises: bool) -> int:
    """Index of the sample at which one acts: an extreme of the 5-sample mean in the third day, by one of three habits."""
    means = np.convolve(y, np.full(5, 0.2), mode="valid") * (1 if rises else -1)
    means = np.concatenate((np.full(4, -np.inf), means))
    day = means[HISTORY : HISTORY + DAY]
    if rep % 3 == 0:
        return HISTORY + int(day.argmax())
    bar = np.quantile(means[4:HISTORY], 0.999 if rep % 3 == 1 else 0.98)
    crossed = np.flatnonzero(day >= bar)
    return HISTORY + int(crossed[0] if crossed.size else day.argmax())


def sister(rng: np.random.Generator, y: Array, correlation: float = 0.8) -> Array:
    """A control (n,) that shares what happens to `y` and has noise of its own, so that it correlates with it as asked."""
    return np.asarray(50.0 + 0.5 * y + 0.5 * y.std() * math.sqrt(correlation**-2 - 1.0) * rng.standard_normal(y.size))
