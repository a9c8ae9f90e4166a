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

from trimtab.stats.scale import mad_sd

Array = NDArray[np.float64]

DAMPING = 0.85  # of the trend, a step
GAINS = tuple((level, trend) for level in (0.4, 0.7, 1.0) for trend in (0.0, 0.2, 0.5))
UNSEEN = 4.0  # moments' worth of ways that were never seen
RARE = np.array([0.5, 0.17, 0.17, 0.06, 0.05, 0.05])  # weights of those ways: see `_unseen`
LIKENESS = 0.25  # relative distance of two levels that are alike
TURNING = 0.12  # difference of two trends that are alike, a step, relative to the level
ANY = 0.05  # what a moment counts that is not like now at all
NEIGHBOURS = 12.0  # moments' worth that are asked at least: what counts as alike is widened until there are as many

STANDS_OUT = 3.0  # robust standard deviations of usual changes, from which on a change is taken at its word
LEAST_OUT = 0.08  # of the level: less is nothing to turn for
ONWARD = np.array([0.0, 0.1, 0.25, 0.5, 1.0, 2.0])  # a change that stands out goes on by so many times itself,
ODDS = np.array([0.25, 0.2, 0.2, 0.15, 0.15, 0.05])  # with these odds
FADES = 0.6  # what is left of it, a step
FEWEST = 5  # changes before any of them can stand out
WIDEST = 20.0
TURNED = 2.0  # what follows from a change that stands out counts so many times all the rest
BELIEVED = 2.0  # earlier changes' worth of what is believed without any
BACK = 0.2  # odds that it was for one sample only


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
    out = _standing_out(load)
    foreseen, errors, alike = _trend(load, steps, out)
    highest = np.maximum(foreseen, load.max())  # a rise from lower down leads there again, not as far again from where it led
    paths = [np.minimum(foreseen + errors, highest), foreseen * _unseen(steps)]
    weights = [alike * alike.size / max(alike.sum(), 1e-12), UNSEEN * RARE / RARE.sum()]
    if out[-1]:
        turned, odds = _turned(load, steps, out)
        total = sum(float(part.sum()) for part in weights)
        paths.append(turned)
        weights.append(total * odds)
    together = np.concatenate(weights)
    return Ways(np.maximum(np.concatenate(paths), 0.0), together / together.sum())


def _standing_out(load: Array) -> NDArray[np.bool_]:
    """Samples (n,) that came with a change beyond all that is usual."""
    changes = np.abs(np.diff(load))
    if changes.size < FEWEST:
        return np.zeros(load.size, dtype=bool)
    least = np.maximum(STANDS_OUT * mad_sd(np.diff(load)), LEAST_OUT * load[:-1])
    return np.concatenate([[False], changes > least])


def _turned(load: Array, steps: int, out: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Ways (s, steps) that go on from a change that stands out, and their odds (s,) beside all other ways.

    A sample is a mean over its interval: of a jump within the interval it shows a part, of a ramp half of its last stretch.
    So the next sample is likely to lie further on; by how much, earlier changes tell that stood out, each as much as half of what
    is believed without any. Or it was for this sample only.
    """
    change = load[-1] - load[-2]
    onward = load[-1] + change * ONWARD[:, np.newaxis] * np.cumsum(FADES ** np.arange(steps))
    back = np.full((1, steps), load[-2])
    before = [i for i in np.flatnonzero(out[:-1]).tolist() if (load[i] - load[i - 1]) * change > 0.0]
    ahead = [np.minimum(i + np.arange(1, steps + 1), load.size - 1) for i in before]
    went = [
        load[-1] + change * np.clip((load[j] - load[i]) / (load[i] - load[i - 1]), -1.0, 3.0)
        for i, j in zip(before, ahead, strict=True)
    ]
    odds = np.concatenate([BELIEVED * (1.0 - BACK) * ODDS, [BELIEVED * BACK], np.ones(len(before))])
    return np.concatenate([onward, back, *(way[np.newaxis, :] for way in went)]), TURNED * odds / odds.sum()


def _unseen(steps: int) -> Array:
    """Multiples (s, steps) of what is foreseen: as it is, wandering either way, and jumps of a half and of double."""
    h = np.arange(1.0, steps + 1.0)
    late = np.where(h >= 3, 1.0, 0.0)
    return np.array(
        [np.ones(steps), 1 + 0.04 * np.sqrt(h), 1 - 0.04 * np.sqrt(h), np.full(steps, 1.5), 1.0 + late, np.full(steps, 2.0)]
    )


def _trend(load: Array, steps: int, out: NDArray[np.bool_]) -> tuple[Array, Array, Array]:
    """The path that is foreseen (steps,), what earlier ones had missed (m, steps), and how like now each moment was (m,).

    Where a change stood out (`out`), all that was before counts for nothing: the level is what was seen, the trend stays.
    """
    gains = np.array(GAINS)
    level, slope = np.full(len(gains), load[0]), np.zeros(len(gains))
    levels, slopes, cost = np.empty((load.size, len(gains))), np.empty((load.size, len(gains))), np.zeros(len(gains))
    for i, (value, anew) in enumerate(zip(load.tolist(), out.tolist(), strict=True)):
        guess = level + DAMPING * slope
        if anew:
            level, slope = np.full(len(gains), value), np.zeros(len(gains))
        else:
            cost = 0.97 * cost + np.abs(value - guess)
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
    return paths[-1], errors[usable], _alike(near[usable], turned[usable])


def _alike(near: Array, turned: Array) -> Array:
    """How much each moment counts (m,), by its distance from now in level and in trend; far ones more where few are near."""
    distance, wide = 0.5 * near**2 + 0.5 * turned**2, 1.0
    enough = min(NEIGHBOURS, 0.5 * near.size)
    while (alike := np.exp(-distance / wide**2)).sum() < enough and wide < WIDEST:
        wide *= 1.25
    return np.asarray(alike + ANY)
