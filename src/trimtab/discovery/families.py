"""What a metrics page offers to steer by: a request histogram, a request counter, an error counter. Pure; used by `init`.

Names are only a hint. What is chosen is written down as a suggestion, with its present value, for a person to judge.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from trimtab.domain.errors import UnitMismatch
from trimtab.systems.prometheus.derive import Derivation, derive, factor
from trimtab.systems.prometheus.exposition import Labels, Scrape

_OWN = (
    "promhttp_",
    "prometheus_",
    "python_",
    "go_",
    "process_",
    "jvm_",
    "nodejs_",
    "dotnet_",
    "scrape_",
)  # of the page, not of its service
_TIMES = re.compile(r"duration|latency|(response|request|handler|rpc|query)_(time|seconds|milliseconds|ms)")
_UNITS = ("_seconds", "_milliseconds", "_ms")
_REQUESTS = re.compile(r"(requests?|calls|queries|messages|jobs|tasks|handled|hits)(_total)?$")
_ERRORS = re.compile(r"(errors?|failures?|failed|exceptions?|rejected|timeouts?)(_total)?$")
_BUSY = ("request", "http", "rpc", "server", "response", "query")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A derived series worth having. `now` is its present value, over the whole life of the target where `since_start`."""

    role: str  # p95 | rate | errors
    made: Derivation
    now: float | None = None
    since_start: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """What a page offers. `labelled` names a request counter whose errors are a label, which cannot be derived from the page."""

    suggestions: tuple[Suggestion, ...]
    gauges: tuple[tuple[str, float], ...] = ()
    labelled: str = ""


def offer(prefix: str, before: Scrape, after: Scrape) -> Offer:
    """What to derive from a page, seen twice, under names that begin with `prefix`.

    >>> from trimtab.systems.prometheus.exposition import parse
    >>> pages = [parse(f"http_requests_total {count}\\n", at) for at, count in ((0.0, 10), (2.0, 40))]
    >>> [(one.made.name, one.now) for one in offer("shop", *pages).suggestions]
    [('shop_requests_per_second', 15.0)]
    """
    histogram, counters = _histogram(after), _counters(after)
    requests = _best(counters, _REQUESTS) or (f"{histogram}_count" if histogram else "")
    errors = _best([name for name in counters if name != requests], _ERRORS, like=requests)
    made: list[tuple[str, Derivation]] = []
    if histogram:
        unit = next((unit for unit in _UNITS if histogram.endswith(unit)), "")
        made.append(("p95", Derivation(f"{prefix}_p95{unit}", quantile=0.95, of=histogram)))
    if requests:
        made.append(("rate", Derivation(f"{prefix}_requests_per_second", rate=requests)))
    if requests and errors:
        made.append(("errors", Derivation(f"{prefix}_error_ratio", ratio=(errors, requests))))
    labelled = requests if requests and not errors and _has_status(after.samples.get(requests, {})) else ""
    sound = [(role, what) for role, what in made if _is_sound(what)]
    return Offer(tuple(_valued(role, what, before, after) for role, what in sound), tuple(_gauges(after)), labelled)


def _is_sound(what: Derivation) -> bool:
    """Whether the name promises what the sources measure: failed bytes per request are no error ratio."""
    try:
        factor(what)
    except UnitMismatch:
        return False
    return True


def _valued(role: str, what: Derivation, before: Scrape, after: Scrape) -> Suggestion:
    now = derive(what, before, after)
    if now is not None and isfinite(now):
        return Suggestion(role, what, now)
    nothing: Mapping[str, Mapping[Labels, float]] = {name: dict.fromkeys(found, 0.0) for name, found in after.samples.items()}
    ever = derive(what, Scrape(before.at, nothing, after.gauges), after) if role != "rate" else None
    return Suggestion(role, what, ever if ever is not None and isfinite(ever) else None, since_start=True)


def _histogram(scrape: Scrape) -> str:
    """The histogram that tells best how long requests take: by its name, then by how much it has seen."""
    names = [name.removesuffix("_bucket") for name, found in scrape.samples.items() if name.endswith("_bucket") and found]
    times = [name for name in names if _TIMES.search(name) and not name.startswith(_OWN)]
    return max(times, key=lambda name: (_score(name), _seen(scrape, name), name), default="")


def _counters(scrape: Scrape) -> list[str]:
    return sorted(
        name
        for name in scrape.samples
        if name not in scrape.gauges and not name.endswith(("_bucket", "_sum", "_created")) and not name.startswith(_OWN)
    )


def _best(names: Sequence[str], form: re.Pattern[str], like: str = "") -> str:
    """The name in this form that is about requests most, and most like `like`."""
    fitting = [name for name in names if form.search(name)]
    return max(fitting, key=lambda name: (_shared(name, like), _score(name), -len(name), name), default="")


def _score(name: str) -> int:
    return sum(word in name for word in _BUSY)


def _shared(name: str, other: str) -> int:
    """How many words two names begin with in common."""
    pairs = zip(name.split("_"), other.split("_"), strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(name.count("_"), other.count("_")) + 1) if other else 0


def _seen(scrape: Scrape, name: str) -> float:
    return sum(value for value in scrape.samples.get(f"{name}_count", {}).values() if isfinite(value))


def _has_status(samples: Mapping[Labels, float]) -> bool:
    return any(name in ("status", "code", "status_code", "outcome", "result") for labels in samples for name, _ in labels)


def _gauges(scrape: Scrape) -> list[tuple[str, float]]:
    """The gauges of the service itself that are one number each."""
    found = []
    for name in sorted(scrape.gauges):
        values = list(scrape.samples.get(name, {}).values())
        if len(values) == 1 and isfinite(values[0]) and not name.startswith(_OWN):
            found.append((name, values[0]))
    return found
