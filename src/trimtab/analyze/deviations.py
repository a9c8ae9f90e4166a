"""How far each metric left its usual course while a symptom lasted, as the logarithm of a likelihood ratio. Used by `diagnosis`.

    T = Σ c_i · y_i        over the samples of the abnormal window

The weights c contrast the samples in which the symptom shows with those in which it does not, so that what was already
different before it (another day, another version) is no evidence; where it shows in all of them, T compares their mean with
the normal median. The same T over every window of the normal time is its null distribution, whatever the metric's: scale = the
largest of its MAD, its 99th percentile / 2.33 and 5 % of the metric's median; the last not for shares of a whole, where what
is missing counts.

    log LR(z) = log f1(z) / f0(z),   f0: Student's t, 3 degrees of freedom;   f1: the same, SPREAD times as wide

so that evidence grows with log z only. A metric that was constant in n normal windows and is not now is as unlikely as a
first-ever event, 1 / (n + 2) (Laplace's rule of succession): log LR = log(n + 2), not infinity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.stats import mad_sd, median

Array = NDArray[np.float64]
Key = tuple[str, str]  # element, metric

FLOOR = 0.05  # of the median: a metric that hardly ever moves must not win by a hair; see docs/diagnosis.md
SPREAD = 10.0  # how much wider what a fault does is than chance
MOST = 10.0  # of one metric: none proves anything alone
SHOWS = 3.0  # scales between the samples with the symptom and those without, for a contrast between them
NEVER = 2.0  # log ratio against a fault in a metric that stayed as constant as it was
ENOUGH = 30  # samples, and placebos: their scale is then known within an eighth or so
SILENT = 0.8  # of the normal samples there must have been, for missing ones to be evidence

UP_IS_BAD = (
    "latency",
    "duration",
    "response_time",
    "seconds",
    "_ms",
    "error",
    "fault",
    "fail",
    "timeout",
    "queue",
    "lag",
    "wait",
)
DOWN_IS_BAD = ("availability", "success", "hit_ratio", "uptime")
LOAD = ("request", "throughput", "per_second", "calls", "qps", "rps", "load_average")


@dataclass(frozen=True, slots=True)
class Deviation:
    """What one metric did while the symptom lasted."""

    key: Key
    log_ratio: float  # log likelihood ratio of a fault against chance
    before: float
    during: float
    silent: bool = False


def bad_way(metric: str) -> int:
    """+1 where more of a metric is worse, -1 where less is, 0 where its name does not tell.

    >>> bad_way("p95_seconds"), bad_way("availability"), bad_way("pool_size")
    (1, -1, 0)
    """
    name = metric.lower()
    if any(word in name for word in DOWN_IS_BAD):
        return -1
    return 1 if any(word in name for word in UP_IS_BAD) and not is_load(metric) else 0


def is_load(metric: str) -> bool:
    """Whether a metric tells how much is asked of an element, not how it fares.

    >>> is_load("checkout_requests_per_second"), is_load("p95_seconds"), is_load("requests_failed")
    (True, False, False)
    """
    name = metric.lower()
    return any(word in name for word in LOAD) and not any(
        word in name for word in ("error", "fail", "fault", "latency", "duration")
    )


def contrast(target: Array, normal: Array, way: int) -> Array | None:
    """The weights c (m,) of the abnormal samples by how much the symptom shows in each; None where it shows in all alike.

    They sum to 0, the positive ones to 1. `target` (m,) may hold NaN, which has no weight.

    >>> contrast(np.array([1.0, 1.0, 5.0, 5.0]), np.array([1.0, 1.1, 0.9, 1.0, 1.05]), 1)
    array([-0.5, -0.5,  0.5,  0.5])
    """
    known = np.isfinite(target)
    if known.sum() < 3:
        return None
    usual = normal[np.isfinite(normal)]
    signed = np.where(known, (way or 1) * target, np.nan)
    if way == 0 and usual.size and median(np.abs(target[known] - median(usual))) > 0:
        signed = np.abs(target - median(usual))
    levels = np.sort(signed[known])
    cuts = [(_between(levels, i), i) for i in range(1, levels.size)]
    best, cut = max(cuts)
    noise = max(mad_sd(usual) if usual.size else 0.0, 1e-12)
    low, high = levels[:cut].mean(), levels[cut:].mean()
    if best <= 0.0 or high - low < SHOWS * noise:
        return None
    weights = np.zeros(target.size)
    weights[known] = signed[known] - 0.5 * (low + high)
    weights[known] = np.clip(weights[known], -0.5 * (high - low), 0.5 * (high - low))
    weights[weights > 0] /= weights[weights > 0].sum()
    weights[weights < 0] /= -weights[weights < 0].sum()
    return weights


def _between(levels: Array, cut: int) -> float:
    """Otsu's between-class variance of ascending `levels` split at `cut`."""
    share = cut / levels.size
    return float(share * (1.0 - share) * (levels[cut:].mean() - levels[:cut].mean()) ** 2)


def deviation(key: Key, normal: Array, abnormal: Array, weights: Array | None) -> Deviation | None:
    """What the metric `key` did; None where nothing can be said. `normal` (n,), `abnormal` (m,); NaN where there is no sample.

    >>> calm = np.array([10.0, 11.0, 9.0, 10.0, 10.5, 9.5, 10.0, 10.2, 9.8, 10.0] * 10)
    >>> found = deviation(("db", "latency_ms"), calm, np.array([40.0, 42.0, 41.0]), None)
    >>> found.log_ratio > 4, found.before, found.during
    (True, 10.0, 41.0)
    """
    usual = normal[np.isfinite(normal)]
    there = np.isfinite(abnormal)
    if usual.size < ENOUGH:
        return None
    before = median(usual)
    if not there.any() or (weights is not None and not (there & (weights > 0)).any() and (there & (weights < 0)).any()):
        covered = usual.size / normal.size
        if covered < SILENT:
            return None
        return Deviation(key, float(np.log(2.0 + covered * normal.size / max(abnormal.size, 1))), before, np.nan, silent=True)
    moved = _statistic(abnormal[np.newaxis, :], weights, before)[0]
    if not np.isfinite(moved):
        return None
    way = bad_way(key[1])
    placebos = _placebos(normal, abnormal.size, weights, before)
    if placebos.size < ENOUGH:
        return None
    chosen = abnormal[there & (weights > 0)] if weights is not None and (there & (weights > 0)).any() else abnormal[there]
    if weights is not None and (there & (weights < 0)).any():
        before = float(abnormal[there & (weights < 0)].mean())
    ratio = log_ratio(
        moved,
        placebos,
        FLOOR * abs(median(usual)) if not _is_share(key[1]) else 0.0,
        way,
        abnormal.size,
        1e-9 * float(np.abs(abnormal[there]).max(initial=abs(median(usual)))),
    )
    return Deviation(key, ratio, before, float(chosen.mean()))


def _is_share(metric: str) -> bool:
    """Whether a metric counts from a bound (100 % available), so that a share of its median says nothing of its noise."""
    return bad_way(metric) == -1


def log_ratio(moved: float, placebos: Array, floor: float, way: int, window: int, least: float = 0.0) -> float:
    """log f1 / f0 of a statistic, given what it was in normal time, `placebos` (k,); `least`: what rounding may come to."""
    size = way * moved if way else abs(moved)
    spread = np.abs(placebos)
    scale = max(mad_sd(placebos), float(np.quantile(spread, 0.99)) / 2.326, floor) if placebos.size else floor
    if scale <= least:
        first_ever = float(np.log(2.0 + placebos.size / max(window, 1)))
        return first_ever if size > least else -NEVER
    z = max(size / scale, 0.0)
    return float(min(MOST, 2.0 * np.log((1.0 + z * z / 3.0) / (1.0 + z * z / (3.0 * SPREAD**2))) - np.log(SPREAD)))


def _statistic(windows: Array, weights: Array | None, usual: float) -> Array:
    """T of each window (k, m): NaN samples lose their weight; NaN where one side of the contrast has none left."""
    known = np.isfinite(windows)
    filled = np.where(known, windows, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        if weights is None:
            return np.asarray(filled.sum(axis=1) / known.sum(axis=1) - usual)
        high, low = np.maximum(weights, 0.0), np.maximum(-weights, 0.0)
        return np.asarray((filled @ high) / (known @ high) - (filled @ low) / (known @ low))


def _placebos(normal: Array, m: int, weights: Array | None, usual: float) -> Array:
    if normal.size <= m:
        return normal[np.isfinite(normal)] - usual
    found = _statistic(np.lib.stride_tricks.sliding_window_view(normal, m), weights, usual)
    return np.asarray(found[np.isfinite(found)], dtype=np.float64)


def deviations(target: Key, normal: Mapping[Key, Array], abnormal: Mapping[Key, Array]) -> dict[Key, Deviation]:
    """Every metric's deviation while `target` was off. Metrics that were never seen in normal time say nothing."""
    weights = None
    if target in abnormal and target in normal:
        weights = contrast(abnormal[target], normal[target], bad_way(target[1]))
    m = max((values.size for values in abnormal.values()), default=0)
    found = {}
    for key, usual in normal.items():
        now = abnormal.get(key, np.full(m, np.nan))
        one = deviation(key, usual, now, weights if weights is not None and weights.size == now.size else None)
        if one is not None:
            found[key] = one
    return found
