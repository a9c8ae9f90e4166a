"""Reading more rarely, on purpose or because a target is slow: on the grid, and never stale by our own doing."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.domain.metrics import Reading, Series
from trimtab.monitor import Monitor
from trimtab.monitor.schedule import SLOWEST


def a_sample(sensor, now):
    return [Reading(Series.named(f"{sensor.name}_count", sensor.element), 5.0 + now % 7.0, now)]


def turned(monitor, seconds, start=0.0, step=1.0, took=0.0):
    """Turn for `seconds`; every read takes `took` seconds and yields one sample. Returns sensor name → times of its reads."""
    reads: dict[str, list[float]] = {sensor.name: [] for sensor in monitor.sensors}
    under_way, now = vars(monitor).setdefault("reads_of_the_test", []), start  # those that a later call sees the end of
    while now < start + seconds:
        for began, sensor in [one for one in under_way if one[0] + took <= now]:
            under_way.remove((began, sensor))
            monitor.post(sensor, a_sample(sensor, now), now)
        for sensor in monitor.due(now):
            reads[sensor.name].append(now)
            if took:
                under_way.append((now, sensor))
            else:
                monitor.post(sensor, a_sample(sensor, now), now)
        now += step
    return reads


def a_pair(make_sensor):
    return Monitor([make_sensor("a", "shop"), make_sensor("b", "other")], interval_seconds=10.0, window_seconds=3600.0)


def test_all_is_read_more_rarely_but_for_who_is_spared(make_sensor):
    monitor = a_pair(make_sensor)
    turned(monitor, 100.0)
    monitor.pace(4.0, frozenset({"shop"}))
    reads = turned(monitor, 400.0, start=100.0)
    assert len(reads["a"]) == 40 and 10 <= len(reads["b"]) <= 11


def test_what_we_read_more_rarely_is_not_stale_for_it(make_sensor):
    monitor = a_pair(make_sensor)
    turned(monitor, 100.0)
    monitor.pace(8.0)
    for now in range(100, 1000, 7):
        turned(monitor, 7.0, start=float(now))
        assert monitor.distrusted(now + 7.0) == []
    assert not monitor.trust("other/b_count", 2000.0).ok  # but it still becomes stale


@pytest.mark.parametrize("how", ["relaxed", "spared"])
def test_nor_in_the_moment_when_it_is_read_often_again(make_sensor, how):
    monitor = a_pair(make_sensor)
    monitor.pace(16.0)
    turned(monitor, 1000.0)
    monitor.pace(*((1.0,) if how == "relaxed" else (16.0, frozenset({"shop", "other"}))))
    for now in range(1000, 1100):
        turned(monitor, 1.0, start=float(now))
        assert monitor.distrusted(now + 1.0) == []
        assert monitor.aggregate("a_count", now=now + 1.0, seconds=20.0).trust.ok
    reads = turned(monitor, 100.0, start=1100.0)
    assert len(reads["a"]) == len(reads["b"]) == 10
    assert not monitor.trust("shop/a_count", 1200.0 + 2.5 * 10.0 + 1.5).ok  # and the usual age counts again


def test_a_reprieve_is_felt_at_once(make_sensor):
    monitor = a_pair(make_sensor)
    monitor.pace(16.0)
    turned(monitor, 20.0)
    monitor.pace(1.0)
    assert monitor.next_due() <= 20.0


def test_a_target_that_takes_longer_than_its_interval_is_read_more_rarely_by_itself(make_sensor):
    slow, quick = make_sensor("slow", "shop"), make_sensor("quick", "other")
    monitor = Monitor([slow, quick], interval_seconds=10.0, window_seconds=3600.0)
    reads = turned(Monitor([slow], interval_seconds=10.0, window_seconds=3600.0), 600.0, took=14.0)["slow"]
    assert all(later - earlier >= 14.0 for earlier, later in pairwise(reads))  # never on top of itself
    assert [later - earlier for earlier, later in pairwise(reads[-4:])] == [20.0] * 3
    monitor.due(0.0)
    monitor.post(quick, [], 1.0)
    monitor.post(slow, [], 14.0)
    assert (monitor.period_of(slow), monitor.period_of(quick)) == (20.0, 10.0)


def test_a_target_that_has_become_quick_again_is_read_as_configured(make_sensor):
    sensor = make_sensor()
    monitor = Monitor([sensor], interval_seconds=10.0, window_seconds=3600.0)
    turned(monitor, 300.0, took=35.0)
    assert monitor.period_of(sensor) == 40.0
    turned(monitor, 400.0, start=300.0, took=1.0)
    assert monitor.period_of(sensor) == 10.0


@given(st.lists(st.tuples(st.floats(0.1, 40.0), st.floats(0.5, 100.0), st.booleans()), max_size=30))
def test_whatever_the_pace_no_sensor_falls_silent(steps):
    from types import SimpleNamespace

    sensor = SimpleNamespace(name="s", element="shop", interval=None, metric_names=())
    monitor = Monitor([sensor], interval_seconds=10.0, window_seconds=3600.0)
    now = 0.0
    for seconds, factor, spared in steps:
        monitor.pace(factor, frozenset({"shop"} if spared else ()))
        now += seconds
        for one in monitor.due(now):
            monitor.post(one, [], now)
        assert now < monitor.next_due() <= now + 10.0 * SLOWEST


def test_a_longer_period_stretches_what_is_left_to_wait_and_a_shorter_one_ends_it(make_sensor):
    monitor = Monitor([make_sensor("a")], interval_seconds=10.0, window_seconds=3600.0)
    turned(monitor, 5.0)  # read at 0; 6 s are left at the last turn
    monitor.pace(4.0)
    assert monitor.next_due() == pytest.approx(4.0 + 4.0 * 6.0)
    monitor.pace(2.0)
    assert monitor.next_due() == pytest.approx(20.0)


def test_a_backlog_shares_the_time_that_it_is_given_and_nobody_is_forgotten(make_sensor):
    sensors = [make_sensor(str(i)) for i in range(600)]
    monitor = Monitor(sensors, interval_seconds=10.0, window_seconds=3600.0)
    read = set()
    before = turned(monitor, 5.0, took=1.0)
    read |= {name for name, times in before.items() if times}
    assert len(read) < 400  # 64 at once
    monitor.pace(32.0)
    after = turned(monitor, 100.0, start=5.0, took=1.0)
    assert sum(len(times) for times in after.values()) < 1.5 * 600 * 100.0 / 320.0
    rest = turned(monitor, 320.0, start=105.0, took=1.0)
    assert read | {name for reads in (after, rest) for name, times in reads.items() if times} == {s.name for s in sensors}
