"""Look at an agent's databases without changing them or making files beside them, whether it runs, has ended or was killed.

Used by the command line. A file without a write-ahead log beside it is opened as immutable, or SQLite would make one; with a log,
that of a running agent or of one that was killed, it is opened read-only, and the log is read with it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from trimtab.domain.actions import ActionState, JournalRow
from trimtab.domain.errors import StoreError
from trimtab.storage import journal_sql, metrics_sql
from trimtab.storage.chain import Chain, Head
from trimtab.storage.database import BUSY_SECONDS, Database
from trimtab.storage.journal import SqliteJournal
from trimtab.storage.layout import is_there, uri_of
from trimtab.storage.shelves import spoiled_rows

_SELECT_IDS = """SELECT action_id FROM actions WHERE action_id >= ? AND action_id < ?
    ORDER BY created_at DESC, ordinal DESC LIMIT ?"""
_SELECT_IDS_IN = """SELECT action_id FROM actions WHERE action_id >= ? AND action_id < ? AND state = ?
    ORDER BY created_at DESC, ordinal DESC LIMIT ?"""
_BEYOND = "\U0010ffff"  # sorts after every letter that an id has


class Older(StoreError):
    """A file that is sound, and of an earlier version: looking at it must not be what changes it."""


class ReadOnlyDatabase(Database):
    """A `Database` that cannot be written to. Raises `StoreError` where it is absent, strange, or of another version."""

    def _open(self, synchronous: str) -> sqlite3.Connection:
        if not is_there(self.path):
            raise StoreError(f"there is no {self.path}", remedy="The agent makes it when it first runs: `trimtab run`")
        connection = sqlite3.connect(
            uri_of(self.path), uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
            found = self._recognise(connection)
            if found < self._schema.version:
                raise Older(
                    f"{self.path} was written by an older trimtab (version {found}, this one reads {self._schema.version})",
                    remedy="Start the agent anew (`trimtab run`): it brings the file up to date, and keeps a copy of the old one",
                )
        except BaseException:
            connection.close()
            raise
        return connection


class JournalReader(SqliteJournal):
    """The journal, to be read only. `told` hears after each batch of `verify` how many rows were found to hold."""

    def __init__(self, path: Path, *, key: bytes | None = None, told: Callable[[int], None] | None = None) -> None:
        self._chain = Chain(key)
        self._database = ReadOnlyDatabase(path, journal_sql.SCHEMA, synchronous="FULL")
        self._tail_checked = False
        self._told, self._held = told, 0

    def ids(self, prefix: str = "", *, state: ActionState | None = None, limit: int = 20) -> Sequence[str]:
        """Ids of actions that begin with `prefix`, newest first."""
        among = (prefix, prefix + _BEYOND)
        rows = (
            self._database.rows(_SELECT_IDS, *among, limit)
            if state is None
            else self._database.rows(_SELECT_IDS_IN, *among, state.value, limit)
        )
        return [str(action_id) for (action_id,) in rows]

    def _batch(self, connection: sqlite3.Connection, head: Head) -> list[JournalRow]:
        rows = super()._batch(connection, head)
        self._held += len(rows)
        if self._told is not None:
            self._told(self._held)
        return rows


def check_metrics(path: Path) -> int:
    """The number of series in the metric store.

    Raises `StoreError` where the file is damaged or cannot be read, and where what a write or a block holds is not what was
    written: then it names them.
    """
    database = ReadOnlyDatabase(path, metrics_sql.SCHEMA, synchronous="NORMAL")
    try:
        found = [str(line) for (line,) in database.rows("PRAGMA quick_check(3)")]
        if found != ["ok"]:
            raise StoreError(
                f"{path} is damaged: {'; '.join(found)}",
                remedy="Stop the agent, then restore the last backup, or move the file aside: the agent then begins a new one",
            )
        with database.snapshot() as connection:
            spoiled = spoiled_rows(connection)
        if spoiled:
            raise StoreError(
                f"{path} holds samples that are not what was written: {'; '.join(spoiled[:3])}"
                + (f" and {len(spoiled) - 3} more" if len(spoiled) > 3 else ""),
                remedy="Look at the disk. The agent sets them aside when it comes upon them, and goes on; the rest is sound",
            )
        return int(database.rows("SELECT count(*) FROM series")[0][0])
    finally:
        database.close()
