"""What a day usually looks like, for many series at once, and how far each of them keeps to it. Used by `FleetDetector`.

A day has 48 slots of half an hour in local time, kept twice: for Monday to Friday, and for Saturday and Sunday. The mean of a
slot enters the profile only when the slot is over, so that a profile never knows the day that it is asked about.

How far a series keeps to its profile is a regression coefficient w between 0 and 1. Level and profile are smoothed alike, and
since smoothing is linear, what w · profile leaves of a series is what x − level leaves less w · (profile − its own level): one
pass of least squares. A series without a season so gets no season, instead of the noise of other days.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Present = NDArray[np.bool_] | None  # None: all

SLOTS = 48  # a day
SLOT_SECONDS = 86_400.0 / SLOTS
_LOOKS = 8  # a slot: between two of them the profile moves too little to matter
_REPLACED = np.float32(0.3)  # of a profile by one more day, from its fourth day on
_FIT_DAYS = 1.0  # half-life of the regression
_WORTH = 0.3  # a smaller coefficient is what two days of mere noise have in common
_SATURDAY = 5


def clear(values: Floats | Doubles, present: NDArray[np.bool_]) -> None:
    """Make 0 of the `values` that are not `present`, NaN too: bit by bit, which unlike a masked copy takes no branches.

    >>> values = np.array([1.0, np.nan, 3.0]); clear(values, np.array([True, False, True])); values.tolist()
    [1.0, 0.0, 3.0]
    """
    whole = f"i{values.itemsize}"
    np.bitwise_and(values.view(whole), np.negative(present.astype(whole)), out=values.view(whole))


class FleetSeason:
    """Profiles of `n` series, whose levels keep the share `keep` of themselves at each tick.

    `ahead` (n,) is how far each series should be off its level now, in its own unit: 0 where no season is known. Weighs 424 bytes
    a series. Call `begin` once a tick; where that says so, `look` for each part of the series, after their tick.
    """

    def __init__(self, n: int, keep: float, zone: tzinfo = UTC) -> None:
        self.ahead = np.zeros(n, np.float32)
        self._keep, self._zone = keep, zone
        self._origin = np.full(n, np.nan)  # the first sample: profiles are told from there
        self._profile = np.full((2 * SLOTS, n), np.nan, np.float32)  # NaN: that slot was never seen
        self._folds = np.zeros(2 * SLOTS, np.int64)
        self._usual = np.full(n, np.nan, np.float32)  # level of the profile
        self._lead = np.zeros(n, np.float32)  # of the profile over its level, at the last look
        self._sum, self._seen = np.zeros(n, np.float32), np.zeros(n, np.float32)  # of the slot under way
        self._cross, self._power, self._weight = (np.zeros(n, np.float32) for _ in range(3))
        self._looked, self._ticks = -np.inf, 0
        self._slot = self._ended = -1
        self._between: tuple[int, int, np.float32] = (0, 0, np.float32(0.0))
        self._follows = self._fit = np.float32(0.0)
        self._new = True  # some series has had no sample yet

    def begin(self, timestamp: float) -> bool:
        """Whether the season is looked at in this tick, at `timestamp` (Unix seconds)."""
        self._ticks += 1
        if timestamp < self._looked + SLOT_SECONDS / _LOOKS:
            return False
        days = (timestamp - self._looked) / 86_400.0 if np.isfinite(self._looked) else 0.0
        self._fit = np.float32(1.0 - 0.5 ** (min(days, 1.0) / _FIT_DAYS))
        self._follows = np.float32(1.0 - self._keep**self._ticks)
        self._looked, self._ticks = timestamp, 0
        share = (self._seconds_of_day(timestamp) / SLOT_SECONDS - 0.5) % 1.0
        half = SLOT_SECONDS / 2.0
        self._between = self._row(timestamp - half), self._row(timestamp + half), np.float32(share)
        slot = self._row(timestamp)
        self._ended = self._slot if slot != self._slot else -1
        self._slot = slot
        if self._ended >= 0:
            self._folds[self._ended] += 1
        return True

    def look(self, part: slice, values: Doubles, off: Floats, present: Present) -> None:
        """Learn from one part: its `values`, how far they were `off` their levels, and which of them there were.

        Values that are missing may be anything; what is wild is expected to be tamed before.
        """
        if self._ended >= 0:
            self._fold(part)
        if self._new:
            self._begin_new(part, values, present)
        self._fit_weight(part, off, present)
        self._note(part, values, present)
        self._turn_to_now(part)

    @property
    def turned(self) -> bool:
        """Whether the tick that `begin` was last told of began another slot."""
        return self._ended >= 0

    def restart(self, index: int) -> None:
        """Forget one series."""
        self._profile[:, index] = np.nan
        self._origin[index] = self._usual[index] = np.nan
        self._new = True
        for each in (self.ahead, self._lead, self._sum, self._seen, self._cross, self._power, self._weight):
            each[index] = 0.0

    def grown(self, n: int) -> FleetSeason:
        """The same with room for `n` series, at least as many as before."""
        grown = FleetSeason(n, self._keep, self._zone)
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray) and value is not self._folds:
                getattr(grown, name)[..., : value.shape[-1]] = value
            else:
                setattr(grown, name, value)
        return grown

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(value.nbytes for value in vars(self).values() if isinstance(value, np.ndarray))

    # -- where in the day

    def _row(self, timestamp: float) -> int:
        local = datetime.fromtimestamp(timestamp, self._zone)
        slot = int(self._seconds_of_day(timestamp) // SLOT_SECONDS)
        return slot + (SLOTS if local.weekday() >= _SATURDAY else 0)

    def _seconds_of_day(self, timestamp: float) -> float:
        local = datetime.fromtimestamp(timestamp, self._zone)
        return 3600.0 * local.hour + 60.0 * local.minute + local.second

    # -- steps of `look`

    def _fold(self, part: slice) -> None:
        """The slot that is over enters the profile."""
        seen, row = self._seen[part], self._profile[self._ended, part]
        some = seen > 0.0
        mean = self._sum[part] / np.maximum(seen, 1.0)
        share = max(np.float32(1.0 / self._folds[self._ended]), _REPLACED)
        np.copyto(row, np.where(np.isnan(row), mean, row + share * (mean - row)), where=some)
        self._sum[part] = 0.0
        seen[:] = 0.0
        cross, power = self._cross[part], self._power[part]
        found = np.divide(cross, power, out=np.zeros_like(cross), where=power > 0.0)
        np.copyto(self._weight[part], np.where(found < _WORTH, np.float32(0.0), np.minimum(found, np.float32(1.0))))

    def _begin_new(self, part: slice, values: Doubles, present: Present) -> None:
        origin = self._origin[part]
        new = np.isnan(origin)
        if present is not None:
            new &= present
        origin[new] = values[new]
        if part.stop == len(self._origin):
            self._new = bool(np.isnan(self._origin).any())

    def _fit_weight(self, part: slice, off: Floats, present: Present) -> None:
        """One step of the regression of what the level left on what the level of the profile left."""
        lead, spare = self._lead[part], np.empty_like(off)
        there = np.float32(1.0) if present is None else present.astype(np.float32)
        fit, follows = there * self._fit, there * self._follows
        for held, one in ((self._cross[part], off), (self._power[part], lead)):
            np.multiply(one, lead, out=spare)
            spare -= held
            spare *= fit
            held += spare
        np.multiply(lead, follows, out=spare)
        self._usual[part] += spare

    def _note(self, part: slice, values: Doubles, present: Present) -> None:
        told = (values - self._origin[part]).astype(np.float32)
        if present is not None:
            clear(told, present)
        self._sum[part] += told
        self._seen[part] += np.float32(1.0) if present is None else present.astype(np.float32)

    def _turn_to_now(self, part: slice) -> None:
        """Where the profile is at this moment, between the middles of two slots, and so `ahead` until the next look."""
        first, second, share = self._between
        before, now = self._learned(first, part), self._learned(second, part)
        now -= before
        now *= share
        now += before
        usual, lead = self._usual[part], self._lead[part]
        fresh = np.isnan(usual)
        if fresh.any():
            np.copyto(usual, now, where=fresh)  # the first hour that is known
        np.subtract(now, usual, out=lead)
        unknown = np.isnan(lead)
        if unknown.any():
            np.copyto(lead, 0.0, where=unknown)  # nothing known of this hour: as usual
        np.multiply(lead, self._weight[part], out=self.ahead[part])

    def _learned(self, row: int, part: slice) -> Floats:
        """A slot of the profile; that of working days where no such slot of a weekend was seen yet, and the other way round."""
        found = self._profile[row, part].copy()
        unknown = np.isnan(found)
        if unknown.any():
            np.copyto(found, self._profile[(row + SLOTS) % (2 * SLOTS), part], where=unknown)
        return found
