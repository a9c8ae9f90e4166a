"""The samples of a version 2 file: read where they are, and taken over into blocks in pieces while the agent works.

The migration itself only adds tables, so that a start need not wait for a month of samples to be rewritten. Each piece leaves
`samples` and enters `blocks` in one transaction: killed between two of them, the next start goes on. What was written since is
newer than anything in here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import numpy as np

from trimtab.storage import metrics_sql as sql
from trimtab.storage.database import Database
from trimtab.storage.merging import scattered
from trimtab.storage.section import Integers, Section
from trimtab.storage.shelves import DAY, WIDTH, Shelves, by_shelf_and_day

PIECE = 10_000  # samples of one step, about
PRUNE_BATCH = 5000  # samples forgotten per transaction
_LOWEST = "SELECT series FROM samples ORDER BY series LIMIT 1"
_RANGE = "SELECT timestamp, value FROM samples WHERE series = ? AND timestamp BETWEEN ? AND ? ORDER BY timestamp"
_FIRST = "SELECT timestamp FROM samples WHERE series = ? ORDER BY timestamp LIMIT 1"
_SPAN = "SELECT timestamp FROM samples WHERE series = ? AND timestamp >= ? ORDER BY timestamp LIMIT 1 OFFSET ?"
_DELETE = "DELETE FROM samples WHERE series = ? AND timestamp BETWEEN ? AND ?"
_NEXT_SERIES = "SELECT series FROM samples WHERE series > ? ORDER BY series LIMIT 1"
_CUT = "SELECT timestamp FROM samples WHERE series = ? AND timestamp < ? ORDER BY timestamp LIMIT 1 OFFSET ?"
_DELETE_BEFORE = "DELETE FROM samples WHERE series = ? AND timestamp < ?"


class Takeover:
    """What is left in the table of version 2. `done` once nothing is."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.done = not database.rows(_LOWEST)

    def sections(self, connection: sqlite3.Connection, ids: Integers, start: float, end: float) -> list[Section]:
        """What it holds of these series in a range."""
        if self.done:
            return []
        return _read(connection, ids.tolist(), start, end)

    def step(self, shelves: Shelves) -> int:
        """Take a piece over; returns how many samples, 0 once there are none left."""
        lowest = self._database.rows(_LOWEST)
        if not lowest:
            self.done = True
            return 0
        shelf = (int(lowest[0][0]) - 1) // WIDTH[sql.PARTS]
        with self._database.transaction() as connection:
            ids = _present(connection, shelf * WIDTH[sql.PARTS] + 1, (shelf + 1) * WIDTH[sql.PARTS])
            start, end = _window(connection, ids)
            sections = _read(connection, ids, start, end)
            (lowest_part,) = connection.execute("SELECT min(part) FROM blocks WHERE level = 0").fetchone()
            part = min(lowest_part or 0, 0) - 1  # below whatever was written since
            for at, day, found in by_shelf_and_day(sections, WIDTH[sql.PARTS]):
                shelves.put(connection, sql.PARTS, at, day, part, found)
            return sum(connection.execute(_DELETE, (number, start, end)).rowcount for number in ids)

    def prune(self, before: float) -> int:
        """Forget a batch of samples older than `before`; returns how many, 0 once none are left."""
        with self._database.transaction() as connection:
            for number in _present(connection, -1, 2**62):
                if connection.execute(_CUT, (number, before, 0)).fetchone():
                    cut = connection.execute(_CUT, (number, before, PRUNE_BATCH)).fetchone()
                    return connection.execute(_DELETE_BEFORE, (number, cut[0] if cut else before)).rowcount
        return 0


def _present(connection: sqlite3.Connection, low: int, high: int) -> list[int]:
    found: list[int] = []
    while (row := connection.execute(_NEXT_SERIES, (found[-1] if found else low - 1,)).fetchone()) and row[0] <= high:
        found.append(int(row[0]))
    return found


def _window(connection: sqlite3.Connection, ids: Sequence[int]) -> tuple[float, float]:
    """From the earliest sample of these series on, as far as makes a piece; within one day."""
    firsts = {number: connection.execute(_FIRST, (number,)).fetchone()[0] for number in ids}
    earliest = min(firsts, key=lambda number: firsts[number])
    start = firsts[earliest]
    row = connection.execute(_SPAN, (earliest, start, max(PIECE // len(ids), 1))).fetchone()
    end = row[0] if row else np.inf
    midnight = float(np.nextafter((start // DAY + 1) * DAY, start))
    return start, float(max(min(end, midnight), start))


def _read(connection: sqlite3.Connection, ids: Sequence[int], start: float, end: float) -> list[Section]:
    numbers: list[int] = []
    samples: list[tuple[float, float]] = []
    for number in ids:
        found = connection.execute(_RANGE, (number, start, end)).fetchall()
        numbers += [number] * len(found)
        samples += found
    if not samples:
        return []
    columns = np.array(samples)
    return scattered(np.array(numbers, np.int64), columns[:, 0].copy(), columns[:, 1].copy())
