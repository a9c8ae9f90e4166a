"""What was recorded, behind the ports of real systems: for replay, where the same loop runs over the past.

Reads: a `MetricStore`. Produces: the readings that were made, at the times when they were made, and levers that hold what they
held then. Nothing can be set: replay puts `SimulatedLever` in front. May import: domain. Never: a clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from trimtab.domain.errors import Permanent, SensorError
from trimtab.domain.lever_series import from_number
from trimtab.domain.levers import LeverKind, LeverSpec, LeverValue
from trimtab.domain.metrics import Reading, Series
from trimtab.domain.ports import Clock, MetricStore

CHUNK_SECONDS = 6 * 3600.0  # of a recording that are held in memory at once


class Recording:
    """The samples of some series in order of time, read from the store a stretch at a time."""

    def __init__(self, store: MetricStore, series: Sequence[Series], begin: float) -> None:
        self._store, self._series = store, tuple(series)
        self._waiting: deque[Reading] = deque()
        self._fetched = begin  # samples before this moment are in `_waiting`, or were taken

    async def up_to(self, now: float) -> list[Reading]:
        """What was recorded after the last call and not after `now`, oldest first."""
        while self._fetched <= now:
            await self._fetch()
        taken = []
        while self._waiting and self._waiting[0].timestamp <= now:
            taken.append(self._waiting.popleft())
        return taken

    async def _fetch(self) -> None:
        end = self._fetched + CHUNK_SECONDS
        found = [
            Reading(series, value, at)
            for series in self._series
            for at, value in await self._store.query(series.metric_id, self._fetched, end)
            if at < end
        ]
        self._waiting.extend(sorted(found, key=lambda reading: reading.timestamp))
        self._fetched = end


class RecordedSensor:
    """Yields an element's samples as they were recorded. Where nothing was recorded it is silent, as the sensor was then."""

    def __init__(
        self, recording: Recording, element: str, names: Sequence[str], heard: Callable[[Sequence[Reading]], None] | None = None
    ) -> None:
        self.name, self.element = "recording", element
        self.interval: float | None = None
        self.metric_names: Sequence[str] = tuple(names)
        self._recording, self._heard = recording, heard

    async def read(self, now: float) -> Sequence[Reading]:
        """Every sample since the last read. Raises `SensorError` where there is none."""
        readings = await self._recording.up_to(now)
        if not readings:
            raise SensorError(f"{self.element}: nothing was recorded at this time")
        if self._heard is not None:
            self._heard(readings)
        return readings

    async def close(self) -> None:
        """Nothing is held."""


class RecordedLever:
    """Holds what the lever held at the time that is replayed, or what is `assumed` where that was not recorded."""

    def __init__(self, recording: Recording, spec: LeverSpec, clock: Clock, assumed: LeverValue | None = None) -> None:
        self.spec = spec
        self._recording, self._clock, self._value = recording, clock, assumed

    async def read(self) -> LeverValue:
        """The value then. Raises `Permanent` where it is not known."""
        recorded = await self._recording.up_to(self._clock.now())
        if recorded:
            self._value = from_number(self.spec, recorded[-1].value)
        if self._value is None:
            raise Permanent(
                f"{self.spec.lever_id}: what it held then was not recorded",
                remedy=f"Say what it held, for example --lever {self.spec.lever_id}={_example(self.spec)}",
            )
        return self._value

    async def set(self, value: LeverValue) -> None:
        """The past cannot be set. Raises `Permanent`."""
        raise Permanent(f"{self.spec.lever_id}: what is recorded cannot be changed")

    async def close(self) -> None:
        """Nothing is held."""


def _example(spec: LeverSpec) -> str:
    if spec.kind is LeverKind.CHOICE:
        return spec.choices[0]
    if spec.kind is LeverKind.BOOLEAN:
        return "true"
    return f"{spec.bounds[0]:g}" if spec.bounds else "1"
