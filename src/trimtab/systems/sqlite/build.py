"""One effect under way, in a thread with a connection and a transaction of its own: all of it or nothing, also after kill -9."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import structlog

from trimtab.domain.errors import LeverError, Permanent
from trimtab.domain.levers import DONE
from trimtab.systems.sqlite.claim import Claim
from trimtab.systems.sqlite.connection import opened, writing
from trimtab.systems.sqlite.effect import Effect

LOCK_SECONDS = 2.0  # how long to wait for other writers before anything begins
COMMIT_SECONDS = 10.0  # how long the last step waits for readers, where the database is not in WAL mode
_OPERATIONS = 10_000  # of SQLite's machine between two looks at whether to stop: about a millisecond
_CACHE_KIB = 64 * 1024  # where there is no WAL, what does not fit is written early and shuts readers out from then on

_log = structlog.get_logger("trimtab")


class Build:
    """Runs `effect.make` once. `error` says why it failed, when it has ended; one that was stopped has none."""

    def __init__(self, database: Path, effect: Effect, key: str, claim: Claim) -> None:
        self._database = database
        self._effect = effect
        self._key = key
        self._claim = claim
        self._db: sqlite3.Connection | None = None
        self._stop = threading.Event()
        self._settled = threading.Event()  # the write lock is had, or will not be
        self._locked = False
        self.error: LeverError | None = None
        self._thread = threading.Thread(target=self._work, name=f"trimtab sqlite {key}", daemon=True)

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._thread.is_alive()

    def begin(self) -> None:
        """Start, and return when it is under way. Raises `Retryable` where others hold the write lock: then nothing began."""
        self._thread.start()
        self._settled.wait(LOCK_SECONDS + 1.0)
        if self.error is not None and not self._locked:
            raise self.error

    def stop(self, seconds: float) -> bool:
        """Break off, and wait for the transaction to be rolled back; whether it has ended."""
        self._stop.set()
        try:
            if self._db is not None:
                self._db.interrupt()
        except sqlite3.ProgrammingError:
            pass  # closed already
        self._thread.join(seconds)
        return not self.running

    def _work(self) -> None:
        try:
            self._build()
        except LeverError as error:
            self._failed(error)
        except Exception as error:
            self._failed(Permanent(f"{self._key}: {type(error).__name__}: {error}"))
        finally:
            self._db = None
            self._claim.release()
            self._settled.set()

    def _build(self) -> None:
        with opened(self._database, write=True, wait_seconds=LOCK_SECONDS) as db:
            self._db = db
            db.set_progress_handler(self._stop.is_set, _OPERATIONS)
            if db.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            with writing(db, LOCK_SECONDS):
                self._locked = True
                self._settled.set()
                db.execute(f"PRAGMA busy_timeout = {COMMIT_SECONDS * 1000:.0f}")
                if self._effect.state(db, self._key) != DONE:
                    self._effect.make(db, self._key)

    def _failed(self, error: LeverError) -> None:
        if self._stop.is_set():
            return
        self.error = error
        if self._locked:  # else the caller is told
            _log.warning("job_failed", key=self._key, database=str(self._database), error=str(error))
