"""A model of one number against several levers, from few and noisy measurements: a Gaussian process with a trend.

A measurement is of one setting, or of the difference between two (what a verdict says of a change): a row of weights over
settings, with a noise of its own. The prior is a level, a parabola over the levers that have a scale, a bend along each lever by
itself, and one of all together: what single levers do is learned from few trials, interactions where the data ask for them.

Rasmussen & Williams (2006), "Gaussian processes for machine learning", ch. 2 and 5; Duvenaud, Nickisch & Rasmussen (2011),
"Additive Gaussian processes", NIPS 24. Everything is a function of its arguments: no random source.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import log, sqrt

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LENGTHS = (0.15, 0.3, 0.6, 1.2, 3.0)  # of a lever's range: from a bend within a sixth of it to none
SLOPE, CURVE, CROSS = 0.5, 0.4, 0.3  # of the parabola: to either end of a range
POOLS = (0.9, 0.7, 0.4)  # how alike what a lever does is with another choice
SLOPES = (0.7, 1.5, 3.0)  # all of these in proportion
BENDS = (0.03, 0.1, 0.3, 1.0, 3.0)  # standard deviation of the bends, in the unit of what is modelled
LOUDNESS = (0.25, 0.5, 1.0, 2.0)  # the noise, in multiples of what was told
SWEEPS = 2
ALONE = 0.6  # share of the bends' variance that belongs to single levers
LEVEL = 3.0  # standard deviation of the level
UNUSUAL = 1.0  # what it costs a lever over decades to be seen in its second coordinate, in logarithms of likelihood
JITTER = 1e-8


@dataclass(frozen=True, slots=True)
class Shape:
    """The hyperparameters. `warps`: which of a lever's coordinates counts; `lengths`: over how much of it it bends."""

    warps: tuple[int, ...]
    lengths: tuple[float, ...]
    bend: float = 0.3
    slope: float = 1.0
    loudness: float = 1.0
    option: float = 0.2  # standard deviation of another choice
    pooled: float = 1.0  # how alike a lever's parabola and bends are with another choice
    decades: tuple[bool, ...] = ()  # which levers span decades: their first coordinate is mostly simpler; empty: none

    @property
    def log_prior(self) -> float:
        """Long bends and the noise that was told are believed first; weak: a few clear measurements overrule it."""
        lengths = sum(log(length / 0.8) ** 2 for length in self.lengths)
        return (
            -UNUSUAL * sum(warp for warp, over in zip(self.warps, self.decades, strict=False) if over)
            - 0.25 * lengths
            - 0.5 * log(self.loudness) ** 2
            - 0.1 * log(self.bend / 0.2) ** 2
            - 0.1 * log(self.slope) ** 2
        )

    def neighbours(self, labels: NDArray[np.bool_]) -> Iterator[str]:
        """The names of what may be changed one at a time; see `changed`."""
        for place, label in enumerate(labels):
            yield f"length {place}"
            if not label:
                yield f"warp {place}"
        if labels.any() and not labels.all():
            yield "pooled"
        yield "bend"
        yield "slope"
        yield "loudness"

    def changed(self, what: str) -> tuple[Shape, ...]:
        """This shape with one hyperparameter at each of its values."""
        name, _, number = what.partition(" ")
        place = int(number or 0)
        if name == "length":
            return tuple(replace(self, lengths=(*self.lengths[:place], x, *self.lengths[place + 1 :])) for x in LENGTHS)
        if name == "warp":
            return tuple(replace(self, warps=(*self.warps[:place], x, *self.warps[place + 1 :])) for x in (0, 1))
        if name == "bend":
            return tuple(replace(self, bend=x) for x in BENDS)
        if name == "pooled":
            return tuple(replace(self, pooled=x) for x in POOLS)
        if name == "slope":
            return tuple(replace(self, slope=x) for x in SLOPES)
        return tuple(replace(self, loudness=x) for x in LOUDNESS)


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured, as `Surrogate` takes it. Keeps what the covariances of different shapes have in common."""

    points: Array
    labels: NDArray[np.bool_]
    rows: Array
    values: Array
    noise: Array
    known: dict[Shape, tuple[Array, Array, Array]] = field(default_factory=dict)

    def covariance(self, shape: Shape) -> Array:
        """The covariance (n, n) of the measurements, their noise included."""
        plain = replace(shape, bend=1.0, slope=1.0, loudness=1.0)
        if plain not in self.known:
            parts = _parts(self.points, self.points, self.labels, plain)
            level, trend, bends = (self.rows @ part @ self.rows.T for part in parts)
            self.known[plain] = level, trend, bends
        level, trend, bends = self.known[plain]
        noise = np.diag((shape.loudness * self.noise) ** 2 + JITTER)
        return np.asarray(level + shape.slope**2 * trend + shape.bend**2 * bends + noise)


@dataclass(frozen=True, slots=True)
class Surrogate:
    """The model after its measurements. `points` (m, d, 2): each setting in two coordinates a lever, from 0 to 1.

    A lever without a scale (`labels`) has the place of its choice in both. Of the two coordinates of the others, the model finds
    out in which one the number is simpler. `rows` (n, m): the settings that each measurement weighs; `noise` (n,): its deviation.

    >>> points = np.linspace(0.0, 1.0, 5)[:, None, None].repeat(2, axis=2)
    >>> model = Surrogate.fit(points, np.array([False]), np.eye(5), np.linspace(1.0, 3.0, 5), np.full(5, 0.01))
    >>> mean, _ = model.at(np.full((1, 1, 2), 0.6))
    >>> round(float(mean[0]), 1)
    2.2
    """

    points: Array
    labels: NDArray[np.bool_]
    rows: Array
    shape: Shape
    offset: float
    factor: Array  # Cholesky factor of the measurements' covariance
    weights: Array

    @classmethod
    def fit(
        cls,
        points: Array,
        labels: NDArray[np.bool_],
        rows: Array,
        values: Array,
        noise: Array,
        decades: tuple[bool, ...] = (),
    ) -> Surrogate:
        """The model with the likeliest hyperparameters, found one at a time from plain ones. `decades`: see `Shape`."""
        shape = Shape((0,) * len(labels), (0.6,) * len(labels), pooled=0.7, decades=decades)
        told, best, score = Measured(points, labels, rows, values, noise), None, -np.inf
        for _ in range(SWEEPS):
            before = shape
            for what in shape.neighbours(labels):
                for candidate in shape.changed(what):
                    if best is not None and candidate == best.shape:
                        continue
                    model, likelihood = cls.given(candidate, told)
                    if likelihood + candidate.log_prior > score + 1e-9:
                        best, score = model, likelihood + candidate.log_prior
                shape = best.shape if best is not None else shape
            if shape == before:
                break
        assert best is not None
        return best

    @classmethod
    def given(cls, shape: Shape, told: Measured) -> tuple[Surrogate, float]:
        """The model with these hyperparameters, and the logarithm of its likelihood."""
        absolute = np.abs(told.rows.sum(axis=1)) > 0.5
        offset = float(np.median(told.values[absolute])) if absolute.any() else 0.0
        left = told.values - offset * absolute
        covariance = told.covariance(shape)
        factor = np.asarray(np.linalg.cholesky(covariance), dtype=np.float64)
        weights = np.asarray(np.linalg.solve(covariance, left), dtype=np.float64)
        likelihood = -0.5 * float(left @ weights) - float(np.log(np.diag(factor)).sum())
        return cls(told.points, told.labels, told.rows, shape, offset, factor, weights), likelihood

    def at(self, points: Array) -> tuple[Array, Array]:
        """Mean (k,) and covariance (k, k) at other settings (k, d, 2)."""
        return self.mean(points), self.between(points, points)

    def mean(self, points: Array) -> Array:
        """What is expected at other settings (k,)."""
        return np.asarray(self.offset + self._across(points) @ self.weights)

    def each(self, points: Array) -> tuple[Array, Array]:
        """Mean and standard deviation (k,) of other settings, each by itself."""
        across = self._across(points)
        variance = _kernel(points, points, self.labels, self.shape, paired=True) - (self._seen(across) ** 2).sum(axis=0)
        return np.asarray(self.offset + across @ self.weights), np.asarray(np.sqrt(np.maximum(variance, 1e-12)))

    def between(self, a: Array, b: Array) -> Array:
        """The covariance of settings `a` with settings `b` (len(a), len(b))."""
        seen = self._seen(self._across(a))
        other = seen if b is a else self._seen(self._across(b))
        return np.asarray(_kernel(a, b, self.labels, self.shape) - seen.T @ other)

    def _across(self, points: Array) -> Array:
        """The prior covariance of other settings with the measurements (k, n)."""
        return np.asarray(_kernel(points, self.points, self.labels, self.shape) @ self.rows.T)

    def _seen(self, across: Array) -> Array:
        """How the measurements tell of other settings, in units of what they are worth (n, k)."""
        return np.asarray(np.linalg.solve(self.factor, across.T))


def _kernel(a: Array, b: Array, labels: NDArray[np.bool_], shape: Shape, paired: bool = False) -> Array:
    """The prior covariance (len(a), len(b)); `paired`: of each of `a` with its own in `b` only (len(a),)."""
    level, trend, bends = _parts(a, b, labels, shape, paired)
    return np.asarray(level + shape.slope**2 * trend + shape.bend**2 * bends)


def _parts(a: Array, b: Array, labels: NDArray[np.bool_], shape: Shape, paired: bool = False) -> tuple[Array, Array, Array]:
    """Of the prior: level and choices, a parabola over all levers, bends of each lever by itself and of all (Matérn 5/2).

    What a lever with a scale does is alike for other choices, not the same: each choice pools with the rest.
    """
    first, second = (a, b) if paired else (a[:, None], b[None, :])
    size = np.broadcast_shapes(first.shape[:-2], second.shape[:-2])
    line, curves, options, alone, labelled = (np.zeros(size) for _ in range(5))
    pooled, together = np.ones(size), np.ones(size)
    for place, label in enumerate(labels):
        x, y = first[..., place, shape.warps[place]], second[..., place, shape.warps[place]]
        if label:
            same = x == y
            alike = np.where(same, 1.0, np.exp(-1.5 / shape.lengths[place]))
            options += shape.option**2 * same
            pooled *= np.where(same, 1.0, shape.pooled)
            labelled += alike
        else:
            from_middle = (2.0 * x - 1.0) * (2.0 * y - 1.0)
            curves += CURVE**2 * from_middle**2 + CROSS**2 * from_middle * line
            line += from_middle
            distance = sqrt(5.0) * np.abs(x - y) / shape.lengths[place]
            alike = (1.0 + distance + distance**2 / 3.0) * np.exp(-distance)
            alone += alike
        together *= alike
    share = ALONE if len(labels) > 1 else 0.0
    single = (labelled + pooled * alone) / len(labels)
    return LEVEL**2 + options, pooled * (SLOPE**2 * line + curves), share * single + (1.0 - share) * together
