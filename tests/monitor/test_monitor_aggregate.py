"""Several series as one."""

from __future__ import annotations

import math

import pytest

from trimtab.domain.errors import SensorError
from trimtab.domain.metrics import Health, Reading, Series


def post_pods(bench, now, **values):
    readings = [Reading(Series.named("p95_seconds", "shop", {"pod": pod}), value, now) for pod, value in values.items()]
    bench.monitor.post(bench.sensor, readings, now)


@pytest.mark.parametrize(("how", "expected"), [("mean", 0.2), ("max", 0.3), ("min", 0.1), ("sum", 0.4)])
def test_series_of_one_sensor_combine_tick_by_tick(bench, how, expected):
    for i in range(6):
        post_pods(bench, 10.0 * i, a=0.1, b=0.3)
    found = bench.monitor.aggregate("p95_seconds", "shop", (), how, 50.0, 0.0)
    assert found.trust.ok and found.n == 5
    assert found.v == pytest.approx([expected] * 5)
    assert (found.mean, found.latest) == (pytest.approx(expected), pytest.approx(expected))
    assert found.t.tolist() == [10.0, 20.0, 30.0, 40.0, 50.0]


def test_where_picks_by_label(bench):
    for i in range(6):
        post_pods(bench, 10.0 * i, a=0.1, b=0.3)
    assert bench.monitor.aggregate("p95_seconds", None, (("pod", "b"),), "mean", 50.0, 0.0).mean == pytest.approx(0.3)
    none = bench.monitor.aggregate("p95_seconds", None, (("pod", "c"),), "mean", 50.0, 0.0)
    assert none.trust.health is Health.MISSING and "pod=c" in none.trust.reason


@pytest.mark.parametrize("bad", [math.nan, None, 0.0], ids=["nan", "null", "zero"])
def test_one_bad_series_spoils_the_whole(bench, bad):
    for i in range(6):
        post_pods(bench, 10.0 * i, a=0.1, b=0.3)
    post_pods(bench, 60.0, a=0.1, b=bad)
    found = bench.monitor.aggregate("p95_seconds", "shop", (), "mean", 60.0, 0.0)
    assert not found.trust.ok and 'pod="b"' in found.trust.reason


def test_sensors_that_beat_differently_meet_at_the_slower_one(make_bench, make_sensor):
    fast = make_sensor("fast", interval=1.0)
    bench = make_bench(others=(fast,))
    one, two = Series.named("queue_length", "shop", {"q": "a"}), Series.named("queue_length", "shop", {"q": "b"})
    for i in range(600):
        now = 0.3 + i / 10.0
        if i % 100 == 0:
            bench.monitor.post(bench.sensor, [Reading(one, 1.0, now)], now)
        if i % 10 == 5:
            bench.monitor.post(fast, [Reading(two, now, now)], now)
    found = bench.monitor.aggregate("queue_length", "shop", (), "sum", 60.0, 60.0)
    assert found.trust.ok
    assert found.t == pytest.approx([0.3, 10.3, 20.3, 30.3, 40.3, 50.3])
    assert found.v[:-1] == pytest.approx(1.0 + found.t[:-1] + 4.5, abs=1.0)  # the sample nearest before the middle of the beat


@pytest.mark.parametrize(("seconds", "n"), [(0.0, 5), (20.0, 5), (100.0, 11), (1e6, 40)])
def test_the_window_is_the_longer_of_five_samples_and_seconds(bench, seconds, n):
    now = bench.say_often(40, queue_length=lambda i: 3.0 + i)
    assert bench.monitor.aggregate("queue_length", "shop", (), "mean", now, seconds).n == n


def test_after_a_gap_it_warms_up_again(bench):
    last = bench.say_often(40, queue_length=lambda i: 3.0 + i)
    now = last + 1000.0
    for samples in range(1, 6):
        bench.say(now, queue_length=100.0)
        found = bench.monitor.aggregate("queue_length", "shop", (), "mean", now, 0.0)
        assert found.mean == 100.0
        assert found.trust.ok is (samples == 5)
        now += 10.0


def test_units_are_not_mixed(make_bench, make_sensor):
    other = make_sensor("other", "depot")
    bench = make_bench(others=(other,))
    for i in range(6):
        bench.monitor.post(bench.sensor, [Reading(Series.named("wait", "shop", unit="seconds"), 1.0 + i, 10.0 * i)], 10.0 * i)
        bench.monitor.post(other, [Reading(Series.named("wait", "depot", unit="milliseconds"), 1.0 + i, 10.0 * i)], 10.0 * i)
    found = bench.monitor.aggregate("wait", None, (), "mean", 50.0, 0.0)
    assert found.trust.health is Health.INVALID and "different units (milliseconds, seconds)" in found.trust.reason
    assert bench.monitor.aggregate("wait", "depot", (), "mean", 50.0, 0.0).trust.ok


def test_an_unknown_way_to_aggregate_is_named(bench):
    now = bench.say_often(6, queue_length=1.0)
    with pytest.raises(ValueError, match="'median': use one of mean, max, min, sum"):
        bench.monitor.aggregate("queue_length", "shop", (), "median", now, 0.0)


@pytest.mark.parametrize(
    ("promised", "before", "says"),
    [
        (("queue_length",), None, "did you mean queue_length"),
        (("queue_lenght",), None, "has not been read yet"),
        (("queue_lenght",), SensorError("HTTP 500"), "shop metrics: HTTP 500"),
        ((), SensorError("shop metrics: refused"), "shop metrics: refused"),
    ],
    ids=["typo", "not-yet", "failed", "promises-nothing-and-failed"],
)
def test_no_match_says_why(make_bench, make_sensor, promised, before, says):
    bench = make_bench(make_sensor(metric_names=promised))
    if before is not None:
        bench.monitor.post(bench.sensor, before, 0.0)
    found = bench.monitor.aggregate("queue_lenght", "shop", (), "mean", 0.0, 0.0)
    assert found.trust.health is Health.MISSING
    assert says in found.trust.reason and found.trust.reason.count("shop metrics") <= 1
