"""Connections to a database that is somebody else's: opened for one call, never creating it, short in every lock.

Used by the sensor, the lever and the jobs. Whatever SQLite raises leaves here as an error for people.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from trimtab.domain.errors import LeverError, Permanent, Retryable

_LOOK_SECONDS = 0.002  # between two tries for the write lock
_LOCKED = ("SQLITE_BUSY", "SQLITE_LOCKED")
_PASSING = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_NOMEM", "SQLITE_PROTOCOL", "SQLITE_SCHEMA")


def quoted(identifier: str) -> str:
    """A name as it stands in a statement.

    >>> quoted('my "table"')
    '"my ""table\"""'
    """
    return '"' + identifier.replace('"', '""') + '"'


@contextmanager
def opened(database: Path, *, write: bool = False, wait_seconds: float) -> Iterator[sqlite3.Connection]:
    """A connection that waits `wait_seconds` for locks, in autocommit. Raises `LeverError` in place of every sqlite3.Error.

    A reader's is read-only to SQLite itself, so that no query of the configuration can change anything.
    """
    if not database.is_file():
        raise _cannot_open(database)
    try:
        address = f"{database.absolute().as_uri()}?mode={'rw' if write else 'ro'}"
        with closing(
            sqlite3.connect(address, uri=True, timeout=wait_seconds, isolation_level=None, check_same_thread=False)
        ) as connection:
            if not write:
                try:
                    connection.execute("PRAGMA schema_version").fetchone()
                except sqlite3.OperationalError as error:
                    if getattr(error, "sqlite_errorname", "") != "SQLITE_READONLY_ROLLBACK":
                        raise
                    with closing(sqlite3.connect(address.replace("?mode=ro", "?mode=rw"), uri=True)) as writer:
                        writer.execute("PRAGMA schema_version")  # a writer was killed: SQLite now takes back what it had begun
            yield connection
    except sqlite3.Error as error:
        raise in_words(error, database) from error


@contextmanager
def writing(connection: sqlite3.Connection, wait_seconds: float) -> Iterator[None]:
    """A write transaction: committed at the end, rolled back where anything was raised."""
    _lock(connection, wait_seconds)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _lock(connection: sqlite3.Connection, wait_seconds: float) -> None:
    """Take the write lock. SQLite's own wait looks ten times a second: beside a busy program it hardly ever gets in."""
    until = time.monotonic() + wait_seconds
    connection.execute("PRAGMA busy_timeout = 0")
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
            break
        except sqlite3.OperationalError as error:
            if not getattr(error, "sqlite_errorname", "").startswith(_LOCKED) or time.monotonic() >= until:
                raise
            time.sleep(_LOOK_SECONDS)
    connection.execute(f"PRAGMA busy_timeout = {max(wait_seconds, _LOOK_SECONDS) * 1000:.0f}")


def in_words(error: sqlite3.Error, database: Path) -> LeverError:
    """What SQLite raised, as what a person can do about it: `Retryable` where it passes, `Permanent` where it does not."""
    code = getattr(error, "sqlite_errorname", "") or ""
    if code.startswith(_LOCKED):
        return Retryable(f"{database} is locked by another connection", remedy="Tried again when that transaction has ended")
    if code == "SQLITE_INTERRUPT":
        return Retryable(f"{database}: the statement was broken off")
    if code.startswith(_PASSING):
        return Retryable(f"{database}: {error}", remedy="Look at the free space and the health of its disk")
    if code.startswith("SQLITE_CANTOPEN"):
        return _cannot_open(database)
    if code.startswith("SQLITE_READONLY"):
        return Permanent(f"{database} cannot be written", remedy="Let the agent's user write the file and its folder")
    if code.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return Permanent(f"{database}: {error}", remedy="Check database: in the configuration, then PRAGMA integrity_check")
    return Permanent(f"{database}: SQLite refuses: {error}")


def _cannot_open(database: Path) -> LeverError:
    if not database.exists():
        return Permanent(f"there is no database {database}", remedy="Correct database:, or start the program that creates it")
    if not database.is_file():
        return Permanent(f"{database} is no file", remedy="Correct database: in the configuration")
    return Permanent(f"{database} cannot be opened", remedy="Let the agent's user read the file and write its folder")
