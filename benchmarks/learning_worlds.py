"""Worlds with a known truth for `learning.py`: what P(success) really is, by element, context and time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from trimtab.domain.contexts import HOURS, LEVELS, PLACES, Context

CHANGE = 500  # the outcome at which changing worlds change
MISSES = ("near", "far")
Truth = Callable[[int, str, Context], float]


class World:
    """Outcomes of one action type. `effect`: how much a success improves."""

    def __init__(
        self, rng: np.random.Generator, truth: Truth, elements: Sequence[str] = ("shop",), *, uneven: bool = False
    ) -> None:
        self.rng, self.truth, self.elements = rng, truth, elements
        self.effect = float(rng.uniform(0.1, 0.5))
        shares = 1.0 / np.arange(1, len(elements) + 1) if uneven else np.ones(len(elements))
        self._shares = shares / shares.sum()

    def next(self, n: int) -> tuple[str, Context]:
        """Where and in which context the next trial is."""
        pick = self.rng.choice
        element = self.elements[int(pick(len(self.elements), p=self._shares))]
        return element, Context(str(pick(LEVELS)), str(pick(HOURS)), str(pick(MISSES)), str(pick(PLACES)))


def _odds(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


def constant(rng: np.random.Generator) -> World:
    p = float(rng.uniform(0.05, 0.95))
    return World(rng, lambda n, element, context: p)


def elements_alike(rng: np.random.Generator) -> World:
    names = [f"shop-{n}" for n in range(12)]
    mean = float(rng.uniform(0.2, 0.8))
    p = {name: float(rng.beta(12 * mean, 12 * (1 - mean))) for name in names}
    return World(rng, lambda n, element, context: p[element], names, uneven=True)


def elements_unlike(rng: np.random.Generator) -> World:
    names = [f"shop-{n}" for n in range(12)]
    p = {name: float(rng.beta(0.8, 0.8)) for name in names}
    return World(rng, lambda n, element, context: p[element], names)


def by_load(rng: np.random.Generator) -> World:
    p = {level: float(rng.uniform(0.05, 0.95)) for level in LEVELS}
    return World(rng, lambda n, element, context: p[context.load])


def every_fact(rng: np.random.Generator) -> World:
    base, size = rng.normal(0, 0.7), 0.8
    by = {label: float(rng.normal(0, size)) for label in (*LEVELS, *HOURS, *MISSES)}
    place = {label: float(rng.normal(0, size)) for label in PLACES}
    return World(rng, lambda n, element, c: _odds(base + by[c.load] + by[c.hour] + by[c.miss] + place[c.position]))


def two_together(rng: np.random.Generator) -> World:
    p = {(load, miss): float(rng.uniform(0.05, 0.95)) for load in LEVELS for miss in MISSES}
    return World(rng, lambda n, element, context: p[context.load, context.miss])


def abrupt(rng: np.random.Generator) -> World:
    before, after = sorted((float(rng.uniform(0.6, 0.9)), float(rng.uniform(0.1, 0.4))), reverse=bool(rng.random() < 0.5))
    return World(rng, lambda n, element, context: before if n < CHANGE else after)


def abrupt_by_load(rng: np.random.Generator) -> World:
    p = [{level: float(rng.uniform(0.05, 0.95)) for level in LEVELS} for _ in range(2)]
    return World(rng, lambda n, element, context: p[n >= CHANGE][context.load])


def slow_wave(rng: np.random.Generator) -> World:
    phase, period = float(rng.uniform(0, 2 * math.pi)), float(rng.uniform(600, 1500))
    return World(rng, lambda n, element, context: 0.5 + 0.35 * math.sin(phase + 2 * math.pi * n / period))


def slow_walk(rng: np.random.Generator) -> World:
    x = [float(rng.normal(0, 1))]
    for _ in range(1000):
        x.append(0.999 * x[-1] + float(rng.normal(0, 0.07)))
    return World(rng, lambda n, element, context: _odds(x[n]))


WORLDS: dict[str, Callable[[np.random.Generator], World]] = {
    "constant": constant,
    "12 elements, alike": elements_alike,
    "12 elements, unlike": elements_unlike,
    "by load": by_load,
    "every fact adds its part": every_fact,
    "load and miss together": two_together,
    "abrupt change": abrupt,
    "abrupt change, by load": abrupt_by_load,
    "slow wave": slow_wave,
    "slow walk": slow_walk,
}
CHANGING = ("abrupt change", "abrupt change, by load")


class Problem:
    """Four options whose odds hang on a context of three facts and on time."""

    options = ("cache", "index", "pool", "workers")
    loads, misses, hours = LEVELS, MISSES, ("day", "night")

    def __init__(self, truth: Callable[[int, str, tuple[str, ...]], float], horizon: int) -> None:
        self.truth, self.horizon = truth, horizon

    def context(self, rng: np.random.Generator) -> tuple[str, ...]:
        """The next context."""
        return str(rng.choice(self.loads)), str(rng.choice(self.misses)), str(rng.choice(self.hours))

    def average(self, option: str) -> float:
        """What an option brings over all contexts and times."""
        contexts = [(load, miss, hour) for load in self.loads for miss in self.misses for hour in self.hours]
        return float(np.mean([self.truth(n, option, c) for n in range(0, self.horizon, 25) for c in contexts]))


def crossed(rng: np.random.Generator, horizon: int) -> Problem:
    """Two options each good under one miss; half-way they change places."""
    high, low = float(rng.uniform(0.7, 0.9)), float(rng.uniform(0.1, 0.3))

    def truth(n: int, option: str, labels: tuple[str, ...]) -> float:
        right = ("cache", "index") if n < horizon / 2 else ("index", "cache")
        return high if option == right[labels[1] == "far"] else low if option in right else 0.4

    return Problem(truth, horizon)


def load_redrawn(rng: np.random.Generator, horizon: int) -> Problem:
    """Odds by load, drawn anew at half time."""
    p = rng.uniform(0.05, 0.95, (2, len(Problem.options), 3))
    return Problem(lambda n, o, c: float(p[2 * n // horizon, Problem.options.index(o), LEVELS.index(c[0])]), horizon)


def facts_redrawn(rng: np.random.Generator, horizon: int) -> Problem:
    """Odds to which load and miss add their parts, drawn anew at each third."""
    base, load, miss = rng.normal(0, 0.8, (3, 4)), rng.normal(0, 1.2, (3, 4, 3)), rng.normal(0, 1.2, (3, 4, 2))

    def truth(n: int, option: str, labels: tuple[str, ...]) -> float:
        part, o = 3 * n // horizon, Problem.options.index(option)
        return _odds(base[part, o] + load[part, o, LEVELS.index(labels[0])] + miss[part, o, MISSES.index(labels[1])])

    return Problem(truth, horizon)


def drifting(rng: np.random.Generator, horizon: int) -> Problem:
    """Odds by load, each on a slow wave of its own."""
    phase, period = rng.uniform(0, 2 * math.pi, (4, 3)), float(rng.uniform(1500, 3000))

    def truth(n: int, option: str, labels: tuple[str, ...]) -> float:
        return 0.5 + 0.4 * math.sin(phase[Problem.options.index(option), LEVELS.index(labels[0])] + 2 * math.pi * n / period)

    return Problem(truth, horizon)


CHOICES: dict[str, Callable[[np.random.Generator, int], Problem]] = {
    "crossed, change places once": crossed,
    "by load, redrawn once": load_redrawn,
    "two facts, redrawn twice": facts_redrawn,
    "by load, drifting slowly": drifting,
}
