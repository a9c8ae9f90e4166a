"""First-order autocorrelation and noise of a series whose level may have shifted. Read by `verify` to forecast "nothing happens".

    y_t − μ = ρ (y_{t−1} − μ) + ε_t,    var y = σ²,    var ε = σ² (1 − ρ²)

Estimated on what is left within each regime. The estimate of ρ is lifted against its small-sample bias −(1 + 3ρ)/n (Marriott &
Pope 1954; Kendall 1954), drawn towards ½ as long as data are few, and raised by one standard error √((1 − ρ²)/n) (Bartlett 1946):
an autocorrelation taken too low makes verdicts boast, one taken too high makes them wait. The core of a long history is taken as
it is: placebos keep its verdicts from boasting, and what is raised would let extremes linger for longer than they do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trimtab.stats.blocks import running_means
from trimtab.stats.scale import mad_sd, median

Array = NDArray[np.float64]

PRIOR_RHO = 0.5  # what a metric sampled every few seconds is taken for until it shows otherwise
PRIOR_SAMPLES = 8.0  # how many samples that opinion is worth
MAX_RHO = 0.995
CORE_SDS, CORE_RUN = 3.0, 5  # robust standard deviations; samples
BLOCK, LEAST_BLOCKS, SLOW = 30, 40, 1.4  # samples; blocks; times the variance that block means would have by themselves
CORE_LEAST = 0.5  # share of the samples; with fewer, episodes are the rule


@dataclass(frozen=True, slots=True)
class Ar1:
    """`rho` per sampling interval, `sd` of the series around its level (units of y), `df` degrees of freedom of `sd`.

    `slow`: whether something slow goes on under the noise, so that an extreme lingers for longer than `rho` says.
    """

    rho: float
    sd: float
    df: float
    slow: bool = False


def fit_ar1(y: Array, starts: tuple[int, ...] = (0,), floor: float = 0.0, raised: float = 1.0) -> Ar1:
    """Fit around the mean of every regime; `starts` are the indices at which regimes begin (the first is 0). `y` (n,) finite.

    `floor` (units of y) is the least `sd` believed in: a metric that never varied is not infinitely certain. `raised`: by so many
    standard errors ρ is.

    >>> fit = fit_ar1(np.tile([1.0, 2.0, 1.0, 3.0], 50))
    >>> fit.rho < 0.1, round(fit.sd, 1)
    (True, 0.8)
    """
    rest = within(y, starts)
    n, regimes = y.size, len(starts)
    square = float(rest @ rest)
    df = max(1.0, n - regimes - 1.0)
    if square <= 0.0:
        return Ar1(_corrected(0.0, n, regimes, raised), floor, df)
    pairs = rest[1:] * rest[:-1]
    if regimes > 1:
        pairs = np.delete(pairs, np.asarray(starts[1:]) - 1)
    rho = _corrected(float(pairs.sum()) / square, n, regimes, raised)
    lost = min(0.5, regimes * (1.0 + rho) / (1.0 - rho) / n)  # share of the variance that the fitted means took along
    return Ar1(rho, max(floor, math.sqrt(square / n / (1.0 - lost))), df)


def fit_core(y: Array, floor: float = 0.0) -> tuple[float, Ar1]:
    """Mean and fit of what lies outside of episodes: runs of CORE_RUN whose mean is CORE_SDS robust deviations off. `y` (n,)."""
    middle = median(y)
    off = np.abs(running_means(y, CORE_RUN) - middle) > CORE_SDS * max(floor, mad_sd(y, middle))
    inside = np.convolve(off, np.ones(CORE_RUN)) < 0.5
    n = int(inside.sum())
    if n < CORE_LEAST * y.size:
        return float(y.mean()), fit_ar1(y, floor=floor, raised=0.0)
    level = float(y[inside].mean())
    if n == y.size:
        return level, _with_slow_part(fit_ar1(y, floor=floor, raised=0.0), y - level, inside)
    rest = np.where(inside, y - level, 0.0)
    square, pairs = float(rest @ rest) / n, max(1, int((inside[1:] & inside[:-1]).sum()))
    rho = _corrected(float(rest[1:] @ rest[:-1]) / pairs / square if square > 0.0 else 0.0, n, 1, 0.0)
    return level, _with_slow_part(Ar1(rho, max(floor, math.sqrt(square)), max(1.0, n - 2.0)), rest, inside)


def _with_slow_part(fit: Ar1, rest: Array, inside: NDArray[np.bool_]) -> Ar1:
    """The fit, louder where means over BLOCK samples vary clearly more than it says: under quick noise something slow goes on.

    Counts whose rate wanders are such: one sample says little of the next, and yet a whole stretch may lie above the rest.
    """
    whole = slice(0, rest.size // BLOCK * BLOCK)
    kept = inside[whole].reshape(-1, BLOCK).all(axis=1)
    if kept.sum() < LEAST_BLOCKS or fit.sd == 0.0:
        return fit
    seen = float(np.square(rest[whole].reshape(-1, BLOCK)[kept].mean(axis=1)).mean())
    more = seen * level_precision(BLOCK, fit.rho) / fit.sd**2
    return replace(fit, sd=fit.sd * math.sqrt(more), slow=True) if more > SLOW else fit


def within(y: Array, starts: tuple[int, ...]) -> Array:
    """What is left of `y` after subtracting each regime's mean, (n,)."""
    sizes = np.diff(np.asarray((*starts, y.size)))
    means = np.add.reduceat(y, np.asarray(starts)) / sizes
    return np.asarray(y - np.repeat(means, sizes), dtype=np.float64)


def level_precision(n: int, rho: float) -> float:
    """1 / variance of the mean of n samples of AR(1) noise with unit variance: 1 + (n − 1)(1 − ρ)/(1 + ρ).

    >>> level_precision(10, 0.0)
    10.0
    """
    return 1.0 + (n - 1.0) * (1.0 - rho) / (1.0 + rho)


def _corrected(rho: float, n: int, regimes: int, raised: float) -> float:
    unbiased = rho + (1.0 + 3.0 * rho) * regimes / n
    drawn = (n * min(1.0, unbiased) + PRIOR_SAMPLES * PRIOR_RHO) / (n + PRIOR_SAMPLES)
    return min(MAX_RHO, max(0.0, drawn + raised * math.sqrt(max(0.0, 1.0 - drawn * drawn) / n)))
