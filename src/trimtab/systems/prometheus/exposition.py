"""Read the Prometheus text format into a `Scrape`: the samples of one moment that somebody asked for, grouped by name.

Called through `pages`, which remembers; pure. Parsing itself is `prometheus_client`'s, at about 0.1 ms a sample: what nobody
asked for is dropped line by line before it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

Labels = frozenset[tuple[str, str]]

MAX_SAMPLES = 20_000  # asked for, of one target: about two seconds of parsing
NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?=[ \t{])")  # of a sample line
PARTS = ("_bucket", "_sum", "_count", "_total", "_created")  # samples of a family that are no gauges
GAUGES = ("gauge", "unknown", "untyped")


@dataclass(frozen=True, slots=True)
class Scrape:
    """What a target exposed at `at` (Unix seconds): sample name → labels → value.

    A name that was declared (by its TYPE line) without samples is present and empty: that is a counter which has not counted yet,
    and differs from a name that the target does not know.
    """

    at: float
    samples: Mapping[str, Mapping[Labels, float]]
    gauges: frozenset[str] = frozenset()  # names declared a gauge, or without a declared type

    def find(self, name: str) -> Mapping[Labels, float] | None:
        """The samples under a name, None where the target does not know it. A counter may go without its `_total`."""
        found = self.samples.get(name)
        return self.samples.get(f"{name}_total") if found is None else found


def parse(text: str, at: float, only: Collection[str] | None = None, *, gauges: bool = True) -> Scrape:
    """A target's text as a `Scrape`: the samples named in `only` (None: all), and every gauge where `gauges` is set.

    Raises `ValueError` where the text is not in the format.

    >>> scrape = parse('# TYPE jobs counter\\njobs_total{queue="a"} 3\\n', at=0.0)
    >>> scrape.find("jobs")
    {frozenset({('queue', 'a')}): 3.0}
    """
    from prometheus_client.parser import text_fd_to_metric_families

    lines = list(_lines(text)) if only is None else list(_asked_for(text, frozenset(only), gauges))
    if len(lines) > MAX_SAMPLES:
        raise ValueError(f"more than {MAX_SAMPLES:,} samples that were asked for")
    samples: dict[str, dict[Labels, float]] = {}
    found: set[str] = set()
    for family in text_fd_to_metric_families(lines):  # type: ignore[arg-type]  # it only iterates over lines
        for name in declared(family.name, family.type):
            samples.setdefault(name, {})
        for sample in family.samples:
            samples.setdefault(sample.name, {})[frozenset(sample.labels.items())] = float(sample.value)
            if family.type in GAUGES and not sample.name.endswith(PARTS):
                found.add(sample.name)
    return Scrape(at, samples, frozenset(found))


def _lines(text: str) -> Iterator[str]:
    """The lines that matter. Raises `ValueError` where one cannot be a sample, or none is there."""
    empty = True
    for line in text.split("\n"):
        line = line.strip()
        if line.startswith("#"):
            empty = empty and not line.startswith("# TYPE ")
            if line.startswith("# TYPE "):
                yield line
        elif line:
            if line[0] != "{" and NAME.match(line) is None:
                raise ValueError(f"not a sample: {line[:80]!r}")
            empty = False
            yield line
    if empty:
        raise ValueError("it holds no metric")


def _asked_for(text: str, only: frozenset[str], gauges: bool) -> Iterator[str]:
    """The lines of `_lines` whose sample was asked for, with the declarations that belong to them."""
    types: dict[str, str] = {}
    for line in _lines(text):
        if line.startswith("#"):
            _, _, family, kind = (*line.split(None, 3), "", "")[:4]
            types[family] = kind
            if (gauges and kind in GAUGES) or not only.isdisjoint((family, f"{family}_total", f"{family}_bucket")):
                yield line
            continue
        match = NAME.match(line)
        name = match.group() if match else ""  # a quoted name, written inside the braces: rare, and left to the parser
        if not name or name in only or (gauges and types.get(name, "untyped") in GAUGES and not name.endswith(PARTS)):
            yield line


def declared(name: str, kind: str) -> Iterator[str]:
    """The sample names that a family of this type has, for families without samples."""
    if kind == "counter":
        yield f"{name}_total"
    elif kind == "histogram":
        yield f"{name}_bucket"
    elif kind == "gauge":
        yield name
