"""When a steady trend takes a series across a limit, and between when and when: "disk full in 3.2 days, 90 %: 2.9 to 3.6". Pure.

The trend is that of `rhythm`: all quarters of the history go its way, further than AR(1) noise could, and only noise is left.
What went that way before and fell again by itself, more than once and short of the limit, is no trend until it goes beyond that.
The level and slope are uncertain as AR(1) noise makes them; the two outer paths, each moved by z standard errors of both, give
the ends of the interval. Nothing is said beyond a time as long as the trend has lasted: what will change it by then is not in
the data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.stats.ar1 import fit_ar1, level_precision
from trimtab.stats.rhythm import BINS, PER_BIN, PERIODS, find_rhythm
from trimtab.stats.scale import median

Array = NDArray[np.float64]

LEAST = 40  # samples: ten a quarter
Z90 = 1.645  # of a normal: 90 % two-sided
POINTS = 400  # of the path ahead that is looked at
STEPS = 2  # moves that a mean of a series in steps should see
MOVING = 4  # samples for each move, up to which it counts as moving all the time
DAILY = 0.3  # autocorrelation a day apart
FALLS = 2  # after so many, what rises is expected to fall once more
STALE_LEVEL = 3.0  # standard errors of the newest level off its own trend: the trend has ended


@dataclass(frozen=True, slots=True)
class Crossing:
    """Seconds from the last sample until the limit is crossed: expected, and the ends of the 90 % interval."""

    after: float
    earliest: float
    latest: float


def crossing(t: Array, y: Array, limit: float, *, rising: bool = True) -> Crossing | None:
    """When `y` (n,) at times `t` (n,) s, ascending and finite, crosses `limit` upwards (or downwards where not `rising`).

    None where it shows no steady trend that way, is across already, or would be later than the trend has lasted (the end of the
    interval, too): then there is nothing to say.

    >>> t = 60.0 * np.arange(200)
    >>> filling = 50 + 0.1 * np.arange(200) + 0.2 * np.sin(np.arange(200.0) ** 2)
    >>> found = crossing(t, filling, 80.0)
    >>> found is not None and found.earliest < found.after < found.latest, round(found.after / 60) in range(98, 105)
    (True, True)
    >>> crossing(t, filling, 200.0) is None, crossing(t, filling[::-1].copy(), 80.0) is None
    (True, True)
    """
    if y.size < LEAST or not np.isfinite(y).all():
        return None
    y = np.asarray(y, dtype=np.float64)
    scale = (1.0 if rising else -1.0) * max(float(np.abs(y).max()), 1e-300)
    last = float(t[-1])
    t, y, quantum = _evened(t, y / scale)
    limit = limit / scale
    spread = float(np.ptp(y))
    if spread <= 0.0 or _hidden_day(t, y):
        return None
    rhythm = find_rhythm(t, y, 1e-9 * spread)
    if rhythm is None or rhythm.slope <= 0.0:
        return None
    since = t >= rhythm.begun
    if _comes_and_goes(y, since, limit):
        return None
    t, rest = t[since], rhythm.rest[since]
    fit = fit_ar1(rest, floor=1e-9 * spread)
    precision = level_precision(t.size, fit.rho)
    error = fit.sd / np.sqrt(precision * float(np.var(t)))
    tail = rest[-LEAST // 4 :]
    level, level_error = median(rest), fit.sd / np.sqrt(max(precision, 1.0))
    if tail.mean() < level - STALE_LEVEL * fit.sd / np.sqrt(level_precision(tail.size, fit.rho)):
        return None
    lasted = float(t[-1] - t[0])
    ahead = np.linspace(0.0, lasted, POINTS)
    path = level + 0.5 * quantum + rhythm.at(last + ahead)
    # rest is centred on the middle of the history, so half of it lies between there and now
    widths = 0.5 * quantum + Z90 * np.hypot(level_error, error * (ahead + 0.5 * lasted))
    moments = [_first(ahead, line, limit) for line in (path, path + widths, path - widths)]
    if any(moment is None for moment in moments) or moments[0] == 0.0:
        return None
    after, earliest, latest = (float(moment) for moment in moments if moment is not None)
    return Crossing(after, earliest, latest)


def _evened(t: Array, y: Array) -> tuple[Array, Array, float]:
    """The series and 0; of one that moves in steps (a disk in whole per cent) means that each see several, and the step.

    Such a series shows a value first when the mean of what it stands for is half a step short of it.
    """
    moved = np.flatnonzero(np.diff(y))
    each = STEPS * y.size // max(moved.size, 1)
    if each <= STEPS * MOVING or y.size // each < LEAST // 2:
        return t, y, 0.0
    first, quantum = y.size % each, median(np.abs(np.diff(y)[moved]))
    return t[first:].reshape(-1, each).mean(axis=1), y[first:].reshape(-1, each).mean(axis=1), quantum


def _comes_and_goes(y: Array, since: NDArray[np.bool_], limit: float) -> bool:
    """Whether what rises now rose as high before, and fell again and again short of the limit: a heap, a log that is rotated."""
    before, now = y[~since], y[since]
    if before.size == 0 or before.max() >= limit or now[-LEAST // 4 :].mean() > before.max():
        return False
    low, high = float(now.min()), float(before.max())
    place = np.select([y >= high - 0.25 * (high - low), y <= low + 0.25 * (high - low)], [1, -1], 0)
    ends = place[place != 0]
    return int(np.count_nonzero(np.diff(ends) < 0)) >= FALLS


def _hidden_day(t: Array, y: Array) -> bool:
    """Whether there is a daily rhythm that `find_rhythm` would need denser samples to tell from the trend."""
    every = median(np.diff(t))
    day = round(PERIODS[0] / every) if every > 0.0 else 0
    if every * PER_BIN * BINS <= PERIODS[0] * 1.01 or day < 4 or y.size < 2 * day:
        return False
    x = t - t.mean()
    left = y - y.mean() - x * (x @ y) / (x @ x)
    return bool(left[day:] @ left[:-day] > DAILY * (left @ left))


def _first(ahead: Array, path: Array, limit: float) -> float | None:
    """When `path` first reaches `limit`, between its points."""
    over = path >= limit
    if not over.any():
        return None
    i = int(np.argmax(over))
    if i == 0:
        return 0.0
    share = (limit - path[i - 1]) / (path[i] - path[i - 1])
    return float(ahead[i - 1] + share * (ahead[i] - ahead[i - 1]))
