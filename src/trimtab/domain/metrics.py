"""Series, readings and their units: what sensors produce and every later stage reads.

A series declares its type and unit, so that 85 % is never compared with 0.85, nor milliseconds with seconds: each `MetricType`
has one canonical unit, and a `Unit` converts only within its own dimension.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from trimtab.domain.errors import UnitMismatch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class MetricType(StrEnum):
    """The kinds of metric that thresholds are set for; every other named series is `custom`."""

    RESPONSE_TIME = "response_time"
    ERROR_RATE = "error_rate"
    MEMORY_USAGE = "memory_usage"
    CPU_USAGE = "cpu_usage"
    THROUGHPUT = "throughput"
    LATENCY = "latency"
    SUCCESS_RATE = "success_rate"
    CUSTOM = "custom"


class Unit(StrEnum):
    """A unit of measure; it converts into those of its own dimension only."""

    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"
    RATIO = "ratio"
    PERCENT = "percent"
    BYTES = "bytes"
    MEGABYTES = "megabytes"
    PER_SECOND = "per_second"
    COUNT = "count"
    NONE = ""

    def convert(self, value: float, to: Unit) -> float:
        """`value`, given in this unit, in the unit `to`.

        Raises `UnitMismatch` where the two do not measure the same thing.

        >>> Unit.MILLISECONDS.convert(250.0, Unit.SECONDS)
        0.25
        >>> Unit.RATIO.convert(0.85, Unit.PERCENT)
        85.0
        """
        if self is to:
            return value
        (mine, scale), (theirs, target) = _DIMENSIONS[self], _DIMENSIONS[to]
        if mine != theirs:
            raise UnitMismatch(f"cannot compare {self.value or 'a plain number'} with {to.value or 'a plain number'}")
        return value * scale / target


_DIMENSIONS: Mapping[Unit, tuple[str, float]] = {
    Unit.SECONDS: ("time", 1.0),
    Unit.MILLISECONDS: ("time", 1e-3),
    Unit.RATIO: ("fraction", 1.0),
    Unit.PERCENT: ("fraction", 1e-2),
    Unit.BYTES: ("size", 1.0),
    Unit.MEGABYTES: ("size", 1e6),
    Unit.PER_SECOND: ("rate", 1.0),
    Unit.COUNT: ("count", 1.0),
    Unit.NONE: ("none", 1.0),
}

CANONICAL_UNITS: Mapping[MetricType, Unit] = {  # the units that requirement F3 gives its thresholds in
    MetricType.RESPONSE_TIME: Unit.SECONDS,
    MetricType.LATENCY: Unit.SECONDS,
    MetricType.ERROR_RATE: Unit.RATIO,
    MetricType.MEMORY_USAGE: Unit.PERCENT,
    MetricType.CPU_USAGE: Unit.PERCENT,
    MetricType.SUCCESS_RATE: Unit.PERCENT,
    MetricType.THROUGHPUT: Unit.PER_SECOND,
}

_SUFFIXES: tuple[tuple[str, Unit], ...] = (
    ("_seconds", Unit.SECONDS),
    ("_milliseconds", Unit.MILLISECONDS),
    ("_ms", Unit.MILLISECONDS),
    ("_ratio", Unit.RATIO),
    ("_percent", Unit.PERCENT),
    ("_bytes", Unit.BYTES),
    ("_megabytes", Unit.MEGABYTES),
    ("_per_second", Unit.PER_SECOND),
    ("_total", Unit.COUNT),
    ("_count", Unit.COUNT),
)


def infer_unit(name: str) -> Unit:
    """The unit that a series carries in its name, `Unit.NONE` where it carries none.

    >>> infer_unit("checkout_p95_seconds")
    <Unit.SECONDS: 'seconds'>
    """
    return next((unit for suffix, unit in _SUFFIXES if name.endswith(suffix)), Unit.NONE)


def infer_type(name: str) -> MetricType:
    """The metric type that a series' name tells, `custom` where it tells none.

    >>> infer_type("host_cpu_usage_percent").value, infer_type("queue_length").value
    ('cpu_usage', 'custom')
    """
    return next((kind for kind in MetricType if kind is not MetricType.CUSTOM and kind.value in name), MetricType.CUSTOM)


@dataclass(frozen=True, slots=True)
class Series:
    """The identity of a stream of numbers: name and labels, with what they mean.

    `name`, `labels` and `element` identify it; the rest describes it. `labels` is sorted, so that equal series compare equal.
    """

    name: str
    element: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    metric_type: MetricType = MetricType.CUSTOM
    unit: Unit = Unit.NONE
    source: str = ""  # the sensor that reads it, e.g. "prometheus http://127.0.0.1:9100/metrics"
    metadata: tuple[tuple[str, str], ...] = ()
    _id: str = field(default="", init=False, repr=False, compare=False)  # asked for at every sample, so written out once

    @classmethod
    def named(cls, name: str, element: str = "", labels: Mapping[str, str] | None = None, **about: str) -> Series:
        """A series whose type and unit are read off its name, unless `metric_type`, `unit` or `source` say otherwise.

        >>> Series.named("shop_p95_seconds", "shop").unit
        <Unit.SECONDS: 'seconds'>
        """
        metric_type = MetricType(about["metric_type"]) if about.get("metric_type") else infer_type(name)
        unit = Unit(about["unit"]) if about.get("unit") else infer_unit(name)
        return cls(name, element, tuple(sorted((labels or {}).items())), metric_type, unit, about.get("source", ""))

    @property
    def metric_id(self) -> str:
        """A stable id of the identity, e.g. `shop/p95_seconds{route="/pay"}`, unique within one agent."""
        if not self._id:
            labels = ",".join(f'{key}="{value}"' for key, value in self.labels)
            object.__setattr__(self, "_id", f"{self.element}/{self.name}" + (f"{{{labels}}}" if labels else ""))
        return self._id


@dataclass(frozen=True, slots=True)
class Reading:
    """One sample of a series. `value` may be anything a broken target sends, NaN and ±inf included: `monitor` judges it."""

    series: Series
    value: float
    timestamp: float  # Unix seconds, UTC


class Health(StrEnum):
    """Whether a series can be trusted right now. Only `ok` ever leads to an action."""

    OK = "ok"
    WARMING_UP = "warming_up"  # too few samples yet
    MISSING = "missing"  # never read, or the last read failed
    STALE = "stale"  # the last sample is older than it may be
    INVALID = "invalid"  # null, NaN or ±inf
    SUSPECT = "suspect"  # a first-ever exact zero, where zero means an error more often than a fact


@dataclass(frozen=True, slots=True)
class Trust:
    """The health of a series with the sentence that says why."""

    health: Health
    reason: str = ""

    @property
    def ok(self) -> bool:
        """Whether a decision may rest on the series."""
        return self.health is Health.OK

    @property
    def why(self) -> str:
        """Why none may, in words: the reason where one was given, else the health itself.

        >>> Trust(Health.STALE).why, Trust(Health.STALE, "silent for 90 s").why
        ('stale', 'silent for 90 s')
        """
        return self.reason or self.health.value


@dataclass(frozen=True, slots=True)
class Threshold:
    """Warning and critical limits of a metric type, in its canonical unit. `lower_is_worse` turns the comparison around.

    >>> Threshold(70.0, 85.0).severity(90.0).value
    'critical'
    >>> Threshold(95.0, 90.0, lower_is_worse=True).severity(93.0).value
    'warning'
    """

    warning: float
    critical: float
    lower_is_worse: bool = False

    def severity(self, value: float) -> Severity:
        """How bad `value` is."""
        sign = -1.0 if self.lower_is_worse else 1.0
        if sign * value >= sign * self.critical:
            return Severity.CRITICAL
        return Severity.WARNING if sign * value >= sign * self.warning else Severity.NORMAL


class Severity(StrEnum):
    """How bad a symptom is. Ordered by `rank`."""

    NORMAL = "normal"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for normal, 1 for warning, 2 for critical."""
        return list(Severity).index(self)


DEFAULT_THRESHOLDS: Mapping[MetricType, Threshold] = {  # requirement F3
    MetricType.RESPONSE_TIME: Threshold(1.0, 3.0),
    MetricType.ERROR_RATE: Threshold(0.01, 0.05),
    MetricType.MEMORY_USAGE: Threshold(70.0, 85.0),
    MetricType.CPU_USAGE: Threshold(75.0, 90.0),
    MetricType.SUCCESS_RATE: Threshold(95.0, 90.0, lower_is_worse=True),
}


@dataclass(frozen=True, slots=True)
class StoredSample:
    """A sample as it reads back whole from any store (requirement F4)."""

    metric_id: str
    metric_type: MetricType
    value: float
    timestamp: float
    source: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


class Samples(NamedTuple):
    """Samples of one series as columns, (n,) each: `times` in Unix seconds, strictly rising, and their `values`.

    A tuple: a read makes one for each of thousands of series, in half the time that a dataclass takes.
    """

    times: NDArray[np.float64]
    values: NDArray[np.float64]


class Aggregate(StrEnum):
    """The figure that many samples are summed up to."""

    MEAN = "mean"
    MIN = "min"
    MAX = "max"
    SUM = "sum"
    COUNT = "count"
    LAST = "last"
