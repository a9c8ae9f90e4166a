"""A metric store that outlives its file: where that is damaged, it is moved aside and a new one begun, and that is said loud.

Put around `metrics` by `assembly`. Samples may be lost, a journal may not: without them the agent learns its baseline anew, and
standing still until a person comes would cost more. Nothing is deleted (decision 12).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from trimtab.domain.errors import StoreDamaged
from trimtab.domain.metrics import Aggregate, Reading, Samples, Series, StoredSample
from trimtab.domain.ports import MetricStore

T = TypeVar("T")


class MendingMetricStore:
    """A `MetricStore` on the file `path`, opened with `make`. `say` hears one sentence each time that a file was moved aside."""

    def __init__(self, path: Path, make: Callable[[Path], MetricStore], say: Callable[[str], None]) -> None:
        self._path, self._make, self._say = path, make, say
        try:
            self._store = make(path)
        except StoreDamaged as damage:
            self._store = self._begin_anew(damage)

    async def write(self, readings: Sequence[Reading]) -> None:
        """Keep finite samples; a sample of the same series and time replaces the earlier one."""
        await self._mended(lambda store: store.write(readings))

    async def write_columns(
        self, series: Sequence[Series], times: float | NDArray[np.float64], values: NDArray[np.float64]
    ) -> None:
        """The same for many series at once: `values` (n,), at one time or at `times` (n,)."""
        await self._mended(lambda store: store.write_columns(series, times, values))

    async def query(self, metric_id: str, start: float, end: float) -> Sequence[tuple[float, float]]:
        """(timestamp, value) of a series with start ≤ timestamp ≤ end, in order of time."""
        return await self._mended(lambda store: store.query(metric_id, start, end))

    async def read(self, metric_ids: Sequence[str], start: float, end: float) -> Mapping[str, Samples]:
        """The same of many series as columns; those without a sample in the range are absent."""
        return await self._mended(lambda store: store.read(metric_ids, start, end))

    async def downsampled(
        self, metric_id: str, start: float, end: float, step: float, aggregate: Aggregate
    ) -> Sequence[tuple[float, float]]:
        """(begin, figure) of each bucket of `step` seconds that overlaps the range and holds a sample."""
        return await self._mended(lambda store: store.downsampled(metric_id, start, end, step, aggregate))

    async def samples(self, metric_id: str, start: float, end: float) -> Sequence[StoredSample]:
        """The same, each sample whole."""
        return await self._mended(lambda store: store.samples(metric_id, start, end))

    async def series(self) -> Sequence[Series]:
        """Every series that was ever written, in order of its id."""
        return await self._mended(lambda store: store.series())

    async def prune(self, before: float) -> int:
        """Forget samples older than `before`; returns how many."""
        return await self._mended(lambda store: store.prune(before))

    async def tidy(self, now: float) -> None:
        """Do what keeps the store small and fast, as far as it is due."""
        await self._mended(lambda store: store.tidy(now))

    async def close(self) -> None:
        """Flush and release."""
        await self._store.close()

    async def _mended(self, work: Callable[[MetricStore], Awaitable[T]]) -> T:
        store = self._store
        try:
            return await work(store)
        except StoreDamaged as damage:
            if store is self._store:  # or another call has begun anew meanwhile
                await store.close()
                self._store = self._begin_anew(damage)
            return await work(self._store)

    def _begin_anew(self, damage: StoreDamaged) -> MetricStore:
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        aside = self._path.with_name(f"{self._path.name}.damaged-{stamp}")
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{self._path}{suffix}", f"{aside}{suffix}")
        store = self._make(self._path)
        self._say(f"{damage.message}. It was moved to {aside}, and an empty one begun: the usual levels are learned anew")
        return store
