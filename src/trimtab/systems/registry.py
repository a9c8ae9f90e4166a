"""Collect every type of sensor, lever and job: the built-in systems, and those that other packages add.

Called by `assembly` and `config validate` once at start. A package adds a system by an entry point in the group `trimtab.systems`
that names a module with `SENSORS`, `LEVERS` or `JOBS`. A broken one is reported and left out: it must not take the agent down.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any

from trimtab.config import JobOptions, LeverOptions, SensorOptions
from trimtab.domain.errors import ConfigError
from trimtab.domain.levers import LeverSpec
from trimtab.domain.ports import Lever, Sensor
from trimtab.systems.job_lever import JobLever
from trimtab.systems.kinds import JobType, LeverType, SensorType
from trimtab.systems.net import Net

GROUP = "trimtab.systems"
BUILT_IN = ("host", "prometheus", "http", "app", "plant", "sqlite", "process", "command", "file")
_GROUPS: Mapping[str, type] = {"SENSORS": SensorType, "LEVERS": LeverType, "JOBS": JobType}


@dataclass(frozen=True, slots=True)
class Registry:
    """Every type by its name in the YAML. `problems` holds a sentence for each plug-in that was left out."""

    sensors: Mapping[str, SensorType]
    levers: Mapping[str, LeverType]
    jobs: Mapping[str, JobType]
    problems: tuple[str, ...] = field(default=())

    @property
    def sensor_options(self) -> Mapping[str, type[SensorOptions]]:
        """The options model of each sensor type, as `config` wants them."""
        return {name: kind.options for name, kind in self.sensors.items()}

    @property
    def lever_options(self) -> Mapping[str, type[LeverOptions]]:
        """The options model of each lever type, as `config` wants them."""
        return {name: kind.options for name, kind in self.levers.items()}

    @property
    def job_options(self) -> Mapping[str, type[JobOptions]]:
        """The options model of each job type, as `config` wants them."""
        return {name: kind.options for name, kind in self.jobs.items()}

    def build_sensor(self, options: Any, element: str, net: Net) -> Sensor:
        """The sensor that `options`, of some type's options model, describe. Raises `ConfigError` where it cannot be built."""
        sensor: Sensor = _known(self.sensors, "sensor", options.type).build(options, element, net)
        return sensor

    def build_lever(self, options: Any, spec: LeverSpec, net: Net) -> Lever:
        """The lever that `options` describe, for `spec`. Raises `ConfigError` where it cannot be built."""
        lever: Lever = _known(self.levers, "lever", options.type).build(options, spec, net)
        return lever

    def build_job(self, options: Any, spec: LeverSpec, net: Net) -> Lever:
        """The job that `options` describe, as the lever that runs it. Raises `ConfigError` where it cannot be built."""
        return JobLever(_known(self.jobs, "job", options.type).build(options, spec.element, net), spec)


def registry(plug_ins: Iterable[EntryPoint] | None = None) -> Registry:
    """All types. `plug_ins` replaces the installed entry points.

    >>> "http" in registry(plug_ins=()).levers
    True
    """
    found: dict[str, dict[str, Any]] = {group: {} for group in _GROUPS}
    problems: list[str] = []
    for name in BUILT_IN:
        module = import_module(f"trimtab.systems.{name}")
        for group in _GROUPS:
            found[group].update(getattr(module, group, {}))
    for plug_in in sorted(entry_points(group=GROUP) if plug_ins is None else plug_ins, key=lambda point: point.name):
        try:
            more = _load(plug_in)
            for group, types in more.items():
                _refuse_doubles(types, found[group], group[:-1].lower())
        except (Exception, SystemExit) as error:
            problems.append(_sentence(plug_in, error))
            continue
        for group, types in more.items():
            found[group].update(types)
    sensors, levers, jobs = (MappingProxyType(found[group]) for group in _GROUPS)
    return Registry(sensors, levers, jobs, tuple(problems))


def _load(plug_in: EntryPoint) -> Mapping[str, Mapping[str, object]]:
    module = plug_in.load()
    more = {group: types for group in _GROUPS if (types := getattr(module, group, {}))}
    if not more:
        raise TypeError("it has none of SENSORS, LEVERS and JOBS")
    for group, types in more.items():
        wrong = [name for name, kind in types.items() if not isinstance(kind, _GROUPS[group])]
        if wrong:
            raise TypeError(f"{wrong[0]!r} is no trimtab.systems.kinds.{_GROUPS[group].__name__}")
    return more


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
