"""What the monitor knows of one series, and how it judges each new reading of it. Used by `Monitor` only."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trimtab.domain.metrics import Health, Reading, Series, Trust
from trimtab.domain.ports import Sensor
from trimtab.domain.words import format_number
from trimtab.monitor.aggregates import ENOUGH, STALE_AFTER
from trimtab.monitor.windows import RingWindow
from trimtab.monitor.zeros import suspect_zero

_OK = Trust(Health.OK)


@dataclass(slots=True, eq=False)
class Track:
    """A series with its window and what its last read came to. `sensor` is None until a sensor yields it (restored series)."""

    series: Series
    window: RingWindow
    sensor: Sensor | None = None
    bad: Trust | None = None  # what was wrong with the last read
    had_zero: bool = False
    absent: int = 0  # successful reads in a row that yielded it no more
    seen_at: float = -math.inf  # when it last came in, good or bad
    read: int = 0  # number of the read that last yielded it

    def append(self, t: float, v: float) -> None:
        """Keep a good sample."""
        self.window.append(t, v)
        if v == 0.0:
            self.had_zero = True
        self.bad = None

    def claim(self, sensor: Sensor, series: Series, latest: float) -> None:
        """A read has yielded the series: it is the sensor's now. `latest` is the latest time that a sample may have."""
        if self.sensor is None:  # restored: what was written while the clock was ahead would make every new sample late
            self.window.drop_after(latest)
        self.sensor, self.series, self.absent = sensor, series, 0

    def fail(self, reason: str, health: Health = Health.MISSING) -> None:
        """The last read yielded nothing good."""
        self.bad = Trust(health, reason)

    def note_late(self, t: float) -> None:
        """The read brought nothing newer. The same sample again is judged by its age; going back in time is a fault at once."""
        last = self.window.last
        if last is not None and t < last[0]:
            self.fail(f"a sample {format_number(last[0] - t)} s older than the last: old data, or a clock set back", Health.STALE)
        elif self.bad is not None and self.bad.health is Health.MISSING:
            self.bad = None  # the failure is over; a bad value before it is not mended by old news

    def trust(self, now: float, interval: float) -> Trust:
        """Whether a decision may rest on the series; `interval` is its sensor's, in seconds."""
        if self.sensor is None:
            return Trust(Health.WARMING_UP, "not read yet since the start")
        if self.bad is not None:
            return self.bad
        if not len(self.window):
            return Trust(Health.MISSING, "no good sample yet")
        stale = _staleness(now - self.window.newest, interval)
        if stale is not None:
            return Trust(Health.STALE, stale)
        if len(self.window) < ENOUGH:
            return Trust(Health.WARMING_UP, f"{len(self.window)} of the {ENOUGH} samples that a decision needs")
        return _OK


def allowed_age(interval: float) -> float:
    """How old a sample may be, in seconds; `interval` is its sensor's."""
    return STALE_AFTER * interval + 1.0


def _staleness(age: float, interval: float) -> str | None:
    allowed = allowed_age(interval)
    if age > allowed:
        return f"the last sample is {format_number(age)} s old, more than the {format_number(allowed)} s allowed"
    if age < -allowed:
        return f"the last sample lies {format_number(-age)} s in the future: a clock was set back"
    return None


def why_invalid(reading: Reading, now: float, interval: float) -> str | None:
    """What is wrong with a reading by itself, or None."""
    value: object = reading.value
    if value is None:
        return "the target sent null"
    number = _as_float(value)
    if number is None:
        return f"the target sent {value!r:.40}, which is no number"
    if not math.isfinite(number):
        return f"the target sent {'NaN' if math.isnan(number) else format_number(number)}"
    when = _as_float(reading.timestamp)
    if when is None or not math.isfinite(when):
        return f"the sample's time is {reading.timestamp!r:.40}, which is none"
    if when > now + interval:
        return f"the sample's time is {format_number(when - now)} s in the future: compare the clocks"
    return None


def why_old(reading: Reading, now: float, interval: float) -> str | None:
    """Why a sample that is new to us is too old to be kept, or None: with a clock set back its time says nothing."""
    return _staleness(now - float(reading.timestamp), interval)


def _as_float(raw: object) -> float | None:
    if not isinstance(raw, int | float | np.floating | np.integer):
        return None
    try:
        return float(raw)
    except OverflowError:  # JSON allows whole numbers of any length
        return None


def why_suspect(track: Track, value: float, *, alive: bool) -> str | None:
    """Why a finite value is not believed, or None."""
    if value != 0.0:
        return None
    return suspect_zero(track.series, track.window.v, had_zero=track.had_zero, target_alive=alive)
