"""The scale that values are compared on, and the way back to a relative effect. Chosen from the history alone.

Where every value has one sign, differences of logarithms are compared (latency and throughput err by factors): effect = e^d − 1.
Otherwise plain differences, in units of the typical value, taken relative to the level without the action; so too where a long
history shows that its noise is rather the same at every level than in proportion to it (after Bartlett 1947, "The use of
transformations").
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.stats import median, medians

Array = NDArray[np.float64]

# least noise believed in, a fraction of the level: a unit step of a deterministic metric must still be weighed
FLOOR = 0.01
ENOUGH = 400  # samples before the noise at different levels is compared
RUN = 16  # samples that have one level between them
_MAX_EXPONENT = 50.0
_LARGEST = 1e12  # times the typical value; beyond it squares and sums lose their meaning


@dataclass(frozen=True, slots=True)
class Unit:
    """`sign`: of all values, 0 on the plain scale. `size`: typical |value|, the plain scale's unit."""

    sign: int
    size: float
    least: float = 1.0  # level, in units of `size`, below which nothing is relative to it

    def inner(self, y: Array) -> Array:
        """Values (n,) on the inner scale, larger meaning larger y; NaN where the scale has no place for them."""
        if not self.sign:
            with np.errstate(over="ignore"):
                return np.where(np.isfinite(y), np.clip(y / self.size, -_LARGEST, _LARGEST), np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.asarray(self.sign * np.log(self.sign * y), dtype=np.float64)
        return np.where(np.isfinite(logs), logs, np.nan)

    def relative(self, difference: float, level: float) -> float:
        """A difference on the inner scale from `level` (inner scale), as a fraction of the value there: 0.25 = a quarter higher.

        >>> round(Unit(1, 1.0).relative(math.log(1.25), 0.0), 3), Unit(0, 8.0).relative(0.5, 2.0)
        (0.25, 0.25)
        """
        if self.sign:
            exponent = min(_MAX_EXPONENT, max(-_MAX_EXPONENT, difference * self.sign))
            return self.sign * math.expm1(exponent)
        return difference / max(abs(level), self.least)


def choose_unit(y: Array) -> Unit | None:
    """The scale for a history `y` (n,) finite; None where all of it is zero, as nothing can be relative to that."""
    size = median(np.abs(y))
    if np.all(y > 0.0) or np.all(y < 0.0):
        return Unit(0, size, least=0.1) if additive(np.abs(y)) else Unit(1 if y[0] > 0.0 else -1, size)
    size = size or float(np.mean(np.abs(y)))
    return Unit(0, size) if size > 0.0 else None


def additive(size: Array) -> bool:
    """Whether the noise of positive values (n,) keeps its size, rather than its proportion, from low levels to high ones.

    >>> noise, level = np.tile([0.0, 1.0, -1.0, 0.5], 200), np.repeat([10.0, 20.0], 400)
    >>> additive(level + noise), additive(level * (1 + 0.1 * noise))
    (True, False)
    """
    if size.size < ENOUGH:
        return False
    runs = size[: size.size // RUN * RUN].reshape(-1, RUN)
    steps, level = np.abs(np.diff(runs, axis=1)), medians(runs)
    high = level > median(level)
    if high.all() or not high.any():
        return False
    growth = np.log(max(median(steps[high].ravel()), 1e-300) / max(median(steps[~high].ravel()), 1e-300))
    proportion = np.log(median(level[high]) / median(level[~high]))
    return bool(growth < 0.5 * proportion)
