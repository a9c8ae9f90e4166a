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
_T_RANGE, _PARTS, _ROUNDS = (0.5, 1e5), 16, 5  # search for the critical t: 12 / 15⁵ on the log scale, rounded down


def log_e(t2: Array | float, information: Array | float, df: Array | float) -> Array:
    """Logarithm of the e-value, averaged over `TAUS`; all arguments broadcast. Conclusive at level α when ≥ log(1/α).

    `t2`: squared t statistic. `information`: 1 / var(difference) in noise units. `df`: degrees of freedom of the noise.

    >>> bool(log_e(25.0, 10.0, 50.0) > math.log(1 / 0.05)), bool(log_e(2.0, 10.0, 50.0) > 1)
    (True, False)
    """
    t2, information, df = np.asarray(t2, float), np.asarray(information, float), np.asarray(df, float)
    k = 1.0 + information[..., None] * np.square(np.asarray(TAUS))
    ratio = np.log1p(t2 / df)[..., None] - np.log1p((t2 / df)[..., None] / k)
    each = 0.5 * (df + 1.0)[..., None] * ratio - 0.5 * np.log(k)
    top = each.max(axis=-1)
    spread = top + np.log(np.exp(each - top[..., None]).mean(axis=-1))
    z = np.sqrt((df + 1.0) * np.log1p(t2 / df))  # as surprising as t is
    least = SMALL * np.sqrt(information) * z - 0.5 * SMALL * SMALL * information
    return np.asarray(
        np.logaddexp(math.log(1.0 - SMALL_SHARE) + spread, math.log(0.5 * SMALL_SHARE) + least) + math.log(2.0), dtype=np.float64
    )


def critical_t(information: Array | float, df: Array | float, alpha: float) -> Array:
    """The |t| at which `log_e` reaches log(1/α): half-width of the confidence sequence in standard errors; inf where unreachable.

    >>> float(critical_t(10.0, 1000.0, 0.05).round(1))
    3.0
    """
    information, df = np.broadcast_arrays(np.asarray(information, float), np.asarray(df, float))
    target, parts = math.log(1.0 / alpha), np.linspace(0.0, 1.0, _PARTS)
    low, width = np.full(information.shape, math.log(_T_RANGE[0])), math.log(_T_RANGE[1] / _T_RANGE[0])
    reachable = log_e(_T_RANGE[1] ** 2, information, df) >= target
    for _ in range(_ROUNDS):
        t = np.exp(low[..., None] + width * parts)
        below = log_e(t * t, information[..., None], df[..., None]) < target
        width /= _PARTS - 1
        low = low + width * np.maximum(below.sum(axis=-1) - 1, 0)
    return np.where(reachable, np.exp(low), np.inf)
