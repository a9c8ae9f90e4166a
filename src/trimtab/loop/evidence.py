"""What the executor may know of the world, answered from the last analysis and the monitor's windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from trimtab.domain.actions import ActionRecord
from trimtab.domain.goals import Analysis, GoalState, GuardState
from trimtab.domain.words import format_number
from trimtab.execute.disturbance import disturbances
from trimtab.monitor import Monitor
from trimtab.stats import steady_tail

Array = NDArray[np.float64]
PATIENCE_SAMPLES = 10  # of a missed goal: after these one acts on a metric that drifts on and on, too
EVERYTHING = 1e12  # seconds: as far back as the windows reach


class LastAnalysis:
    """The latest analysis, and the samples behind it; `execute.Evidence` for the executor."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self.analysis = Analysis(0.0)
        self.now = 0.0

    def goal(self, goal_id: str) -> GoalState | None:
        """How a goal stands, None where there is no such goal."""
        return next((state for state in self.analysis.goals if state.goal.goal_id == goal_id), None)

    def guards(self, elements: frozenset[str]) -> Sequence[GuardState]:
        """How the guards of these elements stand."""
        return [state for state in self.analysis.guards if state.element in elements]

    def met(self) -> tuple[str, ...]:
        """The goals that are met now."""
        return tuple(sorted(state.goal.goal_id for state in self.analysis.goals if state.achieved))

    def missed(self) -> Mapping[str, str]:
        """The goals that are clearly missed now (the symptom is there, not just one sample), each with a sentence."""
        clear = {symptom.goal_id for symptom in self.analysis.symptoms if symptom.kind == "goal_missed" and symptom.confirmed}
        return {
            state.goal.goal_id: f"{state.goal.metric_name} is missed now ({format_number(state.current or 0.0)})"
            for state in self.analysis.goals
            if state.goal.goal_id in clear
        }

    def samples(self, goal_id: str) -> tuple[Array, Array]:
        """Every sample at hand of a goal's metric: times (n,) in seconds and values (n,)."""
        state = self.goal(goal_id)
        if state is None:
            return np.empty(0), np.empty(0)
        goal = state.goal
        element = goal.element or state.element or None
        found = self._monitor.aggregate(goal.metric_name, element, goal.where, goal.aggregate, self.now, EVERYTHING)
        return found.t, found.v

    def baseline_counts(self, records: Sequence[ActionRecord]) -> Mapping[str, int]:
        """Goal id → how many of the newest samples show the level that it is at now.

        None from before our last change, or its undoing, has settled; and none from another level: a metric that is still on its
        way to where a fault takes it has no level that a trial could be judged against.
        """
        counts = {}
        for state in self.analysis.goals:
            t, y = self.samples(state.goal.goal_id)
            spans = disturbances(records, frozenset({state.element}))
            rested = t >= max((end for _, end in spans), default=0.0)
            waited = int(np.count_nonzero(rested & (t >= self._missed_since(state.goal.goal_id))))
            counts[state.goal.goal_id] = min(int(rested.sum()), steady_tail(y) if waited < PATIENCE_SAMPLES else y.size)
        return counts

    def _missed_since(self, goal_id: str) -> float:
        return next((symptom.since for symptom in self.analysis.symptoms if symptom.goal_id == goal_id), np.inf)
