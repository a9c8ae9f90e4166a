"""Which number a series has in the metric store, and what is known of it besides. Used by `metrics` only."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from trimtab.domain.metrics import MetricType, Series, StoredSample, Unit
from trimtab.storage.codec import canonical, clean
from trimtab.storage.database import Database
from trimtab.storage.metrics_sql import UPSERT_SERIES
from trimtab.storage.section import Integers

TUPLES = 64  # tuples of series that are known by sight: every sensor and every source of pushes writes the same one again


class Catalogue:
    """The numbers of series, remembered. What a transaction adds counts only once `keep` was called after it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, tuple[Series, int]] = {}  # metric_id → as last described, and its number in the file
        self._fresh: dict[str, tuple[Series, int]] = {}
        self._numbers: dict[str, int] = {}  # of series that were only asked for; a number never changes
        self._tuples: dict[int, tuple[Sequence[Series], Integers]] = {}  # by identity: hashing a thousand series takes longer
        self._fresh_tuples: dict[int, tuple[Sequence[Series], Integers]] = {}

    def numbers(self, connection: sqlite3.Connection, series: Sequence[Series]) -> Integers:
        """The number of each, (n,); new ones are entered. A tuple that was given before is known by sight."""
        known = self._tuples.get(id(series))
        if known is not None and known[0] is series:
            return known[1]
        numbers = np.fromiter((self._number(connection, one) for one in series), np.int64, len(series))
        if isinstance(series, tuple):
            self._fresh_tuples[id(series)] = (series, numbers)
        return numbers

    def keep(self) -> None:
        """The transaction went through."""
        if self._fresh:
            self._known.update(self._fresh)
            self._tuples.clear()  # what an earlier tuple says of a series may not be what was said last
        if self._fresh_tuples:
            self._tuples.update(self._fresh_tuples)
            while len(self._tuples) > TUPLES:
                del self._tuples[next(iter(self._tuples))]
        self.drop()

    def drop(self) -> None:
        """It did not: a number that was rolled back belongs to nobody."""
        self._fresh, self._fresh_tuples = {}, {}

    def known(self, metric_ids: Sequence[str]) -> dict[str, int]:
        """The numbers of those that there are."""
        found = {}
        for metric_id in metric_ids:
            if (one := self._known.get(metric_id)) is not None:
                found[metric_id] = one[1]
            elif (number := self._numbers.get(metric_id)) is not None:
                found[metric_id] = number
            elif rows := self._database.rows("SELECT id FROM series WHERE metric_id = ?", clean(metric_id)):
                found[metric_id] = self._numbers[metric_id] = int(rows[0][0])
        return found

    def every(self) -> list[Series]:
        """All series, in order of their ids."""
        rows = self._database.rows(
            "SELECT name, element, tags, metric_type, unit, source, metadata FROM series ORDER BY metric_id"
        )
        return [_series(*map(str, row)) for row in rows]

    def whole(self, metric_id: str, samples: Sequence[tuple[float, float]]) -> list[StoredSample]:
        """Samples with all that is known of their series."""
        about = self._database.rows(
            "SELECT metric_type, source, metadata, tags FROM series WHERE metric_id = ?", clean(metric_id)
        )
        if not about:
            return []
        kind, source, metadata, tags = about[0]
        described = MetricType(kind), source, _pairs(metadata), _pairs(tags)
        return [_sample(metric_id, at, value, *described) for at, value in samples]

    def _number(self, connection: sqlite3.Connection, series: Series) -> int:
        metric_id = series.metric_id
        known = (self._fresh and self._fresh.get(metric_id)) or self._known.get(metric_id)
        if known is None or (known[0] is not series and known[0] != series):  # a sensor mostly yields the very same one again
            (number,) = connection.execute(UPSERT_SERIES, _described(metric_id, series)).fetchone()
            known = self._fresh[metric_id] = (series, number)
        return known[1]


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
