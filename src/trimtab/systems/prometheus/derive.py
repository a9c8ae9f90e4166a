"""Turn two scrapes into what goals speak of: rates, ratios and quantiles over the time between them.

Called by the scraping sensor after each scrape; pure. Rules, each on the side of silence rather than of a flattering zero:

* A counter that falls was reset and counts from zero again: its increase is its new value. A histogram restarts as a whole.
* A label set that appears while its metric was already known counts from zero; a metric that appears is only a starting point.
* Where the denominator, or the histogram, did not move, nothing happened that could be measured: the series is missing (None).
* The value is in the unit that the derived name carries: a histogram in seconds, named _ms, is multiplied by 1000.
* NaN and infinity pass through: whether a value can be trusted is judged by `monitor`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from trimtab.systems.prometheus.exposition import Labels, Scrape
from trimtab.systems.prometheus.units import factor_of_quantile, factor_of_rate, factor_of_ratio


@dataclass(frozen=True, slots=True)
class Derivation:
    """One derived series: exactly one of `rate`, `ratio`, `quantile` with `of`. `where` are labels that must match."""

    name: str
    rate: str | None = None
    ratio: tuple[str, str] | None = None
    quantile: float | None = None
    of: str | None = None
    where: Mapping[str, str] = field(default_factory=dict)


def sources(what: Derivation) -> tuple[str, ...]:
    """The names of the samples that a derived series is made of.

    >>> sources(Derivation("p95", quantile=0.95, of="latency_seconds"))
    ('latency_seconds_bucket',)
    """
    if what.of is not None:
        return (f"{what.of}_bucket",)
    counters = what.ratio if what.ratio is not None else (what.rate or "",)
    return tuple(name for counter in counters for name in (counter, f"{counter}_total"))


def factor(what: Derivation) -> float:
    """What a derived series is multiplied with to be in the unit that its name carries.

    Raises `UnitMismatch` where it measures something else than its name says.
    """
    if what.rate is not None:
        return factor_of_rate(what.name, what.rate)
    if what.ratio is not None:
        return factor_of_ratio(what.name, what.ratio)
    return factor_of_quantile(what.name, what.of or "")


def derive(what: Derivation, before: Scrape, after: Scrape) -> float | None:
    """The value of a derived series between two scrapes of one target, None where it is missing; in its name's unit.

    Raises `UnitMismatch` as `factor` does; options with such a name are refused before.

    >>> from trimtab.systems.prometheus.exposition import parse
    >>> a, b = parse("hits_total 10", 0.0), parse("hits_total 40", 60.0)
    >>> derive(Derivation("hits_per_second", rate="hits_total"), a, b)
    0.5
    """
    value = _as_counted(what, before, after)
    return None if value is None else value * factor(what)


def _as_counted(what: Derivation, before: Scrape, after: Scrape) -> float | None:
    """The value in the units of its sources."""
    if after.at <= before.at:
        return None
    if what.rate is not None:
        grown = increase(what.rate, what.where, before, after)
        return None if grown is None else grown / (after.at - before.at)
    if what.ratio is not None:
        return _ratio(what.ratio, what.where, before, after)
    return _quantile(what, before, after)


def increase(name: str, where: Mapping[str, str], before: Scrape, after: Scrape) -> float | None:
    """How far a counter grew, summed over the label sets that match; None where no label set does, or it was not known before."""
    was, now = before.find(name), after.find(name)
    if was is None or now is None:
        return None
    matching = {labels: value for labels, value in now.items() if _matches(labels, where)}
    return sum(_grown(was.get(labels), value) for labels, value in matching.items()) if matching else None


def _ratio(names: tuple[str, str], where: Mapping[str, str], before: Scrape, after: Scrape) -> float | None:
    above, below = (increase(name, where, before, after) for name in names)
    if above is None and before.find(names[0]) is not None and after.find(names[0]) is not None:
        above = 0.0  # known, but without such a label set yet: an error that never happened. Misspelt labels stop below
    if above is None or below is None or below == 0.0:
        return None
    return above / below


def _quantile(what: Derivation, before: Scrape, after: Scrape) -> float | None:
    was, now = before.find(f"{what.of}_bucket"), after.find(f"{what.of}_bucket")
    if was is None or now is None or what.quantile is None:
        return None
    counts: dict[float, float] = {}
    for buckets in _histograms(now, what.where):
        restarted = any(value < was.get(labels, 0.0) for labels, value in buckets)
        for labels, value in buckets:
            bound = float(dict(labels)["le"])
            counts[bound] = counts.get(bound, 0.0) + (value if restarted else value - was.get(labels, 0.0))
    return histogram_quantile(what.quantile, sorted(counts.items()))


def histogram_quantile(q: float, buckets: Sequence[tuple[float, float]]) -> float | None:
    """The q-quantile (0 to 1) of cumulative (upper bound, count) buckets in order, interpolated as in PromQL's function.

    The lowest bucket starts at 0 unless its bound is not positive, in which case that bound is the answer; a quantile in the +Inf
    bucket is answered with the bound below it. NaN without a +Inf bucket or with only that one; None where nothing was observed.

    >>> histogram_quantile(0.5, [(1.0, 2.0), (2.0, 6.0), (float("inf"), 8.0)])
    1.5
    """
    if len(buckets) < 2 or buckets[-1][0] != float("inf"):
        return float("nan") if buckets else None
    counts = _monotonic([count for _, count in buckets])
    total = counts[-1]
    if total == 0.0:
        return None
    if total != total or total == float("inf"):
        return float("nan")
    rank = q * total
    index = next(position for position, count in enumerate(counts) if count >= rank)
    upper = buckets[index][0]
    if index == len(buckets) - 1:
        return buckets[-2][0]
    if index == 0 and upper <= 0.0:
        return upper
    lower, below = (buckets[index - 1][0], counts[index - 1]) if index else (0.0, 0.0)
    inside = counts[index] - below
    return lower + (upper - lower) * ((rank - below) / inside) if inside > 0.0 else upper


def _monotonic(counts: Sequence[float]) -> list[float]:
    """Counts that never fall: a scrape that is not atomic may show a bucket below its smaller neighbour. NaN stays."""
    highest: list[float] = []
    for count in counts:
        highest.append(highest[-1] if highest and count < highest[-1] else count)
    return highest


def _histograms(samples: Mapping[Labels, float], where: Mapping[str, str]) -> Sequence[Sequence[tuple[Labels, float]]]:
    """The buckets that match, one group for each label set apart from `le`."""
    groups: dict[Labels, list[tuple[Labels, float]]] = {}
    for labels, value in samples.items():
        if _matches(labels, where) and _bound(labels) is not None:
            groups.setdefault(frozenset(pair for pair in labels if pair[0] != "le"), []).append((labels, value))
    return list(groups.values())


def _bound(labels: Labels) -> float | None:
    try:
        return float(next(value for name, value in labels if name == "le"))
    except (StopIteration, ValueError):
        return None


def _grown(was: float | None, now: float) -> float:
    return now if was is None or now < was else now - was


def _matches(labels: Labels, where: Mapping[str, str]) -> bool:
    return labels.issuperset(where.items())
