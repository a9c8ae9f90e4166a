"""Keep the agent within its own budget: stretch the intervals of sensors and stages as `Pace` says, but for what is urgent.

Looked at once a turn. An element that shows a symptom, or that an action of ours is moving, being proven on, or kept on probation
at, is read at its own period whatever that costs: the rest makes room for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager

import structlog

from trimtab.domain.actions import ActionState
from trimtab.domain.metrics import Severity
from trimtab.execute.book import Book
from trimtab.loop.attention import Attention
from trimtab.loop.evidence import LastAnalysis
from trimtab.loop.pace import Pace
from trimtab.loop.schedule import Schedule
from trimtab.loop.selfwatch import ELEMENT, SelfSensor
from trimtab.monitor import Monitor

_NOBODY: Set[str] = frozenset()
STAGES_LONGEST = 16.0  # times its own period is the most that a stage, or a look at a lever, is put off
ANALYSIS_SHARE = 0.25  # of the budget that may go into analyses which every new reading asks for


class Throttle:
    """`pace` None leaves every interval as configured; `cpu_seconds` is what the process has used so far.

    `attention` says which sensors are stretched by more than the factor and which by less; None: all alike.
    """

    def __init__(
        self, pace: Pace | None, cpu_seconds: Callable[[], float], selfwatch: SelfSensor, attention: Attention | None = None
    ) -> None:
        self._pace, self._cpu_seconds, self._selfwatch, self.attention = pace, cpu_seconds, selfwatch, attention
        self._rest_until = 0.0
        self._hurry = False
        self._in_force: tuple[object, float, Set[str]] = (None, 1.0, _NOBODY)  # at which monitor, how much, for all but whom

    @property
    def sentence(self) -> str | None:
        """Why intervals are longer than configured; None while they are not."""
        return self._pace.sentence if self._pace is not None else None

    def look(self, now: float, monitor: Monitor, schedule: Schedule, evidence: LastAnalysis, book: Book) -> None:
        """Measure, and put into force what follows from it."""
        learned = False
        if self.attention is not None and self.attention.news:
            learned = self.attention.look(now, evidence.analysis.symptoms, urgent(evidence, book))
        self._hurry = bool(book.under_way()) or any(one.severity is Severity.CRITICAL for one in evidence.analysis.symptoms)
        if self._pace is None:
            return
        if self._pace.note(now, self._cpu_seconds()):
            self._announce(self._pace)
        factor = self._selfwatch.stretch = self._pace.factor
        spared = urgent(evidence, book) if factor > 1.0 else _NOBODY
        if (monitor, factor, spared) != self._in_force or (learned and factor > 1.0):
            self._in_force = monitor, factor, spared
            monitor.pace(factor, spared, self.attention.factors(factor, spared) if self.attention is not None else {})
            schedule.pace(min(factor, STAGES_LONGEST))

    def after_reading(self) -> float:
        """When a new reading may be analysed: at once, but not so often that analyses alone use up the budget."""
        return 0.0 if self._hurry else self._rest_until

    @contextmanager
    def analysing(self, now: float) -> Iterator[None]:
        """Around an analysis: what it costs is how long the next one waits, unless something is urgent."""
        began = self._cpu_seconds()
        yield
        if self._pace is not None:
            self._rest_until = now + 100.0 * (self._cpu_seconds() - began) / (ANALYSIS_SHARE * self._pace.budget_percent)

    def factor_of(self, element: str) -> float:
        """How many times longer than configured the intervals of an element are."""
        _, factor, spared = self._in_force
        return 1.0 if element in spared else min(factor, STAGES_LONGEST)

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
