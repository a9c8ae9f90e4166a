"""Collect every type of sensor and lever: the built-in systems, and those that other packages add.

Called by `assembly` and `config validate` once at start. A package adds a system by an entry point in the group `trimtab.systems`
that names a module with `SENSORS` and `LEVERS`. A broken one is reported and left out: it must not take the agent down with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any

from trimtab.config import LeverOptions, SensorOptions
from trimtab.domain.errors import ConfigError
from trimtab.domain.levers import LeverSpec
from trimtab.domain.ports import Lever, Sensor
from trimtab.systems.kinds import LeverType, SensorType
from trimtab.systems.net import Net

GROUP = "trimtab.systems"
BUILT_IN = ("host", "prometheus", "http", "app", "plant")


@dataclass(frozen=True, slots=True)
class Registry:
    """Every type by its name in the YAML. `problems` holds a sentence for each plug-in that was left out."""

    sensors: Mapping[str, SensorType]
    levers: Mapping[str, LeverType]
    problems: tuple[str, ...] = field(default=())

    @property
    def sensor_options(self) -> Mapping[str, type[SensorOptions]]:
        """The options model of each sensor type, as `config` wants them."""
        return {name: kind.options for name, kind in self.sensors.items()}

    @property
    def lever_options(self) -> Mapping[str, type[LeverOptions]]:
        """The options model of each lever type, as `config` wants them."""
        return {name: kind.options for name, kind in self.levers.items()}

    def build_sensor(self, options: Any, element: str, net: Net) -> Sensor:
        """The sensor that `options`, of some type's options model, describe. Raises `ConfigError` where it cannot be built."""
        sensor: Sensor = _known(self.sensors, "sensor", options.type).build(options, element, net)
        return sensor

    def build_lever(self, options: Any, spec: LeverSpec, net: Net) -> Lever:
        """The lever that `options` describe, for `spec`. Raises `ConfigError` where it cannot be built."""
        lever: Lever = _known(self.levers, "lever", options.type).build(options, spec, net)
        return lever


def registry(plug_ins: Iterable[EntryPoint] | None = None) -> Registry:
    """All types. `plug_ins` replaces the installed entry points.

    >>> "http" in registry(plug_ins=()).levers
    True
    """
    sensors: dict[str, SensorType] = {}
    levers: dict[str, LeverType] = {}
    problems: list[str] = []
    for name in BUILT_IN:
        module = import_module(f"trimtab.systems.{name}")
        sensors.update(module.SENSORS)
        levers.update(module.LEVERS)
    for plug_in in sorted(entry_points(group=GROUP) if plug_ins is None else plug_ins, key=lambda point: point.name):
        try:
            more_sensors, more_levers = _load(plug_in)
            _refuse_doubles(more_sensors, sensors, "sensor")
            _refuse_doubles(more_levers, levers, "lever")
        except (Exception, SystemExit) as error:
            problems.append(_sentence(plug_in, error))
            continue
        sensors.update(more_sensors)
        levers.update(more_levers)
    return Registry(MappingProxyType(sensors), MappingProxyType(levers), tuple(problems))


def _load(plug_in: EntryPoint) -> tuple[Mapping[str, SensorType], Mapping[str, LeverType]]:
    module = plug_in.load()
    sensors, levers = getattr(module, "SENSORS", {}), getattr(module, "LEVERS", {})
    if not sensors and not levers:
        raise TypeError("it has neither SENSORS nor LEVERS")
    for found, wanted in ((sensors, SensorType), (levers, LeverType)):
        wrong = [name for name, kind in found.items() if not isinstance(kind, wanted)]
        if wrong:
            raise TypeError(f"{wrong[0]!r} is no trimtab.systems.kinds.{wanted.__name__}")
    return sensors, levers


def _refuse_doubles(found: Mapping[str, object], known: Mapping[str, object], what: str) -> None:
    doubled = sorted(found.keys() & known.keys())
    if doubled:
        raise ValueError(f"the {what} type {doubled[0]!r} exists already")


def _sentence(plug_in: EntryPoint, error: BaseException) -> str:
    package = plug_in.dist.name if plug_in.dist is not None else "an unknown package"
    return (
        f"The system {plug_in.name!r} ({plug_in.value}, of {package}) was left out: {type(error).__name__}: {error}. "
        "Mend or remove that package; everything else works without it."
    )


def _known(types: Mapping[str, Any], what: str, name: str) -> Any:
    if name not in types:
        raise ConfigError(f"no {what} type is called {name!r}", remedy=f"Known are: {', '.join(sorted(types))}")
    return types[name]
