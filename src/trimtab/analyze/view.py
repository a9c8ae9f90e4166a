"""What analysis needs to see of the monitor, and no more: replay and tests put something else in its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trimtab.domain.metrics import Series, Trust

Array = NDArray[np.float64]
EVERYTHING = 1e12  # seconds: as far back as the windows reach


class WindowView(Protocol):
    """The good samples of one series, oldest first: times (n,) in Unix seconds and values (n,) in its unit."""

    @property
    def t(self) -> Array:
        """Times, strictly rising."""
        ...

    @property
    def v(self) -> Array:
        """Values, all finite."""
        ...


class AggregateView(WindowView, Protocol):
    """Several series as one. Where `trust` is not ok, nothing may rest on the numbers."""

    @property
    def latest(self) -> float | None:
        """The newest value."""
        ...

    @property
    def mean(self) -> float | None:
        """The mean of the window."""
        ...

    @property
    def n(self) -> int:
        """How many samples there are."""
        ...

    @property
    def trust(self) -> Trust:
        """Whether a decision may rest on it."""
        ...

    @property
    def series(self) -> tuple[Series, ...]:
        """Which series it is made of."""
        ...


class MonitorView(Protocol):
    """The monitor, as analysis sees it."""

    def series(self) -> Sequence[Series]:
        """Every series that a sensor yields."""
        ...

    def trust(self, metric_id: str, now: float) -> Trust:
        """Whether a decision may rest on a series."""
        ...

    def distrusted(self, now: float) -> Sequence[tuple[Series, Trust]]:
        """The series whose trust is not ok, and why."""
        ...

    def window(self, metric_id: str) -> WindowView:
        """The good samples of a series."""
        ...

    def news(self, metric_id: str, after: float, at_most: int) -> tuple[list[float], list[float]]:
        """Times and values of the good samples later than `after`, the last `at_most` of them; oldest first."""
        ...

    def crowding(self) -> str | None:
        """Which series are not read for want of room, in words; None where there are none."""
        ...

    def aggregate(
        self, name: str, element: str | None, where: Sequence[tuple[str, str]], how: str, now: float, seconds: float
    ) -> AggregateView:
        """The matching series as one, over the last `seconds` or 5 samples, whichever is longer."""
        ...
