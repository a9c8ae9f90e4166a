"""The agent as an element of its own."""

from __future__ import annotations

import asyncio

import psutil

from trimtab.domain.metrics import MetricType, Unit
from trimtab.loop.selfwatch import ELEMENT, SelfGoals, SelfSensor
from trimtab.monitor import Monitor
from trimtab.storage.memory import MemoryJournal


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


def test_an_idle_agent_is_not_one_that_uses_nothing():
    """An exact zero of a cpu_usage would be taken for an error."""
    sensor = SelfSensor()
    values = [asyncio.run(sensor.read(float(now)))[0].value for now in range(5)]
    assert all(value > 0.0 for value in values[1:])


def test_the_journals_latency_is_noted_and_nothing_else_changes():
    sensor, journal = SelfSensor(), MemoryJournal()
    timed = sensor.timed(journal)
    row = asyncio.run(timed.note("note", "hello", at=1.0))
    assert sensor.journal_write > 0.0
    assert asyncio.run(timed.head())[0] == row.seq == 1
    assert asyncio.run(timed.notes(["note"])) == asyncio.run(journal.notes(["note"]))


def test_its_goals_are_met_or_missed_like_any_other():
    sensor = SelfSensor()
    monitor = Monitor([sensor], interval_seconds=10.0, window_seconds=600.0)
    goals = SelfGoals({"trimtab_memory_bytes": 1e12, "trimtab_loop_lag_seconds": 0.1})
    sensor.lag = 3.0
    assert [state.achieved for state in goals.look(monitor, 0.0)] == [None, None]
    for now in range(0, 60, 10):
        monitor.post(sensor, asyncio.run(sensor.read(float(now))), float(now))
    states = goals.look(monitor, 50.0)
    assert [(state.element, state.achieved) for state in states] == [(ELEMENT, True), (ELEMENT, False)]
    assert SelfGoals().look(monitor, 50.0) == ()
