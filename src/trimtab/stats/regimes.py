"""Where the level of a series has shifted: looked for backwards from the newest sample, with honest autocorrelation.

In windows of 6, 8, 12, 16, … samples that end at the present, the best split maximises the distance of the two means. It is
believed when

    z² = (m̄_right − m̄_left)² / (σ² (1/P_left + 1/P_right)),    (ν + 1) log(1 + z²/ν)  ≥  2 log(n / chance)

with σ, ρ from what is left within its two sides (ν = window − 3), P the precision of a mean of AR(1) noise, and the union bound
over all split points on the right. σ and ρ are at least what first differences, which level shifts hardly touch, say of the
whole. The first window that shows a shift ends the search, which goes on from there. Growing windows keep an earlier rise
from hiding a later fall (Fryzlewicz 2014; Kovács et al. 2023, "Seeded binary segmentation"); Page (1954) for the statistic.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trimtab.stats.ar1 import MAX_RHO, fit_ar1, level_precision
from trimtab.stats.scale import mad_sd, median

Array = NDArray[np.float64]

MIN_REGIME = 3  # samples; below that a level is an outlier
FALSE_SPLITS = 0.005  # chance of one false split in a stationary series
MAX_REGIMES = 24  # older ones are merged; bounds the cost


@dataclass(frozen=True, slots=True)
class DifferenceNoise:
    """The noise that differences firmly show: `rho`, `step` = standard deviation of a difference (units of y)."""

    rho: float
    step: float


def change_points(y: Array, floor: float, chance: float = FALSE_SPLITS) -> tuple[int, ...]:
    """Indices at which regimes begin, ascending, the first always 0. `y` (n,) finite and tamed; `floor`: least noise, units of y;
    `chance`: of one false split in a stationary series.

    >>> change_points(np.array([1.0, 1.1, 0.9, 1.0, 1.1, 0.9, 6.0, 6.1, 5.9, 6.0]), floor=0.01)
    (0, 6)
    """
    return Shifts(y, floor).starts(chance)


class Shifts:
    """The search for shifts in one series, for one chance of a false one after another: nothing is looked at twice."""

    def __init__(self, y: Array, floor: float) -> None:
        self._y, self._floor = y, floor
        self._windows: dict[int, _Windows] = {}  # by where they end

    def starts(self, chance: float) -> tuple[int, ...]:
        """As `change_points`."""
        if self._y.size < 2 * MIN_REGIME:
            return (0,)
        bar = 2.0 * math.log(self._y.size / chance)
        starts, end = [0], self._y.size
        while len(starts) < MAX_REGIMES:
            split = self._ending_at(end).newest_split(bar)
            if split is None:
                break
            starts.append(split)
            end = split
        return tuple(sorted(starts))

    def _ending_at(self, end: int) -> _Windows:
        if end not in self._windows:
            self._windows[end] = _Windows(self._y[:end], self._noise, self._floor)
        return self._windows[end]

    @cached_property
    def _noise(self) -> DifferenceNoise:
        return difference_noise(self._y, self._floor)


@dataclass(slots=True)
class _Split:
    """The best split of the newest `size` samples: before the newest `right`."""

    size: int
    right: int
    square: float  # of the distance of the two means
    at_most: float = math.inf  # how surprising it is, under the least noise
    surprise: float | None = None  # the same under the window's own noise, once that was asked for


class _Windows:
    """The windows that end where a series `y` (n,) does, the smallest first."""

    def __init__(self, y: Array, least: DifferenceNoise, floor: float) -> None:
        self._y, self._least, self._floor = y, least, floor
        self._sd = least.step / math.sqrt(2.0 * (1.0 - least.rho))
        self._seen: list[_Split] = []
        self._unseen = _best_splits(y)

    def newest_split(self, bar: float) -> int | None:
        """Index of the shift that the smallest window shows, or None. Its own noise is asked for where the least leaves one."""
        for split in self._splits():
            if split.at_most >= bar and self._under_its_own_noise(split) >= bar:
                return self._y.size - split.right
        return None

    def _splits(self) -> Iterator[_Split]:
        yield from self._seen
        for split in self._unseen:
            split.at_most = _surprise(split, self._sd, self._least.rho)
            self._seen.append(split)
            yield split

    def _under_its_own_noise(self, split: _Split) -> float:
        if split.surprise is None:
            fit = fit_ar1(self._y[-split.size :], (0, split.size - split.right), self._floor)
            split.surprise = _surprise(split, max(fit.sd, self._sd), max(fit.rho, self._least.rho))
        return split.surprise


def _best_splits(y: Array) -> Iterator[_Split]:
    """Of the newest 6, 8, 12, 16, 24, … and of all samples of `y` (n,), the split with the greatest distance of the two means.

    With S_j the sum of the newest j of w: (S_j − j S_w / w) w / (j (w − j)). Small windows are worked out all at once.
    """
    n = y.size
    if n < 2 * MIN_REGIME:
        return
    sizes = _SMALL[: int(np.searchsorted(_SMALL, n, side="right"))]
    total = _sums(y[-_SMALL[-1] :])
    off = total[np.minimum(_RIGHT, n)] - _RIGHT * (total[sizes] / sizes)[:, np.newaxis]
    best = np.argmax(np.where(_INSIDE[: sizes.size], off * off / _WEIGHTS[: sizes.size], -1.0), axis=1)
    chosen = off[np.arange(sizes.size), best]
    for size, right, apart in zip(sizes.tolist(), _RIGHT[best].tolist(), chosen.tolist(), strict=True):
        yield _Split(size, right, _square(apart, size, right))
    size, total = int(sizes[-1]), total if n <= _SMALL[-1] else _sums(y)
    while size < n:
        size = min(n, _larger(size))
        sides = np.arange(size - MIN_REGIME, MIN_REGIME - 1, -1.0)
        off = total[size - MIN_REGIME : MIN_REGIME - 1 : -1] - sides * (total[size] / size)
        place = int(np.argmax(off * off / (sides * (size - sides))))
        right = size - MIN_REGIME - place
        yield _Split(size, right, _square(float(off[place]), size, right))


def _sums(y: Array) -> Array:
    """Sums of the newest 0, 1, 2, … n samples of `y`, relative to the newest, (n + 1,)."""
    return np.concatenate(([0.0], np.cumsum(y[::-1] - y[-1])))


def _square(apart: float, size: int, right: int) -> float:
    return (apart * size / (right * (size - right))) ** 2


def _larger(size: int) -> int:
    """What comes next of 6, 8, 12, 16, 24, 32, …"""
    return size + (size // 3 if size & (size - 1) else size // 2)


_SMALL = np.asarray([6, 8, 12, 16, 24, 32, 48, 64, 96, 128])  # samples in a window
_RIGHT = np.arange(_SMALL[-1] - MIN_REGIME, MIN_REGIME - 1, -1)  # samples on the right of a split, the oldest first
_INSIDE = _SMALL[:, np.newaxis] - _RIGHT >= MIN_REGIME
_WEIGHTS = np.where(_INSIDE, _RIGHT * (_SMALL[:, np.newaxis] - _RIGHT), 1.0)


def _surprise(split: _Split, sd: float, rho: float) -> float:
    """How surprising the squared distance of the means is under AR(1) noise."""
    n = split.size
    variance = sd * sd * (1.0 / level_precision(split.right, rho) + 1.0 / level_precision(n - split.right, rho))
    return (n - 2.0) * math.log1p(split.square / variance / (n - 3.0))


def difference_noise(y: Array, floor: float) -> DifferenceNoise:
    """From clipped differences of `y` (n ≥ 3,): ρ = 1 + 2 corr(Δ_t, Δ_{t−1}) less two standard errors (4/√n), at least 0."""
    step = np.diff(y)
    middle = median(step)
    spread = mad_sd(step, middle)
    limit = 3.0 * max(spread, floor)
    step = np.clip(step - middle, -limit, limit)
    square = float(step @ step)
    turn = float(step[1:] @ step[:-1]) / square if square > 0.0 else -0.5
    rho = min(MAX_RHO, max(0.0, 1.0 + 2.0 * turn - 4.0 / math.sqrt(step.size)))
    return DifferenceNoise(rho, max(spread, floor))
