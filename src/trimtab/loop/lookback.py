"""What was, from the metric store, evenly spaced: for whoever looks ahead further than the windows in memory reach back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.domain.metrics import Aggregate, Series
from trimtab.domain.ports import MetricStore

Array = NDArray[np.float64]
DAY = 86_400.0
STEPS = ((3600.0, 56 * DAY), (300.0, 14 * DAY), (60.0, 2 * DAY))  # seconds, and how far back each is asked for
ENOUGH = 48  # steps that have to be known before a coarser one serves
SEVERAL = 4.0
MOST_SERIES = 64  # that are read as one
TREND = (300.0, 14 * DAY)  # trends are told by the five minutes' means
FEW = 60  # of those, below which the minutes' are taken
_HOW: dict[str, Callable[..., Array]] = {"mean": np.mean, "max": np.max, "min": np.min, "sum": np.sum}


@dataclass(frozen=True, slots=True)
class Source:
    """Several series as one, see `Goal.aggregate`; `weights`: what each is multiplied by first, empty for 1."""

    series: tuple[Series, ...]
    how: str = "mean"  # mean | max | min | sum
    weights: tuple[float, ...] = ()


def why_not(of: Source) -> str:
    """Why nothing of `of` is read back; empty where it is."""
    if not of.series:
        return "it is not read"
    count = len(of.series)
    return f"it is told by {count:,} series, and no more than {MOST_SERIES} are read back together" if count > MOST_SERIES else ""


async def course(store: MetricStore, of: Source, now: float, step: float, back: float) -> tuple[Array, Array]:
    """Begins (n,) of the buckets that all series of `of` have samples in, and what their means come to. Raises `StoreError`.

    None of more than `MOST_SERIES` series, see `why_not`: to read them would keep everything else waiting.
    """
    found = []
    for one in () if why_not(of) else of.series:
        found.append(dict(await store.downsampled(one.metric_id, now - back, now, step, Aggregate.MEAN)))
        await asyncio.sleep(0)  # let others have their turn
    common = sorted(set.intersection(*map(set, found))) if found else []
    if not common:
        return np.empty(0), np.empty(0)
    weights = of.weights or (1.0,) * len(found)
    table = np.array([[weight * each[at] for at in common] for each, weight in zip(found, weights, strict=True)])
    return np.array(common), np.asarray(_HOW[of.how](table, axis=0))


async def longest(store: MetricStore, of: Source, now: float, ahead: float) -> tuple[Array, Array, float]:
    """The same in the coarsest steps of which enough are known, and of which `ahead` seconds hold several; and the step."""
    for step, back in STEPS:
        t, v = await course(store, of, now, step, back)
        if t.size >= ENOUGH and ahead >= SEVERAL * step:
            break
    return t, v, step


async def trend(store: MetricStore, of: Source, now: float) -> tuple[Array, Array]:
    """What a trend is told by: times (n,) in the middle of the buckets that are over, and values (n,)."""
    step, back = TREND
    t, v = await course(store, of, now, step, back)
    if t.size < FEW:
        step, back = STEPS[-1]
        t, v = await course(store, of, now, step, back)
    over = t + step <= now
    return t[over] + 0.5 * step, v[over]
