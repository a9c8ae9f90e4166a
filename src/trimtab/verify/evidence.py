"""Weigh what followed the action against one account of what would have happened. Third step of a verdict; vectorised over looks.

The samples after the action are whitened with the account's AR(1), conditional on the state at the moment of acting, so that an
extreme is expected to fade exactly as fast as this series' extremes fade. With φ = ρ^gap, v = 1 − φ²:

    r_t = (y_t − μ) − φ (y_{t−1} − μ),   difference d = Σ w r / v  /  Σ w² / v,   w = 1 for the first sample, 1 − φ after it
    var d / σ² = 1/A + (C/A)² V_μ,       A = Σ w²/v,  C = Σ w (1 − φ)/v

Generalised least squares (Aitken 1935) with the uncertainty of the level; the t statistic goes to the e-value of `stats.evalue`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.stats import critical_t, log_e, surprise
from trimtab.verify.accounts import Nulls

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One row per account or series (k, m), one entry per look: after the first sample, the first two, and so on. Inner scale."""

    difference: Array  # estimate of what the action moved
    error: Array  # its standard error
    information: Array  # 1 / var(difference), in units of the noise
    df: Array
    widen: tuple[Array, Array]  # factors on the error of rises and falls, (k, 1)

    def signed_surprise(self, looks: Any) -> Array:
        """How surprising the difference would be if there were none, as the z of a normal, with its sign. (k, looks)"""
        difference = self.difference[:, looks]
        return np.copysign(surprise(np.square(self._t(looks)), self.df[:, looks]), difference)

    def signed_log_e(self, looks: Any) -> Array:
        """Log evidence against "no difference" where there is any, with the sign of the difference; else 0. (k, looks)"""
        logs = log_e(np.square(self._t(looks)), self.information[:, looks], self.df[:, looks])
        return np.copysign(np.maximum(logs, 0.0), self.difference[:, looks])

    def bounds(self, look: int, alpha: float) -> tuple[Array, Array]:
        """Ends of the confidence sequences (k,) at one look; each excludes zero exactly where its log e ≥ log(1/alpha)."""
        half = critical_t(self.information[:, look], self.df[:, look], alpha) * self.error[:, look]
        rises, falls = self.widen
        return self.difference[:, look] - half * rises[:, 0], self.difference[:, look] + half * falls[:, 0]

    def _t(self, looks: Any) -> Array:
        difference = self.difference[:, looks]
        return np.asarray(difference / (self.error[:, looks] * np.where(difference >= 0.0, *self.widen)))


def weigh(y: Array, gaps: Array, nulls: Nulls, loud: Array | None = None) -> Evidence:
    """Evidence at every look, from samples `y` (m,) or (k, m) after the action, inner scale.

    `gaps` (m,): sampling intervals since the sample before (the first: since the last one before the action). `nulls`: one row
    for each of the accounts, or of the series. `loud` (m,) or (k, m): variance of the noise at each sample, relative to the
    usual, where that is known to change.
    """
    phi = np.power(nulls.rho, gaps)
    variance = np.maximum(1.0 - phi * phi, 1e-6)
    if loud is not None:
        variance = variance * loud
    series = np.broadcast_shapes(y.shape[:-1], nulls.level.shape[:1])[0]
    centred = np.empty((series, gaps.size + 1))
    centred[:, :1] = nulls.last - nulls.level
    np.subtract(y, nulls.level, out=centred[:, 1:])
    if np.any(nulls.slope):
        centred[:, 1:] -= nulls.slope * np.cumsum(gaps)
    if np.any(np.isfinite(nulls.reach)):
        np.clip(centred, -nulls.reach, nulls.reach, out=centred)
    rest = phi * centred[:, :-1]
    return _accumulate(np.subtract(centred[:, 1:], rest, out=rest), 1.0 - phi, variance, nulls)


def _accumulate(rest: Array, pull: Array, variance: Array, nulls: Nulls) -> Evidence:
    """From what is left of the samples. Writes over its own large arrays: to ask for new ones takes longer than the sums."""
    weight = pull.copy()
    weight[:, 0] = 1.0
    weighed = weight / variance
    a, c = np.cumsum(weight * weighed, axis=1), np.cumsum(pull * weighed, axis=1)
    b = weighed * rest
    np.cumsum(b, axis=1, out=b)
    np.multiply(rest, rest, out=rest)
    np.divide(rest, variance, out=rest)
    square = np.cumsum(rest, axis=1, out=rest)
    difference = b / a
    np.maximum(np.subtract(square, np.multiply(b, difference, out=b), out=b), 0.0, out=b)
    df = nulls.df + np.arange(rest.shape[1])
    noise = np.divide(np.add(b, nulls.df * np.square(nulls.sd), out=b), df, out=b)
    spread = 1.0 / a + np.square(np.divide(c, a, out=c), out=c) * nulls.level_variance
    return Evidence(difference, np.sqrt(np.multiply(noise, spread, out=b), out=b), 1.0 / spread, df, nulls.widen)


def conclusive_at(alpha: float) -> float:
    """The log evidence from which on a difference counts."""
    return math.log(1.0 / alpha)
