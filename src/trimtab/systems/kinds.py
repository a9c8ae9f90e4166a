"""What a system offers: a type of sensor or lever is its options model and the function that builds it.

Read by `config` (to check options), `assembly` (to build) and `systems.registry` (to collect). Light: building
imports what is heavy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from trimtab.config import LeverOptions, SensorOptions
from trimtab.domain.levers import LeverSpec
from trimtab.domain.ports import Lever, Sensor
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
