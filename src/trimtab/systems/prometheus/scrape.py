"""The sensor that scrapes a target in the Prometheus text format. Called by `monitor` when it is due.

A target that refuses the connection has told something: it is down, and `up` reads 0. Whatever else goes wrong (a time-out, an
error status, text that is no exposition) is our silence, and an error: a guess would look like a fact.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

from trimtab.domain.errors import SensorError
from trimtab.domain.metrics import Health, Reading, Series, Trust
from trimtab.systems.net import Net, NoAnswer, clean_url
from trimtab.systems.prometheus.derive import Derivation, derive, sources
from trimtab.systems.prometheus.exposition import Labels, Scrape, parse
from trimtab.systems.prometheus.options import PrometheusOptions
from trimtab.systems.prometheus.pages import PageReader

BUCKET = "_bucket"  # of a histogram
MAX_SERIES = 5_000  # taken from one target
NEW_LINES = 1_000  # never seen before that are read on the spot, 5 ms; a page with more of them is read beside the loop


class ScrapeSensor:
    """Reads `up`, gauges as they are, and series derived from two scrapes. The first scrape yields nothing derived."""

    def __init__(self, options: PrometheusOptions, element: str, net: Net) -> None:
        self.url = options.url or ""
        self.name = options.name or f"prometheus {clean_url(self.url)}"
        self.element = element
        self.interval = options.interval_seconds
        self._options = options
        self._net = net
        self._derivations = [item.derivation() for item in options.derive]
        self._source = f"prometheus {clean_url(self.url)}"
        named = [form for name in options.metrics or () for form in (name, f"{name}_total")]
        only = frozenset(named).union(*(sources(what) for what in self._derivations))
        self._page = PageReader(only, gauges=options.metrics is None)
        self._before: Scrape | None = None
        self._absence: Trust | None = None  # why the last read that worked was without what was promised
        self._scrapes = 0
        self._plain_names: tuple[frozenset[str], Sequence[str]] = (frozenset(), ())  # gauges, and what was made of them
        self._series: dict[str, dict[Labels, Series]] = {}  # name → labels → what has been read before

    @property
    def metric_names(self) -> Sequence[str]:
        """`up`, the metrics named in the options (the gauges last seen, where none are named), and the derived series."""
        return ["up", *self._wanted(), *(what.name for what in self._derivations)]

    async def read(self, now: float) -> Sequence[Reading]:
        """Scrape once. Raises `SensorError` where the target listens but says nothing usable."""
        try:
            scrape = await self._scrape(now)
        except NoAnswer as error:
            self._absence = None
            if error.refused:
                self._absence = Trust(Health.MISSING, error.message)
                return [self._reading("up", 0.0, now)]
            raise SensorError(f"{self.name}: {error.message}", remedy=error.remedy) from error
        before, self._before = self._before, scrape
        self._absence, self._scrapes = None, self._scrapes + 1
        readings = [self._reading("up", 1.0, now), *self._plain(scrape), *self._derived(before, scrape)]
        if len(readings) > MAX_SERIES:
            raise SensorError(
                f"{self.name}: {len(readings):,} series, more than {MAX_SERIES:,}", remedy="Name the ones you need under metrics"
            )
        return readings

    def why_absent(self, name: str) -> Trust | None:
        """That nothing listens there, or that what is derived takes two scrapes; None where the page is without it."""
        if self._absence is not None or self._scrapes != 1:
            return self._absence
        derived = any(what.name == name for what in self._derivations)
        return Trust(Health.WARMING_UP, "needs a second reading") if derived else None

    async def _scrape(self, now: float) -> Scrape:
        asked = {"Accept": "text/plain;version=0.0.4"} | self._options.headers
        answer = await self._net.fetch(self.url, headers=asked, timeout_seconds=self._options.timeout_seconds)
        answer.require_ok()
        if not answer.framed and not answer.body.endswith(b"\n"):
            raise NoAnswer(f"{answer.url} ended in the middle of a line")  # a number cut short would read as a counter that fell
        try:
            text = answer.text()
            found = self._page.read(text, now, new_lines=NEW_LINES)
            return found if found is not None else await asyncio.to_thread(self._page.read_all, text, now)
        except (ValueError, IndexError, KeyError) as error:
            raise NoAnswer(f"{answer.url} is not in the Prometheus text format ({error}): {answer.glimpse()}") from error

    async def unmet(self, now: float) -> Sequence[tuple[str, str, str]]:
        """(derived series, the name that the page lacks, the one that it has instead or "") after a `read`.

        For a person who looks: the page is read anew, whole. A counter with labels may also not have counted yet.
        Raises `NoAnswer`, `ValueError`.
        """
        wants = [(what.name, name) for what in self._derivations for name in _needed(what)]
        if self._before is None or not (lacks := [want for want in wants if self._before.find(want[1]) is None]):
            return ()
        answer = await self._net.fetch(self.url, headers=self._options.headers, timeout_seconds=self._options.timeout_seconds)
        page = await asyncio.to_thread(parse, answer.require_ok().text(), now)
        found = []
        for series, name in lacks:
            histogram, short = name.endswith(BUCKET), name.removesuffix(BUCKET)
            there = sorted(each.removesuffix(BUCKET) for each in page.samples if each.endswith(BUCKET) == histogram)
            near = get_close_matches(short, there, n=1, cutoff=0.4)
            found.append((series, short, near[0] if near else there[0] if len(there) == 1 else ""))
        return found

    def _plain(self, scrape: Scrape) -> Iterator[Reading]:
        at = scrape.at
        for name in self._wanted():
            found = scrape.find(name) or {}
            series = self._series_of(name, found)
            for labels, value in found.items():
                yield Reading(series[labels], value, at)

    def _series_of(self, name: str, found: Mapping[Labels, float]) -> Mapping[Labels, Series]:
        """What is read under a name, each made once: its id is asked for at every later step."""
        known = self._series.get(name)
        if known is None or known.keys() != found.keys():
            was = known or {}
            known = self._series[name] = {labels: was.get(labels) or self._one(name, dict(labels)) for labels in found}
        return known

    def _wanted(self) -> Sequence[str]:
        if self._options.metrics is not None:
            return self._options.metrics
        seen = self._before.gauges if self._before is not None else frozenset()
        if self._plain_names[0] != seen:
            self._plain_names = seen, sorted(seen - {what.name for what in self._derivations} - {"up"})
        return self._plain_names[1]

    def _derived(self, before: Scrape | None, after: Scrape) -> Iterator[Reading]:
        for what in self._derivations if before is not None else ():
            value = derive(what, before, after) if before is not None else None
            if value is not None:
                yield self._reading(what.name, value, after.at)

    def _reading(self, name: str, value: float, now: float) -> Reading:
        return Reading(self._series_of(name, {frozenset(): value})[frozenset()], value, now)

    def _one(self, name: str, labels: Mapping[str, str]) -> Series:
        return Series.named(name, self.element, labels, source=self._source)

    async def close(self) -> None:
        """Nothing is held: connections belong to `Net`."""


def _needed(what: Derivation) -> Sequence[str]:
    """What a page has to have for a derived series: each counter once, which may go without its `_total`."""
    return what.ratio or sources(what)[:1]
