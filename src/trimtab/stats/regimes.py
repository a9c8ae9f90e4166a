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
from dataclasses import dataclass

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
    if y.size < 2 * MIN_REGIME:
        return (0,)
    least = difference_noise(y, floor)
    bar = 2.0 * math.log(y.size / chance)
    starts, end = [0], y.size
    while len(starts) < MAX_REGIMES:
        split = _newest_split(y[:end], least, floor, bar)
        if split is None:
            break
        starts.append(split)
        end = split
    return tuple(sorted(starts))


def _newest_split(y: Array, least: DifferenceNoise, floor: float, bar: float) -> int | None:
    """Index of the newest shift in `y`, or None."""
    size = 2 * MIN_REGIME
    while y.size >= 2 * MIN_REGIME:
        window = y[-min(size, y.size) :]
        split, surprise = _best_split(window, least, floor, bar)
        if surprise >= bar:
            return y.size - window.size + split
        if window.size == y.size:
            break
        size += size // 3 if size & (size - 1) else size // 2  # 6, 8, 12, 16, 24, 32, …
    return None


def _best_split(y: Array, least: DifferenceNoise, floor: float, bar: float) -> tuple[int, float]:
    """(index, surprise) of the best split of a window (≥ 6,); where even the least noise leaves it below `bar`, that surprise."""
    split = np.arange(MIN_REGIME, y.size - MIN_REGIME + 1)
    total = np.cumsum(y - y[0])
    left, right = split.astype(float), (y.size - split).astype(float)
    gap = (total[-1] - total[split - 1]) / right - total[split - 1] / left
    best = int(np.argmax(gap * gap * left * right))
    where = int(split[best])
    square, at_least = float(gap[best]) ** 2, least.step / math.sqrt(2.0 * (1.0 - least.rho))
    surprise = _surprise(square, at_least, least.rho, where, y.size)
    if surprise < bar:
        return where, surprise
    fit = fit_ar1(y, (0, where), floor)
    return where, _surprise(square, max(fit.sd, at_least), max(fit.rho, least.rho), where, y.size)


def _surprise(square: float, sd: float, rho: float, split: int, n: int) -> float:
    """How surprising a squared distance of the means of n samples split in two is, under AR(1) noise."""
    variance = sd * sd * (1.0 / level_precision(split, rho) + 1.0 / level_precision(n - split, rho))
    return (n - 2.0) * math.log1p(square / variance / (n - 3.0))


def difference_noise(y: Array, floor: float) -> DifferenceNoise:
    """From clipped differences of `y` (n ≥ 3,): ρ = 1 + 2 corr(Δ_t, Δ_{t−1}) less two standard errors (4/√n), at least 0."""
    step = np.diff(y)
    spread = mad_sd(step)
    limit = 3.0 * max(spread, floor)
    step = np.clip(step - median(step), -limit, limit)
    square = float(step @ step)
    turn = float(step[1:] @ step[:-1]) / square if square > 0.0 else -0.5
    rho = min(MAX_RHO, max(0.0, 1.0 + 2.0 * turn - 4.0 / math.sqrt(step.size)))
    return DifferenceNoise(rho, max(spread, floor))
