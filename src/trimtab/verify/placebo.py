"""Would this judge have fooled itself in the series' own past? Then its intervals are widened until it would not have.

Actions that never happened are placed at the extremes of the history, where one would have acted, and the evidence is
followed over all looks. The standard errors are multiplied by the quantile of the largest |t| / critical t that these
placebos reach, for rises and falls apart: season, trend, bursts and heavy tails that the AR(1) account does not know pay
for themselves. Never below 1. Fisher (1935), randomisation inference; the maximum over looks makes it valid at every peek.
Silent where history is short.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trimtab.stats import critical_t, running_means
from trimtab.verify.evidence import weigh
from trimtab.verify.nulls import Null

Array = NDArray[np.float64]

HORIZON = 180  # looks followed after each placebo: 90 minutes at 30 s
LEAST_WINDOWS = 20  # the horizon is at most this fraction of the history
LEAST_SAMPLES = 400
TRIGGER = 5  # samples whose mean is at an extreme


def widening(y: Array, null: Null, alpha: float) -> tuple[float, float]:
    """Factors (for rises, for falls) ≥ 1 on the standard errors. `y` (n,) the history, inner scale."""
    if y.size < LEAST_SAMPLES:
        return 1.0, 1.0
    horizon = min(HORIZON, y.size // LEAST_WINDOWS)
    moments = extremes(y, max(TRIGGER, horizon // 2), y.size - horizon - 1, upper=_now_high(y, null))
    ratios = _largest_ratios(y, null, moments, horizon, alpha)
    quantile = 1.0 - alpha / 2.0
    up, down = (float(np.quantile(side, quantile, method="higher")) for side in ratios)
    return max(1.0, up), max(1.0, down)


def extremes(y: Array, stretch: int, end: int, *, upper: bool) -> NDArray[np.intp]:
    """Index of the last sample of the most extreme run of five in every disjoint stretch before `end`."""
    means = running_means(y[: end + 1], TRIGGER)
    count = means.size // stretch
    table = means[: count * stretch].reshape(count, stretch)
    best = table.argmax(axis=1) if upper else table.argmin(axis=1)
    return np.asarray(best + np.arange(count) * stretch + TRIGGER - 1)


def _now_high(y: Array, null: Null) -> bool:
    return bool(y[-TRIGGER:].mean() >= null.level)


def _largest_ratios(y: Array, null: Null, moments: NDArray[np.intp], horizon: int, alpha: float) -> tuple[Array, Array]:
    after = np.lib.stride_tricks.sliding_window_view(y, horizon)[moments + 1]
    evidence = weigh(after, np.ones(horizon), null, last=y[moments][:, None])
    t = evidence.difference / evidence.error / critical_t(evidence.information, null.df, alpha)
    return t.max(axis=1), (-t).max(axis=1)
