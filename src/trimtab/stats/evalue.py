"""Evidence against "no difference" that stays valid however often one looks.

The difference of two means, in units of the noise, gets a normal prior N(0, τ²) under the alternative and is 0 under the null;
location and scale are shared nuisances with their right Haar prior. The Bayes factor is then a function of the t statistic alone
and, by Ville's inequality, exceeds 1/α at *any* time with probability ≤ α when the null holds:

    k = 1 + a τ²,   E = k^(−1/2) · [(1 + t²/ν) / (1 + t²/(ν k))]^((ν + 1)/2)

with a = information on the difference (1 / variance, in units of the noise: n_a n_b / (n_a + n_b) for white noise), ν = degrees
of freedom. Robbins (1970), "Statistical methods related to the law of the iterated logarithm"; Johari et al. (2022),
"Always valid inference"; Howard et al. (2021), "Time-uniform, nonparametric, nonasymptotic confidence sequences"; the t
form: Lai (1976), Wang & Ramdas (2025), "Anytime-valid t-tests and confidence sequences for Gaussian means with unknown
variance".

Beside that mixture stands one small difference, ±SMALL, with the weight SMALL_SHARE: its boundary z = c / (δ√a) + δ√a / 2 is the
sharpest there is for the least gain worth finding (Wald 1945, the sequential probability ratio test). A verdict has two sides and
may err with probability α on either, so the sum over both signs is held to 1/(2α): `log_e` is that of twice the e-value.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TAUS = (2.0, 10.0)  # expected differences in noise units, weighed equally: from a gain of an sd or two to a broken service
SMALL, SMALL_SHARE = 0.4, 0.85  # the smallest gain worth finding, in noise units, and the weight it has beside the others
_EACH = 2.0 * (1.0 - SMALL_SHARE) / len(TAUS)  # weight of each of `TAUS`, for both signs
_T_RANGE = (0.5, 1e5)  # where the critical t is looked for
_ROUNDS, _CLOSE = 60, 1e-6  # of Newton's method, and the error in log e before the last of them: three or four are usual
_DOWN = 1.0 - 1e-9  # what has evidence enough lies beyond the critical t, to the last digit


def log_e(t2: Array | float, information: Array | float, df: Array | float) -> Array:
    """Logarithm of the e-value, averaged over `TAUS`; all arguments broadcast. Conclusive at level α when ≥ log(1/α).

    `t2`: squared t statistic. `information`: 1 / var(difference) in noise units. `df`: degrees of freedom of the noise.

    >>> bool(log_e(25.0, 10.0, 50.0) > math.log(1 / 0.05)), bool(log_e(2.0, 10.0, 50.0) > 1)
    (True, False)
    """
    t2, information, df = np.broadcast_arrays(np.asarray(t2, float), np.asarray(information, float), np.asarray(df, float))
    parts = _parts(surprise(t2, df), t2 / df, _spreads(information), SMALL * np.sqrt(information), df)
    top = parts.max(axis=0)
    return np.asarray(top + np.log(np.exp(parts - top).sum(axis=0)), dtype=np.float64)


def surprise(t2: Array, df: Array | float) -> Array:
    """The z of a normal that is as surprising as t is: z² = (ν + 1) log(1 + t²/ν)."""
    return np.asarray(np.sqrt((df + 1.0) * np.log1p(t2 / df)), dtype=np.float64)


def least_surprise(alpha: float) -> float:
    """The z below which `log_e` cannot reach log(1/α), whatever the information: no part of the mixture exceeds exp(z²/2).

    >>> round(least_surprise(0.05), 2)
    2.39
    """
    return math.sqrt(2.0 * max(0.0, math.log(1.0 / alpha) - math.log(SMALL_SHARE + len(TAUS) * _EACH)))


def critical_t(information: Array | float, df: Array | float, alpha: float) -> Array:
    """The |t| at which `log_e` reaches log(1/α): half-width of the confidence sequence in standard errors; inf where unreachable.

    Newton's method in z, from above, where each part of the mixture alone would be enough; halved where that leads astray.

    >>> float(critical_t(10.0, 1000.0, 0.05).round(1))
    3.0
    """
    information, df = np.broadcast_arrays(np.asarray(information, float), np.asarray(df, float))
    target, k, small = math.log(1.0 / alpha), _spreads(information), SMALL * np.sqrt(information)
    low, high = (surprise(np.square(t), df) for t in _T_RANGE)
    enough = (target - math.log(SMALL_SHARE)) / small + 0.5 * small  # for the small difference by itself
    reachable = enough <= high
    if not np.all(reachable):
        reachable = log_e(_T_RANGE[1] ** 2, information, df) >= target
    each = np.sqrt(2.0 * np.maximum(target - math.log(_EACH) + 0.5 * np.log(k), 0.0) * k / (k - 1.0)).min(axis=0)
    z = np.clip(np.minimum(each, enough), low, high)
    for _ in range(_ROUNDS):
        ratio = np.expm1(z * z / (df + 1.0))
        shares = np.exp(_parts(z, ratio, k, small, df) - target)
        whole = shares.sum(axis=0)
        over = np.log(whole)
        low, high = np.where(over < 0.0, z, low), np.where(over < 0.0, high, z)
        slope = shares[0] * small + (shares[1:] * ((k - 1.0) / (k + ratio))).sum(axis=0) * z
        newton = z - over * whole / slope
        z = np.where((low <= newton) & (newton <= high), newton, 0.5 * (low + high))
        if np.all((np.abs(over) <= _CLOSE) | ~reachable):
            break
    return np.where(reachable, np.sqrt(df * np.expm1(z * z / (df + 1.0))) * _DOWN, np.inf)


def _parts(z: Array, ratio: Array, k: Array, small: Array, df: Array) -> Array:
    """Logarithm of each part of the mixture with its weight, (parts, …), the small difference first.

    `ratio`: t²/ν. `k` (taus, …). `small`: the small difference in standard errors.
    """
    wide = 0.5 * (z * z - (df + 1.0) * np.log1p(ratio / k) - np.log(k)) + math.log(_EACH)
    return np.concatenate(((small * (z - 0.5 * small) + math.log(SMALL_SHARE))[np.newaxis], wide))


def _spreads(information: Array) -> Array:
    """k of each of `TAUS`, (taus, …)."""
    return np.asarray(1.0 + np.multiply.outer(np.square(TAUS), information))
