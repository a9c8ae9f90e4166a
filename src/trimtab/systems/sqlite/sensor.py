"""The sensor of a SQLite database: one number for each query, and how large it is. Called by `monitor` when it is due."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from trimtab.domain.errors import SensorError
from trimtab.domain.metrics import Reading, Series
from trimtab.systems.aside import Aside
from trimtab.systems.sqlite.connection import in_words, opened
from trimtab.systems.sqlite.options import SqliteSensorOptions

SIZE, FREE, WAL = "sqlite_size_bytes", "sqlite_free_bytes", "sqlite_wal_bytes"
_OPERATIONS = 1000  # of SQLite's machine between two looks at the clock
_MARGIN_SECONDS = 1.0  # for what no look at the clock breaks off: opening, a file system that hangs


class SqliteSensor:
    """Runs the queries over a read-only connection, opened anew each time; NULL reads NaN."""

    def __init__(self, options: SqliteSensorOptions, element: str) -> None:
        self.name = options.name or f"sqlite {options.database.name}"
        self.element = element
        self.interval = options.interval_seconds
        self._options = options
        self._aside = Aside(self.name)

    @property
    def metric_names(self) -> Sequence[str]:
        """The queries' series and the three sizes."""
        return [*self._options.queries, SIZE, FREE, WAL]

    async def read(self, now: float) -> Sequence[Reading]:
        """Ask once. Raises `SensorError`, naming the query, where one yields no single number or takes too long."""
        values, sizes = await self._aside.look(lambda: _look(self._options), self._options.timeout_seconds + _MARGIN_SECONDS)
        return [*self._readings(values, now), *self._readings(sizes, now, {"database": self._options.database.name})]

    def _readings(self, values: Mapping[str, float], now: float, labels: Mapping[str, str] | None = None) -> Iterator[Reading]:
        for name, value in values.items():
            yield Reading(Series.named(name, self.element, labels, source=self.name), value, now)

    async def close(self) -> None:
        """Nothing is held: each read has a connection of its own."""


def _look(options: SqliteSensorOptions) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """Run aside: it blocks."""
    until = time.monotonic() + options.timeout_seconds
    with opened(options.database, wait_seconds=options.timeout_seconds) as db:
        db.set_progress_handler(lambda: time.monotonic() > until, _OPERATIONS)
        values = {name: _answer(db, name, query, options) for name, query in options.queries.items()}
        return values, _sizes(db, options.database)


def _answer(db: sqlite3.Connection, name: str, query: str, options: SqliteSensorOptions) -> float:
    try:
        rows = db.execute(query).fetchmany(2)
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorname", "") == "SQLITE_INTERRUPT":
            late = f"query {name} was broken off after {options.timeout_seconds:g} s"
            raise SensorError(late, remedy="Make it cheaper (an index?), or raise timeout_seconds") from error
        known = in_words(error, options.database)
        raise SensorError(f"query {name}: {known.message}", remedy=known.remedy) from error
    if len(rows) != 1 or len(rows[0]) != 1:
        got = "no row" if not rows else f"{len(rows[0])} columns" if len(rows[0]) != 1 else "several rows"
        raise SensorError(f"query {name} yields {got}", remedy="It must yield one row with one number: SELECT count(*) FROM …")
    (value,) = rows[0]
    if value is not None and not isinstance(value, int | float):
        raise SensorError(f"query {name} yields {value!r:.60}, which is no number", remedy="CAST(… AS REAL) turns text into one")
    return float("nan") if value is None else float(value)


def _sizes(db: sqlite3.Connection, database: Path) -> Mapping[str, float]:
    page, pages, free = (db.execute(f"PRAGMA {word}").fetchone()[0] for word in ("page_size", "page_count", "freelist_count"))
    try:
        wal = database.with_name(database.name + "-wal").stat().st_size
    except OSError:
        wal = 0  # the database is not in WAL mode, or everything is in the file itself
    return {SIZE: float(page * pages), FREE: float(page * free), WAL: float(wal)}
