"""Read the Prometheus text format into a `Scrape`: every sample of one moment, grouped by name.

Called by the scraping sensor; pure. Parsing itself is `prometheus_client`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

Labels = frozenset[tuple[str, str]]

MAX_SAMPLES = 100_000  # a target that exposes more is not scraped: its memory would become ours


@dataclass(frozen=True, slots=True)
class Scrape:
    """What a target exposed at `at` (Unix seconds): sample name → labels → value.

    A name that was declared (by its TYPE or HELP line) without samples is present and empty: that is a counter which has not
    counted yet, and differs from a name that the target does not know.
    """

    at: float
    samples: Mapping[str, Mapping[Labels, float]]
    gauges: frozenset[str] = frozenset()  # names declared a gauge, or without a declared type

    def find(self, name: str) -> Mapping[Labels, float] | None:
        """The samples under a name, None where the target does not know it. A counter may go without its `_total`."""
        found = self.samples.get(name)
        return self.samples.get(f"{name}_total") if found is None else found


def parse(text: str, at: float) -> Scrape:
    """A target's text as a `Scrape`. Raises `ValueError` where it is not in the format.

    >>> scrape = parse('# TYPE jobs counter\\njobs_total{queue="a"} 3\\n', at=0.0)
    >>> scrape.find("jobs")
    {frozenset({('queue', 'a')}): 3.0}
    """
    from prometheus_client.parser import text_string_to_metric_families

    samples: dict[str, dict[Labels, float]] = {}
    gauges: set[str] = set()
    count = 0
    for family in text_string_to_metric_families(text):
        for name in _declared(family.name, family.type):
            samples.setdefault(name, {})
        for sample in family.samples:
            samples.setdefault(sample.name, {})[frozenset(sample.labels.items())] = float(sample.value)
            count += 1
            if family.type in ("gauge", "unknown", "untyped") and not sample.name.endswith(
                ("_total", "_bucket", "_sum", "_count", "_created")
            ):
                gauges.add(sample.name)
        if count > MAX_SAMPLES:
            raise ValueError(f"more than {MAX_SAMPLES:,} samples")
    if not samples:
        raise ValueError("it holds no metric")
    return Scrape(at, samples, frozenset(gauges))


def _declared(name: str, kind: str) -> Iterator[str]:
    """The sample names that a family of this type has, for families without samples."""
    if kind == "counter":
        yield f"{name}_total"
    elif kind == "histogram":
        yield f"{name}_bucket"
    elif kind == "gauge":
        yield name
