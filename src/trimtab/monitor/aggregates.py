"""Several series as one: aligned on a common beat and combined. Called by `Monitor.aggregate`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from trimtab.domain.metrics import Health, Series, Trust
from trimtab.monitor.windows import Array, SeriesWindow

ENOUGH = 5  # samples before anything may rest on a series
STALE_AFTER = 2.5  # intervals of the sensor, plus a second for the read itself
_NONE: Array = np.empty(0)
_HOW: dict[str, Callable[..., Array]] = {"mean": np.mean, "max": np.max, "min": np.min, "sum": np.sum}


@dataclass(frozen=True, slots=True, eq=False)
class Aggregate:
    """What one or more series come to over a window. Where `trust` is not ok the numbers are for showing, not for acting on.

    `t` (n,) in Unix seconds and `v` (n,) in the series' unit, oldest first; `mean` is over all of `v`, `latest` its last.
    """

    latest: float | None
    mean: float | None
    n: int
    t: Array
    v: Array
    trust: Trust
    series: tuple[Series, ...] = field(default=())

    @classmethod
    def untrusted(cls, health: Health, reason: str, series: Sequence[Series] = ()) -> Aggregate:
        """An aggregate without numbers."""
        return cls(None, None, 0, _NONE, _NONE, Trust(health, reason), tuple(series))


def combine(windows: Sequence[SeriesWindow], intervals: Sequence[float], how: str) -> tuple[Array, Array]:
    """`t` (n,) and `v` (n,) of `windows` taken together; `intervals` are their sensors', in seconds.

    The slowest series sets the beat; for each of its ticks every other gives its sample nearest before the middle of the next
    interval, unless that is stale. A tick that not all of them cover is left out: half a sum is not a sum.
    """
    if how not in _HOW:
        raise ValueError(f"cannot aggregate by {how!r}: use one of {', '.join(_HOW)}")
    if len(windows) == 1:
        return windows[0].t, windows[0].v
    slowest = max(range(len(windows)), key=lambda i: (intervals[i], -len(windows[i].t)))
    ticks, slack = windows[slowest].t, 0.5 * intervals[slowest]
    pairs = zip(windows, intervals, strict=True)
    table = np.array([_sampled_at(window, interval, ticks, slack) for window, interval in pairs])  # (series, ticks)
    whole = np.isfinite(table).all(axis=0)
    return ticks[whole], np.asarray(_HOW[how](table[:, whole], axis=0), dtype=np.float64)


def _sampled_at(window: SeriesWindow, interval: float, ticks: Array, slack: float) -> Array:
    if len(window.t) == 0 or (len(window.t) == len(ticks) and bool((window.t == ticks).all())):
        return window.v if len(window.t) else np.full(len(ticks), np.nan)
    at = np.searchsorted(window.t, ticks + slack, side="right") - 1
    found = window.v[np.maximum(at, 0)]
    age = ticks - window.t[np.maximum(at, 0)]
    return np.where((at >= 0) & (age <= STALE_AFTER * interval + 1.0), found, np.nan)


def recent(t: Array, v: Array, now: float, seconds: float, interval: float) -> tuple[Array, Array]:
    """The samples of the last `seconds`, or the last `ENOUGH` where those reach further back.

    Samples from before a gap do not count: a mean over an outage would speak of a time that has passed.
    """
    oldest = now - max(seconds, STALE_AFTER * interval * ENOUGH + 1.0)
    by_time = int(np.searchsorted(t, now - seconds, side="left"))
    first = max(min(by_time, len(t) - ENOUGH), int(np.searchsorted(t, oldest, side="left")), 0)
    return t[first:], v[first:]
