"""Would an account have fooled itself in the series' own past? Then its intervals are widened until it would not have.

Actions that never happened are placed at the extremes of the history, where one would have acted, and the evidence is followed
over all looks. The standard errors are multiplied by the fourth largest |t| / critical t that these placebos reach (with its
neighbours, as a single one is mostly chance), for rises and falls apart: bursts, shifts and heavy tails that the AR(1) account
does not know pay for themselves. Never below 1. By the largest where levels are proven to shift, where noise is lopsided, of
changing size or hides something slow, and where the fourth is far above 1: one acts at worse moments than most of these. Fisher
(1935), randomisation inference; the maximum over looks makes it valid at every peek. Silent where history is short.

Where that costs much, the account gets a second view, with values clipped `REACH` deviations from its level, as Huber (1964)
bounds what a single value may say: an episode then counts by how long it lasts, not by how high it rises. Each view is
calibrated by itself, and either may convince.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trimtab.stats import critical_t, level_precision, running_means
from trimtab.verify.accounts import Nulls
from trimtab.verify.evidence import weigh
from trimtab.verify.nulls import Null, Past

Array = NDArray[np.float64]
Views = tuple[Null, ...]

HORIZON = 180  # looks followed after each placebo: 90 minutes at 30 s
LEAST_WINDOWS = 20  # the horizon is at most this fraction of the history
LEAST_SAMPLES = 400
TRIGGER = 5  # samples whose mean is at an extreme
RECENT = 60  # samples that a past level is known by, at most
COSTLY = 1.5  # widening from which on a second view is worth its chance of error
BY_CHANCE, WORST = 4, 1  # the rank of the ratio that counts: one or two of sixty are above 1 by chance …
# … unless the level is proven to shift, when the worst that it did may come again
FORETOLD = 1.3  # least widening where the size of the noise has to be foretold: that is off by about a third
SKEWED = 0.8  # Poisson counts of less than one and a half a sample
REACH = 2.5  # standard deviations


@dataclass(frozen=True, slots=True)
class Placebos:
    """Moments of a history at which one would have acted, and for how long each is followed."""

    y: Array
    loud: Array | None  # (n,) variance of the noise at each sample, where it is known to change
    moments: NDArray[np.intp]
    horizon: int
    alpha: float
    rank: int  # which of the largest ratios counts

    def local(self, run: int, onset: int | None) -> Placebos:
        """Those with a past of their own of `run` samples, and none that sees the `onset` of what is still going on."""
        keep = self.moments + 1 >= run
        if onset is not None:
            keep &= (self.moments >= onset) | (self.moments + self.horizon < onset)
        return replace(self, moments=self.moments[keep])


def calibrated(past: Past, alpha: float) -> tuple[Views, ...]:
    """The accounts in force, "it goes on" first, each in one or two views, widened by placebos."""
    if past.y.size < LEAST_SAMPLES:
        return tuple((null,) for null in past.nulls)
    whole = past.reverts or past.goes_on
    placebos = _placebos(past, whole, alpha)
    own = _views(placebos, whole, None) if past.reverts is not None else ()
    local = own
    if past.reverts is not past.goes_on:
        run = min(RECENT, past.y.size - past.regime_start)
        onset = past.regime_start if past.reverts is None else None
        local = _views(placebos.local(run, onset), past.goes_on, run)
    kin = {id(past.goes_on): local, id(past.reverts): own, id(past.returns): own, id(past.drifts): local}
    return tuple(tuple(_like(null, view) for view in kin.get(id(null), (null,))) for null in past.nulls)


def _like(null: Null, view: Null) -> Null:
    return replace(null, reach=view.reach, widen=view.widen)


def _placebos(past: Past, whole: Null, alpha: float) -> Placebos:
    upper = bool(past.y[-TRIGGER:].mean() >= whole.level)
    horizon = min(HORIZON, past.y.size // LEAST_WINDOWS)
    moments = extremes(past.y, max(TRIGGER, horizon // 2), past.y.size - horizon - 1, upper=upper)
    loud = None if past.volatility is None else past.volatility.squares
    uneven = past.shifted or past.volatility is not None or whole.slow or lopsided(past.y)
    rank = WORST if uneven else BY_CHANCE
    return Placebos(past.y, loud, moments, horizon, alpha, rank)


def lopsided(y: Array) -> bool:
    """Whether values (n,) go further up than down, or the other way, as those of rare events do: skewness beyond SKEWED.

    >>> lopsided(np.tile([0.0, 0.0, 0.0, 2.0], 100)), lopsided(np.tile([0.0, 1.0, 2.0], 100))
    (True, False)
    """
    rest = y - y.mean()
    square = rest * rest
    sd = math.sqrt(float(square.mean()))
    return sd > 0.0 and abs(float(square @ rest)) > SKEWED * y.size * sd**3


def _views(placebos: Placebos, null: Null, run: int | None) -> Views:
    plain = replace(null, widen=widening(placebos, null, run))
    if max(plain.widen) < COSTLY:
        return (plain,)
    clipped = replace(null, reach=REACH * null.sd)
    return plain, replace(clipped, widen=widening(replace(placebos, rank=WORST), clipped, run))


def widening(placebos: Placebos, null: Null, run: int | None) -> tuple[float, float]:
    """Factors (for rises, for falls) ≥ 1 on the standard errors.

    `run`: the account's level is that of the last so many samples before each moment; None: it is the same throughout.
    """
    if placebos.moments.size < BY_CHANCE:
        return 1.0, 1.0
    up, down = (_factor(side, placebos.rank) for side in _largest_ratios(placebos, null, run))
    if placebos.loud is not None:  # what is loud is so both ways, and louder when one acts than at most other extremes
        return (max(up, down, FORETOLD),) * 2
    return (max(up, down),) * 2 if min(up, down) >= COSTLY else (up, down)  # what shifts both ways has no better side


def _factor(ratios: Array, rank: int) -> float:
    """The ratio of a rank from above, with its neighbours; where it is far above 1, the largest."""
    ascending = np.sort(ratios)
    chosen = float(ascending[-1] if rank == WORST else ascending[-rank - 1 : -rank + 2].mean())
    return max(1.0, chosen if chosen < COSTLY else float(ascending[-1]))


def extremes(y: Array, stretch: int, end: int, *, upper: bool) -> NDArray[np.intp]:
    """Index of the last sample of the most extreme run of five in every disjoint stretch before `end`."""
    means = running_means(y[: end + 1], TRIGGER)
    count = means.size // stretch
    table = means[: count * stretch].reshape(count, stretch)
    best = table.argmax(axis=1) if upper else table.argmin(axis=1)
    return np.asarray(best + np.arange(count) * stretch + TRIGGER - 1)


def _largest_ratios(placebos: Placebos, null: Null, run: int | None) -> tuple[Array, Array]:
    y, moments, horizon = placebos.y, placebos.moments, placebos.horizon
    after, loud = _after(y, moments, horizon), None if placebos.loud is None else _after(placebos.loud, moments, horizon)
    if run is not None:
        null = replace(null, level_variance=1.0 / level_precision(run, null.rho))
    nulls = replace(Nulls.of([null]), last=y[moments][:, None])
    if run is not None:
        nulls = replace(nulls, level=running_means(y, run)[moments + 1 - run][:, None])
    evidence = weigh(after, np.ones(horizon), nulls, loud)
    t = evidence.difference / evidence.error / _critical(evidence.information, null.df, placebos.alpha)
    return t.max(axis=1), -t.min(axis=1)


def _after(values: Array, moments: NDArray[np.intp], horizon: int) -> Array:
    """What followed each moment, (moments, horizon)."""
    return np.asarray(np.lib.stride_tricks.sliding_window_view(values, horizon)[moments + 1])


def _critical(information: Array, df: float, alpha: float) -> Array:
    """`critical_t` at every look, interpolated between a dozen of them."""
    some = np.geomspace(float(information.min()), float(information.max()), 12)
    return np.interp(information, some, critical_t(some, df, alpha))
