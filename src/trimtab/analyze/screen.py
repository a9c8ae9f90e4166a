"""The first of two tiers: all series, looked at together and briefly. Called once an analysis; says which of them surprise.

`FleetDetector` works on arrays and in ticks. Here series come and go, each finds its place, counters become rates, and ticks are
as regular as readings are, however often an analysis is woken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, tzinfo

import numpy as np

from trimtab.analyze.fleet import LIMIT, FleetDetector
from trimtab.analyze.view import MonitorView
from trimtab.domain.metrics import Series

ODD = 0.36  # one sample of normal noise in forty scores as much
_FIRST_PLACES = 64
_NEARLY = 0.98  # of a tick: a turn that comes a little early is the next one
_COUNTER = "_total"  # how the name of a counter ends


class Screen:
    """Looks at every series of a `MonitorView`, once in `tick_seconds` at the most; memory is 600 bytes a series and its place.

    Of several samples since the last tick it sees the newest. `surprises` maps the id of each series that is off its usual
    behaviour at the last tick to its score, 0.5 to 1; `ticks` counts them. `odd` has the scores from `ODD` on: too little to be
    told, and enough for a second look. A score of 0.5 is `limit_stddev` standard deviations.
    """

    def __init__(self, tick_seconds: float, *, threshold_stddev: float = 2.5, zone: tzinfo = UTC) -> None:
        self.odd: dict[str, float] = {}
        self.surprises: dict[str, float] = {}
        self.ticks = 0
        self._tick_seconds = tick_seconds
        self.limit_stddev = LIMIT * threshold_stddev
        self._fleet = FleetDetector(_FIRST_PLACES, threshold_stddev=threshold_stddev, zone=zone)
        self._places: dict[str, int] = {}
        self._free = list(reversed(range(_FIRST_PLACES)))
        self._seen = np.full(_FIRST_PLACES, -np.inf)  # time of the newest sample seen
        self._counted: dict[str, tuple[float, float]] = {}  # counters: time and count of the same
        self._ticked_at = -math.inf

    def look(self, view: MonitorView, now: float) -> bool:
        """Judge what came in since the last tick; returns whether a tick was due."""
        since, tick = now - self._ticked_at, self._tick_seconds
        if 0.0 <= since < _NEARLY * tick:
            return False
        self._ticked_at = self._ticked_at + tick if 0.0 <= since < 1.5 * tick else now  # on a grid, as readings are
        self.ticks += 1
        shown = view.series()
        self._make_places(shown)
        values, ids = np.full(self._fleet.n_series, np.nan), {}
        for series in shown:
            place = self._places[series.metric_id]
            times, news = view.news(series.metric_id, float(self._seen[place]), 1)
            if times:
                self._seen[place] = times[-1]
                values[place] = self._rate(series, times[-1], news[-1])
                ids[place] = series.metric_id
        scores = self._fleet.update(now, values)
        self.odd = {ids[place]: float(scores[place]) for place in np.flatnonzero(scores >= ODD).tolist() if place in ids}
        self.surprises = {metric_id: score for metric_id, score in self.odd.items() if score >= 0.5}
        return True

    def _rate(self, series: Series, t: float, count: float) -> float:
        """A gauge is itself; of a counter it is how fast it grew, unknown where it began anew."""
        if not series.name.endswith(_COUNTER):
            return count
        before = self._counted.get(series.metric_id)
        self._counted[series.metric_id] = t, count
        return math.nan if before is None or count < before[1] else (count - before[1]) / (t - before[0])

    def _make_places(self, shown: Sequence[Series]) -> None:
        new = [series.metric_id for series in shown if series.metric_id not in self._places]
        if len(self._places) + len(new) > len(shown):
            self._forget({series.metric_id for series in shown})
        if len(new) > len(self._free):
            self._make_room(len(self._places) + len(new))
        for metric_id in new:
            self._places[metric_id] = self._free.pop()

    def _forget(self, shown: set[str]) -> None:
        for metric_id in [metric_id for metric_id in self._places if metric_id not in shown]:
            place = self._places.pop(metric_id)
            self._counted.pop(metric_id, None)
            self._fleet.restart(place)
            self._seen[place] = -np.inf
            self._free.append(place)

    def _make_room(self, wanted: int) -> None:
        before, after = self._fleet.n_series, max(wanted, 3 * self._fleet.n_series // 2)
        self._fleet.grow(after)
        self._seen = np.concatenate((self._seen, np.full(after - before, -np.inf)))
        self._free = [*reversed(range(before, after)), *self._free]
