"""Measurement noise for plants: relative, positive, and carried over from step to step where asked for."""

from __future__ import annotations

from math import exp, sqrt

import numpy as np


class Noise:
    """Multiplies what is measured by exp(σ z − σ²/2) with z an AR(1) of unit variance: the mean stays what it is.

    `sd` is σ, about the relative standard deviation; `rho` is how much of z carries over from one step to the next (0 to 1).

    >>> Noise(np.random.default_rng(1), 0.0).measured("x", 2.0)
    2.0
    """

    def __init__(self, rng: np.random.Generator, sd: float, rho: float = 0.0) -> None:
        self._rng, self._sd, self._rho = rng, sd, rho
        self._z: dict[str, float] = {}

    def measured(self, metric: str, value: float) -> float:
        """`value` as one measurement of `metric` shows it; each metric has a noise of its own."""
        fresh = float(self._rng.standard_normal())
        before = self._z.get(metric)
        z = self._z[metric] = fresh if before is None else self._rho * before + sqrt(1.0 - self._rho**2) * fresh
        return value * exp(self._sd * z - 0.5 * self._sd**2)
