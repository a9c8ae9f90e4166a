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
    """Called once a turn. What the store cannot tell is left to the next hour: whoever needs the store says so."""

    def __init__(self, store: MetricStore, monitor: Monitor, analyzer: Analyzer, evidence: LastAnalysis) -> None:
        self._store, self._monitor, self._analyzer, self._evidence = store, monitor, analyzer, evidence
        self._due = float("-inf")

    async def look(self, now: float) -> None:
        """Read what is due."""
        if now < self._due or not self._analyzer.looks_ahead:
            return
        analysis = self._evidence.analysis
        wanted: list[tuple[str, Goal | Guard]] = [(state.goal.goal_id, state.goal) for state in analysis.goals]
        wanted += [(state.guard.guard_id, state.guard) for state in analysis.guards]
        if not wanted:
            return
        self._due = now + HOUR
        with suppress(StoreError):
            for key, of in wanted:
                seen = self._monitor.aggregate(of.metric_name, of.element, of.where, of.aggregate, now)
                if seen.series:
                    self._analyzer.recall(key, *await trend(self._store, Source(seen.series, of.aggregate), now))
