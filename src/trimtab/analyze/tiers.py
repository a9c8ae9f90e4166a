"""Which series get a detector of their own. Asked once an analysis, between the screen and the detectors.

A detector costs 20 KB and 40 µs a sample, a place in the screen 450 bytes and 5 ns. So all series are screened, and as many as
one is willing to pay for are looked at closely: first those that goals and guards name, whatever their number; then those that
show something, at once; then those that came first. A series that shows something takes the place of the one that has shown
nothing for the longest time, and stays for an hour at least: a detector has to see how an incident ends.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence, Set
from itertools import islice

from trimtab.domain.metrics import Series

STAYS_SECONDS = 3600.0
_AT_ONCE = 16  # new ones an analysis: each detector first learns from the whole window, some 20 ms


class DeepTier:
    """At most `places` series, besides those named in `first`. `waiting` is how many have shown something and found no room.

    >>> tier = DeepTier(1); a, b = Series("a"), Series("b")
    >>> sorted(tier.choose([a, b], [], 0.0)), sorted(tier.choose([a, b], [b.metric_id], 60.0))
    (['/a'], ['/b'])
    """

    def __init__(self, places: int, *, first: Set[str] = frozenset()) -> None:
        self.places, self.waiting = places, 0
        self._first = first
        self._told: dict[str, float] = {}  # those that have a place → when they last showed something, -inf before they did
        self._shown: Sequence[Series] = ()
        self._chosen: Set[str] = frozenset()

    @property
    def sentence(self) -> str | None:
        """How many have a detector, in words; None where all do."""
        watched, shown = len(self._chosen), len(self._shown)
        if watched == shown:
            return None
        waiting = f", {self.waiting:,} that surprised wait for one" if self.waiting else ""
        return f"{watched:,} of {shown:,} series have a detector of their own, the others are screened{waiting}"

    def choose(self, shown: Sequence[Series], telling: Iterable[str], now: float) -> Set[str]:
        """The ids of the series to look at closely, among those `shown`; those of `telling` show something now."""
        telling = tuple(telling)
        if shown is self._shown and not telling:
            return self._chosen
        self._shown, ids = shown, dict.fromkeys(series.metric_id for series in shown)  # in order
        named = {series.metric_id for series in shown if series.name in self._first}
        self._told = {metric_id: at for metric_id, at in self._told.items() if metric_id in ids and metric_id not in named}
        candidates = [metric_id for metric_id in telling if metric_id in ids and metric_id not in named]
        self._told |= dict.fromkeys((metric_id for metric_id in candidates if metric_id in self._told), now)
        self._give_places([metric_id for metric_id in candidates if metric_id not in self._told], now)
        self._fill(metric_id for metric_id in ids if metric_id not in named)
        self._chosen = self._told.keys() | named
        return self._chosen

    def _give_places(self, candidates: Sequence[str], now: float) -> None:
        """To those that show something, while there is one that may be asked to leave."""
        free = self.places - len(self._told)
        quiet = [metric_id for metric_id, at in self._told.items() if at <= now - STAYS_SECONDS]
        leaving = sorted(quiet, key=self._told.__getitem__)[: max(len(candidates) - free, 0)]
        coming = candidates[: min(free + len(leaving), _AT_ONCE)]
        self.waiting = len(candidates) - len(coming)
        for metric_id in leaving[: max(len(coming) - free, 0)]:
            del self._told[metric_id]
        self._told |= dict.fromkeys(coming, now)

    def _fill(self, ids: Iterable[str]) -> None:
        """What is left goes to those that came first."""
        others = (metric_id for metric_id in ids if metric_id not in self._told)
        self._told |= dict.fromkeys(islice(others, max(self.places - len(self._told), 0)), -math.inf)
