"""Weigh what followed the action against one account of what would have happened. Third step of a verdict; vectorised over looks.

The samples after the action are whitened with the account's AR(1), conditional on the state at the moment of acting, so that an
extreme is expected to fade exactly as fast as this series' extremes fade. With φ = ρ^gap, v = 1 − φ²:

    r_t = (y_t − μ) − φ (y_{t−1} − μ),   difference d = Σ w r / v  /  Σ w² / v,   w = 1 for the first sample, 1 − φ after it
    var d / σ² = 1/A + (C/A)² V_μ,       A = Σ w²/v,  C = Σ w (1 − φ)/v

Generalised least squares (Aitken 1935) with the uncertainty of the level; the t statistic goes to the e-value of `stats.evalue`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.stats import critical_t, log_e
from trimtab.verify.nulls import Null

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One entry per look (…, m): after the first sample, the first two, and so on. Inner scale."""

    difference: Array  # estimate of what the action moved
    error: Array  # its standard error
    information: Array  # 1 / var(difference), in units of the noise
    df: Array
    widen: tuple[float, float]  # factors on the error of rises and falls

    def signed_log_e(self, looks: slice) -> Array:
        """Log evidence against "no difference" where there is any, with the sign of the difference; else 0."""
        difference = self.difference[looks]
        widen = np.where(difference >= 0.0, *self.widen)
        logs = log_e(np.square(difference / (self.error[looks] * widen)), self.information[looks], self.df[looks])
        return np.asarray(np.copysign(np.maximum(logs, 0.0), difference), dtype=np.float64)


def bounds(evidence: Sequence[Evidence], look: int, alpha: float) -> list[tuple[float, float]]:
    """Confidence sequences for the difference at one look; each excludes zero exactly where its log e ≥ log(1/alpha)."""
    information = np.asarray([e.information[look] for e in evidence])
    critical = critical_t(information, np.asarray([e.df[look] for e in evidence]), alpha)
    halves = (critical * np.asarray([e.error[look] for e in evidence])).tolist()
    middles = [float(e.difference[look]) for e in evidence]
    return [
        (middle - half * e.widen[0], middle + half * e.widen[1])
        for e, middle, half in zip(evidence, middles, halves, strict=True)
    ]


def weigh(
    y: Array, gaps: Array, null: Null, loud: Array | None = None, last: Array | None = None, level: Array | None = None
) -> Evidence:
    """Evidence at every look, from samples `y` (m,) or (k, m) after the action, inner scale.

    `gaps` (m,): sampling intervals since the sample before (the first: since the last one before the action). `last`, `level`
    (k, 1): the states and levels at the moment of acting, where they are not the account's own. `loud` (m,) or (k, m): variance
    of the noise at each sample, relative to the usual, where that is known to change.
    """
    phi = np.power(null.rho, gaps)
    variance = np.maximum(1.0 - phi * phi, 1e-6) * (1.0 if loud is None else loud)
    weight = 1.0 - phi
    pull = weight.copy()
    weight[0] = 1.0
    usual = null.level if level is None else level
    state = np.full_like(y[..., :1], null.last) if last is None else last
    centred = np.concatenate((state - usual, y - usual - null.slope * np.cumsum(gaps)), axis=-1)
    if math.isfinite(null.reach):
        centred = np.clip(centred, -null.reach, null.reach)
    centred, before = centred[..., 1:], centred[..., :-1]
    return _accumulate(centred - phi * before, weight, pull, variance, null)


def _accumulate(rest: Array, weight: Array, pull: Array, variance: Array, null: Null) -> Evidence:
    a = np.cumsum(weight * weight / variance, axis=-1)
    b = np.cumsum(weight * rest / variance, axis=-1)
    c = np.cumsum(weight * pull / variance, axis=-1)
    square = np.cumsum(rest * rest / variance, axis=-1)
    difference = b / a
    spread = 1.0 / a + np.square(c / a) * null.level_variance
    df = null.df + np.arange(a.shape[-1])
    noise = (null.df * null.sd**2 + np.maximum(square - b * b / a, 0.0)) / df
    return Evidence(
        difference, np.sqrt(noise * spread), np.broadcast_to(1.0 / spread, a.shape), df.astype(np.float64), null.widen
    )


def conclusive_at(alpha: float) -> float:
    """The log evidence from which on a difference counts."""
    return math.log(1.0 / alpha)
