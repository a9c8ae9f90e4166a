"""Anomaly scores for many series at once: a handful of passes over arrays per tick, whatever the number of series.

The screen of the two tiers: a model plain enough for a million series, which tells where the deep tier (`StreamDetector`) should
look.

- **Level** and **spread** (the mean distance from what was expected) are exponentially weighted, and each sample is winsorised
  before it is learned from, so that one wild value moves them by no more than one at three quarters of the limit would.
- **Season**: the usual day of each series, as far as the series keeps to it (`FleetSeason`).
- **Limit**: 4 standard deviations of normal noise, and further out where that proves to be common. Each surprise that no second
  sample bears out raises it half as high again, one that lasts by 3 %, a week without any halves it, and it is never below
  the first: a quantile tracked by stochastic approximation (Robbins and Monro 1951), in steps that hardly ever come. However
  heavy the tails of a series, it so surprises about once in four days, and no more than others.

Arithmetic is in single precision on distances from the level, which itself is in double precision.
"""

from __future__ import annotations

import math
from datetime import UTC, tzinfo

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trimtab.analyze.fleet_season import SLOT_SECONDS, FleetSeason, clear

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

_WARM_UP = 30  # samples of a series before its score leaves 0
LIMIT = 1.6  # score 0.5 at this times `threshold_stddev`, as for `StreamDetector`: 4 standard deviations by default
_SD_IN_SPREADS = math.sqrt(math.pi / 2.0)  # of a normal distribution
_LEARNED = 0.75  # of the limit: to there a sample is pulled in before it is learned from
_WILD = 1.0 / (1.0 + 1.0 / _LEARNED)  # the score there
_RESOLUTION = 1e-9  # of the level: below this a change is how floats are written, not how the target behaves
_LEAST = 1e-30  # a spread is never zero
_ABSURD = 1e18  # off the level: no measurement is, and squares stay within single precision
_RAISED = np.float32(1.5), np.float32(1.03)  # the limit, times: by a surprise that stands alone, and by one that lasts
_AT_MOST = np.float32(1e6)  # the limit, times the first
_QUIET_TICKS = 30  # without a surprise: what comes before that belongs to the last one
_HALVED_SECONDS = 7 * 86_400.0  # the limit, by time without a surprise
_CHUNK = 16_384  # series at a time: what a chunk needs stays in the processor's cache
_GAP, _QUIET_AFTER_GAP = 4.0, 5  # usual steps without a tick; ticks after it that are learned from and not judged


class FleetDetector:
    """Scores `n_series` series tick by tick. Weighs less than 600 bytes a series.

    `half_life` of what is known is in ticks; `zone` says when a day begins. NaN (or ±inf, or what is beyond any measurement)
    means missing: that series scores 0 and its state stays as it is.

    >>> fleet = FleetDetector(2)
    >>> for i in range(100): scores = fleet.update(60.0 * i, [10.0 + i % 3, float("nan")])
    >>> fleet.update(6000.0, [50.0, 1.0]).round(1).tolist()
    [0.9, 0.0]
    """

    def __init__(self, n_series: int, *, threshold_stddev: float = 2.5, half_life: float = 90.0, zone: tzinfo = UTC) -> None:
        if n_series < 0 or not threshold_stddev > 0.0 or not half_life > 0.0:
            raise ValueError("n_series is at least 0, threshold_stddev and half_life are positive")
        self.n_series = n_series
        self._first_limit = np.float32(threshold_stddev * LIMIT * _SD_IN_SPREADS)
        self._alpha = np.float32(1.0 - 0.5 ** (1.0 / half_life))
        self._level = np.zeros(n_series)
        self._spread, self._count = np.zeros(n_series, np.float32), np.zeros(n_series, np.float32)
        self._limit = np.full(n_series, self._first_limit)  # in spreads
        self._surprised = np.full(n_series, -_QUIET_TICKS, np.int32)  # at which tick
        self._alone = np.zeros(n_series, bool)  # its last sample was a surprise after quiet, and the next is not yet there
        self._season = FleetSeason(n_series, 1.0 - float(self._alpha), zone)
        self._far = np.empty(min(n_series, _CHUNK))
        self._work = np.empty((3, min(n_series, _CHUNK)), np.float32)
        self._last = self._step = math.nan
        self._tick = self._quiet = 0
        self._young = True  # some series has had so few samples that each still weighs more than `alpha`

    @property
    def nbytes(self) -> int:
        """Bytes that all series take up together."""
        own = (self._level, self._spread, self._count, self._limit, self._surprised, self._alone)
        return self._season.nbytes + sum(array.nbytes for array in own)

    def update(self, timestamp: float, values: ArrayLike) -> Array:
        """Scores (n_series,) in [0, 1] for `values` (n_series,) at `timestamp` (Unix seconds); 0.5 is the limit.

        A tick that is not newer than the last is ignored and scores 0. Raises `ValueError` on another number of values.
        """
        x = np.asarray(values, dtype=np.float64)
        if x.shape != (self.n_series,):
            raise ValueError(f"expected {self.n_series} values, got an array of shape {x.shape}")
        scores = np.zeros(self.n_series)
        if timestamp <= self._last or not math.isfinite(timestamp):
            return scores
        self._keep_time(timestamp)
        looks = self._season.begin(timestamp)
        with np.errstate(over="ignore", invalid="ignore"):  # what is absurd is found by what becomes of it
            for first in range(0, self.n_series, _CHUNK):
                part = slice(first, min(first + _CHUNK, self.n_series))
                self._judge(part, x[part], scores[part], looks)
        self._young = self._young and bool((self._count * self._alpha < 1.0).any())
        self._quiet -= self._quiet > 0
        return scores

    def grow(self, n_series: int) -> None:
        """Make room for more series, up to `n_series` in all; those that are there keep what is known of them."""
        more = n_series - self.n_series
        if more <= 0:
            return
        self._level = np.concatenate((self._level, np.zeros(more)))
        self._spread = np.concatenate((self._spread, np.zeros(more, np.float32)))
        self._count = np.concatenate((self._count, np.zeros(more, np.float32)))
        self._limit = np.concatenate((self._limit, np.full(more, self._first_limit)))
        self._surprised = np.concatenate((self._surprised, np.full(more, -_QUIET_TICKS, np.int32)))
        self._alone = np.concatenate((self._alone, np.zeros(more, bool)))
        self._season = self._season.grown(n_series)
        self._far, self._work = np.empty(min(n_series, _CHUNK)), np.empty((3, min(n_series, _CHUNK)), np.float32)
        self.n_series, self._young = n_series, True

    def restart(self, index: int) -> None:
        """Forget what is known of one series: its place is taken by another."""
        self._level[index] = self._spread[index] = self._count[index] = 0.0
        self._limit[index], self._surprised[index] = self._first_limit, self._tick - _QUIET_TICKS
        self._alone[index] = False
        self._season.restart(index)
        self._young = True

    def expected(self, index: int) -> float:
        """What one series should be now, in its own unit."""
        return float(self._level[index] + self._season.ahead[index])

    def _keep_time(self, timestamp: float) -> None:
        self._tick += 1
        step, self._last = timestamp - self._last, timestamp
        if math.isnan(step):
            return
        self._step = step if math.isnan(self._step) else self._step
        if step > _GAP * self._step:
            self._quiet = _QUIET_AFTER_GAP
        self._step += 0.1 * (min(step, 3.0 * self._step) - self._step)

    def _judge(self, part: slice, values: Array, scores: Array, looks: bool) -> None:
        """Score and learn one chunk: score = d / (d + limit · spread), d the distance from what is expected."""
        level, spread, far = self._level[part], self._spread[part], self._far[: len(values)]
        off, away, bound = self._work[:, : len(values)]
        np.subtract(values, level, out=far)
        np.copyto(off, far, casting="same_kind")
        present = self._present(off, away, far)
        if self._young:
            self._begin(part, values, off, far, present)
        if self._young or looks:
            least = np.abs(level, out=away, casting="same_kind")
            least *= _RESOLUTION
            least += _LEAST
            np.maximum(spread, least, out=spread)
        off -= self._season.ahead[part]
        if present is not None:
            clear(off, present)
        np.abs(off, out=away)
        np.multiply(spread, self._limit[part], out=bound)
        bound += away
        np.divide(away, bound, out=bound)
        np.copyto(scores, bound)
        if self._young:
            scores[self._count[part] < _WARM_UP] = 0.0
        if not self._quiet:
            self._raise_limits(part, scores, present)
        wild = np.flatnonzero(bound > _WILD)
        change = self._tame(part, wild, scores, off, away, far) if wild.size else None
        if self._quiet:
            scores[:] = 0.0
        if looks:
            self._season.look(part, values if change is None else values + change, far.astype(np.float32), present)
            if self._season.turned:
                lower = np.float32(0.5 ** (SLOT_SECONDS / _HALVED_SECONDS))
                np.maximum(self._limit[part] * lower, self._first_limit, out=self._limit[part])
        self._learn(part, far, away, present)

    @staticmethod
    def _present(off: Floats, away: Floats, far: Array) -> NDArray[np.bool_] | None:
        """Which samples there are, None for all; the others are made 0 off."""
        present = np.abs(off, out=away) < _ABSURD
        if present.all():
            return None
        clear(far, present)
        return present

    def _begin(self, part: slice, values: Array, off: Floats, far: Array, present: NDArray[np.bool_] | None) -> None:
        """The first sample of a series is its level."""
        new = self._count[part] == 0.0
        if present is not None:
            new &= present
        if new.any():
            self._level[part][new] = values[new]
            off[new] = far[new] = 0.0

    def _tame(self, part: slice, wild: NDArray[np.intp], scores: Array, off: Floats, away: Floats, far: Array) -> Array:
        """Pull in what is wild before it is learned from, and note surprises. Returns by how much the values of a day change.

        What lasts is no stray: it belongs to the day as it is.
        """
        wild = wild[self._count[part][wild] > _QUIET_AFTER_GAP]  # before that there is no spread to pull in by
        limit, surprised = self._limit[part], self._surprised[part]
        bound = np.float32(_LEARNED) * limit[wild] * self._spread[part][wild]
        strays = self._tick - surprised[wild] >= _QUIET_TICKS
        if not self._quiet:
            hot = wild[scores[wild] > 0.5]
            fresh = hot[self._tick - surprised[hot] >= _QUIET_TICKS]
            surprised[hot] = self._tick
            self._alone[part][fresh] = True
        change, tamed = np.zeros(len(far)), np.copysign(bound, off[wild]) - off[wild]
        change[wild] = tamed * strays
        far[wild] += tamed
        away[wild] = bound
        return change

    def _raise_limits(self, part: slice, scores: Array, present: NDArray[np.bool_] | None) -> None:
        """Of those whose sample before surprised: was that a stray, as some series have many, or does it last?"""
        waiting = np.flatnonzero(self._alone[part])
        if present is not None:
            waiting = waiting[present[waiting]]
        if waiting.size:
            limit = self._limit[part]
            raised = limit[waiting] * np.where(scores[waiting] > 0.5, _RAISED[1], _RAISED[0])
            limit[waiting] = np.minimum(raised, self._first_limit * _AT_MOST)
            self._alone[part][waiting] = False

    def _learn(self, part: slice, far: Array, away: Floats, present: NDArray[np.bool_] | None) -> None:
        """level += g · off and spread += g · (|off| − spread), with g = 0 where nothing came."""
        gain: np.float32 | Floats = self._alpha
        there = None if present is None else present.astype(np.float32)
        if self._young:
            count = self._count[part]
            count += np.float32(1.0) if there is None else there
            gain = np.maximum(np.float32(1.0) / np.maximum(count, np.float32(1.0)), self._alpha)  # a plain mean at first
        if there is not None:
            gain = np.multiply(there, gain, out=there)
        level, spread = self._level[part], self._spread[part]
        far *= gain
        level += far
        away -= spread
        away *= gain
        spread += away
