"""What the load may become: many ways it may go on, from how it went on before.

Called by the predictive policy. A damped trend (Gardner & McKenzie 1985, "Forecasting trends in time series", Management
Science 31) says where the load is heading; each earlier moment then adds one way, by what followed there and the trend had not
foreseen. So bursts that came before may come again, and where they ended they may end again. Moments like now count more
(analogues: Lorenz 1969). A few ways that nobody has seen yet are always among them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DAMPING = 0.85  # of the trend, a step
GAINS = tuple((level, trend) for level in (0.4, 0.7, 1.0) for trend in (0.0, 0.2, 0.5))
UNSEEN = 4.0  # moments' worth of ways that were never seen
LIKENESS = 0.25  # relative distance of two levels that are alike
TURNING = 0.12  # difference of two trends that are alike, a step, relative to the level
ANY = 0.05  # what a moment counts that is not like now at all


@dataclass(frozen=True, slots=True)
class Ways:
    """Ways (s, steps) that the load may go on, with weights (s,) that add up to 1."""

    paths: Array
    weights: Array

    @property
    def mean(self) -> Array:
        """The expected load (steps,)."""
        return np.asarray(self.weights @ self.paths)


def ways(load: Array, steps: int) -> Ways:
    """How `load` (n,), a value a step, may go on for `steps`; n ≥ 1, finite, never negative.

    >>> bool(abs(ways(np.full(30, 20.0), 4).mean - 20.0).max() < 1.0)
    True
    """
    foreseen, errors, alike = _trend(load, steps)
    unseen = _unseen(load[-1], steps)
    paths = np.concatenate([foreseen + errors, foreseen * unseen])
    rare = np.array([0.5, 0.17, 0.17, 0.06, 0.05, 0.05])
    weights = np.concatenate([alike * alike.size / max(alike.sum(), 1e-12), UNSEEN * rare / rare.sum()])
    return Ways(np.maximum(paths, 0.0), weights / weights.sum())


def _unseen(now: float, steps: int) -> Array:
    """Multiples (s, steps) of what is foreseen: as it is, wandering either way, and jumps of a half and of double."""
    h = np.arange(1.0, steps + 1.0)
    late = np.where(h >= 3, 1.0, 0.0)
    return np.array(
        [np.ones(steps), 1 + 0.04 * np.sqrt(h), 1 - 0.04 * np.sqrt(h), np.full(steps, 1.5), 1.0 + late, np.full(steps, 2.0)]
    )


def _trend(load: Array, steps: int) -> tuple[Array, Array, Array]:
    """The path that is foreseen (steps,), what earlier ones had missed (m, steps), and how like now each moment was (m,)."""
    gains = np.array(GAINS)
    level, slope = np.full(len(gains), load[0]), np.zeros(len(gains))
    levels, slopes, cost = np.empty((load.size, len(gains))), np.empty((load.size, len(gains))), np.zeros(len(gains))
    for i, value in enumerate(load.tolist()):
        cost = 0.97 * cost + np.abs(value - level - DAMPING * slope)
        guess = level + DAMPING * slope
        new = guess + gains[:, 0] * (value - guess)
        slope = DAMPING * slope + gains[:, 1] * (new - guess)
        level = new
        levels[i], slopes[i] = level, slope
    best = int(np.argmin(cost))
    fade = np.cumsum(DAMPING ** np.arange(1, steps + 1))
    paths = np.maximum(levels[:, best, np.newaxis] + slopes[:, best, np.newaxis] * fade, 0.0)  # (n, steps) from every moment
    known = np.arange(load.size)[:, np.newaxis] + np.arange(1, steps + 1)
    errors = load[np.minimum(known, load.size - 1)] - paths
    usable = np.arange(load.size) < load.size - 1
    last = load.size - 2 - np.arange(load.size)  # the last step of each that is known; it is held on
    column = np.minimum(np.arange(steps)[np.newaxis, :], np.maximum(last, 0)[:, np.newaxis])
    errors = np.take_along_axis(errors, column, axis=1)
    near = np.abs(levels[:, best] - levels[-1, best]) / (LIKENESS * max(levels[-1, best], 1e-9))
    turned = np.abs(slopes[:, best] - slopes[-1, best]) / max(TURNING * levels[-1, best], 1e-9)
    alike = np.exp(-0.5 * near**2 - 0.5 * turned**2) + ANY
    return paths[-1], errors[usable], alike[usable]
