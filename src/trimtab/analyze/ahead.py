"""What is met now and will not be: a goal or guard that a steady trend takes across its limit. Called once a turn.

Symptoms of kind `forecast`: only of series that can be trusted, only where the whole 90 % interval lies ahead within the time
that the trend has lasted. Each is looked at twice: in its window once a minute, and, for what takes days, in the past that the
loop hands over once an hour. It begins when a second look in a row says so too, and ends when one says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.analyze.view import EVERYTHING, AggregateView, MonitorView
from trimtab.domain.direction import Direction
from trimtab.domain.goals import Goal, GoalState, Guard, GuardState, Symptom
from trimtab.domain.metrics import Severity, Unit
from trimtab.domain.words import format_quantity, format_span
from trimtab.stats.crossing import Crossing, crossing

AGAIN = 60.0  # seconds between two looks: a trend does not change faster than it can be told
SURE = 2  # looks in a row
LEAST_PAST = 2 * 86_400.0  # seconds: in less, a trend cannot be told from the time of day
HOUR = 3600.0

Array = NDArray[np.float64]
NOTHING: Array = np.empty(0)


@dataclass(slots=True)
class _Looked:
    at: float  # until when what was looked at reaches
    since: float
    looks: int = 0
    found: Crossing | None = None

    def take(self, found: Crossing | None, at: float, now: float) -> None:
        """What a look at `now` found in samples up to `at`."""
        self.found, self.at = found, at
        self.looks = self.looks + 1 if found is not None else 0
        self.since = self.since if self.looks > 1 else now


class AheadWatch:
    """Remembers the last look at each goal and guard."""

    def __init__(self) -> None:
        self._looked: dict[str, _Looked] = {}
        self._past: dict[str, tuple[Array, Array]] = {}

    def recall(self, key: str, t: Array, v: Array) -> None:
        """What the goal or guard with this id rests on, days of it: times (n,), Unix seconds, and values (n,), evenly spaced."""
        if t.size and t[-1] - t[0] >= LEAST_PAST:
            self._past[key] = (t, v)

    def look(self, goals: Sequence[GoalState], guards: Sequence[GuardState], view: MonitorView, now: float) -> list[Symptom]:
        """What will be crossed, of what holds now."""
        symptoms = []
        for goal in goals:
            rising = goal.goal.direction is Direction.MINIMIZE
            if goal.trust.ok and goal.achieved:
                symptoms += self._judge(goal.goal.goal_id, goal.element, goal.goal, goal.goal.target_value, rising, view, now)
        for guard in guards:
            for limit, rising in ((guard.guard.max, True), (guard.guard.min, False)):
                if limit is not None and guard.trust.ok and guard.breached is False:
                    symptoms += self._judge(guard.guard.guard_id, guard.element, guard.guard, limit, rising, view, now)
        return symptoms

    def _judge(
        self, key: str, element: str, of: Goal | Guard, limit: float, rising: bool, view: MonitorView, now: float
    ) -> list[Symptom]:
        seen = view.aggregate(of.metric_name, of.element, of.where, of.aggregate, now, EVERYTHING)
        near = self._looked.setdefault(f"{key}:{rising}", _Looked(float("-inf"), now))
        if now - near.at >= AGAIN - 1e-6:
            near.take(crossing(seen.t, seen.v, limit, rising=rising), now, now)
        far = self._looked.setdefault(f"{key}:{rising}:past", _Looked(float("-inf"), now))
        t, v = self._past.get(key, (NOTHING, NOTHING))
        if t.size and t[-1] > far.at:
            far.take(crossing(t, v, limit, rising=rising), float(t[-1]), now)
        sure = [one for one in (near, far) if one.found is not None and one.looks >= SURE]
        return [self._symptom(sure[0], element, of, limit, seen, now)] if sure else []

    def _symptom(self, looked: _Looked, element: str, of: Goal | Guard, limit: float, seen: AggregateView, now: float) -> Symptom:
        assert looked.found is not None
        what = "goal" if isinstance(of, Goal) else "guard"
        passed = now - looked.at
        after, earliest, latest = (
            max(0.0, moment - passed) for moment in (looked.found.after, looked.found.earliest, looked.found.latest)
        )
        span = f"in {format_span(after)} (90 %: {format_span(earliest)} to {format_span(latest)})"
        unit = seen.series[0].unit if seen.series else Unit.NONE
        return Symptom(
            kind="forecast",
            element=element,
            metric_name=of.metric_name,
            severity=Severity.WARNING,
            score=0.5 * HOUR / (HOUR + after),
            evidence=f"{of.metric_name} {format_quantity(seen.latest, unit)} will cross its {what} of "
            f"{format_quantity(limit, unit)} {span}",
            since=looked.since,
            goal_id=of.goal_id if isinstance(of, Goal) else None,
        )


def foreseen(state: GoalState, symptoms: Sequence[Symptom]) -> str:
    """When a goal that is met will be missed, in words; "" where nothing says so."""
    return next((one.evidence for one in symptoms if one.goal_id == state.goal.goal_id and one.element == state.element), "")
