"""Noise that is calm for hours and loud for hours: how loud it is at each sample, told from those before it.

    s²_t = k · ((1 − w) m + w q_{t−1}),   q_t = q_{t−1} + a (d²_t − q_{t−1}),   d_t = y_t − y_{t−1},   m = mean d²

An exponentially weighted mean of squared steps that goes back to the usual one: a GARCH(1, 1) (Bollerslev 1986) with few
parameters, fitted by quasi-likelihood over a small grid. Steps rather than levels, since a lasting shift, such as an action may
bring, shows in one of them only. k makes the mean of d²/s² that of d².
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from trimtab.stats.scale import median

Array = NDArray[np.float64]

BLOCK = 16  # steps whose mean size is compared with that of the block before
LEAST_BLOCKS = 20
CLUSTERS = 0.2  # correlation of the two from which on loudness is followed: four standard errors for two days at 30 s
PACES = (0.2, 0.1, 0.05, 0.025, 0.01)  # a: from five samples to a hundred
WEIGHTS = (0.6, 0.8, 0.95)  # w
GAIN = 0.02  # least gain in log likelihood a sample
STEEP = 30.0  # times the usual; one step says no more


@dataclass(frozen=True, slots=True)
class Volatility:
    """How the size of the noise is foretold. `squares` (n,): variance at each sample of the history, relative to the usual."""

    pace: float
    weight: float
    factor: float  # k
    usual: float  # m, in y's units squared
    newest: float  # q at the end of the history, relative to the usual
    squares: Array

    def after(self, y: Array) -> Array:
        """The same for the samples `y` (m,) that follow the history; what the first of them moved by says nothing."""
        steps = np.minimum(np.square(np.diff(y)) / self.usual, STEEP)
        known = _followed(steps.tolist(), self.pace, self.newest)
        return self._foretold(np.concatenate(([self.newest], known))[: y.size])

    def evened(self, y: Array) -> Array:
        """The history `y` (n,) as it would be with noise of one size around its median."""
        middle = median(y)
        return np.asarray(middle + (y - middle) / np.sqrt(self.squares))

    def _foretold(self, q: Array) -> Array:
        return np.asarray(self.factor * (1.0 - self.weight + self.weight * q))


def find_volatility(y: Array) -> Volatility | None:
    """How loud a history `y` (n,) finite and tamed is at each sample; None where its noise is of one size.

    >>> calm_and_loud = np.where(np.arange(1600) // 200 % 2, 3.0, 1.0) * np.sin(np.arange(1600) ** 2)
    >>> found = find_volatility(calm_and_loud)
    >>> found is not None and bool(found.squares[350] > 3 * found.squares[150])
    True
    >>> find_volatility(np.sin(np.arange(1600.0) ** 2)) is None
    True
    """
    steps = np.square(np.diff(y))
    usual = float(steps.mean())
    if usual <= 0.0 or not clusters(y):
        return None
    steps = np.minimum(steps / usual, STEEP)
    best: tuple[float, Volatility] | None = None
    for pace in PACES:
        known = _followed(steps.tolist(), pace, 1.0)
        before = np.concatenate(([1.0], known[:-1]))  # what was known when each step was made
        for weight in WEIGHTS:
            raw = 1.0 - weight + weight * before
            factor = float((steps / raw).mean())
            surprise = float(np.log(raw).mean()) + math.log(factor)
            if best is None or surprise < best[0]:
                squares = factor * np.concatenate(([1.0], raw))
                best = surprise, Volatility(pace, weight, factor, usual, float(known[-1]), squares)
    assert best is not None
    constant = math.log(float(steps.mean()))
    return best[1] if 0.5 * (constant - best[0]) > GAIN else None


def _followed(steps: Iterable[float], pace: float, start: float) -> Array:
    """q after each of the steps."""
    return np.asarray(list(accumulate(steps, lambda q, step: q + pace * (step - q), initial=start))[1:], dtype=np.float64)


def clusters(y: Array) -> bool:
    """Whether a block of large steps in `y` (n,) is followed by another more often than not.

    >>> clusters(np.tile([0.0, 1.0, 0.5], 500))
    False
    """
    steps = np.square(np.diff(y))
    blocks = steps[: steps.size // BLOCK * BLOCK].reshape(-1, BLOCK).mean(axis=1)
    if blocks.size < LEAST_BLOCKS or not blocks.any():
        return False
    sizes = np.log(np.maximum(blocks, 1e-6 * blocks.mean()))
    rest = sizes - sizes.mean()
    square = float(rest @ rest)
    return square > 0.0 and float(rest[1:] @ rest[:-1]) / square > CLUSTERS
