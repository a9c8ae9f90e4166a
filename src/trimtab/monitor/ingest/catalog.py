"""Which series is meant: known again by the raw bytes of its labels, so that only the first sample of a series costs a parse."""

from __future__ import annotations

from collections.abc import Callable

from trimtab.domain.metrics import Series

Belongs = Callable[[dict[str, str]], tuple[str, dict[str, str]]]
MOST_SERIES = 100_000
MORE_OF_ELEMENTS = 0.25  # of the most: room that series of no element cannot take
MOST_LABELS = 16 * 1024  # bytes that the labels of one series may have
MOST_BYTES = 64 * 1024 * 1024  # that all labels may have: a few times as much is held
OWN = "trimtab_"  # how our own series of an element begin, such as those of what its levers held; nobody pushes these
FULL = -1  # the number of every series that there is no room for


class Catalog:
    """Numbers series from 0, in the order in which they first came. Holds at most `most` of them, and some more of elements.

    What there is no room for gets `FULL`, and so does what takes a name of our own for an element, or labels beyond all measure.
    `belongs` tells which element labels belong to ("" for none), and which of them tell one series of it from another.
    """

    def __init__(self, most: int = MOST_SERIES, belongs: Belongs = lambda labels: ("", labels)) -> None:
        self.series: list[Series] = []
        self.numbers: dict[bytes, int] = {}  # raw labels → number; the decoders look here first
        self._by_id: dict[str, int] = {}
        self._most, self._belongs, self._bytes = most, belongs, 0
        self._fresh: list[bytes] = []  # since `begin`
        self._began = 0

    def begin(self) -> None:
        """A body begins. `forget` takes back what it brings."""
        self._fresh, self._began = [], len(self.series)

    def forget(self) -> None:
        """Nothing of the body that began last was taken: its new series must not keep the place of others."""
        for raw in self._fresh:
            del self.numbers[raw]
            self._bytes -= len(raw)
        for series in self.series[self._began :]:
            del self._by_id[series.metric_id]
        del self.series[self._began :]
        self._fresh = []

    def add(self, raw: bytes, name: str, labels: dict[str, str], source: str) -> int:
        """The number of the series that came as `raw`. Equal labels in another order or spelling are the same series."""
        if len(raw) > MOST_LABELS:
            return FULL
        element, telling = self._belongs(labels)
        series = Series.named(name, element, telling, source=source)
        number = self._by_id.get(series.metric_id, FULL)
        room = self._bytes + len(raw) <= MOST_BYTES
        if number == FULL and room and self._has_place(element, name):
            number = self._by_id[series.metric_id] = len(self.series)
            self.series.append(series)
        if room and len(self.numbers) < 2 * self._most:  # a sender that spells its labels anew each time must not fill the memory
            self.numbers[raw] = number
            self._fresh.append(raw)
            self._bytes += len(raw)
        return number

    def _has_place(self, element: str, name: str) -> bool:
        if not element:
            return len(self.series) < self._most
        return not name.startswith(OWN) and len(self.series) < self._most * (1.0 + MORE_OF_ELEMENTS)
