"""What every SQLite file of trimtab has in common: opening it safely, transactions, and errors that say what to do.

`journal` and `metrics` stand on this. Invariants: a file of another program, of a newer trimtab, or no database at all is refused
before a byte of it changes; a write that fails is rolled back and leaves the connection usable; no `sqlite3` error gets out.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trimtab.domain.errors import StoreDamaged, StoreError

SHRINK_BATCH = 200  # pages given back to the file system between two breaths of the loop
SLACK_PAGES = 256  # free pages left in a file for what is written next: one megabyte
BUSY_SECONDS = 1.0  # the loop waits this long for another writer at most: a pause must still bite within a second or two


@dataclass(frozen=True, slots=True)
class Schema:
    """The shape of a file. `migrations[n]` are the statements that lead from version n to n + 1."""

    application_id: int  # tells our files from others', and a journal from metrics
    version: int
    statements: tuple[str, ...]
    migrations: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


class Database:
    """One SQLite file in WAL mode.

    `synchronous` FULL: a commit that returned survives a power cut; NORMAL: it survives a crash of the process.
    Raises `StoreError` where the file cannot be used.
    """

    def __init__(self, path: Path, schema: Schema, *, synchronous: str) -> None:
        self.path = Path(path)
        self._schema = schema
        self._lock = threading.RLock()  # a store may be opened in one thread and used in another
        with explained(self.path, "opened"):
            self.connection = self._open(synchronous)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, and the only writer meanwhile. What was written is durable once the block has been left."""
        with self._in("BEGIN IMMEDIATE", "written") as connection:
            yield connection

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """One consistent view for several reads, whoever writes meanwhile."""
        with self._in("BEGIN", "read") as connection:
            yield connection

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """All rows of one query."""
        with self._lock, explained(self.path, "read"):
            return self.connection.execute(sql, values).fetchall()

    async def shrink(self) -> None:
        """Give what is free, but for some slack, back to the file system, a few pages at a time."""
        more = True
        while more:
            more = self._give_back(SHRINK_BATCH)
            await asyncio.sleep(0)

    def _give_back(self, pages: int) -> bool:
        with self._lock, explained(self.path, "made smaller"):
            (free,) = self.connection.execute("PRAGMA freelist_count").fetchone()
            surplus = min(pages, int(free) - SLACK_PAGES)
            if surplus > 0:
                self.connection.executescript(f"PRAGMA incremental_vacuum({surplus})")  # execute() would stop after one page
            return int(free) - max(surplus, 0) > SLACK_PAGES and surplus > 0

    def check(self) -> None:
        """Raises `StoreDamaged` where the file's pages do not fit together."""
        (found,) = self.rows("PRAGMA quick_check(1)")[0]
        if found != "ok":
            raise StoreDamaged(f"{self.path} could not be read: the file is damaged ({found})", remedy=_DAMAGED)

    def close(self) -> None:
        """Release the file. Twice is the same as once."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            self.connection.close()

    @contextlib.contextmanager
    def _in(self, begin: str, doing: str) -> Iterator[sqlite3.Connection]:
        with self._lock, explained(self.path, doing):
            self.connection.execute(begin)
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            finally:
                if self.connection.in_transaction:  # after a full disk SQLite may have rolled back already
                    self.connection.execute("ROLLBACK")

    def _open(self, synchronous: str) -> sqlite3.Connection:
        _create(self.path)
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            connection.text_factory = _text
            found = self._recognise(connection)
            if not found:
                connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # before anything is written, or it has no effect
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"PRAGMA synchronous={synchronous}")
            connection.execute("PRAGMA fullfsync=1")  # macOS: fsync alone does not reach the disk
            connection.execute("PRAGMA journal_size_limit=16777216")  # a WAL that once grew shrinks again
            if found < self._schema.version:
                self._upgrade(connection, found)
            _let_shrink(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _recognise(self, connection: sqlite3.Connection) -> int:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        owner = int(connection.execute("PRAGMA application_id").fetchone()[0])
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if owner != self._schema.application_id and (tables or owner):
            raise StoreError(
                f"{self.path} holds something else: it was not written as this kind of store",
                remedy="Name another path; the file was left as it is",
            )
        if version > self._schema.version:
            raise StoreError(
                f"{self.path} was written by a newer trimtab; it has version {version}, this one reads {self._schema.version}",
                remedy="Run the newer trimtab again, or restore the backup made before the upgrade; the file was left as it is",
            )
        return version

    def _upgrade(self, connection: sqlite3.Connection, found: int) -> None:
        """Create or migrate, once even where two processes open the file at the same time."""
        if found:
            _back_up(connection, self.path, found)
        connection.execute("BEGIN IMMEDIATE")
        try:
            found = int(connection.execute("PRAGMA user_version").fetchone()[0])
            for statement in self._statements(found):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id={self._schema.application_id}")
            connection.execute(f"PRAGMA user_version={self._schema.version}")
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _statements(self, found: int) -> tuple[str, ...]:
        if found == 0:
            return self._schema.statements
        steps = range(found, self._schema.version)
        return tuple(statement for step in steps for statement in self._schema.migrations[step])


def _create(path: Path) -> None:
    """Make the file with the owner's rights only.

    An existing one is not touched: closing a second descriptor would drop the locks that SQLite holds on it in this process.
    """
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))


def _let_shrink(connection: sqlite3.Connection) -> None:
    """Rewrite a file made by a version whose files only ever grew. Where that cannot be done now, it goes on growing."""
    (mode,) = connection.execute("PRAGMA auto_vacuum").fetchone()
    if mode == 0:
        with contextlib.suppress(sqlite3.OperationalError):  # no room for a second copy, or others are at work
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
            connection.execute("VACUUM")


def _back_up(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """A whole copy beside the file, before a migration changes anything."""
    target = path.with_name(f"{path.name}.v{version}.bak")
    _create(target)
    with contextlib.closing(sqlite3.connect(target)) as copy:
        connection.backup(copy)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")  # a damaged text must reach `verify`, which names its row


@contextlib.contextmanager
def explained(path: Path, doing: str) -> Iterator[None]:
    """Turn errors of SQLite and of the file system into a `StoreError` with its remedy."""
    try:
        yield
    except sqlite3.Error as exc:
        code = getattr(exc, "sqlite_errorcode", -1) & 0xFF
        what, remedy = _EXPLANATIONS.get(code, (str(exc), _UNKNOWN))
        kind = StoreDamaged if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) else StoreError
        raise kind(f"{path} could not be {doing}: {what}", remedy=remedy) from exc
    except OSError as exc:
        remedy = "Name a folder that this user may write to"
        raise StoreError(f"{path} could not be {doing}: {exc.strerror or exc}", remedy=remedy) from exc


_UNKNOWN = "Check the file and its folder; what was not acknowledged was not written"
_RIGHTS = "Give this user the right to write to the file and its folder, or name another folder"
_DAMAGED = "Nothing was changed. Restore the last backup (`trimtab restore`), or move the file aside to start afresh"
_EXPLANATIONS: Mapping[int, tuple[str, str]] = {
    sqlite3.SQLITE_PERM: ("access is denied", _RIGHTS),
    sqlite3.SQLITE_BUSY: ("another program holds it locked", "Close that program (a backup, a database browser) and try again"),
    sqlite3.SQLITE_LOCKED: ("another program holds it locked", "Close that program (a backup, a database browser) and try again"),
    sqlite3.SQLITE_READONLY: ("it is read-only", _RIGHTS),
    sqlite3.SQLITE_IOERR: (
        "the disk reported an error",
        "Check the disk, its file system and its free space; nothing was acknowledged",
    ),
    sqlite3.SQLITE_CORRUPT: ("the file is damaged", _DAMAGED),
    sqlite3.SQLITE_FULL: ("the disk is full", "Free some space; nothing was lost, and writing goes on once there is room"),
    sqlite3.SQLITE_CANTOPEN: ("it cannot be opened", _RIGHTS),
    sqlite3.SQLITE_NOTADB: ("it is not a database", _DAMAGED),
}
