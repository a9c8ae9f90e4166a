"""What a series will be, and how sure that is: season and level, learned from how well each would have foretold the past. Pure.

    y_{t+h} = p(phase of t + h) + Σ_k β_k(h) · x_k(t, h) + error_h

p is the mean cycle (a week where two are known, else a day where two are). The x_k are what p leaves over: its last value,
its means over windows that grow eightfold, and what it was one day and one week before t + h; so that a level that wanders,
one that returns, and a season that changes are all in reach, and the seasonal naive forecast is a special case. β(h) is fitted
by ridge regression straight for some horizons h (direct forecasts: Marcellino, Stock & Watson, 2006) and interpolated between
them, the newer origins weighing more. In the fit each cycle is measured against the profile of the *other* cycles, so that the
errors of the past are those that a forecast makes; their quantiles are the interval (Lee & Scholtes, 2014).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.domain.errors import TrimtabError

Array = NDArray[np.float64]

DAY, WEEK = 86_400.0, 604_800.0
LEAST = 16  # samples to say anything at all
MOST = 8192  # samples looked at: the newest
ORIGINS = 200  # of the past, from which each fit foretells what is known
GROWTH = 8  # of the windows of the level
RIDGE = 0.02  # of the mean square of the features: pulls β towards no change from the profile
NODES = 6  # horizons fitted by themselves
UNEVEN = 0.02  # of a period that it may be off a whole number of samples
FADE = 0.6  # weight of a cycle against that of the next: the newest tells most of the season


@dataclass(frozen=True, slots=True)
class Forecast:
    """For each of the next samples (h,): what is expected, and between what it lies with the probability asked for."""

    mean: Array
    low: Array
    high: Array
    period: float  # seconds of the season it rests on, 0 where none


def forecast(y: Array, step: float, horizon: int, *, coverage: float = 0.9, periods: Sequence[float] = (DAY, WEEK)) -> Forecast:
    """The next `horizon` samples of `y` (n,), one each `step` seconds, NaN where one is missing.

    What was never negative is not foretold to be. Raises `TrimtabError` for fewer than 16 samples, an infinite one, a silence at
    the end longer than 16 samples and a tenth of what is known, a `step` of 0, or a `horizon` below 1.

    >>> hours = np.arange(24.0 * 14)
    >>> load = 100 + 30 * np.sin(2 * np.pi * hours / 24) + np.sin(hours**2)
    >>> ahead = forecast(load, 3600.0, 24)
    >>> bool(np.abs(ahead.mean - load[:24]).max() < 4), bool((ahead.low < ahead.high).all())
    (True, True)
    """
    y = _checked(y, step, horizon)
    scale = float(np.abs(y[np.isfinite(y)]).max()) or 1.0
    exact = [period / step for period in sorted(periods)]
    cycles = [round(cycle) for cycle in exact if abs(round(cycle) - cycle) <= UNEVEN * cycle]
    within = _foretold(y / scale, cycles, horizon, coverage)
    floor = 0.0 if np.nanmin(y) >= 0.0 else -np.inf  # what was never negative is a count, a time, a share
    mean, low, high = (np.maximum(scale * part, floor) for part in within[:3])
    return Forecast(mean, low, high, within[3] * step)


def _checked(y: Array, step: float, horizon: int) -> Array:
    """The newest samples. Raises `TrimtabError` where nothing can be said of what follows them."""
    y = np.asarray(y, dtype=np.float64)
    if y.ndim != 1 or not (np.isfinite(step) and step > 0.0) or horizon < 1:
        raise TrimtabError(
            f"a forecast of {horizon} samples, one each {step} s, from an array of shape {y.shape} is not possible",
            remedy="Give one row of samples, a step above 0 s and a horizon of 1 or more",
        )
    y = y[-MOST:]
    known = np.flatnonzero(np.isfinite(y))
    if known.size < LEAST or np.isinf(y).any():
        raise TrimtabError(
            f"a forecast from {known.size} known samples{' and infinite ones' if np.isinf(y).any() else ''} is not possible",
            remedy=f"Give at least {LEAST} finite samples, and NaN where one is missing",
        )
    silent = y.size - 1 - int(known[-1])
    if silent > max(LEAST, known.size // 10):
        raise TrimtabError(
            f"nothing is known of the last {silent} samples: what was before them foretells nothing",
            remedy="See why the series stopped, or end it where it does",
        )
    return y


def _foretold(y: Array, cycles: Sequence[int], horizon: int, coverage: float) -> tuple[Array, Array, Array, int]:
    """Mean, low and high (horizon,), and the samples of the season that they rest on."""
    cycles = [cycle for cycle in cycles if cycle >= 2 and 2 * cycle <= y.size]
    profile, rest = _season(y, cycles)
    past = _Past(rest, cycles)
    nodes = _nodes(horizon, y.size)
    fits = [_fit(past, node, coverage) for node in nodes]
    ahead = np.arange(1, horizon + 1)
    weights = np.stack([np.interp(ahead, nodes, column) for column in np.array([fit.weights for fit in fits]).T], axis=1)
    anchor, features = past.seen_from(np.full(horizon, y.size - 1), ahead)
    mean = profile[(ahead - 1) % profile.size] + anchor + (features * weights).sum(axis=1)
    low, high = np.interp(ahead, nodes, [fit.low for fit in fits]), np.interp(ahead, nodes, [fit.high for fit in fits])
    return mean, mean + low, mean + high, cycles[-1] if cycles else 0


def _season(y: Array, cycles: Sequence[int]) -> tuple[Array, Array]:
    """The profile from the sample after the last one on, and what is left of `y` (n,) by the profiles of the other cycles."""
    if not cycles:
        return np.zeros(1), y
    profile, rest, noise = _profile(y, cycles[-1])
    if len(cycles) > 1 and cycles[-1] % cycles[0] == 0:
        daily, daily_rest, _ = _profile(y, cycles[0])
        tiled = np.tile(daily, cycles[-1] // cycles[0])
        apart = float(np.square(profile - tiled).mean())
        share = max(0.0, 1.0 - noise / apart) if apart > 0.0 else 0.0  # of what tells one day from another: James & Stein (1961)
        return tiled + share * (profile - tiled), daily_rest + share * (rest - daily_rest)
    return profile, rest


def _profile(y: Array, cycle: int) -> tuple[Array, Array, float]:
    """Mean cycle (cycle,) without its level, what is left (n,), and the variance of the mean cycle's error."""
    count = -(-y.size // cycle)
    table = np.concatenate((np.full(count * cycle - y.size, np.nan), y)).reshape(count, cycle)
    known = np.isfinite(table)
    whole = known.sum(axis=1) >= 0.5 * cycle  # a stump's own level says nothing of the cycle's
    weight = (FADE ** np.arange(count - 1, -1, -1.0))[:, None] * known * whole[:, None]
    flat = np.where(known, table - _course(table, known, whole), 0.0)
    total, sums = weight.sum(axis=0), (weight * flat).sum(axis=0)
    profile = _bridged(sums, total)
    others = np.where(total - weight > 1e-12, (sums - weight * flat) / np.maximum(total - weight, 1e-12), profile)
    spread = (weight * np.square(flat - profile)).sum(axis=0) / np.maximum(total, 1e-12)
    share = np.square(weight).sum(axis=0) / np.maximum(np.square(total), 1e-12)  # 1 / effective number of cycles
    noise = float(np.mean(spread * share / np.maximum(1.0 - share, 0.1)))
    return profile, (table - others).reshape(-1)[-y.size :], noise


def _course(table: Array, known: NDArray[np.bool_], whole: NDArray[np.bool_]) -> Array:
    """The level along `table` (cycles, cycle): straight between the means of whole cycles: a trend is no season."""
    if not whole.any():
        return np.zeros(table.shape)
    cycle = table.shape[1]
    level = np.where(known, table, 0.0).sum(axis=1)[whole] / known.sum(axis=1)[whole]
    middle = cycle * (np.flatnonzero(whole) + 0.5)
    place = np.arange(table.size) + 0.5
    beyond = place - np.clip(place, middle[0], middle[-1])
    return np.asarray(np.interp(place, middle, level) + _drift(middle, level) * beyond).reshape(table.shape)


def _drift(middle: Array, level: Array) -> float:
    """What a sample adds to the level, shrunk by how far the cycles disagree about it (James & Stein, 1961)."""
    if level.size < 2:
        return 0.0
    steps = np.diff(level) / np.diff(middle)
    mean = float(steps.mean())
    error = float(np.square(steps - mean).sum()) / (steps.size * max(steps.size - 1, 1)) if steps.size > 1 else 0.5 * mean * mean
    return mean * max(0.0, 1.0 - error / (mean * mean)) if mean else 0.0


def _bridged(sums: Array, total: Array) -> Array:
    """Mean cycle (cycle,): a phase that was never seen lies between its neighbours."""
    seen = np.flatnonzero(total > 0.0)
    if not seen.size:
        return np.zeros(total.size)
    profile = np.asarray(np.interp(np.arange(total.size), seen, sums[seen] / total[seen], period=total.size))
    return np.asarray(profile - profile.mean())


class _Past:
    """What is known at any moment of what the season leaves over."""

    def __init__(self, rest: Array, cycles: Sequence[int]) -> None:
        self.rest = rest
        self.lags = [cycle for cycle in cycles if 3 * cycle <= rest.size]
        widest = max(rest.size // 4, 1)
        self.windows = [GROWTH**k for k in range(8) if GROWTH**k <= widest]
        known = np.isfinite(rest)
        self._sum = np.concatenate(([0.0], np.cumsum(np.where(known, rest, 0.0))))
        self._count = np.concatenate(([0.0], np.cumsum(known)))
        self._anchor = min(cycles[0] if cycles else widest, widest)

    def _mean(self, ends: NDArray[np.int64], window: int, default: Array | float) -> Array:
        """The mean of the `window` samples up to each of `ends` (k,), `default` where none is known."""
        starts = np.maximum(ends + 1 - window, 0)
        count = self._count[ends + 1] - self._count[starts]
        return np.where(count > 0, (self._sum[ends + 1] - self._sum[starts]) / np.maximum(count, 1.0), default)

    def seen_from(self, origins: NDArray[np.int64], ahead: NDArray[np.int64]) -> tuple[Array, Array]:
        """The level (k,) and the features (k, f), as differences from it, for what comes `ahead` (k,) after `origins` (k,)."""
        anchor = self._mean(origins, self._anchor, 0.0)
        columns = [self._mean(origins, window, anchor) - anchor for window in self.windows if window != self._anchor]
        for lag in self.lags:
            then = origins + ahead - lag * (-(-ahead // lag))
            value = np.where(then >= 0, self.rest[np.maximum(then, 0)], np.nan)
            columns.append(np.where(np.isfinite(value), value - anchor, 0.0))
        return anchor, np.stack(columns, axis=1)


@dataclass(frozen=True, slots=True)
class _Fit:
    weights: Array  # (f,)
    low: float
    high: float


def _nodes(horizon: int, n: int) -> list[int]:
    """Horizons from 1 on, spread evenly by their logarithm, as far as the past can tell of them."""
    farthest = max(1, min(horizon, n // 3))
    return sorted({round(farthest ** (k / (NODES - 1))) for k in range(NODES)})


def _fit(past: _Past, ahead: int, coverage: float) -> _Fit:
    """How well what was known foretold what came `ahead` samples later."""
    n = past.rest.size
    first = min(max(past.lags[-1] if past.lags else 0, past.windows[-1], n // 8), n // 2)
    last = n - 1 - ahead
    origins = np.arange(last, first - 1, -max(1, -(-(last - first) // ORIGINS)))[::-1]
    truth = past.rest[origins + ahead]
    origins, truth = origins[np.isfinite(truth)], truth[np.isfinite(truth)]
    anchor, x = past.seen_from(origins, np.full(origins.size, ahead))
    z = truth - anchor
    newer = np.linspace(0.5, 1.0, z.size)
    gram = (x * newer[:, None]).T @ x
    apart = max(1.0, float(origins[-1] - origins[0]) / ahead) if origins.size else 1.0  # origins that share none of their future
    strength = RIDGE + x.shape[1] / (apart + x.shape[1])
    gram[np.diag_indices_from(gram)] += strength * float(np.trace(gram)) / gram.shape[0] + 1e-12
    weights = np.linalg.solve(gram, (x * newer[:, None]).T @ z)
    errors = z - x @ weights
    errors.sort()
    ranks = np.linspace(0.0, 1.0, errors.size)
    low, high = np.interp((0.5 - 0.5 * coverage, 0.5 + 0.5 * coverage), ranks, errors) if errors.size else (0.0, 0.0)
    widened = np.sqrt(1.0 + (x.shape[1] + 2.0) / apart)  # weights fitted to few look better than they are
    return _Fit(weights, min(0.0, widened * float(low)), max(0.0, widened * float(high)))
