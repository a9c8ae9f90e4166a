"""Samples at rest in SQLite. Written by `monitor` once a tick, read by the analysis at start and by the api.

A file apart from the journal, with synchronous NORMAL: losing the last tick at a power cut is allowed, waiting for the disk at
every tick is not. What a series *is* stands once in `series`; its samples lie together in order of time, so that a range is one
stretch of disk. A tick brings one sample of each series, and each would dirty a page of its own: so ticks are appended to
`recent`, and folded into `samples` thousands at a time. Both are equally durable, and what is read is always the two as one.
"""

from __future__ import annotations

import asyncio
import json
import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from pathlib import Path

from trimtab.domain.metrics import MetricType, Reading, Series, StoredSample, Unit
from trimtab.storage.codec import canonical, clean
from trimtab.storage.database import Database, Schema

_RECENT = "CREATE TABLE recent (series INTEGER NOT NULL, timestamp REAL NOT NULL, value REAL NOT NULL)"
SCHEMA = Schema(
    application_id=0x74726D31,  # "trm1"
    version=2,
    migrations={1: (_RECENT,)},
    statements=(
        _RECENT,
        """CREATE TABLE series (
            id INTEGER PRIMARY KEY, metric_id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, element TEXT NOT NULL,
            metric_type TEXT NOT NULL, unit TEXT NOT NULL, source TEXT NOT NULL, metadata TEXT NOT NULL, tags TEXT NOT NULL)""",
        """CREATE TABLE samples (
            series INTEGER NOT NULL, timestamp REAL NOT NULL, value REAL NOT NULL,
            PRIMARY KEY (series, timestamp)) WITHOUT ROWID""",
    ),
)

SELECT_RANGE = """SELECT timestamp, value FROM samples WHERE series = (SELECT id FROM series WHERE metric_id = ?)
    AND timestamp BETWEEN ? AND ? ORDER BY timestamp"""
SELECT_RECENT = """SELECT timestamp, value FROM recent WHERE series = (SELECT id FROM series WHERE metric_id = ?)
    AND timestamp BETWEEN ? AND ? ORDER BY rowid"""
FOLD = ("INSERT OR REPLACE INTO samples SELECT series, timestamp, value FROM recent ORDER BY series, timestamp, rowid",
        "DELETE FROM recent")  # fmt: skip
SELECT_CUT = "SELECT timestamp FROM samples WHERE series = ? AND timestamp < ? ORDER BY timestamp LIMIT 1 OFFSET ?"
DELETE_BEFORE = "DELETE FROM samples WHERE series = ? AND timestamp < ?"

_UPSERT = """INSERT INTO series (metric_id, name, element, metric_type, unit, source, metadata, tags)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (metric_id) DO UPDATE SET metric_type = excluded.metric_type, unit = excluded.unit, source = excluded.source,
    metadata = excluded.metadata RETURNING id"""

FOLD_AT = 10_000  # samples in `recent`: 10 ms to fold, and a read that has to look through them takes half of one
PRUNE_BATCH = 5000  # samples forgotten per transaction: a few milliseconds, between two breaths of the loop


class SqliteMetricStore:
    """A `MetricStore` in one SQLite file. Every method raises `StoreError` where the file cannot be read or written.

    >>> import asyncio, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = SqliteMetricStore(Path(folder) / "metrics.db")
    ...     asyncio.run(store.write([Reading(Series.named("queue_length", "shop"), 3.0, 60.0)]))
    ...     asyncio.run(store.query("shop/queue_length", 0.0, 100.0))
    [(60.0, 3.0)]
    """

    def __init__(self, path: Path | str) -> None:
        self._database = Database(Path(path), SCHEMA, synchronous="NORMAL")
        self._database.rows("PRAGMA cache_size=-512")  # KiB: what is written is hardly ever read; the default of 2 MiB fills up
        self._recent = int(self._database.rows("SELECT count(*) FROM recent")[0][0])
        self._known: dict[str, tuple[Series, int]] = {}  # metric_id → as last described, and its id in the file

    async def write(self, readings: Sequence[Reading]) -> None:
        """Keep finite samples, all or none of them; a sample of the same series and time replaces the earlier one."""
        usable = [reading for reading in readings if finite(reading)]
        if not usable:
            return
        fresh: dict[str, tuple[Series, int]] = {}
        with self._database.transaction() as connection:
            rows = [(self._id_of(connection, one.series, fresh), one.timestamp, float(one.value)) for one in usable]
            connection.executemany("INSERT INTO recent VALUES (?, ?, ?)", rows)
            folded = self._recent + len(rows) >= FOLD_AT
            if folded:
                _fold(connection)
        self._known.update(fresh)  # only now: a rolled back id belongs to nobody
        self._recent = 0 if folded else self._recent + len(rows)

    async def query(self, metric_id: str, start: float, end: float) -> Sequence[tuple[float, float]]:
        """(timestamp, value) of a series with start ≤ timestamp ≤ end, in order of time."""
        asked = clean(metric_id), start, end
        with self._database.snapshot() as connection:
            folded = connection.execute(SELECT_RANGE, asked).fetchall()
            recent = dict(connection.execute(SELECT_RECENT, asked).fetchall())  # of the same moment: the later one
        if not recent:
            return folded
        return sorted((dict(folded) | recent).items())

    async def samples(self, metric_id: str, start: float, end: float) -> Sequence[StoredSample]:
        """The same, each sample whole."""
        about = self._database.rows(
            "SELECT metric_type, source, metadata, tags FROM series WHERE metric_id = ?", clean(metric_id)
        )
        if not about:
            return []
        kind, source, metadata, tags = about[0]
        described = MetricType(kind), source, _pairs(metadata), _pairs(tags)
        return [_sample(metric_id, at, value, *described) for at, value in await self.query(metric_id, start, end)]

    async def series(self) -> Sequence[Series]:
        """Every series that was ever written, in order of its id."""
        rows = self._database.rows(
            "SELECT name, element, tags, metric_type, unit, source, metadata FROM series ORDER BY metric_id"
        )
        return [_series(*map(str, row)) for row in rows]

    async def prune(self, before: float) -> int:
        """Forget samples older than `before`, a batch at a time; returns how many. The series stay known."""
        forgotten = 0
        with self._database.transaction() as connection:
            _fold(connection)
        self._recent = 0
        for (series,) in self._database.rows("SELECT id FROM series ORDER BY id"):
            while gone := self._prune_batch(series, before):
                forgotten += gone
                await asyncio.sleep(0)
        await self._database.shrink()
        return forgotten

    async def close(self) -> None:
        """Flush and release."""
        self._database.close()

    def _id_of(self, connection: sqlite3.Connection, series: Series, fresh: dict[str, tuple[Series, int]]) -> int:
        metric_id = series.metric_id
        known = (fresh and fresh.get(metric_id)) or self._known.get(metric_id)
        if known is None or (known[0] is not series and known[0] != series):  # a sensor mostly yields the very same one again
            (number,) = connection.execute(_UPSERT, _described(metric_id, series)).fetchone()
            known = fresh[metric_id] = (series, number)
        return known[1]

    def _prune_batch(self, series: int, before: float) -> int:
        if not self._database.rows(SELECT_CUT, series, before, 0):
            return 0
        with self._database.transaction() as connection:
            cut = connection.execute(SELECT_CUT, (series, before, PRUNE_BATCH)).fetchone()
            return connection.execute(DELETE_BEFORE, (series, cut[0] if cut else before)).rowcount


def _fold(connection: sqlite3.Connection) -> None:
    for statement in FOLD:
        connection.execute(statement)


def finite(reading: Reading) -> bool:
    """Whether a reading is a number at a point in time. A broken target may send anything at all.

    >>> finite(Reading(Series.named("queue_length"), float("nan"), 60.0))
    False
    """
    return _finite(reading.value) and _finite(reading.timestamp)


def _finite(value: object) -> bool:
    if type(value) is float:  # nearly always
        return math.isfinite(value)
    try:
        return isinstance(value, Real) and math.isfinite(value)
    except OverflowError:  # an integer that no float can hold
        return False


def _described(metric_id: str, series: Series) -> tuple[str, ...]:
    return (
        clean(metric_id),
        clean(series.name),
        clean(series.element),
        series.metric_type,
        series.unit,
        clean(series.source),
        canonical(list(series.metadata)),
        canonical(list(series.labels)),
    )


def _series(name: str, element: str, tags: str, kind: str, unit: str, source: str, metadata: str) -> Series:
    labels, about = tuple(_pairs(tags).items()), tuple(_pairs(metadata).items())
    return Series(name, element, labels, MetricType(kind), Unit(unit), source, about)


def _pairs(text: str) -> dict[str, str]:
    pairs: Iterable[tuple[str, str]] = json.loads(text)
    return dict(pairs)


def _sample(
    metric_id: str, at: float, value: float, kind: MetricType, source: str, metadata: Mapping[str, str], tags: Mapping[str, str]
) -> StoredSample:
    return StoredSample(metric_id, kind, value, at, source, metadata, tags)
