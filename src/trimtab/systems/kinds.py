"""What a system offers: a type of sensor, lever or job is its options model and the function that builds it.

Read by `config` (to check options), `assembly` (to build) and `systems.registry` (to collect). Light: building
imports what is heavy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from trimtab.config import JobOptions, LeverOptions, SensorOptions
from trimtab.domain.levers import LeverSpec
from trimtab.domain.ports import Job, Lever, Sensor
from trimtab.systems.net import Net


@dataclass(frozen=True, slots=True)
class SensorType:
    """A `type:` of sensor. `build(options, element, net)` gets an instance of `options`; it may raise `ConfigError`."""

    options: type[SensorOptions]
    build: Callable[[Any, str, Net], Sensor]  # Any: an instance of `options`, which the caller has checked


@dataclass(frozen=True, slots=True)
class LeverType:
    """A `type:` of lever. `build(options, spec, net)` gets an instance of `options`; it may raise `ConfigError`."""

    options: type[LeverOptions]
    build: Callable[[Any, LeverSpec, Net], Lever]


@dataclass(frozen=True, slots=True)
class JobType:
    """A `type:` of job. `build(options, element, net)` gets an instance of `options`; it may raise `ConfigError`."""

    options: type[JobOptions]
    build: Callable[[Any, str, Net], Job]
