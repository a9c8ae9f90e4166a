"""Which goals and guards speak of a metric that no sensor yields. Asked by `config validate`, which reads nothing, and `doctor`.

A sensor that takes whatever it finds (every gauge of a page, every sensor of a program) may yield any name: before it was read it
is given the benefit of the doubt, unless the name is nearly one that is promised.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trimtab.config import Settings
from trimtab.domain.errors import ConfigError
from trimtab.domain.ports import Sensor
from trimtab.loop.selfwatch import SelfSensor
from trimtab.systems.net import Net
from trimtab.systems.registry import Registry

Path = tuple[str | int, ...]
NEARLY = 0.85  # of difflib: one letter in seven; a gauge that is so like a promised name and means another thing is rare


@dataclass(frozen=True, slots=True)
class Promised:
    """The names that an element's sensors yield; `open` where there may be others."""

    element: str
    names: frozenset[str]
    open: bool = False


@dataclass(frozen=True, slots=True)
class Unpromised:
    """A goal or guard, by its place in the configuration, whose metric nobody yields."""

    path: Path
    subject: str  # e.g. "goal shop_p95_seconds"
    what: str
    remedy: str


def promised(settings: Settings, types: Registry) -> list[Promised]:
    """What the sensors promise before any was read."""
    found = [Promised(SelfSensor.element, frozenset(SelfSensor().metric_names))]
    for element in settings.elements:
        for options in element.sensors:
            sensor = _built(types, options, element.name)
            names = frozenset(sensor.metric_names) if sensor is not None else frozenset()
            found.append(Promised(element.name, names, sensor is None or _open(options, names)))
    return found


def unpromised(settings: Settings, promises: Collection[Promised]) -> list[Unpromised]:
    """Goals and guards whose metric is in none of `promises`, in the order of the configuration."""
    found = []
    for path, noun, wish, element in _wishes(settings):
        among = [each for each in promises if element in (None, each.element)]
        names = {name for each in among for name in each.names}
        near = difflib.get_close_matches(wish.metric_name, sorted(names), n=1, cutoff=0.6)
        close = difflib.get_close_matches(wish.metric_name, sorted(names), n=1, cutoff=NEARLY)
        if wish.metric_name in names or (any(each.open for each in among) and not close):
            continue
        of = f" of {element}" if element else ""
        what = f"no sensor{of} yields {wish.metric_name}, so that this {noun} can only hold"
        found.append(Unpromised(path, f"{noun} {wish.metric_name}", what, _remedy(near, wish.metric_name, element, promises)))
    return found


def unserved(settings: Settings, promises: Collection[Promised]) -> tuple[str, str] | None:
    """What is wrong and what to do where goals are configured, but no lever or job could serve any of them."""
    if not settings.goals or any(_served(settings, goal, promises) for goal in settings.goals):
        return None
    if any(element.levers or element.jobs for element in settings.elements):
        return (
            "no lever or job could serve any goal: none is on a goal's element, and none says that it moves a goal's metric",
            "add one there, or say in `moves` what those that there are move",
        )
    return (
        "there is no lever and no job: the goals are watched, and nothing can be done for them",
        "add one under levers: or jobs:",
    )


def _served(settings: Settings, goal: Any, promises: Collection[Promised]) -> bool:
    """By a lever on the element that has the metric, or one that says that it moves it."""
    has_it = {each.element for each in promises if goal.metric_name in each.names or each.open}
    for element in settings.elements:
        for options in (*element.levers, *element.jobs):
            if element.name == goal.element or goal.metric_name in options.moves:
                return True
            if goal.element is None and element.name in has_it:
                return True
    return False


def _remedy(near: list[str], name: str, element: str | None, promises: Collection[Promised]) -> str:
    if near:
        return f"did you mean {near[0]}?"
    elsewhere = [each.element for each in promises if name in each.names and each.element != element]
    if elsewhere:
        return f"{elsewhere[0]} has it: add `element: {elsewhere[0]}`"
    return "add a sensor that reads it, or correct the name"


def _wishes(settings: Settings) -> Iterator[tuple[Path, str, Any, str | None]]:
    for index, goal in enumerate(settings.goals):
        yield ("goals", index, "metric_name"), "goal", goal, goal.element
    for index, element in enumerate(settings.elements):
        for number, guard in enumerate(element.guards):
            yield ("elements", index, "guards", number, "metric_name"), "guard", guard, guard.element or element.name


def _built(types: Registry, options: Any, element: str) -> Sensor | None:
    """The sensor, None where it only exists inside of another program. Building reads nothing."""
    try:
        return types.build_sensor(options, element, Net())
    except ConfigError:
        return None


def _open(options: Any, names: Collection[str]) -> bool:
    says_which = any(getattr(options, key, None) for key in ("metrics", "metric", "server"))
    return not names or ("metrics" in type(options).model_fields and not says_which)


def with_readings(promises: Collection[Promised], read: Mapping[str, Collection[str]]) -> list[Promised]:
    """The promises once every sensor was read: `read` has, for each element all of whose sensors answered, what they yielded."""
    known = [Promised(each.element, each.names, each.open and each.element not in read) for each in promises]
    return [*known, *(Promised(element, frozenset(names)) for element, names in read.items())]
