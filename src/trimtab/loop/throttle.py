"""Keep the agent within its own budget: stretch the intervals of sensors and stages as `Pace` says, but for what is urgent.

Looked at once a turn. An element that shows a symptom, or that an action of ours is moving, being proven on, or kept on probation
at, is read at its own period whatever that costs: the rest makes room for it.
"""

from __future__ import annotations

from collections.abc import Callable, Set

import structlog

from trimtab.domain.actions import ActionState
from trimtab.execute.book import Book
from trimtab.loop.evidence import LastAnalysis
from trimtab.loop.pace import Pace
from trimtab.loop.schedule import Schedule
from trimtab.loop.selfwatch import ELEMENT, SelfSensor
from trimtab.monitor import Monitor

_NOBODY: Set[str] = frozenset()


class Throttle:
    """`pace` None leaves every interval as configured; `cpu_seconds` is what the process has used so far."""

    def __init__(self, pace: Pace | None, cpu_seconds: Callable[[], float], selfwatch: SelfSensor) -> None:
        self._pace, self._cpu_seconds, self._selfwatch = pace, cpu_seconds, selfwatch
        self._in_force: tuple[object, float, Set[str]] = (None, 1.0, _NOBODY)  # at which monitor, how much, for all but whom

    @property
    def sentence(self) -> str | None:
        """Why intervals are longer than configured; None while they are not."""
        return self._pace.sentence if self._pace is not None else None

    def look(self, now: float, monitor: Monitor, schedule: Schedule, evidence: LastAnalysis, book: Book) -> None:
        """Measure, and put into force what follows from it."""
        if self._pace is None:
            return
        if self._pace.note(now, self._cpu_seconds()):
            self._announce(self._pace)
        factor = self._selfwatch.stretch = self._pace.factor
        spared = urgent(evidence, book) if factor > 1.0 else _NOBODY
        if (monitor, factor, spared) != self._in_force:
            self._in_force = monitor, factor, spared
            monitor.pace(factor, spared)
            schedule.pace(factor)

    def factor_of(self, element: str) -> float:
        """How many times longer than configured the intervals of an element are."""
        _, factor, spared = self._in_force
        return 1.0 if element in spared else factor

    def _announce(self, pace: Pace) -> None:
        log = structlog.get_logger("trimtab")
        if pace.sentence is None:
            log.info("Pace", reason=f"intervals as configured again: within the budget of {pace.budget_percent:g} % of a core")
        else:
            log.warning("Pace", reason=pace.sentence)


def urgent(evidence: LastAnalysis, book: Book) -> Set[str]:
    """The elements that nothing is put off for. The agent itself is never one of them."""
    found = {symptom.element for symptom in evidence.analysis.symptoms}
    for record in (*book.under_way(), *book.in_state(ActionState.SCHEDULED, ActionState.KEPT_ON_PROBATION)):
        goal = evidence.goal(record.action.goal_id) if record.action.goal_id else None
        found |= {*record.action.locks, *([goal.element] if goal is not None else [])}
    return frozenset(found - {ELEMENT})
