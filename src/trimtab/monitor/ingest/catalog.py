"""Which series is meant: known again by the raw bytes of its labels, so that only the first sample of a series costs a parse."""

from __future__ import annotations

from collections.abc import Callable

from trimtab.domain.metrics import Series

Belongs = Callable[[dict[str, str]], tuple[str, dict[str, str]]]
MOST_SERIES = 100_000
FULL = -1  # the number of every series beyond the most


class Catalog:
    """Numbers series from 0, in the order in which they first came. Holds at most `most` of them; what is beyond gets `FULL`.

    `belongs` tells which element labels belong to ("" for none), and which of them tell one series of it from another.
    """

    def __init__(self, most: int = MOST_SERIES, belongs: Belongs = lambda labels: ("", labels)) -> None:
        self.series: list[Series] = []
        self.numbers: dict[bytes, int] = {}  # raw labels → number; the decoders look here first
        self._by_id: dict[str, int] = {}
        self._most, self._belongs = most, belongs

    def add(self, raw: bytes, name: str, labels: dict[str, str], source: str) -> int:
        """The number of the series that came as `raw`. Equal labels in another order or spelling are the same series."""
        element, telling = self._belongs(labels)
        series = Series.named(name, element, telling, source=source)
        number = self._by_id.get(series.metric_id, FULL)
        if number == FULL and len(self.series) < self._most:
            number = self._by_id[series.metric_id] = len(self.series)
            self.series.append(series)
        if len(self.numbers) < 2 * self._most:  # a sender that spells its labels anew each time must not fill the memory
            self.numbers[raw] = number
        return number
