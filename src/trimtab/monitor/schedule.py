"""When each sensor is read next. Asked by the agent every turn; knows no clock, only the `now` it is told."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence, Set
from dataclasses import dataclass, field

from trimtab.domain.ports import Sensor
from trimtab.monitor.aggregates import ENOUGH

EXTRA_LOOKS = 4  # per sensor and interval: enough to know a critical level, too few to load a target that already suffers
_NEARLY = 0.2  # seconds: a regular read this soon after serves as well
_MANY = 16  # sensors from which their phases are spread, so that they are not all read in one instant
_SPREAD = 0.2  # of the interval over which they are spread
SLOWEST = 16.0  # times its own interval: no sensor is read more rarely than that, whatever the reason
_TOO_LONG, _SHORT = (
    0.9,
    0.4,
)  # of the interval: a read that takes longer than the first doubles it, one below the second halves it


@dataclass(slots=True)
class _Slot:
    sensor: Sensor
    interval: float  # as configured
    pace: float = 1.0  # times the interval: how much more rarely the agent can afford to read
    own: float = 1.0  # the same, because of how long its reads take
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=ENOUGH))  # periods at the last reads
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
    """Regular reads on a fixed grid per sensor, and bounded extra looks between them. A sensor is never read twice at once."""

    def __init__(self, sensors: Sequence[Sensor], interval_seconds: float) -> None:
        self._slots = {id(sensor): _Slot(sensor, sensor.interval or interval_seconds) for sensor in sensors}
        self._interval, self._started = interval_seconds, False

    def __contains__(self, sensor: Sensor) -> bool:
        return id(sensor) in self._slots

    def interval_of(self, sensor: Sensor) -> float:
        """Seconds that may lie between two samples: the longest period at the last few reads, since those are judged by it.

        What we read more rarely ourselves must not be called stale for it, nor at the moment when we read it often again.
        """
        slot = self._slots[id(sensor)]
        return max(slot.period, max(slot.recent, default=0.0)) if slot.recent else slot.period

    def period_of(self, sensor: Sensor) -> float:
        """Seconds between two regular reads from now on; as configured where the sensor is read no more."""
        slot = self._slots.get(id(sensor))
        return slot.period if slot is not None else sensor.interval or self._interval

    def pace(self, factor: float, spared: Set[str]) -> None:
        """Lengthen every interval by `factor` (at least 1, at most `SLOWEST`), but for the sensors of the elements `spared`."""
        for slot in self._slots.values():
            before = slot.period
            slot.pace = 1.0 if slot.sensor.element in spared else min(max(factor, 1.0), SLOWEST)
            if slot.period < before:  # do not sit out a period that no longer holds
                slot.regular_at = min(slot.regular_at, slot.read_at + slot.period)

    def due(self, now: float) -> list[Sensor]:
        """Sensors whose time has come; each is marked as being read until `finished`."""
        if not self._started:
            self._start(now)
        slots = [slot for slot in self._slots.values() if self._at(slot, now) <= now]
        for slot in slots:
            slot.reading, slot.extra_at, slot.read_at = True, math.inf, now
            slot.recent.append(slot.period)
            if slot.regular_at <= now:
                behind = math.floor((now - slot.regular_at) / slot.period)
                slot.regular_at += (behind + 1) * slot.period  # stays on its grid: reads that were missed are not made up for
                if slot.regular_at <= now:  # by a rounding of the last digit
                    slot.regular_at += slot.period
        return [slot.sensor for slot in slots]

    def next_due(self) -> float:
        """When the next sensor is due: -inf before the first turn, +inf while all are being read."""
        return min((slot.at for slot in self._slots.values()), default=math.inf)

    def finished(self, sensor: Sensor, now: float) -> None:
        """The read of `sensor` has ended, well or not. One that took as long as its interval is read more rarely from now on."""
        slot = self._slots[id(sensor)]
        if slot.reading:
            took = now - slot.read_at
            if took >= _TOO_LONG * slot.period:
                slot.own = min(2.0 * slot.own, SLOWEST)
            elif slot.own > 1.0 and took < _SHORT * slot.interval * slot.own / 2.0:
                slot.own = max(slot.own / 2.0, 1.0)
        slot.reading = False

    def look_again(self, element: str, at: float) -> bool:
        """Bring the sensors of `element` forward to `at`, within the bound. Returns whether any will look by then."""
        slots = [slot for slot in self._slots.values() if slot.sensor.element == element]
        return sum(self._bring_forward(slot, at) for slot in slots) > 0  # each of them, so not any()

    def _bring_forward(self, slot: _Slot, at: float) -> bool:
        if min(slot.regular_at, slot.extra_at) <= at + _NEARLY:
            return True
        if at >= slot.looks_since + slot.interval or at < slot.looks_since:
            slot.looks, slot.looks_since = 0, at
        if slot.looks >= EXTRA_LOOKS:
            return False
        slot.looks, slot.extra_at = slot.looks + 1, at
        return True

    def _start(self, now: float) -> None:
        self._started = True
        many = len(self._slots) > _MANY
        for i, slot in enumerate(self._slots.values()):
            slot.regular_at = now + (_SPREAD * slot.interval * i / len(self._slots) if many else 0.0)

    @staticmethod
    def _at(slot: _Slot, now: float) -> float:
        if slot.regular_at > now + slot.period:  # the clock went back: do not fall silent until it has caught up
            slot.regular_at = now
        return slot.at
