"""Managed elements, goals and guards as the YAML has them, each of which becomes a domain value by one method."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from trimtab.config.options import AnyJob, AnyLever, AnySensor
from trimtab.config.parts import Finite, MetricName, Name, Part, plain, rule
from trimtab.domain.direction import Direction
from trimtab.domain.goals import Goal, Guard

Aggregate = Literal["mean", "max", "min", "sum"]


class GoalSettings(Part):
    """A target for a metric.

    >>> GoalSettings(metric_name="p95_seconds", target_value=0.2, direction="minimize").goal().goal_id
    'goal:p95_seconds'
    """

    metric_name: MetricName
    target_value: Finite
    direction: Direction
    weight: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] = 1.0
    element: Name | None = None
    where: dict[str, str] = Field(default_factory=dict)
    aggregate: Aggregate = "mean"
    controls: tuple[MetricName, ...] = ()  # metrics that no action for this goal can touch

    def goal(self) -> Goal:
        """The goal as the rest of trimtab knows it."""
        where = tuple(sorted(self.where.items()))
        return Goal(
            self.metric_name, self.target_value, self.direction, self.weight, self.element, where, self.aggregate, self.controls
        )


class GuardSettings(Part):
    """A limit that nothing may breach while it is tried.

    >>> GuardSettings(metric_name="error_ratio", max=0.01).guard("shop").guard_id
    'guard:shop:error_ratio:<=0.01'
    """

    metric_name: MetricName
    min: Finite | None = None
    max: Annotated[Finite | None, Field(validate_default=True)] = None
    element: Name | None = None
    where: dict[str, str] = Field(default_factory=dict)
    aggregate: Aggregate = "mean"

    @field_validator("max")
    @classmethod
    def _limits(cls, value: float | None, info: ValidationInfo) -> float | None:
        if "min" not in info.data:  # already refused
            return value
        low = info.data["min"]
        if value is None and low is None:
            raise rule("a guard needs a limit", "give max, min or both")
        if value is not None and low is not None and low >= value:
            raise rule(f"min {plain(low)} is not below max {plain(value)}", "swap or correct them")
        return value

    def guard(self, element: str) -> Guard:
        """The guard as the rest of trimtab knows it; `element` is the one it stands under."""
        where = tuple(sorted(self.where.items()))
        return Guard(self.metric_name, self.max, self.min, self.element or element, where, self.aggregate)


class ElementSettings(Part):
    """A managed thing with its sensors, levers, jobs and guards."""

    name: Name
    kind: Literal["service", "database", "cache", "queue", "pipeline", "model", "host", "cluster"] = "service"
    depends_on: tuple[Name, ...] = ()
    sensors: tuple[AnySensor, ...] = ()
    levers: tuple[AnyLever, ...] = ()
    jobs: tuple[AnyJob, ...] = ()
    guards: tuple[GuardSettings, ...] = ()


def dependencies(graph: dict[str, Any], name: str) -> frozenset[str]:
    """`name` and everything that it depends on, transitively; `graph` maps a name to the names it depends on.

    >>> sorted(dependencies({"web": ["api"], "api": ["db"], "db": []}, "web"))
    ['api', 'db', 'web']
    """
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current not in seen:
            seen.add(current)
            waiting.extend(graph.get(current, ()))
    return frozenset(seen)
