"""Counters: series that only ever grow. What is judged is how fast. Used by `StreamDetector`."""

from __future__ import annotations

import math

_STEPS = 30  # upward before a series is taken for a counter
_RESETS = 100  # upward steps for each downward one, at least


class CounterWatch:
    """Finds out whether a series is a counter, and turns its values into rates. A reset counts from zero.

    >>> watch = CounterWatch()
    >>> [watch.rate(60.0, float(10 * i)) for i in range(120)][-1], watch.rate(60.0, 6.0)
    (0.16666666666666666, 0.1)
    """

    __slots__ = ("_down", "_flat", "_up", "last", "turned")

    def __init__(self) -> None:
        self.last = math.nan
        self._up = self._down = self._flat = 0
        self.turned = False  # whether the sample at hand made it a counter, or no longer one

    def rate(self, seconds: float, value: float) -> float | None:
        """Increase per second over the `seconds` since the last value; None for what is no counter, or has no rate yet."""
        last, was = self.last, self.is_one()
        self.last = value
        if value > last:
            self._up += 1
        elif value < last:
            self._down += 1
        else:
            self._flat += 1
        is_one = self.is_one()
        self.turned = is_one != was
        if not is_one or not seconds > 0.0:
            return None
        return (value - last if value >= last else value) / seconds

    def is_one(self) -> bool:
        """Whether the series is taken for a counter."""
        return self._up >= max(_STEPS, _RESETS * self._down, self._flat) and self.last >= 0.0
