"""The sensor of what is pushed: it reads nothing itself, and yields what it was told since it was asked last.

Called by the inbox with every sample of its element, and by `monitor` when it is due. Counters and histograms become rates,
ratios and quantiles exactly as when they are scraped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from trimtab.config import SensorOptions
from trimtab.config.parts import MetricName
from trimtab.domain.errors import SensorError
from trimtab.domain.metrics import Health, Reading, Series, Trust
from trimtab.systems.prometheus.derive import derive, sources
from trimtab.systems.prometheus.exposition import PARTS, Labels, Scrape
from trimtab.systems.prometheus.options import DeriveOptions

FORGET_SECONDS = 300.0  # a series that is silent for so long is gone, as Prometheus has it
MOST_READINGS = 100_000  # that wait to be asked for


class PushedOptions(SensorOptions):
    """Metrics that others push to this agent: Prometheus remote write at /api/v1/write, OTLP at /v1/metrics."""

    type: Literal["pushed"] = "pushed"
    match: dict[str, str] = Field(min_length=1, description="Labels that tell this element's series, such as {job: checkout}.")
    metrics: tuple[MetricName, ...] | None = Field(
        None, description="Names to take as they are, with their labels. Default: all but counters and histograms."
    )
    derive: tuple[DeriveOptions, ...] = Field((), description="Series made of counters and histograms.")


class PushedSensor:
    """Yields samples at the times that their senders gave them; derived series at the time of the newest sample."""

    def __init__(self, options: PushedOptions, element: str) -> None:
        told = ", ".join(f"{key}={value}" for key, value in sorted(options.match.items()))
        self.name = options.name or f"pushed {told}"
        self.element, self.match = element, options.match
        self.interval = options.interval_seconds
        self._derivations = [item.derivation() for item in options.derive]
        self._wanted = None if options.metrics is None else frozenset(options.metrics)
        self.sources = frozenset().union(*(sources(what) for what in self._derivations))
        self._waiting: list[Reading] = []
        self._latest: dict[str, dict[Labels, tuple[float, float]]] = {}  # name → labels → when, and what
        self._newest = 0.0
        self._before: Scrape | None = None
        self._made = {what.name: Series.named(what.name, element, source=self.name) for what in self._derivations}

    @property
    def metric_names(self) -> Sequence[str]:
        """The metrics that the options name, and the derived series."""
        return [*sorted(self._wanted or ()), *(what.name for what in self._derivations)]

    def hear(self, series: Series, timestamp: float, value: float) -> None:
        """Remember a sample until it is asked for."""
        if series.name in self.sources:
            known = self._latest.setdefault(series.name, {})
            labels = frozenset(series.labels)
            if labels not in known or timestamp >= known[labels][0]:
                known[labels] = timestamp, value
        elif self._takes(series.name) and len(self._waiting) < MOST_READINGS:
            self._waiting.append(Reading(series, value, timestamp))
        self._newest = max(self._newest, timestamp)

    async def read(self, now: float) -> Sequence[Reading]:
        """What was pushed since the last read, and what is derived of it. Raises `SensorError` where nothing was."""
        waiting, self._waiting = sorted(self._waiting, key=lambda reading: reading.timestamp), []
        derived = self._derived()
        if not waiting and not derived and not self._began():
            raise SensorError(
                f"{self.name}: nothing was pushed since the last look",
                remedy="See that the sender runs and its clock is right",
            )
        return [*waiting, *derived]

    def why_absent(self, name: str) -> Trust | None:
        """That what is derived takes two pushes."""
        return Trust(Health.WARMING_UP, "needs a second push") if name in self._made and self._began() else None

    async def close(self) -> None:
        """Nothing is held."""

    def _takes(self, name: str) -> bool:
        return not name.endswith(PARTS) if self._wanted is None else name in self._wanted

    def _began(self) -> bool:
        return self._before is not None and self._before.at == self._newest

    def _derived(self) -> list[Reading]:
        scrape = self._scrape()
        before = self._before
        if scrape is None or (before is not None and scrape.at <= before.at):
            return []
        self._before = scrape
        values = {what.name: derive(what, before, scrape) for what in self._derivations} if before is not None else {}
        return [Reading(self._made[name], value, scrape.at) for name, value in values.items() if value is not None]

    def _scrape(self) -> Scrape | None:
        """What is known of counters and histograms, as a page would show it."""
        for known in self._latest.values():
            for labels in [labels for labels, (at, _) in known.items() if at < self._newest - FORGET_SECONDS]:
                del known[labels]
        if not self._latest:
            return None
        at = max((at for known in self._latest.values() for at, _ in known.values()), default=0.0)
        samples = {name: {labels: value for labels, (_, value) in known.items()} for name, known in self._latest.items()}
        return Scrape(at, samples)
