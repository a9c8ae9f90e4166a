"""Loads for plants: how many requests a second arrive, as a function of the seconds since the plant began.

Each is a frozen value that is called with a time. Shapes that are random draw everything from their own seed when they are made,
so that one load is the same load however often, and in whatever steps, it is asked.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import cos, exp, pi
from typing import Protocol

import numpy as np

DAY = 86_400.0


class Load(Protocol):
    """Requests a second, `t` seconds after the beginning."""

    def __call__(self, t: float) -> float:
        """The rate at `t`, never negative."""
        ...


@dataclass(frozen=True, slots=True)
class Constant:
    """The same all the time."""

    rate: float = 20.0

    def __call__(self, t: float) -> float:
        """The rate at `t`."""
        return self.rate


@dataclass(frozen=True, slots=True)
class Diurnal:
    """Rises and falls once a `period`, lowest at its beginning.

    >>> [round(Diurnal(22.0, 45.0, period=100.0)(t), 1) for t in (0.0, 25.0, 50.0)]
    [0.0, 22.0, 45.0]
    """

    mean: float = 22.0
    peak: float = 45.0
    period: float = DAY
    phase: float = 0.0  # share of a period that has passed at 0

    def __call__(self, t: float) -> float:
        """The rate at `t`."""
        wave = -cos(2.0 * pi * (t / self.period + self.phase))
        return max(0.0, self.mean + (self.peak - self.mean) * wave)


@dataclass(frozen=True, slots=True)
class Ramp:
    """From one rate to another, evenly, between two times.

    >>> [Ramp(10.0, 30.0, begins=100.0, ends=200.0)(t) for t in (0.0, 150.0, 999.0)]
    [10.0, 20.0, 30.0]
    """

    start: float = 10.0
    end: float = 40.0
    begins: float = 0.0
    ends: float = 3600.0

    def __call__(self, t: float) -> float:
        """The rate at `t`."""
        share = min(max((t - self.begins) / (self.ends - self.begins), 0.0), 1.0)
        return self.start + (self.end - self.start) * share


@dataclass(frozen=True, slots=True)
class FlashCrowd:
    """A calm, a steep rise, a plateau, and a slow way back.

    The shape of a page that is linked from elsewhere: Ari et al. (2003), "Managing flash crowds on the Internet", MASCOTS.
    """

    base: float = 15.0
    peak: float = 45.0
    at: float = 1800.0
    rise: float = 240.0
    hold: float = 900.0
    decay: float = 900.0  # seconds in which the surplus falls to 1/e

    def __call__(self, t: float) -> float:
        """The rate at `t`."""
        since = t - self.at
        if since < 0.0:
            share = 0.0
        elif since < self.rise:
            share = since / self.rise
        elif since < self.rise + self.hold:
            share = 1.0
        else:
            share = exp(-(since - self.rise - self.hold) / self.decay)
        return self.base + (self.peak - self.base) * share


@dataclass(frozen=True, slots=True)
class Square:
    """High and low in turn, `period` seconds for one of each; low first.

    >>> [Square(10.0, 40.0, period=60.0)(t) for t in (0.0, 29.0, 30.0, 60.0)]
    [10.0, 10.0, 40.0, 10.0]
    """

    low: float = 10.0
    high: float = 40.0
    period: float = 1200.0

    def __call__(self, t: float) -> float:
        """The rate at `t`."""
        return self.low if (t % self.period) < self.period / 2.0 else self.high


@dataclass(frozen=True, slots=True)
class Replayed:
    """What was recorded: `rates[i]` holds from `times[i]` until the next; before the first, the first.

    >>> Replayed((0.0, 60.0), (5.0, 9.0))(61.0)
    9.0
    """

    times: Sequence[float]
    rates: Sequence[float]

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in pairwise(self.times))
        if not self.times or len(self.times) != len(self.rates) or not rising:
            raise ValueError("a recorded load needs as many rates as times, and times that rise")

    def __call__(self, t: float) -> float:
        """The rate at `t`."""
        return self.rates[max(0, bisect_right(self.times, t) - 1)]


def bursty(
    seed: int, *, base: float = 14.0, peak: float = 45.0, calm: float = 600.0, burst: float = 210.0, until: float = DAY
) -> Replayed:
    """Calm and bursts in turn, each of exponential length with the means `calm` and `burst` (s): a Markov-modulated load.

    Fischer & Meier-Hellstern (1993), "The Markov-modulated Poisson process (MMPP) cookbook", Performance Evaluation 18.
    """
    rng = np.random.default_rng(seed)
    times, rates, t, high = [0.0], [base], 0.0, False
    while t < until:
        t += float(rng.exponential(burst if high else calm)) + 1e-3
        high = not high
        times.append(t)
        rates.append(float(rng.uniform(0.75, 1.0)) * peak if high else base * float(rng.uniform(0.8, 1.2)))
    return Replayed(tuple(times), tuple(rates))
