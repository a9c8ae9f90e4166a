"""Times of the calendar in which something may, or may not, be started: maintenance windows and change freezes.

Read by the guards of planning, and once more right before an action starts. A window is true while the clock on the wall of its
zone shows a time in it, so that a change to summer time needs no rule of its own: what is skipped never comes, what comes twice
counts twice. Pure: the moment is an argument.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")  # as datetime.weekday() counts
LOOK_AHEAD_DAYS = 16  # a weekly window that falls into a skipped hour opens a week later
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """From `start` to `end` by the clock of `timezone`, on `days` of the week and within `dates`.

    `end` at or before `start` lies on the next day; the window belongs to the day that it begins on. Without times it lasts all
    day. A day counts that is in `days` or in one of `dates` (first, last); where both are empty, every day does. Without
    `elements` it concerns all.

    >>> nights = Window("nights", start=time(22), end=time(6), timezone="Europe/Berlin")
    >>> nights.open_at(datetime(2026, 7, 1, 21, 30, tzinfo=ZoneInfo("UTC")).timestamp())
    True
    """

    name: str
    days: frozenset[int] = frozenset()  # 0 is Monday
    dates: tuple[tuple[date, date], ...] = ()
    start: time | None = None
    end: time | None = None
    timezone: str = "UTC"
    elements: frozenset[str] = frozenset()

    def concerns(self, element: str) -> bool:
        """Whether it is about `element`."""
        return not self.elements or element in self.elements

    def open_at(self, now: float) -> bool:
        """Whether `now` (Unix seconds) lies in it."""
        wall = datetime.fromtimestamp(now, ZoneInfo(self.timezone))
        today, yesterday = self._counts(wall.date()), self._counts(wall.date() - _DAY)
        if self.start is None or self.end is None:
            return today
        clock = wall.time()
        if self.start < self.end:
            return today and self.start <= clock < self.end
        return (today and clock >= self.start) or (yesterday and clock < self.end)

    def next_change(self, now: float) -> float | None:
        """When it opens or closes next after `now` (Unix seconds); None where it will not any more."""
        is_open = self.open_at(now)
        return next((at for at in sorted(set(self._edges(now))) if at > now and self.open_at(at) is not is_open), None)

    def _counts(self, day: date) -> bool:
        by_date = any(first <= day <= last for first, last in self.dates)
        return by_date or day.weekday() in self.days or not (self.days or self.dates)

    def _edges(self, now: float) -> Iterator[float]:
        """Every moment soon at which it could open or close; between two of them nothing can change."""
        zone = ZoneInfo(self.timezone)
        today = datetime.fromtimestamp(now, zone).date()
        ahead = {today + count * _DAY for count in range(-1, LOOK_AHEAD_DAYS)}
        ends = {day + count * _DAY for pair in self.dates for day in pair for count in (-1, 0, 1, 2) if 1 < day.year < 9999}
        times = {time(0), self.start or time(0), self.end or time(0)}
        for day in ahead | {day for day in ends if day >= today - _DAY}:
            for clock in times:
                for fold in (0, 1):
                    yield datetime.combine(day, clock.replace(fold=fold), zone).timestamp()
            if (shift := _shift(day, zone)) is not None:
                yield shift


@dataclass(frozen=True, slots=True)
class Calendar:
    """All the windows: nothing is started outside of an element's `maintenance`, or inside one of its `freezes`."""

    maintenance: tuple[Window, ...] = ()
    freezes: tuple[Window, ...] = ()

    def maintenance_of(self, element: str) -> Sequence[Window]:
        """The maintenance windows that bind `element`; without any it may be changed at all times."""
        return [window for window in self.maintenance if window.concerns(element)]

    def freezes_of(self, element: str) -> Sequence[Window]:
        """The change freezes that `element` is under at some time."""
        return [window for window in self.freezes if window.concerns(element)]


def _shift(day: date, zone: ZoneInfo) -> float | None:
    """The second at which the zone's clocks are put forward or back on `day`; None where they are not."""
    low = int(datetime.combine(day, time(0), zone).timestamp())
    high = low + 90_000  # 25 h: the day on which an hour comes twice
    if _offset(low, zone) == _offset(high, zone):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(middle, zone) == _offset(low, zone) else (low, middle)
    return float(high)


def _offset(at: float, zone: ZoneInfo) -> timedelta | None:
    return datetime.fromtimestamp(at, zone).utcoffset()
