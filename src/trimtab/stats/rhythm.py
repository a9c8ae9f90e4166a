"""What the clock alone explains of a series: a daily (or weekly) profile and a steady trend. Taken out by `verify` first.

    y_t = p(phase of t) + s · t + rest_t

The history is cut, backwards from its end, into whole cycles of BINS bins. The profile is the mean cycle up to its K-th harmonic;
K is the one that best foretells each cycle from the others, and there is no profile at all unless that explains half of what bins
vary (cross-validation, Stone 1974). What is left of a cycle is measured against the profile of the *other* cycles, so that the
past shows the errors that a forecast makes. A trend is believed where all four quarters of the history go its way, each at least
half as far as the mean one, further than AR(1) noise of what is left could go, and where only noise is left. Where the slope of
the newer half is another, that half is asked in its place: what bends goes on as it went last.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.stats.ar1 import fit_ar1, level_precision
from trimtab.stats.regimes import difference_noise
from trimtab.stats.scale import median

Array = NDArray[np.float64]

PERIODS = (86_400.0, 604_800.0)  # seconds
BINS = 96  # per cycle: a quarter of an hour in a day
HARMONICS = (1, 2, 3, 4, 6, 8, 12, 16, 24)
FINE = 960  # points of the profile between which it is interpolated
EXPLAINS = 0.5  # share of the variance between bins that a profile must foretell
PER_BIN = 3.0  # samples a bin needs on average
TREND_Z = 5.0  # standard errors; the largest of many slopes that noise shows
SHARES = (1.0, 0.5, 0.25)  # of the history that a trend may fill
ALONE = 1.5  # times the noise that differences show: more is left where steps, not a slope, brought it here
BENT = 3.0 * np.sqrt(7.0)  # standard errors of a slope; that of the newer half differs from it by √7 of them
STEADY = 0.5  # no quarter moves less than this share of the mean quarter


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Profile and trend. `rest` (n,): the history without them; `variance`: of the two at the end, in y's units squared."""

    period: float  # seconds
    origin: float  # time of phase 0, s; the end of the history
    profile: Array  # (FINE,) over one cycle; empty: no season
    slope: float  # per second
    rest: Array
    variance: float
    begun: float = float("-inf")  # since when the slope has held, s

    def at(self, t: Array) -> Array:
        """The part of the value at times `t` (n,) s that profile and trend make up; the trend is 0 at the end of the history."""
        out = self.slope * (t - self.origin)
        if self.profile.size:
            out = out + _interpolated(self.profile, _phase(t, self.origin, self.period))
        return np.asarray(out, dtype=np.float64)


def find_rhythm(t: Array, y: Array, floor: float) -> Rhythm | None:
    """The rhythm of a history `t` (n,) s ascending, `y` (n,) finite and tamed; None where it shows none.

    >>> t = 30.0 * np.arange(5760)
    >>> daily = 3.0 * np.sin(2 * np.pi * t / 86400)
    >>> rhythm = find_rhythm(t, daily + 0.1 * np.sin(t**2), floor=0.01)
    >>> rhythm is not None and float(np.abs(rhythm.at(t) - daily).max()) < 0.1
    True
    """
    origin = float(t[-1]) + median(np.diff(t))
    season = _season(t, y, origin)
    fitted = season.rest if season is not None else y
    trend = _trend(t, fitted, floor)
    if season is None and trend.slope == 0.0:
        return None
    part = trend.slope * (np.maximum(t, trend.begun) - origin)
    off = (trend.error * 0.5 * (origin - trend.begun)) ** 2  # it turns about its middle
    if season is None:
        return Rhythm(PERIODS[0], origin, np.empty(0), trend.slope, y - part, off, trend.begun)
    return Rhythm(season.period, origin, season.profile, trend.slope, season.rest - part, season.variance + off, trend.begun)


def _season(t: Array, y: Array, origin: float) -> Rhythm | None:
    best: Rhythm | None = None
    for period in PERIODS:
        cycles = int((origin - t[0]) / period + 1e-6)
        if cycles < 2 or y.size < PER_BIN * BINS * cycles:
            break
        found = _profile(t, y, origin, period, cycles)
        if found is not None and (best is None or found.rest.var() < best.rest.var()):
            best = found
    return best


def _profile(t: Array, y: Array, origin: float, period: float, cycles: int) -> Rhythm | None:
    """The profile of one period, left-out cycle by left-out cycle."""
    table = _table(t, y, origin, period, cycles)  # (cycles, BINS), oldest first
    if table is None:
        return None
    lift = table.mean(axis=1)
    steady = (lift[-1] - lift[0]) / (cycles - 1)  # what a trend would add in a cycle
    ramp = steady * (np.arange(BINS) + 0.5) / BINS
    flat = table - lift[:, None]
    bent = flat - (ramp - ramp.mean())
    tried = [(_misses(shape, k), k, bends) for bends, shape in enumerate((flat, bent)) for k in HARMONICS]
    error, k, bends = min(tried)
    shape = bent if bends else flat  # a trend is no season, though it saws like one
    if error > (1.0 - EXPLAINS) * float(np.square(shape).mean()):
        return None
    mean = shape.mean(axis=0)
    each = _smooth(shape, k)
    variance = float(np.square(each - each.mean(axis=0)).mean()) / (cycles - 1.0)
    phase = _phase(t, origin, period)
    which = np.clip(cycles - 1 - np.floor((origin - t) / period).astype(int), 0, cycles - 1)
    rest = np.empty_like(y)
    for cycle in range(cycles):
        others = _fine((mean * cycles - shape[cycle]) / (cycles - 1.0), k)
        here = which == cycle
        rest[here] = y[here] - _interpolated(others, phase[here])
    return Rhythm(period, origin, _fine(mean, k), 0.0, rest, variance)


def _misses(shape: Array, k: int) -> float:
    """Mean squared error with which each cycle is foretold by the mean of the others."""
    cycles = shape.shape[0]
    others = _smooth((shape.sum(axis=0) - shape) / (cycles - 1.0), k)
    return float(np.square(shape - others).mean())


def _table(t: Array, y: Array, origin: float, period: float, cycles: int) -> Array | None:
    """Bin means (cycles, BINS); None where a bin has none."""
    slot = np.floor((t - (origin - cycles * period)) / period * BINS + 1e-9).astype(int)
    known = (slot >= 0) & (slot < cycles * BINS)
    count = np.bincount(slot[known], minlength=cycles * BINS)
    if count.min() == 0:
        return None
    return np.asarray((np.bincount(slot[known], y[known], cycles * BINS) / count).reshape(cycles, BINS))


def _smooth(shape: Array, k: int) -> Array:
    spectrum = np.fft.rfft(shape)
    spectrum[..., k + 1 :] = 0.0
    return np.asarray(np.fft.irfft(spectrum, BINS))


def _fine(shape: Array, k: int) -> Array:
    """Bin means (BINS,) up to harmonic k as a profile (FINE,), undoing what averaging over a bin took from each harmonic."""
    order = np.arange(k + 1)
    spectrum = np.zeros(FINE // 2 + 1, dtype=np.complex128)
    centre = np.exp(-1j * np.pi * order / BINS)  # a bin's mean belongs to its middle
    spectrum[: k + 1] = np.fft.rfft(shape)[: k + 1] * centre / np.sinc(order / BINS)
    spectrum[0] = 0.0
    return np.asarray(np.fft.irfft(spectrum, FINE)) * (FINE / BINS)


def _phase(t: Array, origin: float, period: float) -> Array:
    return np.asarray(np.mod((t - origin) / period, 1.0))


def _interpolated(profile: Array, phase: Array) -> Array:
    return np.asarray(np.interp(phase * FINE, np.arange(FINE + 1), np.append(profile, profile[0])), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Trend:
    slope: float  # per second; 0: none
    error: float = 0.0  # standard error of the slope
    bends: bool = False  # whether its newer half has another slope
    begun: float = float("-inf")


def _trend(t: Array, y: Array, floor: float) -> _Trend:
    """The trend of the whole history; where that shows none, or bends, of a newer part."""
    found = _Trend(0.0, begun=float(t[0]))
    for share in SHARES:
        begin = int(t.size * (1.0 - share))
        trend = _steady(t[begin:], y[begin:], floor)
        if trend is not None:
            found = trend
            if not trend.bends:
                break
    return found


def _steady(t: Array, y: Array, floor: float) -> _Trend | None:
    """The trend of `y` (n,) where every quarter follows it and noise cannot explain it."""
    quarters = np.asarray([part.mean() for part in np.array_split(y, 4)])
    steps = np.diff(quarters)
    if np.min(steps * np.sign(steps.sum())) < STEADY * abs(steps.mean()):
        return None
    slope, left, square = _line(t, y)
    fit = fit_ar1(left, floor=floor)
    noise = difference_noise(left, floor)
    if fit.sd > ALONE * noise.step / np.sqrt(2.0 * (1.0 - noise.rho)):
        return None
    error = fit.sd / np.sqrt(level_precision(y.size, fit.rho) * square)
    newer = _line(t[t.size // 2 :], y[t.size // 2 :])[0]
    return _Trend(slope, error, abs(newer - slope) > BENT * error, float(t[0])) if abs(slope) > TREND_Z * error else None


def _line(t: Array, y: Array) -> tuple[float, Array, float]:
    """Slope of the straight line through `y` (n,), what it leaves, and the mean square of the times."""
    x = t - t.mean()
    slope = float(x @ (y - y.mean()) / (x @ x))
    return slope, y - y.mean() - slope * x, float(np.mean(x * x))
