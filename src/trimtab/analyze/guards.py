"""How a guard stands. Called once a turn for each guard; the latest sample alone decides, since harm does not wait for a mean."""

from __future__ import annotations

from trimtab.analyze.view import MonitorView
from trimtab.domain.goals import Guard, GuardState, Symptom
from trimtab.domain.metrics import Severity, Unit
from trimtab.domain.words import format_quantity


class GuardWatch:
    """One guard of an element; `element` is "" where the guard belongs to none in particular."""

    def __init__(self, guard: Guard, element: str) -> None:
        self.guard = guard
        self.element = element or guard.element or ""  # whose changes it guards; its series may be another element's
        self._read_from = guard.element or element
        self._since: float | None = None

    def look(self, view: MonitorView, now: float) -> tuple[GuardState, Symptom | None]:
        """Its state, and the symptom where it is breached."""
        guard = self.guard
        seen = view.aggregate(guard.metric_name, self._read_from or None, guard.where, guard.aggregate, now, 0.0)
        if not seen.trust.ok or seen.latest is None:
            return GuardState(guard, self.element, None, None, seen.trust), None
        breached = guard.breached_by(seen.latest)
        state = GuardState(guard, self.element, seen.latest, breached, seen.trust)
        if not breached:
            self._since = None
            return state, None
        if self._since is None:
            self._since = float(seen.t[-1])
        unit = seen.series[0].unit if seen.series else Unit.NONE
        return state, self._symptom(seen.latest, unit, self._since)

    def _symptom(self, value: float, unit: Unit, since: float) -> Symptom:
        guard = self.guard
        high = guard.max is not None and value > guard.max
        limit = guard.max if high else guard.min
        excess = guard.excess(value) / max(abs(limit or 0.0), 1e-12)
        return Symptom(
            kind="guard_breached",
            element=self.element,
            metric_name=guard.metric_name,
            severity=Severity.CRITICAL,
            score=1.0 - 0.5 / (1.0 + excess),
            evidence=f"{guard.metric_name} {format_quantity(value, unit)} breaches its guard: "
            f"{'at most' if high else 'at least'} {format_quantity(limit, unit)}",
            since=since,
        )
