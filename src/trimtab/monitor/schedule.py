"""When each sensor is read next. Asked by the agent every turn; knows no clock, only the `now` it is told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from trimtab.domain.ports import Sensor

EXTRA_LOOKS = 4  # per sensor and interval: enough to know a critical level, too few to load a target that already suffers
_NEARLY = 0.2  # seconds: a regular read this soon after serves as well
_MANY = 16  # sensors from which their phases are spread, so that they are not all read in one instant
_SPREAD = 0.2  # of the interval over which they are spread


@dataclass(slots=True)
class _Slot:
    sensor: Sensor
    interval: float
    regular_at: float = -math.inf
    extra_at: float = math.inf
    reading: bool = False
    looks: int = 0
    looks_since: float = -math.inf

    @property
    def at(self) -> float:
        return math.inf if self.reading else min(self.regular_at, self.extra_at)


class Schedule:
    """Regular reads on a fixed grid per sensor, and bounded extra looks between them. A sensor is never read twice at once."""

    def __init__(self, sensors: Sequence[Sensor], interval_seconds: float) -> None:
        self._slots = {id(sensor): _Slot(sensor, sensor.interval or interval_seconds) for sensor in sensors}
        self._started = False

    def __contains__(self, sensor: Sensor) -> bool:
        return id(sensor) in self._slots

    def interval_of(self, sensor: Sensor) -> float:
        """Seconds between two regular reads."""
        return self._slots[id(sensor)].interval

    def due(self, now: float) -> list[Sensor]:
        """Sensors whose time has come; each is marked as being read until `finished`."""
        if not self._started:
            self._start(now)
        slots = [slot for slot in self._slots.values() if self._at(slot, now) <= now]
        for slot in slots:
            slot.reading, slot.extra_at = True, math.inf
            if slot.regular_at <= now:
                behind = math.floor((now - slot.regular_at) / slot.interval)
                slot.regular_at += (behind + 1) * slot.interval  # stays on its grid: reads that were missed are not made up for
        return [slot.sensor for slot in slots]

    def next_due(self) -> float:
        """When the next sensor is due: -inf before the first turn, +inf while all are being read."""
        return min((slot.at for slot in self._slots.values()), default=math.inf)

    def finished(self, sensor: Sensor) -> None:
        """The read of `sensor` has ended, well or not."""
        self._slots[id(sensor)].reading = False

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
        if slot.regular_at > now + slot.interval:  # the clock went back: do not fall silent until it has caught up
            slot.regular_at = now
        return slot.at
