"""What is wanted and what must never be: goals, guards, and how they stand at one moment."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from math import isfinite

from trimtab.domain.diagnosis import Diagnosis
from trimtab.domain.direction import Direction
from trimtab.domain.metrics import Health, Severity, Trust


@dataclass(frozen=True, slots=True)
class Goal:
    """A target for a metric. `element` and `where` narrow which series is meant; `aggregate` says how several become one.

    >>> Goal("p95_seconds", 0.2, Direction.MINIMIZE).met_by(0.15)
    True
    """

    metric_name: str
    target_value: float
    direction: Direction
    weight: float = 1.0
    element: str | None = None
    where: tuple[tuple[str, str], ...] = ()
    aggregate: str = "mean"  # over matching series: mean | max | min | sum
    controls: tuple[str, ...] = ()  # metrics that no action for this goal can touch, and that share what moves it by itself

    @property
    def goal_id(self) -> str:
        """A stable, readable id."""
        where = ",".join(f"{key}={value}" for key, value in self.where)
        return ":".join(part for part in ("goal", self.element or "", self.metric_name, where) if part)

    def met_by(self, value: float) -> bool:
        """Whether `value` reaches the target."""
        return self.direction.sign * (value - self.target_value) >= 0.0

    def miss(self, value: float) -> float:
        """How far `value` is on the wrong side of the target, relative to it: 0 where met, 1.0 where twice as bad.

        For `maximize` the ratio is inverted, so that half of the wanted throughput misses as much as twice the wanted latency.

        >>> Goal("p95_seconds", 0.2, Direction.MINIMIZE).miss(0.4)
        1.0
        """
        if self.met_by(value):
            return 0.0
        scale = abs(self.target_value) if self.direction is Direction.MINIMIZE else abs(value)
        return abs(value - self.target_value) / max(scale, 1e-12)


@dataclass(frozen=True, slots=True)
class Guard:
    """A limit that nothing may breach while it is tried; at least one of `max` and `min` is set.

    >>> Guard("error_ratio", max=0.01).breached_by(0.02)
    True
    """

    metric_name: str
    max: float | None = None
    min: float | None = None
    element: str | None = None
    where: tuple[tuple[str, str], ...] = ()
    aggregate: str = "mean"

    @property
    def guard_id(self) -> str:
        """A stable, readable id."""
        where = ",".join(f"{key}={value}" for key, value in self.where)
        limit = f"<={self.max}" if self.max is not None else f">={self.min}"
        return ":".join(part for part in ("guard", self.element or "", self.metric_name, where, limit) if part)

    @property
    def limits(self) -> str:
        """The limits in words: "at most 0.01"."""
        parts = [
            f"at most {self.max:g}" if self.max is not None else "",
            f"at least {self.min:g}" if self.min is not None else "",
        ]
        return " and ".join(part for part in parts if part)

    def breached_by(self, value: float) -> bool:
        """Whether `value` is outside of the limit."""
        return (self.max is not None and value > self.max) or (self.min is not None and value < self.min)

    def excess(self, value: float) -> float:
        """How far outside of the limit `value` is, in the metric's unit; 0 inside."""
        over = value - self.max if self.max is not None else 0.0
        under = self.min - value if self.min is not None else 0.0
        return max(0.0, over, under)


@dataclass(frozen=True, slots=True)
class GoalState:
    """A goal at one moment. `achieved` is None, and `trust` says why, while the data cannot be trusted."""

    goal: Goal
    element: str  # whose series it speaks of
    current: float | None  # mean over the goal's window
    latest: float | None
    achieved: bool | None
    progress: float  # 0 to 1
    miss: float  # see Goal.miss, of `current`
    trust: Trust
    foreseen: str = ""  # when it is met, and a steady trend will cross it: when, in words


@dataclass(frozen=True, slots=True)
class GuardState:
    """A guard at one moment. `breached` is None while the data cannot be trusted."""

    guard: Guard
    element: str
    value: float | None
    breached: bool | None
    trust: Trust

    def near(self, share: float) -> frozenset[int]:
        """The ways in which the metric can go no further: +1 up, -1 down, within `share` of that limit or beyond it.

        Both where there is no value to tell by.

        >>> sorted(GuardState(Guard("error_ratio", max=0.01), "shop", 0.0095, False, Trust(Health.OK)).near(0.1))
        [1]
        """
        guard, value = self.guard, self.value
        if value is None or not isfinite(value):
            return frozenset((1, -1))
        above = guard.max is not None and value >= guard.max - share * abs(guard.max)
        below = guard.min is not None and value <= guard.min + share * abs(guard.min)
        return frozenset(way for way, near in ((1, above), (-1, below)) if near)


@dataclass(frozen=True, slots=True)
class Symptom:
    """Something off, with its evidence in words."""

    kind: str  # goal_missed | guard_breached | threshold | anomaly | forecast
    element: str
    metric_name: str
    severity: Severity
    score: float  # 0 to 1
    evidence: str
    since: float  # Unix seconds
    goal_id: str | None = None
    confirmed: bool = True  # a critical reading asks for a second look before anything rests on it

    @property
    def symptom_id(self) -> str:
        """Stable while the same thing is off."""
        return f"{self.kind}:{self.element}:{self.metric_name}"


@dataclass(frozen=True, slots=True)
class Analysis:
    """What `analyze` makes of the readings, once a turn."""

    at: float
    goals: tuple[GoalState, ...] = ()
    guards: tuple[GuardState, ...] = ()
    symptoms: tuple[Symptom, ...] = ()
    holds: tuple[str, ...] = ()  # one sentence for each goal, guard or sensor that cannot be trusted
    diagnoses: tuple[Diagnosis, ...] = ()  # of symptoms that last

    def goal(self, goal_id: str) -> GoalState | None:
        """How a goal stands, None where there is no such goal."""
        return next((state for state in self.goals if state.goal.goal_id == goal_id), None)

    def diagnosis_of(self, symptom_id: str) -> Diagnosis | None:
        """Why a symptom is there, None where nothing is suspected."""
        return next((found for found in self.diagnoses if found.symptom_id == symptom_id), None)

    @property
    def warming(self) -> frozenset[str]:
        """The metrics of goals and guards that lack nothing but time: too few samples yet."""
        states = [*((s.goal.metric_name, s.trust) for s in self.goals), *((s.guard.metric_name, s.trust) for s in self.guards)]
        early = {name for name, trust in states if trust.health is Health.WARMING_UP}
        return frozenset(early - {name for name, trust in states if not trust.ok and trust.health is not Health.WARMING_UP})

    def guards_of(self, names: Set[str]) -> tuple[GuardState, ...]:
        """The guards that watch whoever holds these locks, those of no element in particular among them."""
        return tuple(state for state in self.guards if state.element in names or not state.element)
