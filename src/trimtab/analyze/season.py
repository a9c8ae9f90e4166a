"""What a series usually does at this time of the day and of the week. Used by `channels`."""

from __future__ import annotations

from array import array

_DAY, _WEEK = 86_400.0, 604_800.0
_QUARTERS, _HOURS = 96, 168
_GAIN = 0.05  # of a new value once there are twenty: a season that changes, or the clock that does (DST), is learned in days


class SeasonProfile:
    """A mean for each quarter of an hour of the day and each hour of the week, in UTC: 1.5 KB.

    >>> season = SeasonProfile()
    >>> season.learn(0.0, 5.0)
    >>> season.residuals(86400.0, 7.0, 6.0), season.residuals(43200.0, 7.0, 6.0)
    ((2.0, 2.0), (1.0, 1.0))
    """

    __slots__ = ("_day", "_day_seen", "_week", "_week_seen")

    def __init__(self) -> None:
        self._day, self._day_seen = array("f", bytes(4 * _QUARTERS)), bytearray(_QUARTERS)
        self._week, self._week_seen = array("f", bytes(4 * _HOURS)), bytearray(_HOURS)

    def residuals(self, timestamp: float, value: float, level: float) -> tuple[float, float]:
        """How far `value` lies above what is usual at this time of day, and of the week.

        Where the hour of the week is not known yet, it is the time of day; where that is not, the `level`.
        """
        quarter, hour = _places(timestamp)
        day = value - (self._day[quarter] if self._day_seen[quarter] else level)
        return day, value - self._week[hour] if self._week_seen[hour] else day

    def usual(self, timestamp: float) -> float | None:
        """The mean of this time of day; None where nothing is known."""
        quarter, _ = _places(timestamp)
        return self._day[quarter] if self._day_seen[quarter] else None

    def learn(self, timestamp: float, value: float) -> None:
        """Take in one finite value."""
        quarter, hour = _places(timestamp)
        _draw(self._day, self._day_seen, quarter, value)
        _draw(self._week, self._week_seen, hour, value)

    def forget(self) -> None:
        """Begin anew."""
        self._day_seen, self._week_seen = bytearray(_QUARTERS), bytearray(_HOURS)


def _places(timestamp: float) -> tuple[int, int]:
    return int(timestamp % _DAY / 900.0), int(timestamp % _WEEK / 3600.0)


def _draw(means: array[float], seen: bytearray, place: int, value: float) -> None:
    count = min(seen[place] + 1, 255)
    seen[place] = count
    means[place] += max(1.0 / count, _GAIN) * (value - means[place])
