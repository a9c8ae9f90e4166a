"""What every metric store asks of what it is given. Shared by `metrics` and `memory`."""

from __future__ import annotations

import math
from numbers import Real

from trimtab.domain.metrics import Reading


def finite(reading: Reading) -> bool:
    """Whether a reading is a number at a point in time. A broken target may send anything at all.

    >>> from trimtab.domain.metrics import Series
    >>> finite(Reading(Series.named("queue_length"), float("nan"), 60.0))
    False
    """
    return _finite(reading.value) and _finite(reading.timestamp)


def _finite(value: object) -> bool:
    if type(value) is float:  # nearly always
        return math.isfinite(value)
    try:
        return isinstance(value, Real) and math.isfinite(value)
    except OverflowError:  # an integer that no float can hold
        return False


def columns_do_not_fit(series: int, values: int, times: int) -> ValueError:
    """The error for columns of different lengths."""
    return ValueError(f"{series} series, {values} values and {times} times do not go together: give one value for each series")
