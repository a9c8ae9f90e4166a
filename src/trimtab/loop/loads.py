"""How much the elements have to do, against what was usual lately. Called for every plan; beliefs are kept apart by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from trimtab.domain.contexts import LEVELS, third
from trimtab.domain.metrics import MetricType, Series, Unit
from trimtab.monitor import Monitor

NOW_SAMPLES = 5  # whose mean is the load now
LEAST_SAMPLES = 20  # from which on there is something usual
WORDS = ("request", "arrival", "message", "order", "call", "quer")  # in the name of a rate that others cause


def load_levels(monitor: Monitor, elements: Iterable[str]) -> Mapping[str, str]:
    """Element → low, usual or high: the third of its recent samples that its load is in; absent where there is no such series."""
    wanted = set(elements)
    found: dict[str, str] = {}
    for series in sorted(filter(_tells_load, monitor.series()), key=lambda series: series.metric_id):
        if series.element in wanted and series.element not in found:
            values = monitor.window(series.metric_id).v
            if len(values) >= LEAST_SAMPLES:
                found[series.element] = third(float(np.mean(values <= values[-NOW_SAMPLES:].mean())), LEVELS)
    return found


def _tells_load(series: Series) -> bool:
    if series.metric_type is MetricType.THROUGHPUT:
        return True
    return series.unit is Unit.PER_SECOND and any(word in series.name for word in WORDS)
