"""The first stage of the loop: which sensors to read now, and what to believe of what they said.

The agent asks `due`, runs the reads as tasks of its own, and `post`s what each came to. Everything happens on the agent's one
thread, and no clock is read here: the same posts always leave the same windows and the same trust.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from trimtab.domain.errors import NotFound
from trimtab.domain.metrics import Health, Reading, Series, Trust
from trimtab.domain.ports import Sensor, TellsAbsence
from trimtab.monitor.aggregates import ENOUGH, Aggregate, combine, recent
from trimtab.monitor.index import TrackIndex
from trimtab.monitor.schedule import Schedule
from trimtab.monitor.tracks import Track, allowed_age, why_invalid, why_old, why_suspect
from trimtab.monitor.windows import RingWindow, SeriesWindow
from trimtab.monitor.zeros import target_alive

Where = Sequence[tuple[str, str]]
_GONE_AFTER = 10  # reads without a labelled series whose siblings came: a pod or a route that was taken away


@dataclass(slots=True, eq=False)
class _Voice:
    """What became of a sensor's last read."""

    silent_because: str | None = "has not been read yet"
    refused: int = 0  # readings of new series, beyond `max_series`
    reads: int = 0  # that worked


class Monitor:
    """Sensors in, windows and trust out.

    `interval_seconds` is for sensors that name none; windows reach back `window_seconds` and hold at most `max_samples` each, of
    at most `max_series` series: memory is bounded whatever a target sends.
    """

    def __init__(
        self,
        sensors: Sequence[Sensor],
        *,
        interval_seconds: float,
        window_seconds: float,
        max_samples: int = 4096,
        max_series: int = 20_000,
    ) -> None:
        self.sensors = tuple(sensors)
        self._interval, self._window_seconds = interval_seconds, window_seconds
        self._max_series = max_series
        self._schedule = Schedule(self.sensors, interval_seconds)
        self._voices = {id(sensor): _Voice() for sensor in self.sensors}
        self._tracks = TrackIndex(max_series, lambda: RingWindow(window_seconds, max_samples))

    # -- when to read

    def due(self, now: float) -> list[Sensor]:
        """Sensors to read now. Each counts as being read, and is not due again, until its result is posted."""
        return self._schedule.due(now)

    def next_due(self) -> float:
        """When to ask `due` again, in Unix seconds: -inf before the first time, +inf while every sensor is being read."""
        return self._schedule.next_due()

    def look_again(self, element: str, at: float) -> bool:
        """Read the sensors of `element` at `at` already, to confirm a critical reading; at most 3 extra looks an interval."""
        return self._schedule.look_again(element, at)

    def look_closer(self, sensor: Sensor, at: float) -> bool:
        """The same for one sensor that has shown something."""
        return self._schedule.look_closer(sensor, at)

    def configured(self, sensor: Sensor) -> float:
        """Seconds between two reads of a sensor, as configured."""
        return sensor.interval or self._interval

    def pace(self, factor: float, spared: Set[str] = frozenset(), apart: Mapping[int, float] = MappingProxyType({})) -> None:
        """Read everything `factor` times more rarely than configured, but for the elements `spared`. 1 ends it.

        `apart` has the factors of sensors (by `id`) that have one of their own. How old a sample may be follows: what we read
        more rarely does not become stale by that.
        """
        self._schedule.pace(factor, spared, apart)

    def period_of(self, sensor: Sensor) -> float:
        """Seconds between two regular reads of a sensor, as things stand."""
        return self._schedule.period_of(sensor)

    # -- what was read

    def post(self, sensor: Sensor, result: Sequence[Reading] | Exception, now: float) -> list[Reading]:
        """File what a read came to, at once: the next `trust` knows of it. Returns the good readings, to be stored."""
        if sensor not in self._schedule:
            return []  # it was taken out of the configuration while it was being read
        self._schedule.finished(sensor, now)
        if isinstance(result, Exception):
            self._fail(sensor, result)
            return []
        self._voices[id(sensor)].silent_because = None
        good = self._file(sensor, result, now)
        self._note_absent(sensor, result, now)
        return good

    def restore(self, samples: Iterable[tuple[Series, ArrayLike, ArrayLike]]) -> None:
        """Fill windows from the metric store: a series with times and values, oldest first (scalars will do).

        Restored series count only once a sensor yields them again.
        """
        for series, times, values in samples:
            track = self._tracks.find(series)
            if track is not None:
                self._tracks.restored(track)
            for t, v in zip(np.atleast_1d(times).tolist(), np.atleast_1d(values).tolist(), strict=True):
                last = track.window.last if track else None
                if track and math.isfinite(t) and math.isfinite(v) and (last is None or t > last[0]):
                    track.append(t, v)

    # -- what is known

    def series(self) -> list[Series]:
        """Every series that a sensor yields."""
        return self._tracks.series()

    def reader(self, metric_id: str) -> Sensor | None:
        """The sensor that yields a series; None where none does."""
        track = self._tracks.by_id.get(metric_id)
        return track.sensor if track is not None else None

    def crowding(self) -> str | None:
        """What the last reads brought and no room was left for, in words; None where everything found its place."""
        refused = sum(voice.refused for voice in self._voices.values())
        return f"the limit of {self._max_series:,} series is reached: {refused:,} further ones are not read" if refused else None

    def trust(self, metric_id: str, now: float) -> Trust:
        """Whether a decision may rest on a series now, and why not."""
        track = self._tracks.by_id.get(metric_id)
        if track is None:
            return Trust(Health.MISSING, f"no sensor yields {metric_id}")
        return track.trust(now, self._interval_of(track))

    def distrusted(self, now: float) -> list[tuple[Series, Trust]]:
        """The series that no decision may rest on now, and why: those of `series()` whose trust is not ok."""
        found = []
        for sensor in self.sensors:
            tracks = self._tracks.of(sensor)
            if not tracks:
                continue
            interval = self._schedule.interval_of(sensor)
            age = allowed_age(interval)
            oldest, latest = now - age, now + age
            for track in tracks.values():
                plain = track.bad is None and oldest <= track.window.newest <= latest and len(track.window) >= ENOUGH
                if not plain and not (trust := track.trust(now, interval)).ok:
                    found.append((track.series, trust))
        return found

    def news(self, metric_id: str, after: float, at_most: int) -> tuple[list[float], list[float]]:
        """Times and values of the good samples of a series later than `after`, the last `at_most` of them; oldest first."""
        track = self._tracks.by_id.get(metric_id)
        return track.window.newer_than(after, at_most) if track is not None else ([], [])

    def window(self, metric_id: str) -> SeriesWindow:
        """The good samples of the analysis window. Raises `NotFound`."""
        held = self.history(metric_id)
        first = int(np.searchsorted(held.t, held.t[-1] - self._window_seconds)) if len(held.t) else 0
        return SeriesWindow(held.series, held.t[first:], held.v[first:])

    def history(self, metric_id: str) -> SeriesWindow:
        """All good samples in memory, those of a slow sensor from before the analysis window among them. Raises `NotFound`."""
        track = self._tracks.by_id.get(metric_id)
        if track is None:
            near = difflib.get_close_matches(metric_id, self._tracks.by_id, n=1)
            raise NotFound(f"no series {metric_id}", remedy=f"Did you mean {near[0]}?" if near else "")
        return _copy(track)

    def aggregate(
        self,
        name: str,
        element: str | None = None,
        where: Where = (),
        how: str = "mean",
        now: float = 0.0,
        seconds: float = 0.0,
    ) -> Aggregate:
        """The matching series as one, over the last `seconds` or 5 samples, whichever is longer.

        One bad series makes the whole untrusted, since the rest would speak for it; so do too few samples since the last gap.
        """
        tracks = self._matching(name, element, where)
        if not tracks:
            nothing = self._why_none(name, element, where)
            return Aggregate.untrusted(nothing.health, nothing.reason)
        series = tuple(track.series for track in tracks)
        if len({one.unit for one in series}) > 1:
            units = ", ".join(sorted({one.unit.value or "none" for one in series}))
            return Aggregate.untrusted(Health.INVALID, f"its series carry different units ({units})", series)
        intervals = [self._interval_of(track) for track in tracks]
        t, v = combine([_copy(track) for track in tracks], intervals, how)
        t, v = recent(t, v, now, seconds, max(intervals))
        trust = self._trust_all(tracks, now)
        if trust.ok and len(t) < ENOUGH:
            trust = Trust(Health.WARMING_UP, f"{len(t)} of the {ENOUGH} samples that a decision needs")
        if not len(t):
            return Aggregate.untrusted(trust.health, trust.reason, series)
        return Aggregate(float(v[-1]), float(np.mean(v)), len(t), t, v, trust, series)

    # -- steps of `post`

    def _file(self, sensor: Sensor, result: Sequence[Reading], now: float) -> list[Reading]:
        interval, voice = self._schedule.interval_of(sensor), self._voices[id(sensor)]
        good, refused, by_id = [], 0, self._tracks.by_id
        alive = self._shows_life(result, now, interval)
        voice.reads += 1
        earliest, latest = now - allowed_age(interval), now + interval
        for reading in result:
            series = reading.series
            track = by_id.get(series.metric_id) or self._tracks.find(series)
            if track is None:
                refused += 1
                continue
            if track.sensor is not sensor or track.series is not series:
                self._tracks.claim(track, sensor, series, latest)
            track.absent, track.seen_at, track.read = 0, now, voice.reads
            value, at = reading.value, reading.timestamp
            plain = type(value) is float and type(at) is float and value - value == 0.0  # finite
            if plain and (value or track.had_zero) and earliest <= at <= latest and at > track.window.newest:
                track.append(at, value)
                good.append(reading)
            elif self._judge(track, reading, now, interval, alive):
                track.append(float(at), float(value))
                good.append(reading)
        voice.refused = refused
        return good

    def _shows_life(self, result: Sequence[Reading], now: float, interval: float) -> bool:
        """Whether a read shows the target alive; asked only where a series that never was zero before says that it is now."""
        if not any(reading.value == 0.0 and self._first_zero(reading.series) for reading in result):
            return True
        sound = [reading for reading in result if why_invalid(reading, now, interval) is None]
        return target_alive(sound, self._last_values(sound))

    def _first_zero(self, series: Series) -> bool:
        track = self._tracks.by_id.get(series.metric_id)
        return track is not None and not track.had_zero

    def _judge(self, track: Track, reading: Reading, now: float, interval: float, alive: bool) -> bool:
        invalid = why_invalid(reading, now, interval)
        if invalid is not None:
            track.fail(invalid, Health.INVALID)
            return False
        if reading.timestamp <= track.window.newest:
            track.note_late(float(reading.timestamp))
            return False
        old = why_old(reading, now, interval)
        if old is not None:
            track.fail(old, Health.STALE)
            return False
        suspect = why_suspect(track, reading.value, alive=alive)
        if suspect is not None:
            track.fail(suspect, Health.SUSPECT)
        return suspect is None

    def _fail(self, sensor: Sensor, error: Exception) -> None:
        reason = str(error) or type(error).__name__
        self._voices[id(sensor)].silent_because = reason
        for track in self._tracks.of(sensor).values():
            track.fail(reason)

    def _note_absent(self, sensor: Sensor, result: Sequence[Reading], now: float) -> None:
        """Mark what a read that worked did not yield; forget labelled series whose siblings go on without them."""
        reads = self._voices[id(sensor)].reads
        absent = [(metric_id, track) for metric_id, track in self._tracks.of(sensor).items() if track.read != reads]
        names = {reading.series.name for reading in result} if absent else set()
        promised = set(sensor.metric_names) if absent else set()
        teller = sensor if absent and isinstance(sensor, TellsAbsence) else None
        for metric_id, track in absent:
            track.absent += 1
            why = _absence(sensor, teller, track.series.name)
            track.fail(why.reason, why.health)
            replaced = track.series.name in names and track.absent >= _GONE_AFTER
            if replaced or (track.seen_at < now - self._window_seconds and track.series.name not in promised):
                self._tracks.drop(metric_id)

    # -- steps of `aggregate`

    def _matching(self, name: str, element: str | None, where: Where) -> list[Track]:
        return [
            track
            for track in self._tracks.named(name).values()
            if track.sensor is not None
            and element in (None, track.series.element)
            and all(label in track.series.labels for label in where)
        ]

    def _trust_all(self, tracks: Sequence[Track], now: float) -> Trust:
        for track in tracks:
            trust = track.trust(now, self._interval_of(track))
            if not trust.ok:
                whose = f"{track.series.metric_id}: " if len(tracks) > 1 else ""
                return Trust(trust.health, whose + trust.reason)
        return Trust(Health.OK)

    def _why_none(self, name: str, element: str | None, where: Where) -> Trust:
        candidates = [sensor for sensor in self.sensors if element in (None, sensor.element)]
        promising = [sensor for sensor in candidates if name in sensor.metric_names]
        silent = [s for s in promising or candidates if (s in promising or not s.metric_names) and self._silence(s)]
        if silent:
            reason = self._silence(silent[0]) or ""
            return Trust(Health.MISSING, reason if reason.startswith(silent[0].name) else f"{silent[0].name}: {reason}")
        if self._matching(name, element, ()):
            labels = ", ".join(f"{key}={value}" for key, value in where)
            return Trust(Health.MISSING, f"no series of {name} has {labels}")
        if promising:
            sensor = promising[0]
            return _absence(sensor, sensor if isinstance(sensor, TellsAbsence) else None, name)
        known = {one.name for one in self.series()} | {n for sensor in self.sensors for n in sensor.metric_names}
        near = difflib.get_close_matches(name, sorted(known - {name}), n=1)
        of = f" of {element}" if element else ""
        return Trust(Health.MISSING, f"no sensor{of} yields {name}" + (f"; did you mean {near[0]}?" if near else ""))

    def _silence(self, sensor: Sensor) -> str | None:
        return self._voices[id(sensor)].silent_because

    def _last_values(self, read: Iterable[Reading]) -> dict[str, float]:
        tracks = [self._tracks.by_id.get(reading.series.metric_id) for reading in read]
        return {t.series.metric_id: t.window.last[1] for t in tracks if t is not None and t.window.last is not None}

    def _interval_of(self, track: Track) -> float:
        return self._schedule.interval_of(track.sensor) if track.sensor is not None else self._interval


def _absence(sensor: Sensor, teller: TellsAbsence | None, name: str) -> Trust:
    """Why a read that worked did not bring `name`; in the sensor's own words where it is a `teller`."""
    told = teller.why_absent(name) if teller is not None else None
    return told or Trust(Health.MISSING, f"absent from what {sensor.name} reads")


def _copy(track: Track) -> SeriesWindow:
    return SeriesWindow(track.series, track.window.t.copy(), track.window.v.copy())
