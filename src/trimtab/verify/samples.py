"""Sort readings into before and after, and refuse those that carry nothing. First step of a verdict.

Missing (NaN, inf), going backwards in time, or an exact zero from a metric that is never near zero (an exporter that
answers 0 when it fails): none of these is a measurement, and none may ever become success.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.stats.scale import median

Array = NDArray[np.float64]

LATEST = 1e15  # seconds; no clock shows more
LARGEST = 1e300  # beyond it means overflow
RARE_ZERO = 0.2  # zeros are taken for errors where fewer than this share of the history is zero …
NEAR_ZERO = 0.1  # … and nothing else comes nearer to zero than this fraction of the median


@dataclass(frozen=True, slots=True)
class Before:
    """Usable history: `t` (n,) seconds ascending, `y` (n,); `zero_is_error`: whether an exact zero is no measurement here."""

    t: Array
    y: Array
    zero_is_error: bool


def ascending(t: Array, y: Array, x: Array) -> tuple[Array, Array, Array]:
    """Drop what has no sensible time or does not move forward in time. `x` (n, k): controls.

    >>> ascending(np.array([1.0, 2.0, 1.5, 3.0]), np.array([1.0, 2.0, 9.0, 3.0]), np.zeros((4, 0)))[:2]
    (array([1., 2., 3.]), array([1., 2., 3.]))
    """
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
    known = np.abs(y) < LARGEST
    t, y = t[known], y[known]
    zero_is_error = bool(y.size) and zeros_are_errors(y)
    if zero_is_error:
        t, y = t[y != 0.0], y[y != 0.0]
    return Before(t, y, zero_is_error)


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


def as_arrays(t: object, y: object) -> tuple[Array, Array]:
    """Two float arrays of one length, or a ValueError that names both lengths."""
    times = np.atleast_1d(np.asarray(t, dtype=np.float64))
    values = np.atleast_1d(np.asarray(y, dtype=np.float64))
    if times.shape != values.shape or times.ndim != 1:
        raise ValueError(f"t and y must be flat and equally long; got shapes {times.shape} and {values.shape}")
    return times, values
