"""What would have happened without the action: the accounts that the data before it leave open. Second step of a verdict.

"It goes on": the regime since the last level shift continues. "It reverts": the series is one stationary, autocorrelated whole,
and the action merely came at an extreme of it. "It returns": such episodes came before and ended by themselves, and so does this
one. "It drifts": the series was on its way already, up or down, and keeps going; open only where the last samples climbed too far
for noise and too evenly for a step. Reverting and returning are closed by the history alone: where the current level is a shift
that noise cannot explain, and no episode that came half as far ended without us. Credit must survive every open account.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trimtab.stats import (
    change_points,
    difference_noise,
    fit_ar1,
    level_precision,
    mad_sd,
    running_means,
    tame_history,
    trailing_median,
)
from trimtab.stats.scale import TAME_SDS, median

Array = NDArray[np.float64]

EPISODE_BLOCK = 5  # samples; a precedent must have held for as long as an acting agent looks at
SUSPICION = 0.5  # chance of a false split at which a shift is suspected: enough to ask that credit survive "it goes on" too
DRIFT_STEPS = (3, 4, 6)  # a ramp is looked for over so many of the last steps
DRIFT_SDS = 3.0  # standard deviations of what noise alone moves in as many steps
DRIFT_SHARE = 0.6  # no single step of a ramp is more of it than this
RECENT_CHANGE = 20.0  # intervals; a shift this soon after one of our own changes was ours


@dataclass(frozen=True, slots=True)
class Null:
    """AR(1) noise around a level, on the inner scale: y_t − level = rho^gap (y_{t−1} − level) + noise, var y = sd²."""

    level: float
    level_variance: float  # of `level`, in units of sd²
    rho: float  # per sampling interval
    sd: float
    df: float
    last: float  # the state at the moment of acting
    slope: float = 0.0  # of the level, per sampling interval after the last sample before the action


@dataclass(frozen=True, slots=True)
class Past:
    """What the history says: the accounts in force, where the current regime begins, and what is usual."""

    goes_on: Null
    reverts: Null | None  # None where the history itself rules it out; `goes_on` itself where no shift is suspected
    returns: Null | None  # None where no episode like this one ended by itself
    drifts: Null | None  # None where the last samples were not on their way
    regime_start: int  # index into the usable history
    usual: float | None  # the level before the current regime, where it shifted away from it without precedent
    y: Array  # (n,) the tamed history
    limit: float  # how far a lone sample may stand out, inner scale


def read_past(t: Array, y: Array, floor: float, changes: tuple[float, ...] = ()) -> Past:
    """Fit both accounts to a usable history (n,), inner scale. `changes`: times (s) of our own earlier moves."""
    limit = TAME_SDS * max(floor, mad_sd(y - trailing_median(y)))
    calm = tame_history(y, limit)
    proven, suspected = change_points(calm, floor), change_points(calm, floor, SUSPICION)
    whole = _stationary(calm, floor)
    if len(suspected) == 1:
        return Past(whole, whole, None, _on_its_way(y, whole, floor), 0, None, calm, limit)
    now = _current_regime(calm, suspected, floor)
    drifts = _on_its_way(y, now, floor)
    if len(proven) == 1:
        return Past(now, whole, None, drifts, suspected[-1], None, calm, limit)
    start = proven[-1]
    usual = median(calm[:start])
    if _came_back_before(t, calm, start, usual, changes):
        return Past(now, whole, _returning(now, usual, start), drifts, suspected[-1], None, calm, limit)
    return Past(now, None, None, drifts, suspected[-1], usual, calm, limit)


def _stationary(y: Array, floor: float) -> Null:
    fit = fit_ar1(y, floor=floor)
    return Null(float(y.mean()), 1.0 / level_precision(y.size, fit.rho), fit.rho, fit.sd, fit.df, float(y[-1]))


def _current_regime(y: Array, starts: tuple[int, ...], floor: float) -> Null:
    """Level from the current regime, noise from all of them, but never less than the current one shows."""
    fit = fit_ar1(y, starts, floor)
    now = y[starts[-1] :]
    noise = max(fit.sd, fit_ar1(now, floor=floor).sd)
    return Null(float(now.mean()), 1.0 / level_precision(now.size, fit.rho), fit.rho, noise, fit.df, float(y[-1]))


def _on_its_way(y: Array, now: Null, floor: float) -> Null | None:
    """The account of a level that keeps moving as it did over the last 3 to 6 steps; None where these were noise, or one step."""
    noise, slope = difference_noise(y, floor), 0.0
    for steps in DRIFT_STEPS:
        if y.size <= steps:
            break
        stretch = np.diff(y[-steps - 1 :])
        total = float(stretch.sum())
        chance = noise.step * math.sqrt((1.0 - noise.rho**steps) / (1.0 - noise.rho))
        evenly = float(np.max(stretch * np.sign(total))) <= DRIFT_SHARE * abs(total)
        if evenly and abs(total) >= DRIFT_SDS * chance and abs(total) / steps > abs(slope):
            slope = total / steps
    if slope == 0.0:
        return None
    return replace(now, level=float(y[-1]), level_variance=1.0, last=float(y[-1]), slope=slope)


def _returning(now: Null, usual: float, n: int) -> Null:
    """The account of an episode that is just over: the usual level of `n` samples, at once."""
    return replace(now, level=usual, last=usual, level_variance=1.0 / level_precision(n, now.rho))


def _came_back_before(t: Array, y: Array, start: int, usual: float, changes: tuple[float, ...]) -> bool:
    """Whether an earlier run of samples went half-way from the usual level to the current one and came back, not by us."""
    now = float(y[start:].mean())
    if now == usual:
        return True
    size = min(EPISODE_BLOCK, y.size - start)
    away = (running_means(y[:start], size) - usual) / (now - usual) >= 0.5
    ends = np.flatnonzero(away[:-1] & ~away[1:]) + size  # what is still away at the end belongs to this episode
    ours = np.asarray(changes, dtype=np.float64)
    within = RECENT_CHANGE * median(np.diff(t))
    return not all(bool(np.any((t[end] >= ours) & (t[end] - ours <= within))) for end in ends.tolist())
