"""Samples at rest in SQLite. Written by `monitor` once a tick and by what is pushed, read by the analysis and by the api.

A file apart from the journal, with synchronous NORMAL: losing the last ticks at a power cut is allowed, waiting for the disk at
every tick is not. What is written is one hot row, durable against a kill once the call returns. `tidy` brings it to rest in small
steps: after an hour into blocks, after a day into larger ones and into roll-ups (`sealing`). What is read is always all of
them as one; a row whose checksum does not hold is set aside and told, and costs no other its place.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trimtab.domain.metrics import Aggregate, Reading, Samples, Series, StoredSample
from trimtab.storage import metrics_sql as sql
from trimtab.storage import sealing
from trimtab.storage.catalogue import Catalogue
from trimtab.storage.columns import columns_do_not_fit, finite
from trimtab.storage.database import Database
from trimtab.storage.forgetting import prune_steps
from trimtab.storage.metrics_sql import SCHEMA
from trimtab.storage.ranges import Ranges
from trimtab.storage.rollups import bucket_range
from trimtab.storage.section import Floats
from trimtab.storage.shelves import Shelves
from trimtab.storage.takeover import Takeover

SEAL_SECONDS = 3600.0  # that a sample is hot at most, where `tidy` is called
HOT_MOST = 1_000_000  # samples; whoever writes more than `tidy` seals has each of its writes seal a piece


@dataclass(frozen=True, slots=True)
class Retention:
    """For how many seconds roll-ups are kept. Samples themselves: see `prune`."""

    five_minutes: float = 90 * 86_400.0
    hours: float = 400 * 86_400.0


class SqliteMetricStore:
    """A `MetricStore` in one SQLite file. Every method raises `StoreError` where the file cannot be read or written.

    `say` hears one sentence of each piece that was found damaged and set aside.

    >>> import asyncio, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = SqliteMetricStore(Path(folder) / "metrics.db")
    ...     asyncio.run(store.write([Reading(Series.named("queue_length", "shop"), 3.0, 60.0)]))
    ...     asyncio.run(store.query("shop/queue_length", 0.0, 100.0))
    [(60.0, 3.0)]
    """

    def __init__(
        self, path: Path | str, *, retention: Retention | None = None, say: Callable[[str], object] | None = None
    ) -> None:
        self._database = Database(Path(path), SCHEMA, synchronous="NORMAL")
        self._database.rows("PRAGMA cache_size=-512")  # KiB: what is written is hardly ever read; the default of 2 MiB fills up
        self._retention, self._say = retention or Retention(), say or (lambda sentence: None)
        self._catalogue, self._shelves = Catalogue(self._database), Shelves()
        self._takeover = Takeover(self._database)
        self._ranges = Ranges(self._database, self._shelves, self._takeover)
        self._next = 1 + max(int(self._database.rows(query)[0][0] or 0) for query in sql.NUMBERS)
        self._hot = int(self._database.rows(sql.COUNT_HOT)[0][0])
        self._sealed_at = -math.inf

    async def write(self, readings: Sequence[Reading]) -> None:
        """Keep finite samples, all or none of them; a sample of the same series and time replaces the earlier one."""
        usable = [reading for reading in readings if finite(reading)]
        if usable:
            times = np.array([float(one.timestamp) for one in usable])
            values = np.array([float(one.value) for one in usable])
            self._append([one.series for one in usable], times[:1] if (times == times[0]).all() else times, values)

    async def write_columns(self, series: Sequence[Series], times: float | Floats, values: Floats) -> None:
        """The same for many series at once: `values` (n,), at one time or at `times` (n,). A tuple that comes again is known."""
        times = np.atleast_1d(np.asarray(times, np.float64))
        values = np.asarray(values, np.float64)
        if times.size not in (1, len(series)) or values.shape != (len(series),):
            raise columns_do_not_fit(len(series), values.size, times.size)
        self._append(series, times, values)

    async def query(self, metric_id: str, start: float, end: float) -> Sequence[tuple[float, float]]:
        """(timestamp, value) of a series with start ≤ timestamp ≤ end, in order of time."""
        found = (await self.read([metric_id], start, end)).get(metric_id)
        return list(zip(found.times.tolist(), found.values.tolist(), strict=True)) if found is not None else []

    async def read(self, metric_ids: Sequence[str], start: float, end: float) -> Mapping[str, Samples]:
        """The same of many series as columns; those without a sample in the range are absent."""
        known = self._catalogue.known(metric_ids)
        found = self._ranges.read(np.fromiter(known.values(), np.int64, len(known)), start, end)
        self._set_aside()
        return {metric_id: found[number] for metric_id, number in known.items() if number in found}

    async def downsampled(
        self, metric_id: str, start: float, end: float, step: float, aggregate: Aggregate
    ) -> Sequence[tuple[float, float]]:
        """(begin, figure) of each bucket of `step` seconds that overlaps the range and holds a sample, in order of time."""
        begin, until = bucket_range(start, end, step)
        known = self._catalogue.known([metric_id])
        if not known:
            return []
        buckets = self._ranges.buckets(known[metric_id], begin, until, step)
        self._set_aside()
        return buckets.pairs(aggregate)

    async def samples(self, metric_id: str, start: float, end: float) -> Sequence[StoredSample]:
        """The same, each sample whole."""
        return self._catalogue.whole(metric_id, await self.query(metric_id, start, end))

    async def series(self) -> Sequence[Series]:
        """Every series that was ever written, in order of its id."""
        return self._catalogue.every()

    async def prune(self, before: float) -> int:
        """Forget samples older than `before`, a batch at a time; returns how many. The series and the roll-ups stay known."""
        forgotten = 0
        for gone in prune_steps(self._database, self._shelves, self._takeover, before):
            forgotten += gone
            await asyncio.sleep(0)
        self._hot = int(self._database.rows(sql.COUNT_HOT)[0][0])
        self._set_aside()
        await self._database.shrink()
        return forgotten

    async def tidy(self, now: float) -> None:
        """Bring to rest what is due, and forget old roll-ups, in steps of a few milliseconds; what is not due takes no time."""
        for _ in self._steps(now):
            self._set_aside()
            await asyncio.sleep(0)

    async def close(self) -> None:
        """Flush and release."""
        self._database.close()

    def _append(self, series: Sequence[Series], times: Floats, values: Floats) -> None:
        good = np.isfinite(values) & np.isfinite(times)
        if not good.all():
            series = [one for one, usable in zip(series, good.tolist(), strict=True) if usable]
            values, times = values[good], times if times.size == 1 else times[good]
        if not series:
            return
        try:
            with self._database.transaction() as connection:
                self._shelves.put_hot(connection, self._next, self._catalogue.numbers(connection, series), times, values)
            self._catalogue.keep()
        finally:
            self._catalogue.drop()
        self._hot += values.size
        self._next += 1
        if self._hot > HOT_MOST:
            self._seal()

    def _steps(self, now: float) -> Iterator[object]:
        while not self._takeover.done:
            yield self._takeover.step(self._shelves)
        all_of_it = now - self._sealed_at >= SEAL_SECONDS or now < self._sealed_at
        while self._hot > (0 if all_of_it else sealing.SEAL_SAMPLES) and self._seal():
            yield None
        if all_of_it:
            self._sealed_at = now
            yield from sealing.close_days(self._database, self._shelves, now)
            for level, keep in ((sql.FIVE_MINUTES, self._retention.five_minutes), (sql.HOURS, self._retention.hours)):
                yield from sealing.forget_rolled_up(self._database, level, now - keep)

    def _seal(self) -> int:
        sealed = sealing.seal(self._database, self._shelves)
        self._hot -= sealed
        self._set_aside()
        return sealed

    def _set_aside(self) -> None:
        """Move what is damaged out of the way, and tell."""
        if not self._shelves.spoiled:
            return
        spoiled, self._shelves.spoiled = dict.fromkeys(self._shelves.spoiled), []
        with self._database.transaction() as connection:
            for table, key, _ in spoiled:
                for statement in sql.SET_ASIDE[table]:
                    connection.execute(statement, (key,))
        for *_, name in spoiled:
            self._say(f"{self._database.path}: {name} were not what was written; they were set aside, everything else is there")
