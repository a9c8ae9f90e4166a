"""What the executor may know of the world, answered from the last analysis and the monitor's windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from trimtab.domain.actions import ActionRecord
from trimtab.domain.goals import Analysis, GoalState, GuardState
from trimtab.domain.words import format_number
from trimtab.monitor import Monitor

Array = NDArray[np.float64]
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
        """Goal id → how many samples show the present level: none from before the last change, or undoing, has settled.

        Without this the recovery from one trial's harm would be credited to the next trial.
        """
        counts = {}
        for state in self.analysis.goals:
            t, _ = self.samples(state.goal.goal_id)
            counts[state.goal.goal_id] = int(np.count_nonzero(t >= settled_since(records, state.element)))
        return counts


def settled_since(records: Sequence[ActionRecord], element: str) -> float:
    """Since when `element` has been left alone long enough to settle, Unix seconds; 0.0 where no action ever touched it."""
    touched = [record for record in records if element in record.action.locks and record.executed_at is not None]
    return max((_settled(record) for record in touched), default=0.0)


def _settled(record: ActionRecord) -> float:
    futile = record.verdict is not None and record.verdict.futile and record.guard_breached is None
    if record.rollback_reason is None or record.ended_at is None:
        return (record.executed_at or 0.0) + record.action.settle_seconds
    return 0.0 if futile else record.ended_at + record.action.settle_seconds  # a change without effect leaves none when undone
