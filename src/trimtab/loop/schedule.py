"""When each stage of the loop is due. Periods are upper bounds: whoever has news wakes the next stage at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum


class Stage(StrEnum):
    """The five stages, in loop order."""

    MONITOR = "monitor"
    ANALYZE = "analyze"
    PLAN = "plan"
    EXECUTE = "execute"
    LEARN = "learn"


class Schedule:
    """The next moment of every stage. `on_wake` is called when a stage is brought forward, so that a sleeping loop turns.

    >>> schedule = Schedule({Stage.MONITOR: 30.0, Stage.ANALYZE: 60.0}, start=0.0)
    >>> schedule.take(Stage.MONITOR, 0.0), schedule.take(Stage.MONITOR, 10.0)
    (True, False)
    >>> schedule.wake(Stage.MONITOR); schedule.take(Stage.MONITOR, 10.0)
    True
    """

    def __init__(self, periods: Mapping[Stage, float], start: float, on_wake: Callable[[], None] = lambda: None) -> None:
        self._periods = dict(periods)
        self._factor = 1.0
        self._next = dict.fromkeys(periods, start)
        self._on_wake = on_wake

    def take(self, stage: Stage, now: float) -> bool:
        """Whether `stage` is due; if so, its next moment is a period away."""
        if self._next[stage] > now:
            return False
        self._next[stage] = now + self._factor * self._periods[stage]
        return True

    def pace(self, factor: float) -> None:
        """Make every period `factor` times as long. What is woken comes as soon as ever."""
        if factor < self._factor:  # do not sit out a period that no longer holds
            self._next = {stage: min(at, at - (self._factor - factor) * self._periods[stage]) for stage, at in self._next.items()}
        self._factor = factor

    def wake(self, stage: Stage, at: float = 0.0) -> None:
        """Bring `stage` forward to `at` (by default: now)."""
        if at < self._next[stage]:
            self._next[stage] = at
            self._on_wake()

    def next_due(self) -> float:
        """When the earliest stage is due."""
        return min(self._next.values())
