"""Samples summed up by the bucket: count, sum, least, most and last of each five minutes, hour, or whatever step is asked. Pure.

Called when a day is sealed, and when a range is asked in steps. A bucket is known by its begin, a multiple of its length, and
holds what lies in begin ≤ timestamp < begin + length.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trimtab.domain.metrics import Aggregate
from trimtab.storage.section import Floats, Section, decimals

FARTHEST = 1e11  # seconds from 1970: the year 5138; nobody asks for more in steps
COLUMNS = 5  # rows that a series has in a rolled up section: count, sum, least, most, last


@dataclass(frozen=True, slots=True)
class Buckets:
    """Of k series over one row of n buckets. `begins` (n,) Unix seconds, rising; the others (k, n)."""

    begins: Floats
    count: Floats
    total: Floats
    least: Floats
    most: Floats
    last: Floats

    @classmethod
    def of(cls, times: Floats, values: Floats, step: float) -> Buckets:
        """Samples `values` (k, n) at `times` (n,), by buckets of `step` seconds.

        >>> Buckets.of(np.array([0.0, 10.0, 70.0]), np.array([[1.0, 3.0, 5.0]]), 60.0).column(Aggregate.MEAN).tolist()
        [[2.0, 5.0]]
        """
        return cls(times, np.ones_like(values), values, values, values, values).by(step)

    def by(self, step: float) -> Buckets:
        """The same in longer buckets; of several parts of one bucket, the last that was given is the latest."""
        if not self.begins.size:
            return self
        begins = np.floor(self.begins / step) * step
        firsts = np.flatnonzero(np.append(True, begins[1:] != begins[:-1]))
        ends = np.append(firsts[1:], begins.size) - 1
        total = np.add.reduceat(self.total, firsts, axis=1)
        return Buckets(
            begins[firsts],
            np.add.reduceat(self.count, firsts, axis=1),
            _as_printed(total, self.total),
            np.minimum.reduceat(self.least, firsts, axis=1),
            np.maximum.reduceat(self.most, firsts, axis=1),
            self.last[:, ends],
        )

    def column(self, aggregate: Aggregate) -> Floats:
        """One figure of each bucket, (k, n)."""
        if aggregate is Aggregate.MEAN:
            return self.total / self.count
        known = {Aggregate.COUNT: self.count, Aggregate.SUM: self.total, Aggregate.MIN: self.least, Aggregate.MAX: self.most}
        return known.get(aggregate, self.last)

    def pairs(self, aggregate: Aggregate) -> list[tuple[float, float]]:
        """(begin, figure) of each bucket of the first series."""
        return list(zip(self.begins.tolist(), self.column(aggregate)[0].tolist(), strict=True))


def bucket_range(start: float, end: float, step: float) -> tuple[float, float]:
    """The first and the last moment of the buckets of `step` seconds that overlap start ≤ timestamp ≤ end.

    Raises `ValueError` where there are no such buckets.

    >>> begin, until = bucket_range(90.0, 200.0, 60.0)
    >>> begin, round(until, 6)
    (60.0, 240.0)
    """
    if not 0.0 < step < math.inf or not start <= end:
        raise ValueError(f"a range of steps goes from an earlier to a later moment, by a positive number of seconds; "
                         f"not from {start:g} to {end:g} by {step:g}")  # fmt: skip
    start, end = max(start, -FARTHEST), min(end, FARTHEST)
    return math.floor(start / step) * step, math.nextafter((math.floor(end / step) + 1) * step, -math.inf)


def rolled_up(section: Section, step: float) -> Section:
    """The buckets of every series of `section` as a section of their own, five rows for each."""
    buckets = Buckets.of(section.times, section.values, step)
    rows = np.stack([buckets.count, buckets.total, buckets.least, buckets.most, buckets.last], axis=1)
    slots = (section.slots[:, None] * COLUMNS + np.arange(COLUMNS)).ravel()
    return Section(buckets.begins, slots, rows.reshape(slots.size, -1))


def unrolled(section: Section) -> Buckets:
    """The buckets of one series, from the five rows of its own."""
    return Buckets(section.times, *(section.values[row : row + 1] for row in range(COLUMNS)))


def in_steps(parts: Sequence[Buckets], step: float) -> Buckets:
    """Buckets of one series, one part after the other in time, in buckets of `step` seconds."""
    if not parts:
        empty = np.empty((1, 0))
        return Buckets(np.empty(0), empty, empty, empty, empty, empty)
    names = ("count", "total", "least", "most", "last")
    columns = [np.concatenate([getattr(part, name) for part in parts], axis=1) for name in names]
    return Buckets(np.concatenate([part.begins for part in parts]), *columns).by(step)


def _as_printed(total: Floats, of: Floats) -> Floats:
    """Sums of numbers that were printed with a few decimals have as many: what floats add beyond is their own error."""
    places = decimals(of)
    scale = 10.0 ** np.maximum(places, 0)[:, None]
    with np.errstate(over="ignore", invalid="ignore"):
        printed = np.rint(total * scale) / scale
    return np.where((places[:, None] >= 0) & np.isfinite(printed), printed, total)
