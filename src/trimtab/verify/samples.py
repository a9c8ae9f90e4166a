"""Sort readings into before and after, and refuse those that carry nothing. First step of a verdict.

Missing (NaN, inf), going backwards in time, an exact zero from a metric that is never near zero (an exporter that answers 0
when it fails), the same number again and again as never before (one that answers from its memory): none of these is a
measurement, and none may ever become success.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.stats.scale import median

Array = NDArray[np.float64]

LATEST = 1e15  # seconds; no clock shows more
LARGEST = 1e300  # beyond it means overflow
RARE_ZERO = 0.2  # zeros are taken for errors where fewer than this share of the history is zero …
ROOM = 64  # readings that there is room for, at least, when a table grows
NEAR_ZERO = 0.1  # … and nothing else comes nearer to zero than this fraction of the median


@dataclass(frozen=True, slots=True)
class Lively:
    """How a series looks whose sensor works, known from its history.

    `zero_is_error`: see `zeros_are_errors`. `patience`: how many exactly equal values in a row are no sign of a dead sensor.
    """

    zero_is_error: bool
    patience: float

    @classmethod
    def of(cls, y: Array) -> Lively:
        """Twice as many equal values in a row as `y` (n,) ever had, but for those at its end, are nothing new.

        >>> Lively.of(np.array([1.0, 2.0, 2.0, 3.0])).patience, Lively.of(np.array([2.0, 2.0, 2.0])).patience
        (4.0, inf)
        """
        known = y[np.abs(y) < LARGEST]
        zero_is_error = bool(known.size) and zeros_are_errors(known)
        equal = run_lengths(known[known != 0.0] if zero_is_error else known)
        over = equal[: equal.size - int(equal[-1])] if equal.size else equal
        return cls(zero_is_error, 2.0 * float(over.max()) if over.size else math.inf)

    def measured(self, y: Array) -> tuple[Array, int]:
        """`y` (n,) with NaN for what is no measurement; and how many of the newest are too many equal ones, else 0."""
        told = np.where((np.abs(y) < LARGEST) & ~((y == 0.0) & self.zero_is_error), y, np.nan)
        known = np.isfinite(told)
        equal = run_lengths(told[known])
        stuck = equal > self.patience
        told[np.flatnonzero(known)[stuck]] = np.nan
        return told, int(equal[-1]) if equal.size and stuck[-1] else 0


@dataclass(frozen=True, slots=True)
class Before:
    """Usable history: `t` (n,) seconds ascending, `y` (n,); `lively`: what is a measurement here."""

    t: Array
    y: Array
    lively: Lively


class Readings:
    """What came after an action, in order: `t` (n,) seconds, `y` (n,), controls `x` (n, k). One more is taken in at once."""

    __slots__ = ("_n", "_table")

    def __init__(self, t: Array, y: Array, x: Array) -> None:
        self._n, self._table = t.size, np.vstack((t, y, x.T))

    def append(self, t: float, y: float, x: Sequence[float]) -> None:
        """One more reading, and those of the controls at the same time."""
        if self._n == self._table.shape[1]:
            self._table = np.hstack((self._table, np.empty((self._table.shape[0], max(ROOM, self._n)))))
        self._table[:, self._n] = (t, y, *x)
        self._n += 1

    @property
    def t(self) -> Array:
        """When they were made."""
        return self._table[0, : self._n]

    @property
    def y(self) -> Array:
        """What they were."""
        return self._table[1, : self._n]

    @property
    def x(self) -> Array:
        """What the controls were."""
        return self._table[2:, : self._n].T


def ascending(t: Array, y: Array, x: Array) -> tuple[Array, Array, Array]:
    """Drop what has no sensible time or does not move forward in time. `x` (n, k): controls.

    >>> ascending(np.array([1.0, 2.0, 1.5, 3.0]), np.array([1.0, 2.0, 9.0, 3.0]), np.zeros((4, 0)))[:2]
    (array([1., 2., 3.]), array([1., 2., 3.]))
    """
    if t.size and t[0] > -LATEST and t[-1] < LATEST and np.all(t[1:] > t[:-1]):
        return t, y, x
    known = np.abs(t) < LATEST
    t, y, x = t[known], y[known], x[known]
    if t.size < 2:
        return t, y, x
    highest = np.maximum.accumulate(t)
    forward = np.concatenate(([True], t[1:] > highest[:-1]))
    return t[forward], y[forward], x[forward]


def table_of(controls: Mapping[str, object], t: object) -> Array:
    """The controls' values as columns (n, k), or a ValueError that names the one that does not fit `t`."""
    columns = [as_arrays(t, values)[1] for values in controls.values()]
    return np.stack(columns, axis=1) if columns else np.zeros((np.atleast_1d(np.asarray(t)).size, 0))


def usable_history(t: Array, y: Array) -> Before:
    """The history without missing values and zeros that stand for errors. `t`, `y` (n,), ascending."""
    lively = Lively.of(y)
    usable = (np.abs(y) < LARGEST) & ~((y == 0.0) & lively.zero_is_error)
    return Before(t[usable], y[usable], lively)


def zeros_are_errors(y: Array) -> bool:
    """Whether an exact zero would stand alone: few or none in `y`, and everything else well away from zero.

    >>> zeros_are_errors(np.array([10.0, 11.0, 0.0, 9.0, 10.0, 10.0])), zeros_are_errors(np.array([0.0, 0.0, 3.0]))
    (True, False)
    """
    size = np.abs(y)
    rest = size[size > 0.0]
    if rest.size == 0 or 1.0 - rest.size / size.size >= RARE_ZERO:
        return False
    return bool(rest.min() > NEAR_ZERO * median(rest))


def run_lengths(y: Array) -> Array:
    """How many values in a row, each with itself and those before it, are exactly equal, (n,).

    >>> run_lengths(np.array([3.0, 5.0, 5.0, 5.0, 4.0])).tolist()
    [1.0, 1.0, 2.0, 3.0, 1.0]
    """
    place = np.arange(y.size)
    began = np.maximum.accumulate(np.where(np.concatenate(([True], y[1:] != y[:-1]))[: y.size], place, 0))
    return np.asarray(place - began + 1.0)


def as_arrays(t: object, y: object) -> tuple[Array, Array]:
    """Two float arrays of one length, or a ValueError that names both lengths."""
    times = np.atleast_1d(np.asarray(t, dtype=np.float64))
    values = np.atleast_1d(np.asarray(y, dtype=np.float64))
    if times.shape != values.shape or times.ndim != 1:
        raise ValueError(f"t and y must be flat and equally long; got shapes {times.shape} and {values.shape}")
    return times, values
