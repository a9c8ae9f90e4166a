"""The second stage of the loop: from readings to what is off. Called once a turn; all that it remembers is which symptoms last.

Nothing here rests on a sample that the monitor does not trust: where the data are bad there is a hold sentence, and no symptom.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from datetime import UTC, tzinfo

from trimtab.analyze.ahead import AheadWatch, Array, foreseen
from trimtab.analyze.anomalies import AnomalyWatch
from trimtab.analyze.diagnosis import Graph
from trimtab.analyze.goals import GoalWatch
from trimtab.analyze.guards import GuardWatch
from trimtab.analyze.holds import hold, silent_series
from trimtab.analyze.limits import LimitWatch
from trimtab.analyze.screen import Screen
from trimtab.analyze.suspicions import SuspicionWatch
from trimtab.analyze.tiers import DeepTier
from trimtab.analyze.view import MonitorView
from trimtab.analyze.worth import Worth
from trimtab.domain.diagnosis import Change
from trimtab.domain.goals import Analysis, Goal, GoalState, Guard, GuardState, Symptom
from trimtab.domain.metrics import DEFAULT_THRESHOLDS, MetricType, Threshold

DEFAULT_SETTLE_SECONDS = 20.0
DEEP_SERIES = 5_000  # that have a detector of their own


class Analyzer:
    """Goals, guards, thresholds and detectors over one monitor.

    `guards_by_element` maps an element to the guards of its levers; the key "" holds those of no element in particular.
    `deadband` is relative: a goal missed by less is not worth a change. `threshold_stddev` sets how far from the learned
    behaviour an anomaly lies, see `StreamDetector`. `graph` maps an element to those that it depends on.
    `look_ahead`: whether what holds now and will not hold is a symptom, too. All series are screened, once in `screen_seconds`
    and with days that begin in `zone`; at most `deep_series` of them have a detector each, see `DeepTier`.
    """

    def __init__(
        self,
        goals: Sequence[Goal],
        guards_by_element: Mapping[str, Sequence[Guard]] | None = None,
        thresholds: Mapping[MetricType, Threshold] | None = None,
        *,
        deadband: float = 0.05,
        threshold_stddev: float = 2.5,
        default_settle_seconds: float = DEFAULT_SETTLE_SECONDS,
        graph: Graph | None = None,
        look_ahead: bool = True,
        deep_series: int = DEEP_SERIES,
        screen_seconds: float = 30.0,
        zone: tzinfo = UTC,
    ) -> None:
        limits = DEFAULT_THRESHOLDS if thresholds is None else thresholds
        guards = [(element, guard) for element, several in (guards_by_element or {}).items() for guard in several]
        self._default_settle = default_settle_seconds
        self._goals = [GoalWatch(goal, limits, deadband) for goal in goals]
        self._guards = [GuardWatch(guard, element) for element, guard in guards]
        self._limits = LimitWatch(limits)
        self._ahead = AheadWatch() if look_ahead else None
        self.looks_ahead = look_ahead
        self._suspicions = SuspicionWatch(graph)
        named = {goal.metric_name for goal in goals} | {guard.metric_name for _, guard in guards}
        self.named = frozenset(named)  # the metrics that goals and guards speak of
        self.remembered = self.named.union(*(goal.controls for goal in goals))  # what a verdict may look back on, too
        self.worth = Worth(goals, [guard for _, guard in guards])
        self.screen = Screen(screen_seconds, threshold_stddev=threshold_stddev, zone=zone)
        self.deep = DeepTier(deep_series, first=self.named)
        self._anomalies = AnomalyWatch(threshold_stddev)

    def recall(self, key: str, t: Array, v: Array) -> None:
        """What a goal or guard (by its id) rests on, days of it, so that trends of days are seen; see `AheadWatch.recall`."""
        if self._ahead is not None:
            self._ahead.recall(key, t, v)

    def analyze(
        self,
        view: MonitorView,
        now: float,
        settle_by_element: Mapping[str, float] | None = None,
        changes: Sequence[Change] = (),
    ) -> Analysis:
        """How everything stands at `now`. `settle_by_element`: the longest settling time of each element's levers, in seconds.

        `changes`: what was lately changed, as far as it is known.
        """
        goals, missed = self._look_at_goals(view, now, settle_by_element or {})
        guards, breached = self._look_at_guards(view, now)
        passed, incomparable = self._limits.look(view, now)
        unusual = self._anomalies.look(view, now, self._look_at_all(view, now))
        crowding = view.crowding()
        rest = [*incomparable, *silent_series(view, now, self.named), *([f"HOLD: {crowding}"] if crowding else [])]
        holds = self._say_holds(goals, guards, rest)
        coming = self._ahead.look(goals, guards, view, now) if self._ahead is not None else []
        goals = [replace(state, foreseen=foreseen(state, coming)) for state in goals]
        symptoms = (*breached, *missed, *passed, *coming, *unusual)
        diagnoses = self._suspicions.look(symptoms, view, now, changes)
        return Analysis(now, tuple(goals), tuple(guards), symptoms, holds, diagnoses)

    def _look_at_goals(self, view: MonitorView, now: float, settle: Mapping[str, float]) -> tuple[list[GoalState], list[Symptom]]:
        looks = [watch.look(view, now, settle, self._default_settle) for watch in self._goals]
        return [state for state, _ in looks], [symptom for _, symptom in looks if symptom is not None]

    def _look_at_guards(self, view: MonitorView, now: float) -> tuple[list[GuardState], list[Symptom]]:
        looks = [watch.look(view, now) for watch in self._guards]
        return [state for state, _ in looks], [symptom for _, symptom in looks if symptom is not None]

    def _look_at_all(self, view: MonitorView, now: float) -> Set[str]:
        """Screen every series; which of them are to be looked at closely."""
        telling = self.screen.surprises if self.screen.look(view, now) else ()
        return self.deep.choose(view.series(), telling, now)

    @staticmethod
    def _say_holds(goals: Sequence[GoalState], guards: Sequence[GuardState], rest: Sequence[str]) -> tuple[str, ...]:
        said = [hold(state.goal.metric_name, state.trust.reason) for state in goals if not state.trust.ok]
        said += [hold(state.guard.metric_name, state.trust.reason) for state in guards if not state.trust.ok]
        return tuple(dict.fromkeys([*said, *rest]))
