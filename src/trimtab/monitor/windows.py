"""The recent past of one series, in memory of fixed bounds.

Every good sample is appended by `Monitor.post`; `analyze` and `verify` read copies, so that nothing they hold changes under them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.domain.metrics import Series

Array = NDArray[np.float64]

_FIRST = 16  # samples to make room for at first: many series of a scrape are never looked at
_KEPT_WHATEVER_THE_AGE = 8  # a sensor slower than the window must still get out of its warm-up


@dataclass(frozen=True, slots=True, eq=False)
class SeriesWindow:
    """Good samples of a series, oldest first: `t` (n,) in Unix seconds, strictly rising, and `v` (n,) in the series' unit."""

    series: Series
    t: Array
    v: Array


class RingWindow:
    """Samples of the last `seconds`, at most `max_samples`, in two arrays that grow by doubling and are then reused.

    Invariants: `t` rises strictly; `len(window)` ≤ `max_samples`; the arrays hold at most twice that. The samples always lie side
    by side, so that `t` and `v` are views without a copy; they are valid until the next `append`. `newest` is the time of the
    last, -inf before the first: asked for at every sample, where reading it out of the array would cost as much as all the rest.
    """

    __slots__ = ("_end", "_max", "_seconds", "_start", "_t", "_v", "newest")

    def __init__(self, seconds: float, max_samples: int) -> None:
        self._seconds, self._max = seconds, max_samples
        size = min(_FIRST, 2 * max_samples)
        self._t, self._v = np.empty(size), np.empty(size)
        self._start = self._end = 0
        self.newest = -math.inf

    def __len__(self) -> int:
        return self._end - self._start

    @property
    def t(self) -> Array:
        """Times, oldest first."""
        return self._t[self._start : self._end]

    @property
    def v(self) -> Array:
        """Values, oldest first."""
        return self._v[self._start : self._end]

    @property
    def last(self) -> tuple[float, float] | None:
        """Time and value of the newest sample."""
        return (self.newest, float(self._v[self._end - 1])) if self._end > self._start else None

    def append(self, t: float, v: float) -> None:
        """Add a sample that is newer than all others."""
        end = self._end
        if end == len(self._t):
            self._make_room()
            end = self._end
        self._t[end] = t
        self._v[end] = v
        self._end = end + 1
        self.newest = t
        if self._t[self._start] < t - self._seconds or end >= self._start + self._max:
            self._forget_before(t - self._seconds)

    def newer_than(self, t: float, at_most: int) -> tuple[list[float], list[float]]:
        """Times and values of the samples later than `t`, the last `at_most` of them."""
        if self.newest <= t:
            return [], []
        if self._end - self._start == 1 or self._t[self._end - 2] <= t:  # just the last one, as at every turn
            return [self.newest], [float(self._v[self._end - 1])]
        first = max(self._start + int(np.searchsorted(self.t, t, side="right")), self._end - at_most)
        return self._t[first : self._end].tolist(), self._v[first : self._end].tolist()

    def drop_after(self, t: float) -> None:
        """Forget samples later than `t`: restored ones, written while the clock was ahead."""
        self._end = self._start + int(np.searchsorted(self.t, t, side="right"))
        self.newest = float(self._t[self._end - 1]) if len(self) else -math.inf

    def _forget_before(self, oldest: float) -> None:
        if len(self) > self._max:
            self._start = self._end - self._max
        while len(self) > min(_KEPT_WHATEVER_THE_AGE, self._max) and self._t[self._start] < oldest:
            self._start += 1

    def _make_room(self) -> None:
        kept, size = len(self), len(self._t)
        if kept > size // 2:  # otherwise the front half is free again
            size = min(2 * size, 2 * self._max)
        t, v = np.empty(size), np.empty(size)
        t[:kept], v[:kept] = self.t, self.v
        self._t, self._v, self._start, self._end = t, v, 0, kept
