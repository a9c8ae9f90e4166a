"""The agent as an element of its own: what it costs and how late it is are series like any other, under the element `trimtab`.

It has goals, too, which are told beside those of the user and go no further: no lever moves for them, nothing waits for them, and
no verdict on another element asks whether they are met.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from trimtab.analyze.goals import GoalWatch
from trimtab.analyze.view import MonitorView
from trimtab.domain.direction import Direction
from trimtab.domain.goals import Goal, GoalState
from trimtab.domain.metrics import Reading, Series
from trimtab.domain.ports import Journal

ELEMENT = "trimtab"
_NAMES = ("trimtab_cpu_usage_percent", "trimtab_memory_bytes", "trimtab_loop_lag_seconds", "trimtab_turn_seconds",
          "trimtab_store_write_seconds", "trimtab_journal_write_seconds", "trimtab_interval_stretch_ratio")  # fmt: skip


class SelfSensor:
    """Reads the agent's own process; the loop notes here what only it knows.

    In seconds: `lag` is how late the last turn began, `turn` how long it took, `store_write` and `journal_write` how long the
    last write to each store took. `stretch` is how many times longer than configured intervals are.
    """

    name = "self"
    element = ELEMENT
    interval: float | None = None

    def __init__(self, cpu_seconds: Callable[[], float] = time.process_time) -> None:
        self.lag = self.turn = self.store_write = self.journal_write = 0.0
        self.stretch = 1.0
        self._cpu_seconds = cpu_seconds
        self._mark = time.monotonic(), cpu_seconds()
        self._series = tuple(Series.named(name, ELEMENT, source="self") for name in _NAMES)

    @property
    def metric_names(self) -> Sequence[str]:
        """All of them, at every read."""
        return _NAMES

    async def read(self, now: float) -> Sequence[Reading]:
        """CPU (per cent of one core since the last read), resident memory, and what was noted since."""
        values = (self._cpu_percent(), self._resident(), self.lag, self.turn, self.store_write, self.journal_write, self.stretch)
        return [Reading(series, value, now) for series, value in zip(self._series, values, strict=True)]

    def _cpu_percent(self) -> float:
        (before, used), self._mark = self._mark, (time.monotonic(), self._cpu_seconds())
        return 100.0 * (self._mark[1] - used) / max(self._mark[0] - before, 1e-3)

    @staticmethod
    def _resident() -> float:
        try:
            with open("/proc/self/statm", "rb") as statm:
                return float(int(statm.read().split()[1]) * resource.getpagesize())
        except OSError:  # not Linux
            import psutil  # 1.5 MB

            return float(psutil.Process().memory_info().rss)

    def timed(self, journal: Journal) -> Journal:
        """`journal`, each write of which is noted in `journal_write`."""
        return cast("Journal", _TimedJournal(journal, self))

    async def close(self) -> None:
        """Nothing is held."""


class _TimedJournal:
    """A journal in front of another one; whatever does not write goes straight there."""

    def __init__(self, journal: Journal, selfwatch: SelfSensor) -> None:
        self._journal, self._selfwatch = journal, selfwatch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    async def record(self, *arguments: Any) -> Any:
        began = time.monotonic()
        row = await self._journal.record(*arguments)
        self._selfwatch.journal_write = time.monotonic() - began
        return row

    async def note(self, *arguments: Any, **more: Any) -> Any:
        began = time.monotonic()
        row = await self._journal.note(*arguments, **more)
        self._selfwatch.journal_write = time.monotonic() - began
        return row


class SelfGoals:
    """What the agent may cost, series name → the most that it should be, in the series' unit."""

    def __init__(self, limits: Mapping[str, float] | None = None) -> None:
        goals = [Goal(name, limit, Direction.MINIMIZE, element=ELEMENT) for name, limit in (limits or {}).items()]
        self._watches = [GoalWatch(goal, {}, deadband=0.0) for goal in goals]

    def look(self, view: MonitorView, now: float) -> tuple[GoalState, ...]:
        """How they stand; a missed one is no symptom, since nothing could be done about it."""
        return tuple(watch.look(view, now, {}, 0.0)[0] for watch in self._watches)
