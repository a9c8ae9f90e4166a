"""Anomaly scores for many series at once: a handful of passes over arrays per tick, whatever the number of series.

Level and variance are exponentially weighted (West 1979, incremental form) and each sample is winsorised before it is learned
from, so that one wild value moves them by no more than one at 3 standard deviations. The price of the speed is a plainer model
than `StreamDetector`'s: one symmetric scale, no memory of tails, and no second look at a single strange sample.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_WARM_UP = 30  # samples of a series before its score leaves 0
_LIMIT = 1.6  # score 0.5 at this times `threshold_stddev`, as for `StreamDetector`: 4 standard deviations by default
_LEARNED = 3.0  # standard deviations to which a sample is pulled in before it is learned from
_RESOLUTION = 1e-9  # of the level, see `reference`
_CHUNK = 4_096  # series at a time: what a chunk needs stays in the processor's cache
_GAP, _QUIET_AFTER_GAP = 4.0, 5  # usual steps without a tick; ticks after it that are learned from and not judged


class FleetDetector:
    """Scores `n_series` series tick by tick. Memory: 3 arrays of n_series.

    `half_life` is in ticks. NaN (or ±inf) means missing: that series scores 0 and its state stays as it is.

    >>> fleet = FleetDetector(2)
    >>> for i in range(100): scores = fleet.update(60.0 * i, [10.0 + i % 3, float("nan")])
    >>> fleet.update(6000.0, [50.0, 1.0]).round(1).tolist()
    [0.9, 0.0]
    """

    def __init__(self, n_series: int, *, threshold_stddev: float = 2.5, half_life: float = 90.0) -> None:
        if n_series < 0 or not threshold_stddev > 0.0 or not half_life > 0.0:
            raise ValueError("n_series is at least 0, threshold_stddev and half_life are positive")
        self.n_series = n_series
        self._limit = threshold_stddev * _LIMIT
        self._alpha = 1.0 - 0.5 ** (1.0 / half_life)
        self._level, self._variance, self._count = np.zeros(n_series), np.zeros(n_series), np.zeros(n_series)
        self._work = np.empty((3, min(n_series, _CHUNK)))
        self._last = self._step = math.nan
        self._quiet = 0
        self._young = True  # some series has had so few samples that each still weighs more than `alpha`

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
        for first in range(0, self.n_series, _CHUNK):
            self._tick(x, scores, slice(first, min(first + _CHUNK, self.n_series)))
        self._young = self._young and bool((self._count * self._alpha < 1.0).any())
        if self._quiet:
            self._quiet -= 1
            scores[:] = 0.0
        return scores

    def _keep_time(self, timestamp: float) -> None:
        step, self._last = timestamp - self._last, timestamp
        if math.isnan(step):
            return
        self._step = step if math.isnan(self._step) else self._step
        if step > _GAP * self._step:
            self._quiet = _QUIET_AFTER_GAP
        self._step += 0.1 * (min(step, 3.0 * self._step) - self._step)

    def _tick(self, values: Array, scores: Array, part: slice) -> None:
        """Score and learn one chunk: score = d / (d + limit · s), d the distance from the level and s the scale."""
        x, level, score = values[part], self._level[part], scores[part]
        off, scale, spare = self._work[:, : len(x)]
        present = np.isfinite(x)
        whole = bool(present.all())
        np.subtract(x if whole else np.where(present, x, level), level, out=off)
        np.sqrt(self._variance[part], out=scale)
        np.abs(level, out=spare)
        spare *= _RESOLUTION
        scale += spare
        np.abs(off, out=score)
        np.multiply(scale, self._limit, out=spare)
        spare += score
        spare += 1e-300  # a constant zero
        score /= spare
        if self._young:
            score[self._count[part] < _WARM_UP] = 0.0
        self._learn(part, off, scale, spare, None if whole else present)

    def _learn(self, part: slice, off: Array, scale: Array, spare: Array, present: NDArray[np.bool_] | None) -> None:
        """level += g·d and variance = (1 − g)(variance + g·d²), with d pulled in to 3 scales and g = 0 where nothing came."""
        count = self._count[part]
        count += 1.0 if present is None else present
        gain: float | Array = self._alpha
        scale *= _LEARNED
        if self._young or present is not None:
            weight = np.maximum(1.0 / np.maximum(count, 1.0), self._alpha)  # a plain mean at first
            scale[count <= _QUIET_AFTER_GAP] = np.inf  # no scale yet to pull in by
            if present is not None:
                weight[~present] = 0.0
            gain = weight
        np.minimum(off, scale, out=off)
        np.negative(scale, out=scale)
        np.maximum(off, scale, out=off)
        np.multiply(off, gain, out=spare)
        self._level[part] += spare
        spare *= off
        variance = self._variance[part]
        variance += spare
        variance *= 1.0 - gain
