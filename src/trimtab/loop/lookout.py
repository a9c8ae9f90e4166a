"""Hands the analysis, once an hour, days of what goals and guards rest on: a disk fills up in more time than a window holds."""

from __future__ import annotations

from contextlib import suppress

from trimtab.analyze import Analyzer
from trimtab.domain.errors import StoreError
from trimtab.domain.goals import Goal, Guard
from trimtab.domain.ports import MetricStore
from trimtab.loop.evidence import LastAnalysis
from trimtab.loop.lookback import Source, trend
from trimtab.monitor import Monitor

HOUR = 3600.0


class Lookout:
    """Called once a turn, and reads for one goal or guard then: some milliseconds. What the store cannot tell waits an hour."""

    def __init__(self, store: MetricStore, monitor: Monitor, analyzer: Analyzer, evidence: LastAnalysis) -> None:
        self._store, self._monitor, self._analyzer, self._evidence = store, monitor, analyzer, evidence
        self._due = float("-inf")
        self._waiting: list[tuple[str, Goal | Guard]] = []

    async def look(self, now: float) -> None:
        """Read what is due."""
        if now >= self._due and self._analyzer.looks_ahead:
            analysis = self._evidence.analysis
            self._waiting = [(state.goal.goal_id, state.goal) for state in analysis.goals]
            self._waiting += [(state.guard.guard_id, state.guard) for state in analysis.guards]
            self._due = now + HOUR if self._waiting else now  # before the first analysis there is none
        if self._waiting:
            key, of = self._waiting.pop(0)
            seen = self._monitor.aggregate(of.metric_name, of.element, of.where, of.aggregate, now)
            with suppress(StoreError):  # who needs the store to decide says so
                self._analyzer.recall(key, *await trend(self._store, Source(seen.series, of.aggregate), now))
