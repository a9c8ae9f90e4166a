"""Series to forecast: the seasonal ones of the data folder by a stated rule, and generated ones, an hour to the sample."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
HOUR, DAY, WEEK = 3600.0, 24, 168
SEASONAL = 0.3  # autocorrelation a day apart, from which on a series counts as seasonal
WEEKS = 10


def real(folder: Path) -> dict[str, Array]:
    """Hourly means of every series of NAB with four weeks or more that correlates with itself a day later."""
    found = {}
    for path in sorted(folder.glob("nab*/data/*/*.csv")):
        y = _hourly(path)
        if y.size >= 4 * WEEK and np.isnan(y).mean() < 0.3 and _autocorrelation(y, DAY) >= SEASONAL:
            found[path.stem] = y
    return found


def _hourly(path: Path) -> Array:
    with path.open() as file:
        rows = list(csv.reader(file))[1:]
    t = np.array([datetime.fromisoformat(row[0]).timestamp() for row in rows])
    slot = ((t - t[0]) // HOUR).astype(int)
    count = np.bincount(slot)
    return np.where(count > 0, np.bincount(slot, [float(row[1]) for row in rows]) / np.maximum(count, 1), np.nan)


def filled(y: Array) -> Array:
    """`y` with its gaps bridged by straight lines, for peers that know no missing samples."""
    place, known = np.arange(y.size), np.isfinite(y)
    return np.interp(place, place[known], y[known])


def _autocorrelation(y: Array, lag: int) -> float:
    z = filled(y) - np.nanmean(y)
    return float((z[lag:] * z[:-lag]).mean() / max(float(z.var()), 1e-12))


def _base(rng: np.random.Generator, hours: Array) -> Array:
    """Two daily waves, weaker at the week's end."""
    phase = 2 * np.pi * (hours / DAY - rng.uniform())
    day = np.sin(phase) + rng.uniform(0.1, 0.6) * np.sin(2 * phase + rng.uniform(0, 6))
    return np.asarray(day * np.where(hours // DAY % 7 >= 5, rng.uniform(0.3, 0.9), 1.0))


def ar1(rng: np.random.Generator, n: int) -> Array:
    """AR(1) noise of unit variance, of a persistence drawn anew."""
    rho, out = rng.uniform(0.2, 0.9), np.empty(n)
    out[0] = 0.0
    for i, shock in enumerate(rng.standard_normal(n - 1), 1):
        out[i] = rho * out[i - 1] + np.sqrt(1 - rho * rho) * shock
    return out


def generated(seed: int) -> Mapping[str, Array]:
    """One series of each kind."""
    kinds: dict[str, Callable[[np.random.Generator, Array, Array, Array], Array]] = {
        "plain": lambda rng, h, s, e: 100 + 30 * s + 6 * e,
        "multiplicative": lambda rng, h, s, e: 100 * np.exp(0.5 * s + 0.1 * e + 0.002 * h / DAY * rng.choice([-3, 3])),
        "trend changes": lambda rng, h, s, e: 100 + 25 * s + 6 * e + _bent(rng, h),
        "holidays": lambda rng, h, s, e: 100 + 30 * s * np.where(_some_days(rng, h), 0.3, 1.0) + 5 * e,
        "missing": lambda rng, h, s, e: _holes(rng, 100 + 30 * s + 6 * e),
        "clock change": lambda rng, h, s, e: 100 + 30 * np.roll(s, 1) * (h < h.size // 2) + 30 * s * (h >= h.size // 2) + 6 * e,
        "level shifts": lambda rng, h, s, e: (
            100 + 25 * s + 5 * e + np.cumsum((rng.random(h.size) < 1 / WEEK) * rng.normal(0, 15, h.size))
        ),
    }
    found = {}
    for place, (kind, build) in enumerate(kinds.items()):
        rng = np.random.default_rng((seed, place))
        hours = np.arange(WEEKS * WEEK, dtype=np.float64)
        found[kind] = np.asarray(build(rng, hours, _base(rng, hours), ar1(rng, hours.size)))
    return found


def _bent(rng: np.random.Generator, hours: Array) -> Array:
    slopes = np.repeat(rng.normal(0, 1.5, WEEKS // 2), 2 * WEEK)  # a day
    return np.cumsum(slopes) / DAY


def _some_days(rng: np.random.Generator, hours: Array) -> NDArray[np.bool_]:
    return np.asarray(rng.random(hours.size // DAY + 1)[(hours // DAY).astype(int)] < 0.04)


def _holes(rng: np.random.Generator, y: Array) -> Array:
    y = np.where(rng.random(y.size) < 0.05, np.nan, y)
    for start in rng.integers(0, y.size, 6):
        y[start : start + int(rng.integers(3, 40))] = np.nan
    return y
