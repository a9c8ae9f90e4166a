"""Bring samples from where they are written to where they rest: hot rows into parts, the parts of a day into days and roll-ups.

Called by `metrics`, a step at a time: each step is one transaction of some milliseconds, and whole. What dies between two of them
leaves samples where they were, or where they go; never in neither place, and what is in both reads as one.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from trimtab.storage import metrics_sql as sql
from trimtab.storage.database import Database
from trimtab.storage.merging import joined
from trimtab.storage.rollups import rolled_up
from trimtab.storage.section import Section
from trimtab.storage.shelves import DAY, LAST_DAY, WIDTH, Shelves, by_shelf_and_day, sealed

SEAL_SAMPLES = 120_000  # hot samples that one step seals: 10 to 30 ms
SEAL_SLACK = 1.25  # times as many where these are the last: a part of one tick is nearly as dear to read as a whole one
SEAL_ROWS = 4096
SLICE_SAMPLES = 50_000  # of a day that one step puts together
BLOCK_SAMPLES = 16_000  # that a block of a day holds: four hours at 30 s; who asks for one need not unpack half a day
GRACE = 3600.0  # seconds after its end that a day is left open for what comes late
STEPS = {sql.FIVE_MINUTES: 300.0, sql.HOURS: 3600.0}  # seconds of a bucket, by level
DELETE_BATCH = 64  # blocks forgotten per transaction


def seal(database: Database, shelves: Shelves) -> int:
    """Seal the oldest hot rows, about `SEAL_SAMPLES` of samples; returns how many samples are hot no longer."""
    with database.transaction() as connection:
        rows, samples = _oldest(connection)
        if not rows:
            return 0
        last = rows[-1][0]
        for shelf, day, sections in by_shelf_and_day(joined(shelves.hot(rows)), WIDTH[sql.PARTS]):
            shelves.put(connection, sql.PARTS, shelf, day, last, sections)
        for table, key, _ in shelves.spoiled:
            if table == "hot":
                connection.execute(sql.SET_ASIDE[table][0], (key,))
        connection.execute(sql.DELETE_HOT, (last,))
    return samples


def _oldest(connection: sqlite3.Connection) -> tuple[list[Sequence[Any]], int]:
    rows: list[Sequence[Any]] = []
    ends = [0]
    for *row, size in connection.execute(sql.OLDEST_HOT, (SEAL_ROWS,)):
        rows.append(row)
        ends.append(ends[-1] + size)
        if ends[-1] > SEAL_SLACK * SEAL_SAMPLES:
            count = max(1, bisect_right(ends, SEAL_SAMPLES) - 1)
            return rows[:count], ends[count]
    return rows, ends[-1]


def close_days(database: Database, shelves: Shelves, now: float) -> Iterator[None]:
    """Put the parts of every day that is over together, one shelf after the other; yields between steps."""
    for shelf, day in database.rows(sql.OPEN_DAYS, int((now - GRACE) // DAY) - 1):
        if abs(day) < LAST_DAY:  # what is dated before or beyond all calendars stays as it is
            yield from _close_day(database, shelves, shelf, day)


def _close_day(database: Database, shelves: Shelves, shelf: int, day: int) -> Iterator[None]:
    """Work out the blocks of a day in steps, then exchange them for its parts at one stroke."""
    first = shelf * WIDTH[sql.PARTS]
    (highest,) = database.rows(sql.HIGHEST)[0]
    series = max(1, min(WIDTH[sql.PARTS], highest - first))  # that this shelf may hold: it is seldom full
    groups = range(first // WIDTH[sql.DAYS], (first + series - 1) // WIDTH[sql.DAYS] + 1)
    keys = [(sql.PARTS, shelf, day), *((sql.DAYS, group, day) for group in groups)]
    with database.snapshot() as connection:
        sources = _sources(connection, keys)
        (horizon,) = connection.execute(sql.HORIZON).fetchone()
    hours, together = _size_of_a_slice(sum(one[3] for one in sources) / max(1.0, series / WIDTH[sql.DAYS]))
    made: list[tuple[Any, ...]] = []
    for at in range(0, len(groups), together):
        some = groups[at : at + together]
        yield from _groups(database, shelves, sources, some, day, hours, made, roll=horizon is None or day * DAY >= horizon)
    with database.transaction() as connection:
        if _sources(connection, keys) != sources:
            return  # more came, or some were pruned, meanwhile: another time
        spoiled = {key for table, key, _ in shelves.spoiled if table == "blocks"}
        connection.executemany("DELETE FROM blocks WHERE rowid = ?", [(one[0],) for one in sources if one[0] not in spoiled])
        for row in made:
            if row[0] > sql.DAYS:
                connection.execute("DELETE FROM blocks WHERE level = ? AND shelf = ? AND day = ?", row[:3])
        connection.executemany(sql.INSERT_BLOCK, made)
    yield


def _sources(connection: sqlite3.Connection, keys: Sequence[tuple[int, int, int]]) -> list[tuple[Any, ...]]:
    found = (row for level, shelf, day in reversed(keys) for row in connection.execute(sql.SOURCES, (level, shelf, day)))
    return list(found)  # days first: a part that came later replaces what is in them


def _groups(
    database: Database,
    shelves: Shelves,
    sources: Sequence[tuple[Any, ...]],
    groups: range,
    day: int,
    hours: int,
    made: list[tuple[Any, ...]],
    *,
    roll: bool,
) -> Iterator[None]:
    """The blocks of one day of some times `WIDTH[DAYS]` series, appended to `made`, and their roll-ups where `roll`."""
    ids = np.arange(groups.start * WIDTH[sql.DAYS], groups.stop * WIDTH[sql.DAYS]) + 1
    rolled: dict[tuple[int, int], list[Section]] = {}
    for number, hour in enumerate(range(0, 24, hours)):
        begin, end = day * DAY + 3600.0 * hour, min(day * DAY + 3600.0 * (hour + hours), (day + 1) * DAY)
        found = _slice(database, shelves, sources, ids, begin, np.nextafter(end, begin))
        for group, _, sections in by_shelf_and_day(found, WIDTH[sql.DAYS]):
            made.append(sealed(sql.DAYS, group, day, number, sections))
            for level, step in STEPS.items() if roll else ():
                rolled.setdefault((level, group), []).extend(rolled_up(section, step) for section in sections)
        yield
    for (level, group), parts in rolled.items():
        made.append(sealed(level, group, day, 0, joined(parts)))


def _size_of_a_slice(samples: float) -> tuple[int, int]:
    """Of how many hours, and of how many groups, one step makes blocks of a day that has so many samples of a group."""
    hours = int(np.clip(24 * BLOCK_SAMPLES / max(samples, 1), 1, 24))
    return hours, max(1, int(SLICE_SAMPLES / max(samples * hours / 24, 1)))


def _slice(
    database: Database, shelves: Shelves, sources: Sequence[tuple[Any, ...]], ids: np.ndarray[Any, Any], begin: float, end: float
) -> list[Section]:
    found = []
    for rowid, first, last, _ in sources:
        if first <= end and last >= begin:
            for row in database.rows(sql.BLOCK, rowid):
                level, shelf = row[1], row[2]
                slots = ids - 1 - shelf * WIDTH[level]
                inside = slots[(slots >= 0) & (slots < WIDTH[level])]
                found += shelves.opened(row, inside, begin, end) if inside.size else []
    return joined(found)


def forget_rolled_up(database: Database, level: int, before: float) -> Iterator[None]:
    """Forget the roll-ups of days that were over before `before`; yields between steps."""
    while True:
        with database.transaction() as connection:
            gone = connection.execute(sql.DELETE_ROLLED_UP, (level, int(before // DAY), DELETE_BATCH)).rowcount
        yield
        if gone < DELETE_BATCH:
            return
