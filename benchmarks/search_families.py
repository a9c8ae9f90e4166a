"""Black boxes drawn at random from wide families, for the bench of the search: nobody chose their shapes.

What is drawn: one to four numeric levers (integers and fractions, narrow and over decades), none to two levers of choice, which
way each lever is good and which way it is dangerous, the family of the goal, the family of the guard, how loud either is, and
where things stand at the start. Development looked at even numbers; the bench draws odd ones from
twice its seed on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from search_worlds import HIGH, LOW, World, choice, flag, real, whole
from trimtab.domain.goals import Goal, Guard
from trimtab.domain.levers import LeverKind, LeverSpec, LeverValue

Array = NDArray[np.float64]
GOALS = ("hill", "bowl", "saturating", "plateau", "queue", "valley", "two hills")
GUARDS = ("smooth", "hinge", "cliff", "floor", "far")
LEAST_GAIN = 0.2  # of the goal's metric: worlds with less to win than that are drawn anew
SAMPLES, POLISHED, ROUNDS = 6000, 12, 6


@dataclass(frozen=True)
class Family:
    """What was drawn. All arrays by lever; `options` (choices, most options) what a choice adds to the score."""

    goal: str
    guard: str
    peak: Array
    width: Array
    depth: float
    tilt: float
    options: tuple[Array, ...]
    moves_peak: tuple[Array, ...]  # how far a choice moves the peak of the first lever
    weights: Array
    edge: float
    steep: float
    loads: tuple[Array, ...]  # what a choice adds to what the guard measures

    def score(self, u: Array, picked: NDArray[np.int64]) -> Array:
        """The goal at places (n, d) and choices (n, c); larger is better."""
        peak = np.tile(self.peak, (len(u), 1))
        extra = np.zeros(len(u))
        for k, (options, moves) in enumerate(zip(self.options, self.moves_peak, strict=True)):
            extra += options[picked[:, k]]
            peak[:, 0] += moves[picked[:, k]]
        away = (u - peak) / self.width
        miss = (away**2).mean(axis=1)
        if u.shape[1] > 1:
            miss += self.tilt * away[:, 0] * away[:, 1] / u.shape[1]
        towards = np.clip(1.0 - np.abs(u - peak) / np.maximum(peak, 1.0 - peak), 0.0, 1.0)
        shape = {
            "hill": lambda: np.exp(-miss),
            "bowl": lambda: -0.5 * miss,
            "saturating": lambda: (1.0 - np.exp(-3.0 * towards)).mean(axis=1),
            "plateau": lambda: (1.0 / (1.0 + np.exp(-(towards - 0.5) / 0.1))).mean(axis=1),
            "queue": lambda: -0.35 * np.log(0.05 + np.abs(1.0 - towards).mean(axis=1)),
            "valley": lambda: -miss - 0.5 * (away[:, 0] - away[:, -1]) ** 2,
            "two hills": lambda: np.exp(-miss) + 0.5 * np.exp(-4.0 * ((u - (1.0 - peak)) ** 2).mean(axis=1) / 0.05),
        }[self.goal]()
        return np.asarray(self.depth * shape + extra)

    def used(self, u: Array, picked: NDArray[np.int64]) -> Array:
        """What the guard measures; its limit is 1."""
        share = (np.where(self.weights < 0.0, 1.0 - u, u) * np.abs(self.weights)).sum(axis=1) / np.abs(self.weights).sum()
        for k, loads in enumerate(self.loads):
            share = share + loads[picked[:, k]]
        value = {
            "smooth": lambda: np.exp(self.steep * (share - self.edge) / self.edge),
            "hinge": lambda: 0.1 + 5.0 * self.steep * np.maximum(0.0, share - self.edge + 0.18 / self.steep),
            "cliff": lambda: np.where(share < self.edge, 0.1, 3.0),
            "floor": lambda: np.exp(self.steep * (self.edge - share)),  # its limit is a least value
            "far": lambda: 0.2 + 0.3 * share,
        }[self.guard]()
        return np.asarray(value)


def wide(seed: int) -> World:
    """The world with this number. Draws anew where there is next to nothing to win, or where the start breaks the guard."""
    for attempt in range(100):
        world = _drawn(seed, np.random.default_rng([seed, 4, attempt]))
        if world is not None:
            return world
    raise RuntimeError(f"no world found for {seed}")


def _drawn(seed: int, rng: np.random.Generator) -> World | None:
    count, chosen = int(rng.choice([1, 2, 3, 4], p=[0.3, 0.35, 0.25, 0.1])), int(rng.choice([0, 1, 2], p=[0.5, 0.35, 0.15]))
    numeric = tuple(_numeric(f"n{k}", rng) for k in range(count))
    labels = tuple(_choice(f"c{k}", rng) for k in range(chosen))
    sizes = [len(_options(lever)) for lever in labels]
    family = Family(
        str(rng.choice(GOALS)), str(rng.choice(GUARDS)), rng.uniform(0.1, 0.9, count), rng.uniform(0.25, 0.8, count),
        float(rng.uniform(0.6, 2.0)), float(rng.uniform(-0.8, 0.8)),
        tuple(np.append(0.0, rng.uniform(-0.4, 0.4, size - 1)) for size in sizes),
        tuple(np.append(0.0, rng.uniform(-0.3, 0.3, size - 1) * (rng.random() < 0.5)) for size in sizes),
        rng.uniform(0.2, 1.0, count) * np.where(rng.random(count) < 0.8, 1.0, -1.0),
        float(rng.uniform(0.45, 0.85)), float(rng.uniform(1.0, 3.0)),
        tuple(np.append(0.0, rng.uniform(-0.05, 0.1, size - 1)) for size in sizes),
    )  # fmt: skip
    levers = (*numeric, *labels)
    direction = LOW if rng.random() < 0.6 else HIGH
    scale = float(np.exp(rng.uniform(-4.0, 6.0)))

    def truth(setting: Mapping[str, LeverValue]) -> tuple[float, float]:
        u, picked = _places(levers, [setting])
        score = family.score(u, picked)[0]
        return scale * float(np.exp(direction.sign * score)), float(family.used(u, picked)[0])

    limit = Guard("used", min=1.0) if family.guard == "floor" else Guard("used", max=1.0)
    for _ in range(40):
        start = {lever.name: _value(lever, rng.uniform(0.03, 0.97)) for lever in numeric}
        start |= {lever.name: _options(lever)[0] for lever in labels}
        used = truth(start)[1]
        if used > 1.6 if family.guard == "floor" else used < 0.6:
            break
    else:
        return None
    best = scale * float(np.exp(direction.sign * _best(family, levers, limit, rng)))
    world = World(f"wide {seed}", levers, Goal("value", 0.0, direction), limit, start, truth, best)
    first = truth(start)[0]
    return world if abs(world.optimum - first) / max(first, world.optimum) >= LEAST_GAIN else None


def _best(family: Family, levers: Sequence[LeverSpec], limit: Guard, rng: np.random.Generator) -> float:
    """The best score of all settings that keep the guard: many at random, the best of them polished lever by lever."""

    def judged(settings: Sequence[Mapping[str, LeverValue]]) -> Array:
        u, picked = _places(levers, settings)
        used = family.used(u, picked)
        held = used >= 1.0 if limit.min is not None else used <= 1.0
        return np.where(held, family.score(u, picked), -np.inf)

    settings = [{lever.name: _value(lever, rng.random()) for lever in levers} for _ in range(SAMPLES)]
    scores = judged(settings)
    best = -np.inf
    for number in np.argsort(-scores)[:POLISHED]:
        here = settings[int(number)]
        for _ in range(ROUNDS):
            for lever in levers:
                moved = [{**here, lever.name: _value(lever, share)} for share in np.linspace(0.0, 1.0, 121)]
                found = judged([here, *moved])
                here = [here, *moved][int(np.argmax(found))]
        best = max(best, float(judged([here])[0]))
    return best


def _numeric(name: str, rng: np.random.Generator) -> LeverSpec:
    kind = rng.choice(["decades", "whole", "real"], p=[0.35, 0.35, 0.3])
    if kind == "decades":
        return whole(name, 1, int(rng.integers(200, 20_000)))
    return whole(name, int(rng.integers(0, 3)), int(rng.integers(8, 100))) if kind == "whole" else real(name, 0.0, 1.0)


def _choice(name: str, rng: np.random.Generator) -> LeverSpec:
    size = int(rng.integers(2, 6))
    return flag(name) if rng.random() < 0.3 else choice(name, *"pqrst"[:size])


def _options(lever: LeverSpec) -> tuple[LeverValue, ...]:
    return (False, True) if lever.kind is LeverKind.BOOLEAN else lever.choices


def _over_decades(lever: LeverSpec) -> bool:
    low, high = lever.bounds or (0.0, 1.0)
    return low > 0.0 and high / low > 100.0


def _value(lever: LeverSpec, share: float) -> LeverValue:
    if not lever.numeric:
        options = _options(lever)
        return options[min(int(share * len(options)), len(options) - 1)]
    low, high = lever.bounds or (0.0, 1.0)
    x = low * (high / low) ** share if _over_decades(lever) else low + share * (high - low)
    return round(x) if lever.kind is LeverKind.INTEGER else round(float(x), 2)


def _places(levers: Sequence[LeverSpec], settings: Sequence[Mapping[str, LeverValue]]) -> tuple[Array, NDArray[np.int64]]:
    """Where the settings lie in the ranges of the numeric levers (n, d), and which options they pick (n, c)."""
    places, picked = [], []
    for lever in levers:
        if not lever.numeric:
            options = _options(lever)
            picked.append([options.index(setting[lever.name]) for setting in settings])
            continue
        low, high = lever.bounds or (0.0, 1.0)
        values = np.array([float(setting[lever.name]) for setting in settings])
        places.append(np.log(values / low) / log(high / low) if _over_decades(lever) else (values - low) / (high - low))
    return np.array(places).T, np.array(picked, dtype=np.int64).reshape(len(picked), len(settings)).T
