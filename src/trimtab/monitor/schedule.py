"""When each sensor is read next. Asked by the agent every turn; knows no clock, only the `now` it is told."""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from trimtab.domain.ports import Sensor
from trimtab.monitor.aggregates import ENOUGH

EXTRA_LOOKS = 4  # per sensor and interval: enough to know a critical level, too few to load a target that already suffers
_NEARLY = 0.2  # seconds: a regular read this soon after serves as well
_MANY = 16  # sensors from which their phases are spread, so that they are not all read in one instant
_SPREAD = 0.2  # of the interval over which they are spread
AT_ONCE = 64  # reads under way: more of them would wait for each other's connections, and time out by that
SLOWEST = 64.0  # times its own interval: no sensor is read more rarely than that, whatever the reason
_SLOWEST_TARGET = 16.0  # the same, because of how long its reads take
_TOO_LONG, _SHORT = (
    0.9,
    0.4,
)  # of the interval: a read that takes longer than the first doubles it, one below the second halves it


@dataclass(slots=True)
class _Slot:
    place: int  # in the order of the sensors
    sensor: Sensor
    interval: float  # as configured
    pace: float = 1.0  # times the interval: how much more rarely the agent can afford to read
    own: float = 1.0  # the same, because of how long its reads take
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=ENOUGH))  # periods at the last reads
    longest: float = 0.0  # of them
    read_at: float = -math.inf
    regular_at: float = -math.inf
    extra_at: float = math.inf
    reading: bool = False
    looks: int = 0
    looks_since: float = -math.inf

    @property
    def at(self) -> float:
        return math.inf if self.reading else min(self.regular_at, self.extra_at)

    @property
    def period(self) -> float:
        return self.interval * max(self.pace, self.own)


class Schedule:
    """Regular reads on a fixed grid per sensor, and bounded extra looks between them. A sensor is never read twice at once.

    At most `AT_ONCE` reads are under way; the others wait for their turn, those first that have waited longest. Slots lie in a
    heap by the time at which they are due, so that a turn costs what is due in it, however many sensors there are. An entry whose
    time is no longer that of its slot is passed over.
    """

    def __init__(self, sensors: Sequence[Sensor], interval_seconds: float) -> None:
        self._slots = {
            id(sensor): _Slot(place, sensor, sensor.interval or interval_seconds) for place, sensor in enumerate(sensors)
        }
        self._by_element: dict[str, list[_Slot]] = {}
        for slot in self._slots.values():
            self._by_element.setdefault(slot.sensor.element, []).append(slot)
        self._heap: list[tuple[float, int, _Slot]] = []
        self._interval, self._started = interval_seconds, False
        self._reading, self._now = 0, -math.inf

    def __contains__(self, sensor: Sensor) -> bool:
        return id(sensor) in self._slots

    def interval_of(self, sensor: Sensor) -> float:
        """Seconds that may lie between two samples: the longest period at the last few reads, since those are judged by it.

        What we read more rarely ourselves must not be called stale for it, nor at the moment when we read it often again.
        """
        slot = self._slots[id(sensor)]
        return max(slot.period, slot.longest)

    def period_of(self, sensor: Sensor) -> float:
        """Seconds between two regular reads from now on; as configured where the sensor is read no more."""
        slot = self._slots.get(id(sensor))
        return slot.period if slot is not None else sensor.interval or self._interval

    def pace(self, factor: float, spared: Set[str], apart: Mapping[int, float]) -> None:
        """Lengthen every interval by `factor` (at least 1, at most `SLOWEST`), but for the sensors of the elements `spared`.

        `apart` has the factors of sensors (by `id`) that have one of their own.
        """
        for key, slot in self._slots.items():
            before = slot.period
            slot.pace = 1.0 if slot.sensor.element in spared else min(max(apart.get(key, factor), 1.0), SLOWEST)
            if slot.period != before and slot.read_at > -math.inf:
                self._follow(slot, before)
        self._smear()

    def _follow(self, slot: _Slot, before: float) -> None:
        """A period that holds no longer is not sat out; one that has grown stretches what is left to wait."""
        left = slot.regular_at - self._now
        at = self._now + left * slot.period / before if slot.period > before and left > 0.0 else slot.regular_at
        at = min(at, slot.read_at + slot.period) if slot.period < before else at
        if at != slot.regular_at:
            slot.regular_at = at
            self._plan(slot)

    def _smear(self) -> None:
        """More are overdue than can be read at once, and all are to be read more rarely: they share the time that they have."""
        overdue = [slot for slot in self._slots.values() if slot.pace > 1.0 and slot.at <= self._now]
        if len(overdue) > AT_ONCE:
            overdue.sort(key=lambda slot: (slot.regular_at, slot.place))
            for number, slot in enumerate(overdue):
                slot.regular_at = self._now + slot.period * number / len(overdue)
                self._plan(slot)

    def due(self, now: float) -> list[Sensor]:
        """Sensors whose time has come; each is marked as being read until `finished`."""
        if not self._started:
            self._start(now)
        if now < self._now:
            self._look_after_clock(now)
        self._now = now
        slots = []
        while self._reading < AT_ONCE and (slot := self._first()) is not None and slot.at <= now:
            heapq.heappop(self._heap)
            slots.append(slot)
            self._reading += 1
            self._begin(slot, now)
        return [slot.sensor for slot in sorted(slots, key=lambda slot: slot.place)]

    @staticmethod
    def _begin(slot: _Slot, now: float) -> None:
        slot.reading, slot.extra_at, slot.read_at = True, math.inf, now
        slot.recent.append(slot.period)
        slot.longest = max(slot.recent)
        if slot.regular_at <= now:
            behind = math.floor((now - slot.regular_at) / slot.period)
            slot.regular_at += (behind + 1) * slot.period  # stays on its grid: reads that were missed are not made up for
            if slot.regular_at <= now:  # by a rounding of the last digit
                slot.regular_at += slot.period

    def next_due(self) -> float:
        """When the next sensor is due: -inf before the first turn, +inf while all are being read, or as many as may be."""
        if not self._started:
            return -math.inf if self._slots else math.inf
        slot = self._first() if self._reading < AT_ONCE else None
        return slot.at if slot is not None else math.inf

    def finished(self, sensor: Sensor, now: float) -> None:
        """The read of `sensor` has ended, well or not. One that took as long as its interval is read more rarely from now on."""
        slot = self._slots[id(sensor)]
        if slot.reading:
            took = now - slot.read_at
            if took >= _TOO_LONG * slot.period:
                slot.own = min(2.0 * slot.own, _SLOWEST_TARGET)
            elif slot.own > 1.0 and took < _SHORT * slot.interval * slot.own / 2.0:
                slot.own = max(slot.own / 2.0, 1.0)
            self._reading -= 1
        slot.reading = False
        self._plan(slot)

    def look_again(self, element: str, at: float) -> bool:
        """Bring the sensors of `element` forward to `at`, within the bound. Returns whether any will look by then."""
        return sum(self._bring_forward(slot, at) for slot in self._by_element.get(element, ())) > 0  # each of them, so not any()

    def look_closer(self, sensor: Sensor, at: float) -> bool:
        """Bring one sensor forward to `at`, within the same bound. Returns whether it will be read by then."""
        return self._bring_forward(self._slots[id(sensor)], at)

    def _bring_forward(self, slot: _Slot, at: float) -> bool:
        if min(slot.regular_at, slot.extra_at) <= at + _NEARLY:
            return True
        if at >= slot.looks_since + slot.interval or at < slot.looks_since:
            slot.looks, slot.looks_since = 0, at
        if slot.looks >= EXTRA_LOOKS:
            return False
        slot.looks, slot.extra_at = slot.looks + 1, at
        self._plan(slot)
        return True

    def _start(self, now: float) -> None:
        self._started = True
        many = len(self._slots) > _MANY
        for i, slot in enumerate(self._slots.values()):
            slot.regular_at = now + (_SPREAD * slot.interval * i / len(self._slots) if many else 0.0)
            self._plan(slot)

    def _look_after_clock(self, now: float) -> None:
        """The clock went back: do not fall silent until it has caught up."""
        for slot in self._slots.values():
            if slot.regular_at > now + slot.period:
                slot.regular_at = now
                self._plan(slot)

    def _plan(self, slot: _Slot) -> None:
        if slot.at < math.inf:
            heapq.heappush(self._heap, (slot.at, slot.place, slot))

    def _first(self) -> _Slot | None:
        """The slot that is due first; what is no longer true of the heap leaves it."""
        while self._heap and self._heap[0][0] != self._heap[0][2].at:
            heapq.heappop(self._heap)
        return self._heap[0][2] if self._heap else None
