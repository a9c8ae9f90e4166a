"""When sensors are read: on their grid, never twice at once, and a bounded number of times in between."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.monitor import Monitor
from trimtab.monitor.schedule import EXTRA_LOOKS


def a_monitor(*sensors):
    return Monitor(sensors, interval_seconds=30.0, window_seconds=3600.0)


def test_sensors_are_read_at_their_own_interval_or_the_agents(make_sensor):
    slow, fast = make_sensor("slow"), make_sensor("fast", interval=5.0)
    monitor = a_monitor(slow, fast)
    assert monitor.next_due() == -math.inf
    reads: dict[str, list[float]] = {"slow": [], "fast": []}
    for now in range(100, 161):
        for sensor in monitor.due(float(now)):
            reads[sensor.name].append(now)
            monitor.post(sensor, [], float(now))
    assert reads["slow"] == [100, 130, 160]
    assert reads["fast"] == list(range(100, 161, 5))


def test_a_sensor_that_is_being_read_is_not_due(make_sensor):
    sensor = make_sensor()
    monitor = a_monitor(sensor)
    assert monitor.due(0.0) == [sensor]
    assert monitor.due(30.0) == monitor.due(300.0) == []
    assert monitor.next_due() == math.inf
    monitor.post(sensor, [], 301.0)
    assert monitor.due(301.0) == [sensor]
    monitor.post(sensor, [], 302.0)
    assert monitor.next_due() == 330.0  # back on its grid, without making up for what it missed


def test_a_clock_that_went_back_does_not_silence_the_sensors(make_sensor):
    sensor = make_sensor()
    monitor = a_monitor(sensor)
    monitor.due(10_000.0)
    monitor.post(sensor, [], 10_000.0)
    assert monitor.due(5_000.0) == [sensor]


@pytest.mark.parametrize(("count", "spread"), [(16, False), (40, True)], ids=["few", "many"])
def test_phases_are_spread_only_where_there_are_many(make_sensor, count, spread):
    monitor = a_monitor(*(make_sensor(str(i)) for i in range(count)))
    at_once = len(monitor.due(0.0))
    assert at_once == (1 if spread else count)
    assert at_once + len(monitor.due(0.25 * 30.0)) == count


def test_looking_again_is_soon_bounded_and_for_that_element_only(make_sensor):
    shop, other = make_sensor("a", "shop"), make_sensor("b", "other")
    monitor = a_monitor(shop, other)
    for sensor in monitor.due(0.0):
        monitor.post(sensor, [], 0.0)
    looks = 0
    for second in range(1, 30):
        monitor.look_again("shop", float(second))
        due = monitor.due(float(second))
        assert other not in due
        for sensor in due:
            looks += 1
            monitor.post(sensor, [], float(second))
    assert looks == EXTRA_LOOKS
    assert not monitor.look_again("shop", 29.5)
    assert monitor.due(30.0) == [shop, other]  # the regular read is where it was


def test_asking_twice_for_the_same_look_counts_once(make_sensor):
    sensor = make_sensor()
    monitor = a_monitor(sensor)
    monitor.post(monitor.due(0.0)[0], [], 0.0)
    assert all(monitor.look_again("shop", 5.0) for _ in range(10))
    assert monitor.next_due() == 5.0
    monitor.due(5.0)
    monitor.post(sensor, [], 5.0)
    assert monitor.look_again("shop", 6.0)


@given(st.lists(st.tuples(st.floats(0.0, 20.0), st.booleans()), max_size=60))
def test_any_run_of_asks_keeps_the_bound_and_the_grid(make_sensor_once, asks):
    sensor = make_sensor_once()
    monitor = a_monitor(sensor)
    now, reads = 0.0, []
    for step, again in asks:
        now += step
        if again:
            monitor.look_again("shop", now)
        for one in monitor.due(now):
            reads.append(now)
            monitor.post(one, [], now)
        assert monitor.next_due() <= now + 30.0
    for start in reads:  # regular reads, and extra looks of at most two allowances
        assert sum(start <= read < start + 30.0 for read in reads) <= 2 + 2 * EXTRA_LOOKS


@pytest.fixture(scope="session")
def make_sensor_once():
    from dataclasses import dataclass

    @dataclass(eq=False)
    class Quiet:
        name: str = "s"
        element: str = "shop"
        interval: float | None = None
        metric_names: tuple[str, ...] = ()

    return Quiet
