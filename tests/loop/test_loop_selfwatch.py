"""The agent as an element of its own."""

from __future__ import annotations

import asyncio

import psutil

from trimtab.domain.metrics import MetricType, Unit
from trimtab.loop.selfwatch import ELEMENT, SelfSensor


def test_it_reads_its_own_process_and_what_the_loop_noted():
    sensor = SelfSensor()
    sensor.lag, sensor.turn, sensor.store_write = 0.5, 0.02, 0.003
    readings = asyncio.run(sensor.read(1234.0))
    assert [reading.series.name for reading in readings] == list(sensor.metric_names)
    assert {(reading.series.element, reading.timestamp) for reading in readings} == {(ELEMENT, 1234.0)}
    values = {reading.series.name: reading.value for reading in readings}
    resident = psutil.Process().memory_info().rss
    assert 0.5 * resident < values["trimtab_memory_bytes"] < 2.0 * resident
    assert (values["trimtab_loop_lag_seconds"], values["trimtab_turn_seconds"]) == (0.5, 0.02)
    assert values["trimtab_store_write_seconds"] == 0.003


def test_cpu_is_what_was_used_since_the_last_read():
    async def story():
        sensor = SelfSensor()
        await sensor.read(0.0)
        sum(number * number for number in range(400_000))
        return (await sensor.read(1.0))[0]

    busy = asyncio.run(story())
    assert busy.value > 5.0
    assert (busy.series.metric_type, busy.series.unit) == (MetricType.CPU_USAGE, Unit.PERCENT)
