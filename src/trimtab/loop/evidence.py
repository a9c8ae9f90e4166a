"""What the executor may know of the world, answered from the last analysis and the monitor's windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trimtab.analyze.view import EVERYTHING
from trimtab.domain.actions import ActionRecord
from trimtab.domain.goals import Analysis, GoalState, GuardState
from trimtab.domain.metrics import Health, Severity, Trust
from trimtab.domain.situation import LeverState
from trimtab.domain.words import of_metric
from trimtab.execute.controls import Control
from trimtab.execute.kin import disturbances
from trimtab.monitor import Monitor
from trimtab.stats import steady_tail

Array = NDArray[np.float64]
PATIENCE_SAMPLES = 10  # of a missed goal: after these one acts on a metric that drifts on and on, too
MOST_OFFERED = 24  # elements that a control is looked for on
NEAR = 0.75  # sampling intervals between two samples that count as taken together


class LastAnalysis:
    """The latest analysis, and the samples behind it; `execute.Evidence` for the executor."""

    def __init__(self, monitor: Monitor, ties: Mapping[str, frozenset[str]] | None = None) -> None:
        self._monitor = monitor
        self._ties = ties or {}  # element → itself and what it depends on
        self.analysis = Analysis(0.0)
        self.now = 0.0

    def goal(self, goal_id: str) -> GoalState | None:
        """How a goal stands, None where there is no such goal."""
        return self.analysis.goal(goal_id)

    def guards(self, elements: frozenset[str]) -> Sequence[GuardState]:
        """How the guards of these elements stand."""
        return self.analysis.guards_of(elements)

    def met(self) -> tuple[str, ...]:
        """The goals that are met now."""
        return tuple(sorted(state.goal.goal_id for state in self.analysis.goals if state.achieved))

    def critical(self, goal_id: str) -> bool:
        """Whether a goal is missed so badly that it cannot wait."""
        found = (symptom for symptom in self.analysis.symptoms if symptom.goal_id == goal_id)
        return any(symptom.severity is Severity.CRITICAL for symptom in found)

    def missed(self) -> Mapping[str, str]:
        """The goals that are clearly missed now (the symptom is there, not just one sample), each with a sentence."""
        clear = {symptom.goal_id for symptom in self.analysis.symptoms if symptom.kind == "goal_missed" and symptom.confirmed}
        return {
            state.goal.goal_id: f"{state.goal.metric_name} is missed now ({of_metric(state.goal.metric_name, state.current)})"
            for state in self.analysis.goals
            if state.goal.goal_id in clear
        }

    def samples(self, goal_id: str) -> tuple[Array, Array]:
        """Every sample at hand of a goal's metric: times (n,) in seconds and values (n,)."""
        state = self.goal(goal_id)
        if state is None:
            return np.empty(0), np.empty(0)
        goal = state.goal
        found = self._monitor.aggregate(goal.metric_name, goal.element, goal.where, goal.aggregate, self.now, EVERYTHING)
        return found.t, found.v

    def goals(self, elements: frozenset[str]) -> Sequence[GoalState]:
        """How the goals of these elements stand."""
        return [state for state in self.analysis.goals if state.element in elements]

    def metrics(self, element: str) -> Mapping[str, tuple[Array, Array]]:
        """Every metric of `element` that can be trusted now, as far back as the windows reach; several series are averaged."""
        found = {}
        for name in dict.fromkeys(series.name for series in self._monitor.series() if series.element == element):
            whole = self._monitor.aggregate(name, element, (), "mean", self.now, EVERYTHING)
            if whole.trust.ok:
                found[name] = (whole.t, whole.v)
        return found

    def controls(self, goal_id: str, locks: frozenset[str]) -> Mapping[str, Control]:
        """By name, what an action holding `locks` cannot have touched: the goal's own controls, and its metric elsewhere."""
        state = self.goal(goal_id)
        if state is None:
            return {}
        t, _ = self.samples(goal_id)
        named = {name: (name, None, (), "mean") for name in state.goal.controls}
        alike = {
            f"{element}/{state.goal.metric_name}": (state.goal.metric_name, element, state.goal.where, state.goal.aggregate)
            for element in self._elsewhere(state, locks)
        }
        found = {}
        for name, (metric, element, where, how) in {**named, **alike}.items():
            read = self._monitor.aggregate(metric, element, where, how, self.now, EVERYTHING)
            if read.trust.ok and t.size:
                touched = frozenset(tie for one in read.series for tie in self._tied(one.element))
                found[name] = Control(_nearest(t, read.t, read.v), touched)
        return found

    def _elsewhere(self, state: GoalState, locks: frozenset[str]) -> list[str]:
        """Other elements that have the goal's metric, and share nothing with `locks`."""
        if not state.element:
            return []  # the goal speaks of all of them
        having = {series.element for series in self._monitor.series() if series.name == state.goal.metric_name}
        return sorted(element for element in having - {state.element, ""} if not self._tied(element) & locks)[:MOST_OFFERED]

    def _tied(self, element: str) -> frozenset[str]:
        return self._ties.get(element, frozenset()) | {element}

    def distrust(self, reason: str) -> None:
        """Trust nothing of the last analysis any more, since the next one failed: no decision may rest on what is old."""
        lost = Trust(Health.STALE, reason)
        goals = tuple(replace(state, achieved=None, trust=lost) for state in self.analysis.goals)
        guards = tuple(replace(state, breached=None, trust=lost) for state in self.analysis.guards)
        self.analysis = replace(self.analysis, goals=goals, guards=guards, symptoms=())

    def baseline_counts(
        self, records: Sequence[ActionRecord], levers: Mapping[str, LeverState] | None = None
    ) -> Mapping[str, int]:
        """Goal id → how many of the newest samples show the level that it is at now.

        None from before our last change, or its undoing, has settled; and none from another level: a metric that is still on its
        way to where a fault takes it has no level that a trial could be judged against.
        """
        counts = {}
        for state in self.analysis.goals:
            t, y = self.samples(state.goal.goal_id)
            rested = t >= self._at_rest_since(state.element, records, levers or {})
            waited = int(np.count_nonzero(rested & (t >= self._missed_since(state.goal.goal_id))))
            counts[state.goal.goal_id] = min(int(rested.sum()), steady_tail(y) if waited < PATIENCE_SAMPLES else y.size)
        return counts

    @staticmethod
    def _at_rest_since(element: str, records: Sequence[ActionRecord], levers: Mapping[str, LeverState]) -> float:
        """Since when neither we nor another hand moved a lever of `element`, and what was moved has settled."""
        ours = (end for _, end in disturbances(record for record in records if element in record.action.locks))
        theirs = (
            state.moved_by_others_at + state.spec.settle_seconds
            for state in levers.values()
            if state.moved_by_others_at is not None and element in state.spec.locks
        )
        return max((*ours, *theirs), default=0.0)

    def _missed_since(self, goal_id: str) -> float:
        return next((symptom.since for symptom in self.analysis.symptoms if symptom.goal_id == goal_id), np.inf)


def _nearest(wanted: Array, t: Array, v: Array) -> Array:
    """The values `v` at times `t` (n,) that lie nearest to the times `wanted` (m,): half an interval off at most, else NaN."""
    if t.size < 2:
        return np.full(wanted.size, np.nan)
    right = np.clip(np.searchsorted(t, wanted), 1, t.size - 1)
    at = np.where(wanted - t[right - 1] <= t[right] - wanted, right - 1, right)
    near = np.abs(t[at] - wanted) <= NEAR * float(np.median(np.diff(t)))
    return np.where(near, v[at], np.nan)
