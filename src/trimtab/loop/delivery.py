"""Whose a pushed series is, how much it matters, and who hears of its samples."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from trimtab.domain.metrics import Series
from trimtab.domain.ports import Listener
from trimtab.monitor.ingest import MOST_SERIES, Catalog, Pushed

NOBODY = -1


class Priority(IntEnum):
    """How much a series matters: what is shed first has the highest number."""

    NEEDED = 0  # a goal, a guard or a derived series reads it
    KNOWN = 1  # it belongs to an element
    OTHER = 2


class Delivery:
    """Series belong to the first of `listeners` whose labels they carry. `named` metrics are what goals and guards speak of."""

    def __init__(self, listeners: Sequence[Listener], named: Collection[str], *, most_series: int = MOST_SERIES) -> None:
        self._listeners, self._named = tuple(listeners), frozenset(named)
        self.catalog = Catalog(most_series, self._belongs)
        self._places = np.empty(0, dtype=np.int64)  # series → its listener's place
        self._priorities = np.empty(0, dtype=np.int64)

    def priorities(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """How much each of the series (n,) matters."""
        self._learn()
        return np.asarray(self._priorities[numbers])

    def deliver(self, pushed: Pushed) -> None:
        """Let each listener hear of its samples."""
        self._learn()
        places = self._places[pushed.series]
        for row in np.flatnonzero(places != NOBODY).tolist():
            number = int(pushed.series[row])
            listener = self._listeners[int(places[row])]
            listener.hear(self.catalog.series[number], float(pushed.timestamps[row]), float(pushed.values[row]))

    def _learn(self) -> None:
        """Look at series that are new to the catalog, each once."""
        series, known = self.catalog.series, self._places.size
        if known == len(series):
            return
        new = [self._of(each) for each in series[known:]]
        self._places = np.concatenate([self._places, np.array([place for place, _ in new], dtype=np.int64)])
        self._priorities = np.concatenate([self._priorities, np.array([level for _, level in new], dtype=np.int64)])

    def _of(self, series: Series) -> tuple[int, Priority]:
        place = next((place for place, each in enumerate(self._listeners) if each.element == series.element), NOBODY)
        if place == NOBODY:
            return place, Priority.OTHER
        wanted = series.name in self._named or series.name in self._listeners[place].sources
        return place, Priority.NEEDED if wanted else Priority.KNOWN

    def _belongs(self, labels: dict[str, str]) -> tuple[str, dict[str, str]]:
        """The element that labels belong to, and what they tell besides."""
        for listener in self._listeners:
            if listener.match.items() <= labels.items():
                return listener.element, {key: value for key, value in labels.items() if key not in listener.match}
        return "", labels
