"""What would have happened without the action: the accounts that the data before it leave open. Second step of a verdict.

"It goes on": the regime since the last level shift continues. "It reverts": the series is one stationary, autocorrelated whole,
and the action merely came at an extreme of it. "It returns": such episodes came before and ended by themselves, and so does this
one. "It drifts": the series was on its way already, up or down, and keeps going; open only where the last samples climbed too far
for noise and too evenly for a step. "It began just now": where levels are known to shift, the newest samples may be the first of
the next one. Reverting and returning are closed by the history alone: where the current level is a shift that noise cannot
explain, and no episode that came half as far ended without us.

Credit must survive every open account; but one that lies beyond the series' whole stands only against credit on its far side, as
on the near side the whole is the harder one to beat. In a long history the whole is its core: what is no episode (`fit_core`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trimtab.stats import (
    FALSE_SPLITS,
    TAME_SDS,
    DifferenceNoise,
    Shifts,
    Volatility,
    clusters,
    difference_noise,
    find_volatility,
    fit_ar1,
    fit_core,
    level_precision,
    loudness,
    mad_sd,
    median,
    running_means,
    tame_history,
    trailing_median,
    within,
)

Array = NDArray[np.float64]

EPISODE_BLOCK = 5  # samples; a precedent must have held for as long as an acting agent looks at
# chance of a false split at which a shift is suspected: enough to ask that credit survive "it goes on" too; in a long history,
# whose placebos know what may go on, a smaller one
SUSPICION = (0.5, 0.1)
DRIFT_STEPS = (3, 4, 6)  # a ramp is looked for over so many of the last steps
DRIFT_SDS = (3.0, 4.0)  # standard deviations of what noise alone moves in as many steps; in a long history
DRIFT_SHARE = 0.6  # no single step of a ramp is more of it than this
CORE = 30  # samples of the current regime before it may hold episodes
MEMORY = 300.0  # samples of noise that weigh against what the samples after the action show of it
LONG = 400  # samples; a shorter history may lie half in an episode, and has no core
LOUDEST = 6.0  # times the usual size of noise that comes and goes
LEAST_SPREAD, MEAN_TO_SD = 0.7, 1.2533  # √(π/2): makes the mean absolute deviation consistent for a normal standard deviation
JUST_NOW = 3  # samples, too few for a shift to be seen
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
    bars: int = 0  # which credit it stands against: +1 that of rises, −1 that of falls, 0 both
    reach: float = math.inf  # values count as no further than this from the level
    widen: tuple[float, float] = (1.0, 1.0)  # factors on the standard errors of rises and falls
    slow: bool = False  # whether something slow goes on under the noise


@dataclass(frozen=True, slots=True)
class Past:
    """What the history says: the accounts in force, where the current regime begins, and what is usual."""

    goes_on: Null
    reverts: Null | None  # None where the history itself rules it out; `goes_on` itself where no shift is suspected
    returns: Null | None  # None where no episode like this one ended by itself
    drifts: Null | None  # None where the last samples were not on their way
    begins: Null | None  # None where the level is not known to shift: else one may have shifted just now
    regime_start: int  # index into the usable history
    usual: float | None  # the level before the current regime, where it shifted away from it without precedent
    y: Array  # (n,) the tamed history
    limit: float  # how far a lone sample may stand out, inner scale
    shifted: bool  # whether its level is proven to have shifted
    volatility: Volatility | None  # None where its noise is of one size

    @property
    def nulls(self) -> tuple[Null, ...]:
        """The accounts in force, "it goes on" first."""
        rest = [
            null
            for null in (self.reverts, self.returns, self.drifts, self.begins)
            if null is not None and null is not self.goes_on
        ]
        return (self.goes_on, *rest)


def read_past(t: Array, y: Array, floor: float, changes: tuple[float, ...] = (), variance: float = 0.0) -> Past:
    """Fit the accounts to a usable history (n,), inner scale. `changes`: times (s) of our own earlier moves.

    `variance`: of the rhythm that was taken out of `y`, at one point; every level is uncertain by as much.
    """
    limit = TAME_SDS * max(floor, _spread(y - trailing_median(y)))
    calm = tame_history(y, limit)
    volatility = None
    if y.size >= LONG and clusters(calm):
        loud = tame_history(y, LOUDEST * limit)  # what is an outlier when all is calm is none in a loud hour
        volatility = find_volatility(loud)
        calm, limit = (calm, limit) if volatility is None else (loud, LOUDEST * limit)
    louder = loudness(calm) if y.size >= LONG and volatility is None else 1.0
    even = calm if volatility is None else volatility.evened(calm)
    search = Shifts(even, floor)
    proven, suspected = (_starts(search, y.size, chance) for chance in (FALSE_SPLITS, SUSPICION[y.size >= LONG]))
    whole = _louder(_stationary(calm, floor, variance), louder)
    shifted = len(proven) > 1
    if len(suspected) == 1:
        return Past(whole, whole, None, _on_its_way(y, whole, floor), None, 0, None, calm, limit, shifted, volatility)
    now = _louder(_current_regime(calm, suspected, floor, variance), louder)
    beyond = replace(now, bars=1 if now.level > whole.level else -1)  # the other way, the whole is the harder one to beat
    drifts = _on_its_way(y, now, floor)
    if not shifted:
        return Past(beyond, whole, None, drifts, None, suspected[-1], None, calm, limit, shifted, volatility)
    start = proven[-1]
    young = y.size < LONG or start > y.size // 2  # else what came before it is not what is usual
    usual = median(calm[:start]) if young else whole.level
    away = y.size < LONG or abs(now.level - usual) > now.sd  # a long history's newest regime may be the usual one
    if not away or _came_back_before(t, calm, start, usual, changes):
        returns = _returning(whole if y.size >= LONG else now, usual, start)
        begins = _begun_just_now(calm, now, whole) if y.size >= LONG else None
        return Past(beyond, whole, returns, drifts, begins, suspected[-1], None, calm, limit, shifted, volatility)
    return Past(now, None, None, drifts, None, suspected[-1], usual, calm, limit, shifted, volatility)


def _spread(x: Array) -> float:
    """Robust deviation; of a long history no less than LEAST_SPREAD of its mean one: that of counts may be 0 half of the time."""
    mean = float(np.abs(x).mean()) if x.size >= LONG else 0.0
    return max(mad_sd(x), LEAST_SPREAD * MEAN_TO_SD * mean)


def _starts(search: Shifts, n: int, chance: float) -> tuple[int, ...]:
    """Where regimes begin. A long history has seen outliers that fade over a few samples: its newest has to hold for a block."""
    starts = search.starts(chance)
    fading = n >= LONG and len(starts) > 1 and n - starts[-1] < EPISODE_BLOCK
    return starts[:-1] if fading else starts


def _louder(null: Null, factor: float) -> Null:
    """The account with the noise of today, remembered no longer than MEMORY samples: it may change again."""
    return replace(null, sd=null.sd * factor, df=min(null.df, MEMORY))


def _stationary(y: Array, floor: float, variance: float) -> Null:
    level, fit = fit_core(y, floor) if y.size >= LONG else (float(y.mean()), fit_ar1(y, floor=floor))
    uncertain = 1.0 / level_precision(y.size, fit.rho) + variance / fit.sd**2
    return Null(level, uncertain, fit.rho, fit.sd, fit.df, float(y[-1]), slow=fit.slow)


def _current_regime(y: Array, starts: tuple[int, ...], floor: float, variance: float) -> Null:
    """Level from the current regime, noise from all of them, but never less than the current one shows."""
    now = y[starts[-1] :]
    if y.size >= LONG:
        fit = fit_core(within(y, starts), floor)[1]
        level, own = fit_core(now, floor) if now.size >= CORE else (float(now.mean()), fit_ar1(now, floor=floor))
    else:
        fit = fit_ar1(y, starts, floor)
        level, own = float(now.mean()), fit_ar1(now, floor=floor)
    noise = max(fit.sd, own.sd)
    uncertain = 1.0 / level_precision(now.size, fit.rho) + variance / noise**2
    return Null(level, uncertain, fit.rho, noise, fit.df, float(y[-1]))


def _on_its_way(y: Array, now: Null, floor: float) -> Null | None:
    """The account of a level that keeps moving as it did over the last 3 to 6 steps; None where these were noise, or one step."""
    noise: DifferenceNoise | None = None
    slope = 0.0
    for steps in DRIFT_STEPS:
        if y.size <= steps:
            break
        stretch = np.diff(y[-steps - 1 :])
        total = float(stretch.sum())
        if float(np.max(stretch * np.sign(total))) > DRIFT_SHARE * abs(total) or abs(total) / steps <= abs(slope):
            continue
        noise = noise or difference_noise(y, floor)
        chance = noise.step * math.sqrt((1.0 - noise.rho**steps) / (1.0 - noise.rho))
        if abs(total) >= DRIFT_SDS[y.size >= LONG] * chance:
            slope = total / steps
    if slope == 0.0:
        return None
    return replace(now, level=float(y[-1]), level_variance=1.0, last=float(y[-1]), slope=slope)


def _begun_just_now(y: Array, now: Null, whole: Null) -> Null:
    """The account of a shift, like those before, that brought the last samples and was too young to be seen."""
    newest = y[-JUST_NOW:]
    level, uncertain = float(newest.mean()), 1.0 / level_precision(JUST_NOW, now.rho)
    return replace(now, level=level, level_variance=max(now.level_variance, uncertain), bars=1 if level > whole.level else -1)


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
    soon = RECENT_CHANGE * median(np.diff(t))
    return not all(bool(np.any((t[end] >= ours) & (t[end] - ours <= soon))) for end in ends.tolist())
