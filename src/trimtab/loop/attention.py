"""Which sensors bear it when there is not processor time enough for all: those where the least is to be missed.

The pace (`loop/pace.py`) says how much less is to be read in all. Who reads how much less follows from what a sensor's series are
worth (goals, guards, their elements), from how often they have surprised the screen, and from what a read costs
(`stats.inspection`). Looked at once a tick of the screen. Every sensor is read again within 64 of its own intervals, whatever
happens.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from functools import cache
from operator import itemgetter
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from trimtab.analyze.screen import Screen
from trimtab.analyze.worth import GOAL, Worth
from trimtab.domain.goals import Symptom
from trimtab.domain.metrics import Series
from trimtab.domain.words import format_number
from trimtab.loop.selfwatch import ELEMENT
from trimtab.monitor import Monitor
from trimtab.monitor.schedule import SLOWEST
from trimtab.stats import Hazard, inspection_intervals

Array = NDArray[np.float64]

READ_COST, SERIES_COST = 1.0, 0.02  # milliseconds of processor time: of a read, and of each series in it
QUIET_SECONDS = 1_800.0  # a surprise so soon after the last one belongs to it
FOREMOST, RAREST = 4, 2  # sensors that are told of
_SHARE = 1.0 / 8.0  # of its own interval after which a sensor that has just surprised, or been odd, is read again
_IDLE = 0.02  # of the reads of a sensor are odd by chance, however many series it has


class Attention:
    """Factors for the sensors of one monitor. `worth` says what their series matter."""

    def __init__(self, monitor: Monitor, screen: Screen, worth: Worth) -> None:
        self._monitor, self._screen, self._worth = monitor, screen, worth
        self._sensors = monitor.sensors
        self._place = {id(sensor): place for place, sensor in enumerate(self._sensors)}
        n = len(self._sensors)
        self._own = np.array([monitor.configured(sensor) for sensor in self._sensors], dtype=np.float64)
        self._hazard = Hazard(n)
        self._surprised_at, self._surprises = np.full(n, -np.inf), np.zeros(n, np.int64)
        self._weight, self._cost = np.ones(n), np.full(n, READ_COST + SERIES_COST)
        self._why, self._odd_from = [""] * n, [0.5] * n
        self._shown: Sequence[Series] | None = None
        self._readers: dict[str, int] = {}  # metric id → place of its sensor
        self._named: dict[tuple[str, str], list[int]] = {}  # element and name → the places of theirs
        self._ticks = 0
        self._ticked_at: float | None = None

    @property
    def news(self) -> bool:
        """Whether the screen has ticked since the last look."""
        return self._screen.ticks != self._ticks

    def look(self, now: float, symptoms: Collection[Symptom], urgent: Set[str]) -> bool:
        """Take in what the last tick of the screen has shown, and the `symptoms`; returns whether there was a tick.

        What surprises is looked at again soon, but where something is `urgent` already: there, others decide when to read. So is
        what is merely odd, where a sensor is read more rarely than configured: else the next read tells soon enough.
        """
        if not self.news:
            return False
        seconds = now - self._ticked_at if self._ticked_at is not None else 0.0
        self._ticks, self._ticked_at = self._screen.ticks, now
        self._weigh()
        told = np.zeros(len(self._sensors), bool)
        told[[self._readers[metric_id] for metric_id in self._screen.surprises if metric_id in self._readers]] = True
        again = told.copy()
        again[self._odd()] = True
        off = {(symptom.element, symptom.metric_name) for symptom in symptoms}
        told[[place for one in off for place in self._named.get(one, ())]] = True
        fresh = told & (now - self._surprised_at >= QUIET_SECONDS)
        self._surprised_at[told] = now
        self._surprises += fresh
        self._hazard.note(max(seconds, 0.0), fresh)
        for place in np.flatnonzero(again).tolist():
            sensor = self._sensors[place]
            if sensor.element not in urgent:
                self._monitor.look_closer(sensor, now + _SHARE * float(self._own[place]))
        return True

    def _odd(self) -> list[int]:
        """The places of sensors read more rarely than configured that have a series odder than chance makes it."""
        found = {self._readers[metric_id]: score for metric_id, score in sorted(self._screen.odd.items(), key=itemgetter(1))
                 if metric_id in self._readers}  # fmt: skip
        return [
            place for place, score in found.items()
            if score >= self._odd_from[place] and self._monitor.period_of(self._sensors[place]) > 1.001 * self._own[place]
        ]  # fmt: skip

    def factors(self, factor: float, spared: Set[str]) -> Mapping[int, float]:
        """How many times its own interval each sensor's is to be, by `id`, where all together may cost 1 / `factor`."""
        if factor <= 1.0 or not self._sensors:
            return {}
        first = np.array([sensor.element in spared for sensor in self._sensors])
        usual = self._cost / self._own
        budget = float(usual.sum()) / factor - float(usual[first].sum())
        rest = ~first
        found = np.ones(len(self._sensors))
        own = self._own[rest]
        value = (self._weight * self._hazard.rates())[rest]
        found[rest] = inspection_intervals(value, self._cost[rest], own, SLOWEST * own, max(budget, 0.0)) / own
        return dict(zip(self._place, found.tolist(), strict=True))

    def sentences(self, now: float) -> list[str]:
        """How often the sensors are read that are not read as configured, and why: the foremost few, and the rarest."""
        every = np.array([self._monitor.period_of(sensor) for sensor in self._sensors])
        shown = np.flatnonzero((every > 1.001 * self._own) | (now - self._surprised_at < QUIET_SECONDS))
        order = shown[np.argsort(-(self._weight * self._hazard.rates())[shown], kind="stable")].tolist()
        picked = order if len(order) <= FOREMOST + RAREST else [*order[:FOREMOST], *order[-RAREST:]]
        return [self._sentence(place, float(every[place]), now) for place in picked]

    def _sentence(self, place: int, every: float, now: float) -> str:
        sensor, count, own = self._sensors[place], int(self._surprises[place]), float(self._own[place])
        instead = f" instead of {format_number(own)} s" if every > 1.001 * own else ""
        said = f"{count} surprise{'s' if count > 1 else ''}" if count else "no surprise so far"
        if count:
            said += f", the last {format_number(round(now - float(self._surprised_at[place])))} s ago"
        why = self._why[place] or "no goal or guard is near"
        return f"{sensor.element}/{sensor.name} is read every {format_number(round(every))} s{instead}: {why}, {said}"

    def _weigh(self) -> None:
        """What each sensor's series are worth, anew where series have come or gone."""
        shown = self._monitor.series()
        if shown is self._shown:
            return
        self._shown, self._readers, self._named = shown, {}, {}
        count = np.zeros(len(self._sensors))
        self._weight[:] = [self._worth.of_element(sensor.element) for sensor in self._sensors]
        self._why = [self._worth.why_element(sensor.element) for sensor in self._sensors]
        for series in shown:
            sensor = self._monitor.reader(series.metric_id)
            place = self._place.get(id(sensor), -1)
            if place < 0:
                continue
            count[place] += 1.0
            self._readers[series.metric_id] = place
            self._named.setdefault((series.element, series.name), []).append(place)
            weight, why = self._worth.of(series)
            if weight > self._weight[place]:
                self._weight[place], self._why[place] = weight, why
        for place in [place for place, sensor in enumerate(self._sensors) if sensor.element == ELEMENT]:
            self._weight[place], self._why[place] = GOAL, "its own budget"
        self._cost = READ_COST + SERIES_COST * count
        self._odd_from = [_odd_from(int(series), self._screen.limit_stddev) for series in count]


@cache
def _odd_from(series: int, limit_stddev: float) -> float:
    """The score that `_IDLE` of all samples of normal noise reach in one of so many series (Bonferroni); 0.5 at the most."""
    z = NormalDist().inv_cdf(1.0 - 0.5 * _IDLE / max(series, 1))
    return min(z / (z + limit_stddev), 0.5)
