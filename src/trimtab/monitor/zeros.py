"""Is this zero a fact, or what a broken target says instead of an error? Asked by `Monitor.post` for each exact 0."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from trimtab.domain.metrics import MetricType, Reading, Series, Unit
from trimtab.monitor.windows import Array
from trimtab.stats.scale import mad_sd, median

_NEVER_ZERO = (
    MetricType.RESPONSE_TIME,
    MetricType.LATENCY,
    MetricType.MEMORY_USAGE,
    MetricType.CPU_USAGE,
    MetricType.SUCCESS_RATE,
)
_TIMING = re.compile(r"(^|_)(p\d{1,4}|duration|elapsed|response|rtt)(_|$)")
_LIVENESS = re.compile(r"(^|_)up$")  # says in so many words that the target is gone
_OWN_TALK = re.compile(r"(^|_)up$|^scrape_.*$")  # about the reading itself: changes although the target is dead
_PAST_OF_NEVER_ZERO = 3  # samples
_PAST_OF_OTHERS = 8  # samples
_FAR = 6.0  # robust scales between the median and zero
_LOOK_BACK = 256  # samples


def suspect_zero(series: Series, past: Array, *, had_zero: bool, target_alive: bool) -> str | None:
    """Why an exact 0 cannot be believed, or None where it can. `past` (n,) are the series' good values so far.

    The rule, first row that fits:

    | the series                                     | its past                      | an exact 0 is                 |
    |------------------------------------------------|-------------------------------|-------------------------------|
    | any                                            | had a zero before             | believed                      |
    | `up`, or a name that ends in `_up`             | any                           | believed: it is the evidence  |
    | type response_time, latency, memory_usage,     | ≥ 3 samples, none of them 0   | suspect, until it ends        |
    | cpu_usage, success_rate; a timing by its name  | fewer                         | believed                      |
    | any                                            | < 8 samples, or median within | believed                      |
    |                                                | 6 robust scales of 0          |                               |
    | throughput, or in a unit per second            | ≥ 8 samples, far from 0       | suspect, until it ends        |
    | every other (queue lengths, counts, ratios, …) | ≥ 8 samples, far from 0       | suspect, until the target is  |
    |                                                |                               | seen alive in the same read   |

    A suspect zero is neither kept nor acted upon, so it never becomes its own precedent. The target is alive when another series
    of the same read is non-zero and has changed since its last sample (see `target_alive`).
    """
    if had_zero or _LIVENESS.search(series.name):
        return None
    if _is_never_zero(series):
        return _first_zero(past) if len(past) >= _PAST_OF_NEVER_ZERO else None
    if len(past) < _PAST_OF_OTHERS or not _far_from_zero(past[-_LOOK_BACK:]):
        return None
    if series.metric_type is MetricType.THROUGHPUT or series.unit is Unit.PER_SECOND:
        return _first_zero(past)
    return None if target_alive else f"{_first_zero(past)}, and nothing else in the same read shows the target alive"


def target_alive(read: Iterable[Reading], last_values: Mapping[str, float]) -> bool:
    """Whether a read shows life: a series that is neither zero nor what it was before."""
    return any(
        reading.value not in (0.0, last_values.get(reading.series.metric_id, reading.value))
        for reading in read
        if not _OWN_TALK.match(reading.series.name)
    )


def _is_never_zero(series: Series) -> bool:
    timing = series.unit in (Unit.SECONDS, Unit.MILLISECONDS) and _TIMING.search(series.name) is not None
    return timing or series.metric_type in _NEVER_ZERO


def _far_from_zero(past: Array) -> bool:
    return abs(median(past)) > _FAR * mad_sd(past)


def _first_zero(past: Array) -> str:
    return f"exactly 0 for the first time after {len(past)} samples that were not, which is more often an error than a fact"
