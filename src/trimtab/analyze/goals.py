"""How a goal stands, and whether missing it is a symptom. Called once a turn for each goal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from trimtab.analyze.limits import SURE, severities, trailing_run
from trimtab.analyze.view import AggregateView, MonitorView
from trimtab.domain.direction import Direction
from trimtab.domain.errors import UnitMismatch
from trimtab.domain.goals import Goal, GoalState, Symptom
from trimtab.domain.metrics import Health, MetricType, Series, Severity, Threshold, Unit
from trimtab.domain.words import format_number, format_quantity

CRITICAL_MISS = 1.0  # twice as bad as wanted, see `Goal.miss`


class GoalWatch:
    """One goal.

    It is missed once the last three samples miss by more than the deadband and the mean of its window misses too; the symptom
    then lasts until that mean is inside the target. A critical sample shows at once, unconfirmed until the third in a row.
    """

    def __init__(self, goal: Goal, thresholds: Mapping[MetricType, Threshold], deadband: float) -> None:
        self.goal, self._thresholds, self._deadband = goal, thresholds, deadband
        self._since: float | None = None  # while it counts as missed

    def look(
        self, view: MonitorView, now: float, settle_by_element: Mapping[str, float], default_settle: float
    ) -> tuple[GoalState, Symptom | None]:
        """Its state, and the symptom where it is missed."""
        goal = self.goal
        elements = [goal.element] if goal.element else sorted({s.element for s in view.series() if s.name == goal.metric_name})
        seconds = max((settle_by_element.get(element, default_settle) for element in elements), default=default_settle)
        seen = view.aggregate(goal.metric_name, goal.element, goal.where, goal.aggregate, now, seconds)
        element = self._worst_of(elements, view, now, seconds)
        state = self._state(seen, element)
        return state, self._symptom(state, seen) if state.trust.ok else None

    def _worst_of(self, elements: list[str], view: MonitorView, now: float, seconds: float) -> str:
        """Whose series the goal speaks of: where it names no element, the one that misses it most."""
        if len(elements) < 2:
            return elements[0] if elements else ""
        goal = self.goal
        means = {one: view.aggregate(goal.metric_name, one, goal.where, goal.aggregate, now, seconds).mean for one in elements}
        known = {one: -goal.direction.sign * mean for one, mean in means.items() if mean is not None}
        return max(known, key=lambda one: known[one]) if known else elements[0]

    def _state(self, seen: AggregateView, element: str) -> GoalState:
        shown = seen.trust.ok or seen.trust.health is Health.WARMING_UP  # the first samples may be looked at, never acted on
        current, latest = (seen.mean, seen.latest) if shown else (None, None)
        if not seen.trust.ok or current is None:
            return GoalState(self.goal, element, current, latest, None, 0.0, 0.0, seen.trust)
        miss = self.goal.miss(current)
        return GoalState(self.goal, element, current, latest, self.goal.met_by(current), 1.0 / (1.0 + miss), miss, seen.trust)

    def _symptom(self, state: GoalState, seen: AggregateView) -> Symptom | None:
        goal, tail = self.goal, seen.v[-SURE:]
        missing = trailing_run([goal.miss(float(value)) > self._deadband for value in tail])
        critical = trailing_run(self._critical(seen, [float(value) for value in tail]))
        if state.achieved:
            self._since = None
        elif self._since is None and missing >= SURE:
            self._since = float(seen.t[-missing])
        if self._since is None and not critical:
            return None
        missed = self._symptom_of(state, seen)
        if self._since is None:
            return self._unconfirmed(missed, seen, critical)
        sustained = critical >= SURE or self._critical(seen, [state.current or 0.0])[0]
        return replace(missed, severity=Severity.CRITICAL if sustained else Severity.WARNING)

    def _symptom_of(self, state: GoalState, seen: AggregateView) -> Symptom:
        return Symptom(
            kind="goal_missed",
            element=state.element,
            metric_name=self.goal.metric_name,
            severity=Severity.WARNING,
            score=state.miss / (1.0 + state.miss),
            evidence=self._evidence(state.current or 0.0, seen, f" over {seen.n} samples"),
            since=self._since or 0.0,
            goal_id=self.goal.goal_id,
        )

    def _unconfirmed(self, missed: Symptom, seen: AggregateView, critical: int) -> Symptom:
        """A critical reading that the mean does not bear out yet: shown at once, looked at again before anything rests on it."""
        latest = seen.latest or 0.0
        miss = self.goal.miss(latest)
        since, evidence = float(seen.t[-critical]), self._evidence(latest, seen, " in its latest sample")
        return replace(
            missed,
            severity=Severity.CRITICAL,
            score=miss / (1.0 + miss),
            evidence=evidence,
            since=since,
            confirmed=critical >= SURE,
        )

    def _critical(self, seen: AggregateView, values: list[float]) -> list[bool]:
        """Which values miss twice over, or are beyond what is critical for their type."""
        return [self.goal.miss(v) >= CRITICAL_MISS or self._beyond(seen.series, v) for v in values]

    def _beyond(self, series: tuple[Series, ...], value: float) -> bool:
        if not series or self.goal.met_by(value):
            return False
        threshold = self._thresholds.get(series[0].metric_type)
        if threshold is None or threshold.lower_is_worse is (self.goal.direction is Direction.MINIMIZE):
            return False
        try:
            return severities(series[0], [value], threshold)[0] is Severity.CRITICAL
        except UnitMismatch:  # said by the threshold's own watch
            return False

    def _evidence(self, value: float, seen: AggregateView, over: str) -> str:
        unit = seen.series[0].unit if seen.series else Unit.NONE
        shown, target = format_quantity(value, unit), format_quantity(self.goal.target_value, unit)
        times = f" ({format_number(self.goal.miss(value) + 1.0)} x)" if self.goal.miss(value) < 1e6 else ""
        return f"{self.goal.metric_name} {shown}{over} misses its goal of {target}{times}"
