"""The past of several series as one: bounded, so that a goal on thousands of series stops nobody else."""

from __future__ import annotations

import asyncio

from trimtab.domain.metrics import Reading, Series
from trimtab.loop.lookback import MOST_SERIES, Source, course, why_not
from trimtab.storage.memory import MemoryMetricStore


def test_several_series_are_one_and_too_many_are_none():
    store, asked = MemoryMetricStore(), []
    known = [Series.named("queue_length", "shop", {"i": str(i)}) for i in range(MOST_SERIES + 1)]
    inner = store.downsampled

    async def counted(*about):
        asked.append(about[0])
        return await inner(*about)

    store.downsampled = counted

    async def go():
        await store.write([Reading(one, float(i), 60.0 * at) for i, one in enumerate(known) for at in range(10)])
        t, v = await course(store, Source(tuple(known[:3])), 600.0, 60.0, 600.0)
        assert t.size == 10 and (v == 1.0).all()
        asked.clear()
        t, v = await course(store, Source(tuple(known)), 600.0, 60.0, 600.0)
        assert (t.size, v.size, asked) == (0, 0, [])
        assert "65 series" in why_not(Source(tuple(known))) and why_not(Source(tuple(known[:3]))) == ""
        assert why_not(Source(())) == "it is not read"

    asyncio.run(go())
