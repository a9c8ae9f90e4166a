"""What the metric store answers: samples of a range, or figures by the step, from wherever they lie by now.

Called by `metrics`. One snapshot for each answer. What lies in several places reads as one: version 2's table first, then days,
then parts, then what is hot, so that what was written last counts.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import repeat

import numpy as np

from trimtab.domain.metrics import Samples
from trimtab.storage import metrics_sql as sql
from trimtab.storage.database import Database
from trimtab.storage.merging import Piece, by_slots, in_a_row, joined
from trimtab.storage.rollups import COLUMNS, Buckets, in_steps, unrolled
from trimtab.storage.sealing import STEPS
from trimtab.storage.section import Integers, Section
from trimtab.storage.shelves import DAY, WIDTH, Shelves, day_of
from trimtab.storage.takeover import Takeover


class Ranges:
    """Reads from one database."""

    def __init__(self, database: Database, shelves: Shelves, takeover: Takeover) -> None:
        self._database, self._shelves, self._takeover = database, shelves, takeover

    def read(self, ids: Integers, start: float, end: float) -> dict[int, Samples]:
        """The samples of these series with start ≤ timestamp ≤ end, by the number of the series; none is empty."""
        if not ids.size or not start <= end:
            return {}
        with self._database.snapshot() as connection:
            return _by_series(self._pieces(connection, ids, start, end))

    def buckets(self, number: int, begin: float, until: float, step: float) -> Buckets:
        """The buckets of `step` seconds of one series from `begin` to `until`, both of which are their bounds.

        Roll-ups serve where the step is a multiple of theirs, and where there is nothing finer any more.
        """
        with self._database.snapshot() as connection:
            levels = self._levels(connection, number, begin, until, step)
            parts, at = [], begin
            for day in sorted(levels):
                first, last = max(begin, day * DAY), min(until, float(np.nextafter((day + 1) * DAY, -math.inf)))
                if at < first:
                    parts += self._raw(connection, number, at, float(np.nextafter(first, -math.inf)), step)
                parts += self._rolled_up(connection, levels[day], number, first, last)
                at = float(np.nextafter(last, math.inf))
            if at <= until:
                parts += self._raw(connection, number, at, until, step)
        return in_steps(parts, step)

    def _pieces(self, connection: sqlite3.Connection, ids: Integers, start: float, end: float) -> list[Sequence[Piece]]:
        """By where they lie, in order of precedence."""
        return [
            self._takeover.sections(connection, ids, start, end),
            self._shelves.blocks(connection, sql.DAYS, ids, start, end),
            self._shelves.blocks(connection, sql.PARTS, ids, start, end),
            self._shelves.hot(connection.execute(sql.SELECT_HOT, (end, start)), ids, start, end),
        ]

    def _raw(self, connection: sqlite3.Connection, number: int, start: float, end: float, step: float) -> list[Buckets]:
        found = _by_series(self._pieces(connection, np.array([number]), start, end)).get(number)
        return [] if found is None else [Buckets.of(found.times, found.values[None, :], step)]

    def _rolled_up(self, connection: sqlite3.Connection, level: int, number: int, start: float, end: float) -> list[Buckets]:
        blocks = self._shelves.blocks(connection, level, np.array([number]), start, end, COLUMNS)
        return [unrolled(section) for section in joined(blocks)]

    def _levels(self, connection: sqlite3.Connection, number: int, begin: float, until: float, step: float) -> dict[int, int]:
        """The days that roll-ups serve for, each with the level that does."""
        days = day_of(begin), day_of(until)

        def there(level: int) -> set[int]:
            shelf = (number - 1) // WIDTH[level]
            return {day for (day,) in connection.execute(sql.DAYS_OF_SHELF, (level, shelf, *days))}

        whole, still_open = there(sql.DAYS), there(sql.PARTS)
        for first, last in connection.execute(sql.SPANS_OF_HOT, (until, begin)):
            still_open.update(range(max(day_of(first), days[0]), min(day_of(last), days[1]) + 1))
        (horizon,) = connection.execute(sql.HORIZON).fetchone()
        served = {}
        for level in (sql.FIVE_MINUTES, sql.HOURS):  # the coarser is gone through last, and wins where it fits
            fits = step % STEPS[level] == 0
            for day in there(level):
                pruned = horizon is not None and day * DAY < horizon
                if pruned and day not in whole:
                    if fits or day not in served:
                        served[day] = level
                elif fits and day not in still_open and not pruned:
                    served[day] = level
        return served


def _by_series(places: Sequence[Sequence[Piece]]) -> dict[int, Samples]:
    together = by_slots([piece for place in places for piece in place])
    if together is not None:  # as matrices: a thousand series of the same moments are joined as one
        return {number: samples for group in together for number, samples in _rows(in_a_row(group))}
    found: dict[int, list[Samples]] = {}
    for place in places:
        for section in joined(place):
            for number, samples in _rows(section):
                found.setdefault(number, []).append(samples)
    return {number: parts[0] if len(parts) == 1 else _one(parts) for number, parts in found.items()}


def _rows(section: Section) -> Iterator[tuple[int, Samples]]:
    return zip(section.slots.tolist(), map(Samples._make, zip(repeat(section.times), section.values)), strict=True)


def _one(parts: Sequence[Samples]) -> Samples:
    times, values = np.concatenate([part.times for part in parts]), np.concatenate([part.values for part in parts])
    if (times[1:] > times[:-1]).all():
        return Samples(times, values)
    order = np.argsort(times, kind="stable")
    order = order[np.append(times[order[1:]] != times[order[:-1]], True)]
    return Samples(times[order], values[order])
