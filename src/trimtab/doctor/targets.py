"""Doctor's look at what is managed: every sensor, lever and job read once, side by side, none for long. Nothing is set."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from trimtab.config import Settings, locks_of
from trimtab.doctor.findings import Finding, fails, of_error, ok, warning
from trimtab.doctor.promises import promised, unpromised, unserved, with_readings
from trimtab.domain.errors import ConfigError, TrimtabError
from trimtab.domain.levers import BROKEN, LeverValue
from trimtab.domain.ports import Lever, Sensor
from trimtab.domain.words import setting
from trimtab.systems.net import Net
from trimtab.systems.registry import Registry

SECONDS = 6.0  # for one read
AT_ONCE = 16
_INSIDE = "not looked at: it lives inside the program that the agent runs in"


@dataclass(slots=True)
class Seen:
    """What the reads brought: the names of the series for each element, and the elements where a sensor did not answer."""

    names: dict[str, set[str]] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)


async def look_at_targets(settings: Settings, types: Registry) -> list[Finding]:
    """Read everything once; then tell which goals and guards speak of a metric that nobody yields."""
    net, seen, limit = Net(), Seen(), asyncio.Semaphore(AT_ONCE)
    works = [*_sensor_reads(settings, types, net, seen), *_lever_reads(settings, types, net)]

    async def one(work: Callable[[], Awaitable[Finding]]) -> Finding:
        async with limit:
            return await work()

    try:
        findings = list(await asyncio.gather(*(one(work) for work in works)))
    finally:
        await net.close()
    return [*findings, *_goals(settings, types, seen)]


def _sensor_reads(settings: Settings, types: Registry, net: Net, seen: Seen) -> Iterator[Callable[[], Awaitable[Finding]]]:
    for element in settings.elements:
        seen.names.setdefault(element.name, set())
        for options in element.sensors:
            yield partial(_read_sensor, types, options, element.name, net, seen)


async def _read_sensor(types: Registry, options: Any, element: str, net: Net, seen: Seen) -> Finding:
    if _inside(options):
        seen.silent.add(element)
        return ok(f"sensor {element}", f"{options.type}: {_INSIDE}")
    try:
        sensor = types.build_sensor(options, element, net)
    except ConfigError as error:
        seen.silent.add(element)
        return of_error(f"sensor {element}", error)
    check = f"sensor {element}"
    try:
        readings = await asyncio.wait_for(sensor.read(time.time()), SECONDS)
        lacks = await asyncio.wait_for(_unmet(sensor), SECONDS)
    except Exception as error:
        seen.silent.add(element)
        return _unread(check, sensor.name, error, "start the target, or correct where it is asked")
    finally:
        await sensor.close()
    names = {reading.series.name for reading in readings}
    seen.names[element] |= names | set(sensor.metric_names)
    if any(reading.series.name == "up" and reading.value == 0.0 for reading in readings):
        seen.silent.add(element)
        return fails(check, f"{sensor.name}: nothing listens there (up = 0)", "start the service, or correct the url")
    return lacks or _told(check, sensor, len(readings), names)


async def _unmet(sensor: Sensor) -> Finding | None:
    """Series that are derived from what the page does not have."""
    from trimtab.systems.prometheus.scrape import ScrapeSensor

    if not isinstance(sensor, ScrapeSensor) or not (lacks := await sensor.unmet(time.time())):
        return None
    what = "; ".join(f"{series} is derived from {name}, which the page does not have" for series, name, _ in lacks)
    near = ", ".join(dict.fromkeys(near for _, _, near in lacks if near))
    remedy = f"did you mean {near}?" if near else "correct the name under derive; or nothing has been counted there yet"
    return warning(f"sensor {sensor.element}", f"{sensor.name}: {what}", remedy)


def _told(check: str, sensor: Sensor, count: int, names: set[str]) -> Finding:
    derived = len(set(sensor.metric_names) - names)
    if count == 0:
        return warning(
            check, f"{sensor.name} answered, with nothing in it", "see what the target exposes; derived series need two reads"
        )
    later = f", {derived} more from the second read on" if derived else ""
    return ok(check, f"{sensor.name}: {count} series{later}")


def _lever_reads(settings: Settings, types: Registry, net: Net) -> Iterator[Callable[[], Awaitable[Finding]]]:
    for element in settings.elements:
        locks = locks_of(settings, element.name)
        for options in element.levers:
            build = partial(types.build_lever, options, options.spec(element.name, locks), net)
            yield partial(_read_lever, "lever", options, element.name, build)
        for job in element.jobs:
            build = partial(types.build_job, job, job.spec(element.name, locks), net)
            yield partial(_read_lever, "job", job, element.name, build)


async def _read_lever(noun: str, options: Any, element: str, build: Callable[[], Lever]) -> Finding:
    check = f"{noun} {element}/{options.name}"
    if _inside(options):
        return ok(check, f"{options.type}: {_INSIDE}")
    try:
        lever = build()
    except ConfigError as error:
        return of_error(check, error)
    try:
        value = await asyncio.wait_for(lever.read(), SECONDS)
    except Exception as error:
        return _unread(check, "", error, "start what holds it, or correct where it is asked")
    finally:
        await lever.close()
    return _judge(check, noun, lever, value)


def _judge(check: str, noun: str, lever: Lever, value: LeverValue) -> Finding:
    if noun == "job":
        if value == BROKEN:
            return warning(
                check, "is half done", "look at the target; undo it by hand, or `trimtab rollback` the action that began it"
            )
        return ok(check, f"is {value}")
    spec = lever.spec
    told = f"reads {setting(value)}"
    if spec.bounds is not None and not isinstance(value, str) and not spec.bounds[0] <= float(value) <= spec.bounds[1]:
        return warning(
            check, f"{told}, outside of its bounds", f"it takes {spec.domain_in_words}; correct the bounds or the value"
        )
    if spec.choices and value not in spec.choices:
        return warning(check, f"{told}, which is none of its choices", f"it takes {spec.domain_in_words}; add this one")
    return ok(check, f"{told}; takes {spec.domain_in_words}")


def _goals(settings: Settings, types: Registry, seen: Seen) -> Iterator[Finding]:
    heard = {element: names for element, names in seen.names.items() if element not in seen.silent and names}
    promises = with_readings(promised(settings, types), heard)
    for each in unpromised(settings, promises):
        yield fails(each.subject, each.what, each.remedy)
    if (lack := unserved(settings, promises)) is not None:
        yield warning("levers", *lack)
    if not settings.goals:
        yield warning("goals", "none is configured, so that nothing is ever done", "add some under goals:")


def _inside(options: Any) -> bool:
    return getattr(options, "app", None) == "in-process" or options.type == "plant"


def _unread(check: str, name: str, error: Exception, otherwise: str) -> Finding:
    if isinstance(error, TimeoutError):
        return fails(check, f"{name or 'it'} did not answer within {SECONDS:g} s", otherwise)
    if isinstance(error, TrimtabError):
        return of_error(check, error, otherwise)
    return fails(check, f"{name or 'it'} failed: {type(error).__name__}: {error}", otherwise)


def count_reads(settings: Settings) -> tuple[int, int]:
    """How many sensors, and how many levers and jobs, there are to read."""
    elements: Sequence[Any] = settings.elements
    return sum(len(e.sensors) for e in elements), sum(len(e.levers) + len(e.jobs) for e in elements)
