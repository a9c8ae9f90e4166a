"""What is expected to come, as it leaves the agent: times, quantities with their intervals, and the sentence."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked about. `limit`: what must not be passed, upwards where `rising`."""

    about: str  # goal | guard | saturation | load | cost | series
    element: str
    metric_name: str
    limit: float | None = None
    rising: bool = True
    highest: float | None = None  # that it can be at all


@dataclass(frozen=True, slots=True)
class Expected:
    """The mean over one step from `at` (Unix seconds) on; between low and high it lies with 90 %."""

    at: float
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Reached:
    """When a steady trend reaches the limit, Unix seconds: expected, and the ends of the 90 % interval."""

    at: float
    earliest: float
    latest: float


@dataclass(frozen=True, slots=True)
class Foretold:
    """An answer. Where nothing can be said, `hold` says why, and `course` is empty."""

    subject: Subject
    sentence: str
    hold: str = ""
    step_seconds: float = 0.0
    course: tuple[Expected, ...] = ()
    reached: Reached | None = None
