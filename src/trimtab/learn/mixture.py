"""A mixture of Beta distributions, the posterior of some odds: mean, spread, quantiles. Called by `beliefs` and `choice`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from trimtab.learn.beta import beta_quantile

Array = NDArray[np.float64]
CURIOSITY = 1.0  # standard deviations of a posterior that rivals get the benefit of
NEGLIGIBLE = 1e-3  # weight below which a part cannot move a quantile that anybody looks at
POINTS = 512  # of the grid that quantiles are read from: it lies densely at both ends, where sharp beliefs are


class Mixture:
    """`parts` are (weight, (a, b)); the weights add up to one.

    >>> Mixture([(0.5, (8.0, 2.0)), (0.5, (2.0, 8.0))]).mean
    0.5
    """

    def __init__(self, parts: Sequence[tuple[float, tuple[float, float]]]) -> None:
        self._parts = parts
        self.mean = sum(weight * a / (a + b) for weight, (a, b) in parts)

    @property
    def sd(self) -> float:
        """The standard deviation."""
        square = sum(weight * a * (a + 1.0) / ((a + b) * (a + b + 1.0)) for weight, (a, b) in self._parts)
        return sqrt(max(0.0, square - self.mean * self.mean))

    def quantiles(self, *of: float) -> list[float]:
        """The points below which these shares of the posterior lie."""
        heavy = [(weight, odds) for weight, odds in self._parts if weight > NEGLIGIBLE]
        first = heavy[0][1]
        if all(odds == first for _, odds in heavy):  # nothing learned, or no context: exactly
            return [beta_quantile(share, *first) for share in of]
        x, log_x, log_rest, log_step = _grid()
        weights = np.array([weight for weight, _ in heavy])
        a, b = (np.array([odds[place] for _, odds in heavy])[:, None] for place in (0, 1))
        density = (a - 1.0) * log_x + (b - 1.0) * log_rest + log_step
        density = np.exp(density - density.max(axis=1, keepdims=True))
        below = np.cumsum(((weights / weights.sum() / density.sum(axis=1))[:, None] * density).sum(axis=0))
        return [float(point) for point in np.interp(of, below, x)]


@cache
def _grid() -> tuple[Array, Array, Array, Array]:
    """x = (1 - cos πu) / 2 at even u: the points (n,), log x, log(1 - x), and the logarithm of their spacing."""
    u = (np.arange(POINTS) + 0.5) / POINTS
    x = 0.5 * (1.0 - np.cos(np.pi * u))
    return x, np.log(x), np.log1p(-x), np.log(np.sin(np.pi * u))
