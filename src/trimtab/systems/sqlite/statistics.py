"""Fresh statistics for the query planner (ANALYZE) as the effect of a job.

What was there before is kept beside them, in a table of ours made in the same transaction: so the way back survives a crash and a
restart. That table also says whose the statistics are: where others have gathered them anew since, they are left alone.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from trimtab.domain.errors import Permanent
from trimtab.domain.levers import ABSENT, BROKEN, DONE
from trimtab.systems.sqlite.connection import quoted
from trimtab.systems.sqlite.effect import OURS, name_of

_COLUMNS = ("trimtab_before", "trimtab_after")  # JSON of the rows, and the digest of those that ANALYZE wrote
_TABLES = "SELECT name FROM sqlite_master WHERE name LIKE 'sqlite!_stat_' ESCAPE '!' ORDER BY name"
Rows = list[list[Any]]


class StatisticsEffect:
    """The statistics as ANALYZE gathers them now."""

    def state(self, db: sqlite3.Connection, key: str) -> str:
        """absent, done or broken."""
        columns = tuple(row[1] for row in db.execute(f"PRAGMA table_info({quoted(name_of(key))})"))
        if not columns:
            return ABSENT
        return DONE if columns == _COLUMNS else BROKEN

    def spared(self, db: sqlite3.Connection, key: str) -> Permanent | None:
        """None: those of others are replaced, and kept."""
        return None

    def broken(self, key: str) -> Permanent:
        """Why nothing can be done under this key."""
        name = name_of(key)
        return Permanent(
            f"the database has a table {name} that is none of ours", remedy="Rename it, or give the job another name"
        )

    def make(self, db: sqlite3.Connection, key: str) -> None:
        """Gather statistics, and keep those that were there."""
        before = _snapshot(db)
        db.execute("ANALYZE")
        table = quoted(name_of(key))
        db.execute(f"CREATE TABLE {table} ({', '.join(_COLUMNS)})")  # also tells other connections to load them
        db.execute(f"INSERT INTO {table} VALUES (?, ?)", (json.dumps(before), _digest(_snapshot(db))))

    def unmake(self, db: sqlite3.Connection, key: str) -> None:
        """Restore what was there before. Raises `Permanent` where others have gathered statistics since."""
        state, table = self.state(db, key), quoted(name_of(key))
        if state == BROKEN:
            raise self.broken(key)
        if state == ABSENT:
            return
        before, after = db.execute(f"SELECT * FROM {table}").fetchone()
        if _digest(_snapshot(db)) != after:
            words = "the statistics were gathered anew by another hand: what was there before them is not restored"
            raise Permanent(words, remedy=f"To let go of the old ones: DROP TABLE {table}")
        _restore(db, json.loads(before))
        db.execute(f"DROP TABLE {table}")


def _snapshot(db: sqlite3.Connection) -> Mapping[str, Rows]:
    """Every table of statistics that there is, with its rows. Samples (sqlite_stat4) are blobs, written as {"hex": …}."""
    names = [
        name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE name LIKE 'sqlite!_stat_' ESCAPE '!' ORDER BY name")
    ]
    return {name: _rows(db, name) for name in names}


def _rows(db: sqlite3.Connection, table: str) -> Rows:
    rows = db.execute(f"SELECT * FROM {quoted(table)} ORDER BY rowid").fetchall()
    theirs = (row for row in rows if not str(row[0]).startswith(OURS))  # our own tables come and go
    return [[{"hex": cell.hex()} if isinstance(cell, bytes) else cell for cell in row] for row in theirs]


def _restore(db: sqlite3.Connection, before: Mapping[str, Rows]) -> None:
    for name in _snapshot(db):
        if name not in before:
            db.execute(f"DROP TABLE {quoted(name)}")
    for name, rows in before.items():
        db.execute(f"DELETE FROM {quoted(name)}")
        for row in rows:
            cells = [bytes.fromhex(cell["hex"]) if isinstance(cell, dict) else cell for cell in row]
            db.execute(f"INSERT INTO {quoted(name)} VALUES ({', '.join('?' * len(cells))})", cells)


def _digest(snapshot: Mapping[str, Rows]) -> str:
    return hashlib.sha256(json.dumps(snapshot, sort_keys=True).encode()).hexdigest()
