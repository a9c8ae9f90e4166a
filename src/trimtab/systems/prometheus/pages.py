"""Read a target's page again and again: what did not change since the last time costs next to nothing.

Called by the scraping sensor; pure but for what it remembers. Of a line only the value changes from one scrape to the next. So
each line is parsed once, and known by its beginning (name and labels, as written) from then on: a known
line costs a look-up and the reading of a number, about a hundredth. `exposition.parse` says what a page means; the two agree on
every page (the tests put generated and damaged ones to both), and a page with anything unusual in it is left to `parse`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection
from typing import NamedTuple

from trimtab.systems.prometheus.exposition import GAUGES, MAX_SAMPLES, NAME, PARTS, Labels, Scrape, declared, parse

_TYPE = re.compile(r"# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|summary|histogram|untyped|unknown)")
_BARE = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_PAIR = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="([^"\\]*)"')
_PLAIN = re.compile(rf"\{{(?:{_PAIR.pattern},)*(?:{_PAIR.pattern})?\}}")
_SPARE = 1_000  # lines remembered beyond twice those of the last page: label sets come and go
_LONG = 40  # characters of a value: longer ones are left to the library
_ALLOWED = {"summary": ("_count", "_sum", ""), "histogram": ("_count", "_sum", "_bucket")}


class _Unusual(Exception):
    """Something that only the whole parser knows what to make of."""


class _Line(NamedTuple):
    """A sample without its value. `labels` is None as long as nobody asked for it."""

    name: str
    asked: bool  # by name
    may_be_gauge: bool  # asked for where its family is one
    labels: Labels | None


class PageReader:
    """Reads the pages of one target; `only` and `gauges` as for `exposition.parse`.

    >>> reader = PageReader(None)
    >>> reader.read_all('queue{pool="a"} 3', at=0.0).find("queue")
    {frozenset({('pool', 'a')}): 3.0}
    """

    def __init__(self, only: Collection[str] | None, *, gauges: bool = True) -> None:
        self._only = None if only is None else frozenset(only)
        self._gauges = gauges
        self._known: dict[str, _Line] = {}

    def read(self, text: str, at: float, *, new_lines: int) -> Scrape | None:
        """The page as a `Scrape`, at once; None where that takes its time: more than `new_lines` of it were never seen.

        Raises `ValueError` where the text is not in the format.
        """
        try:
            return self._read(text, at, len(self._known) + new_lines)
        except _Unusual:
            return None

    def read_all(self, text: str, at: float) -> Scrape:
        """The page as a `Scrape`, however long that takes. Raises `ValueError` as `read` does."""
        try:
            found = self._read(text, at, sys.maxsize)
        except _Unusual:
            found = None
        return parse(text, at, self._only, gauges=self._gauges) if found is None else found

    def _read(self, text: str, at: float, at_most: int) -> Scrape | None:
        page, known = _Page(self._only, self._gauges), self._known
        name, types = "", page.types
        taken: bool = False
        gauges, everything = self._gauges, self._only is None
        lines = text.split("\n")
        for raw in lines:
            line = raw.strip()
            if not line:
                continue
            if line[0] == "#":
                page.comment(line)
                name = ""
                continue
            start, _, value = line.rpartition(" ")
            found = known.get(start)
            if found is None:
                start, value = self._without_time(start, value)
                found = known.get(start) or self._learn(start, line)
                if len(known) > at_most:
                    return None
            page.empty = False
            if found.name != name:
                name = found.name
                of_gauge = gauges and found.may_be_gauge and types.get(name, "untyped") in GAUGES
                taken = everything or found.asked or of_gauge
            if taken:
                labels = found.labels if found.labels is not None else self._learn_labels(start, found)
                page.sample(name, labels, _number(value))
        if len(known) > 2 * len(lines) + _SPARE:
            known.clear()
        return page.scrape(at)

    @staticmethod
    def _without_time(start: str, value: str) -> tuple[str, str]:
        """A line's beginning and its value, where a time may stand behind it."""
        if start[-1:] == "}" or _BARE.fullmatch(start):
            return start, value
        start, _, before = start.rpartition(" ")
        _number(value)  # a time is a number, too
        return start, before

    def _learn(self, start: str, line: str) -> _Line:
        match = NAME.match(line)
        if match is None or not (start[-1:] == "}" or match.end() == len(start)):
            raise _Unusual(line)
        name = match.group()
        asked = self._only is not None and name in self._only
        found = self._known[start] = _Line(name, asked, not name.endswith(PARTS), None)
        return found

    def _learn_labels(self, start: str, found: _Line) -> Labels:
        """The labels of a beginning, as the library reads them; it is not even loaded for what leaves no doubt."""
        labels = _plain_labels(start[len(found.name) :])
        if labels is not None:
            self._known[start] = found._replace(labels=labels)
            return labels
        from prometheus_client.parser import text_fd_to_metric_families

        try:
            [family] = text_fd_to_metric_families([f"{start} 0"])  # type: ignore[arg-type]  # it only iterates over lines
        except (ValueError, IndexError, KeyError) as error:
            raise _Unusual(start) from error
        [sample] = family.samples
        if sample.name != found.name or sample.timestamp is not None or sample.value != 0:
            raise _Unusual(start)
        labels = frozenset(sample.labels.items())
        self._known[start] = found._replace(labels=labels)
        return labels


def _plain_labels(text: str) -> Labels | None:
    """The labels between braces, where there is no escape in them and nothing unusual about them; None where there is."""
    if not text:
        return frozenset()
    if _PLAIN.fullmatch(text) is None:
        return None
    pairs = _PAIR.findall(text)
    names = {name for name, _ in pairs}
    unusual = len(names) < len(pairs) or any(name.startswith("__") for name in names)
    return None if unusual else frozenset(pairs)


def _number(value: str) -> float:
    """A value as the library reads it; what it would refuse, or read in another way, is unusual."""
    if "_" in value or len(value) > _LONG:
        raise _Unusual(value)
    try:
        return float(value)
    except ValueError:
        raise _Unusual(value) from None


class _Page:
    """The page so far: which family a sample belongs to, as in the format's own rules."""

    def __init__(self, only: frozenset[str] | None, gauges: bool) -> None:
        self._only, self._gauges = only, gauges
        self.types: dict[str, str] = {}
        self.empty = True
        self._samples: dict[str, dict[Labels, float]] = {}
        self._found: set[str] = set()
        self._count = 0
        self._family, self._kind, self._allowed = "", "untyped", frozenset[str]()
        self._name, self._into = "", dict[Labels, float]()  # of the sample before

    def comment(self, line: str) -> None:
        """A line that begins with #: only a declaration means anything."""
        if not line.startswith("# TYPE "):
            return
        self.empty = False
        match = _TYPE.fullmatch(line)
        if match is None or match.group(1) == "_total":
            raise _Unusual(line)
        family, kind = match.groups()
        self.types[family] = kind
        wanted = self._only is None or (self._gauges and kind in GAUGES)
        if wanted or not self._only.isdisjoint((family, f"{family}_total", f"{family}_bucket")):  # type: ignore[union-attr]
            self._declare(family, kind)

    def _declare(self, family: str, kind: str) -> None:
        self._count += 1
        self._name = ""
        if family == self._family:
            raise _Unusual(family)  # declared twice
        self._family, self._kind = family, kind
        self._allowed = frozenset(family + ending for ending in _ALLOWED.get(kind, ("",)))
        for name in declared(family.removesuffix("_total") if kind == "counter" else family, kind):
            self._samples.setdefault(name, {})

    def sample(self, name: str, labels: Labels, value: float) -> None:
        """A sample that was asked for."""
        self._count += 1
        if name != self._name:
            self._begin(name)
        self._into[labels] = value

    def _begin(self, name: str) -> None:
        """The first of several samples of one name in a row."""
        self._name, shown = name, name
        if name not in self._allowed:  # of no family: untyped, each by itself
            self._family, self._kind, self._allowed = "", "untyped", frozenset()
        elif self._kind == "counter" and not name.endswith("_total"):
            shown = f"{name}_total"  # the library's form of a counter
        if self._kind in GAUGES and not shown.endswith(PARTS):
            self._found.add(shown)
        self._into = self._samples.setdefault(shown, {})

    def scrape(self, at: float) -> Scrape:
        """What was found. Raises `ValueError` where that is nothing, or too much."""
        if self.empty:
            raise ValueError("it holds no metric")
        if self._count > MAX_SAMPLES:
            raise ValueError(f"more than {MAX_SAMPLES:,} samples that were asked for")
        return Scrape(at, self._samples, frozenset(self._found))
