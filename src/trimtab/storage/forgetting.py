"""How the metric store forgets samples: whole rows where they are old altogether, a rewritten row where a part of it is.

Called by `metrics.prune`. Each step is one transaction; what is sealed goes a block at a time. From then on the days before are
not rolled up anew: what is left of them is not all there was.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from trimtab.storage import metrics_sql as sql
from trimtab.storage.database import Database
from trimtab.storage.merging import clipped, count
from trimtab.storage.shelves import Shelves, day_of
from trimtab.storage.takeover import Takeover

BATCH = 64  # blocks or hot rows that one step looks at
REWRITTEN = 2  # of them that it may have to rewrite


def prune_steps(database: Database, shelves: Shelves, takeover: Takeover, before: float) -> Iterator[int]:
    """Forget samples older than `before`; yields after each step how many are gone."""
    with database.transaction() as connection:
        (horizon,) = connection.execute(sql.HORIZON).fetchone()
        if horizon is None or horizon < before:
            connection.execute("DELETE FROM horizon")
            connection.execute("INSERT INTO horizon VALUES (?)", (before,))
    while not takeover.done and (gone := takeover.prune(before)):
        yield gone
    for select, forget in ((sql.OLD_HOT, _forget_hot), (sql.OLD_BLOCKS, _forget_block)):
        key = -1
        while rows := _next(database, select, before, key):
            key = rows[-1][0]
            with database.transaction() as connection:
                gone = sum(forget(connection, shelves, one, before) for one in rows)
            yield gone


def _next(database: Database, select: str, before: float, key: int) -> list[tuple[Any, ...]]:
    """Some of what is old, in the order of its key, as far as one step goes."""
    values = (key, before, BATCH) if select is sql.OLD_HOT else (key, day_of(before), before, BATCH)
    found, rewritten = [], 0
    for row in database.rows(select, *values):
        rewritten += row[1] >= before
        if rewritten > REWRITTEN:
            break
        found.append(row)
    return found


def _forget_hot(connection: sqlite3.Connection, shelves: Shelves, row: Sequence[Any], before: float) -> int:
    number, last, samples = row
    if last < before:
        connection.execute("DELETE FROM hot WHERE number = ?", (number,))
        return int(samples)
    _, checksum, ids, times, values = connection.execute(sql.ONE_HOT, (number,)).fetchone()
    if not shelves.sound_hot(number, checksum, ids, times, values):
        return 0
    at = np.frombuffer(times, np.float64)
    left = at >= before  # of one time only it would be old altogether
    connection.execute("DELETE FROM hot WHERE number = ?", (number,))
    shelves.put_hot(
        connection, number, np.frombuffer(ids, "<i4")[left].astype(np.int64), at[left], np.frombuffer(values, np.float64)[left]
    )
    return int(samples - left.sum())


def _forget_block(connection: sqlite3.Connection, shelves: Shelves, row: Sequence[Any], before: float) -> int:
    rowid, last, samples = row
    if last < before:
        connection.execute("DELETE FROM blocks WHERE rowid = ?", (rowid,))
        return int(samples)
    block = connection.execute(sql.BLOCK, (rowid,)).fetchone()
    opened = shelves.opened(block)
    _, level, shelf, day, part, *_ = block
    left = [inside for section in opened if (inside := clipped(section, before, np.inf)) is not None]
    if not left or count(left) == samples:
        return 0
    connection.execute("DELETE FROM blocks WHERE rowid = ?", (rowid,))
    shelves.put(connection, level, shelf, day, part, left)
    return int(samples - count(left))
