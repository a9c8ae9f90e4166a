"""What is asked of the future: goals, guards, what can be full, load, and what regulated levers cost. For the desk."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.analyze.foresight import foretell
from trimtab.domain.direction import Direction
from trimtab.domain.errors import NotFound
from trimtab.domain.forecasts import Foretold, Subject
from trimtab.domain.lever_series import lever_series
from trimtab.domain.levers import LeverKind, LeverSpec
from trimtab.domain.metrics import Health, MetricType, Series, Unit
from trimtab.loop import lookback
from trimtab.loop.selfwatch import ELEMENT

if TYPE_CHECKING:
    from trimtab.loop.desk import Desk

MOST = 40  # subjects in one answer
MOST_LOADS = 5
FULL = {Unit.PERCENT: 100.0, Unit.RATIO: 1.0}
CAN_BE_FULL = ("disk", "memory", "heap", "storage", "volume", "quota", "pool", "full")
SPEND = "spend"  # what the levers of an element cost, as if it were a metric
_GONE = (Health.STALE, Health.MISSING, Health.INVALID)


@dataclass(frozen=True, slots=True)
class _Asked:
    subject: Subject
    of: lookback.Source
    hold: str = ""


async def look_ahead(agent: Desk, seconds: float, metric: str | None) -> list[Foretold]:
    """What is expected within `seconds`: of every series called `metric`, else of all that a person would ask about first.

    Raises `NotFound` for a metric that nobody has heard of, `StoreError`.
    """
    now, answers = agent.clock.now(), []
    asked = _named(agent, metric) if metric is not None else _usual(agent, now)
    for one in list(asked)[:MOST]:
        answers.append(await _answer(agent, one, now, seconds))
        await asyncio.sleep(0)  # the loop turns between two answers
    for element, priced in _priced(agent).items() if metric in (None, SPEND) else ():
        answers.append(await _spend(agent, element, priced, now, seconds))
    return answers


async def _answer(agent: Desk, asked: _Asked, now: float, seconds: float) -> Foretold:
    subject, store = asked.subject, agent.parts.store
    why = asked.hold or lookback.why_not(asked.of)
    if why:
        return Foretold(subject, f"{subject.metric_name}: nothing is foretold: {why}", why)
    t, v, step = await lookback.longest(store, asked.of, now, seconds)
    trend = await lookback.trend(store, asked.of, now) if subject.limit is not None else None
    return foretell(subject, asked.of.series[0].unit, t, v, step, now, seconds, trend)


def _usual(agent: Desk, now: float) -> Iterator[_Asked]:
    """Goals, guards, what can be full, load; no series twice."""
    told: set[str] = set()
    analysis = agent.evidence.analysis
    for goal in analysis.goals:
        wanted = goal.goal
        subject = Subject("goal", goal.element, wanted.metric_name, wanted.target_value, wanted.direction is Direction.MINIMIZE)
        yield _told(told, _aggregate(agent, subject, wanted.element, wanted.where, wanted.aggregate, now))
    for guard in analysis.guards:
        of = guard.guard
        for limit, rising in ((of.max, True), (of.min, False)):
            if limit is not None:
                subject = Subject("guard", guard.element, of.metric_name, limit, rising)
                yield _told(told, _aggregate(agent, subject, of.element, of.where, of.aggregate, now))
    for series in agent.monitor.series():
        full = series.unit in FULL and series.element != ELEMENT and any(word in series.name for word in CAN_BE_FULL)
        if full and series.metric_id not in told:
            limit = FULL[series.unit]
            yield _alone(agent, Subject("saturation", series.element, series.name, limit, highest=limit), series, now)
    for series in _loads(agent)[:MOST_LOADS]:
        if series.metric_id not in told:
            yield _alone(agent, Subject("load", series.element, series.name), series, now)


def _named(agent: Desk, metric: str) -> list[_Asked]:
    now = agent.clock.now()
    found = [
        _alone(agent, Subject("series", one.element, one.name, FULL.get(one.unit)), one, now)
        for one in agent.monitor.series()
        if metric in (one.name, one.metric_id)
    ]
    if not found and not (metric == SPEND and _priced(agent)):
        raise NotFound(f"no series is called {metric!r}", remedy="GET /agent/series lists them")
    return found


def _told(told: set[str], asked: _Asked) -> _Asked:
    told.update(series.metric_id for series in asked.of.series)
    return asked


def _aggregate(
    agent: Desk, subject: Subject, element: str | None, where: tuple[tuple[str, str], ...], how: str, now: float
) -> _Asked:
    seen = agent.monitor.aggregate(subject.metric_name, element, where, how, now, 0.0)
    return _Asked(subject, lookback.Source(seen.series, how), seen.trust.reason if seen.trust.health in _GONE else "")


def _alone(agent: Desk, subject: Subject, series: Series, now: float) -> _Asked:
    trust = agent.monitor.trust(series.metric_id, now)
    return _Asked(subject, lookback.Source((series,)), trust.reason if trust.health in _GONE else "")


def _loads(agent: Desk) -> list[Series]:
    """What regulated levers follow, by name or by being a rate of their element; else every throughput."""
    governed = [state.spec for state in agent.levers.states.values() if state.spec.governs]
    specs = [agent.levers.states[lever_id].spec for spec in governed for lever_id in spec.governs]
    names, elements = {name for spec in specs for name in spec.follows}, {spec.element for spec in specs}
    rates = [one for one in agent.monitor.series() if one.unit is Unit.PER_SECOND or one.metric_type is MetricType.THROUGHPUT]
    followed = [one for one in agent.monitor.series() if one.name in names] if names else []
    return followed or [one for one in rates if one.element in elements] or rates


def _priced(agent: Desk) -> dict[str, list[LeverSpec]]:
    found: dict[str, list[LeverSpec]] = {}
    for state in agent.levers.states.values():
        if state.spec.cost_per_second and state.spec.kind is not LeverKind.CHOICE:
            found.setdefault(state.spec.element, []).append(state.spec)
    return found


async def _spend(agent: Desk, element: str, priced: Sequence[LeverSpec], now: float, seconds: float) -> Foretold:
    """What the levers of an element cost, in the currency of their `cost_per_second`."""
    of = lookback.Source(tuple(map(lever_series, priced)), "sum", tuple(spec.cost_per_second for spec in priced))
    t, v, step = await lookback.longest(agent.parts.store, of, now, seconds)
    return foretell(Subject("cost", element, SPEND), Unit.NONE, t, v, step, now, seconds)
