"""What the monitor believes: one table of what a target may send, and what becomes of it."""

from __future__ import annotations

import math

import pytest

from trimtab.domain.errors import NotFound, SensorError
from trimtab.domain.metrics import Health, Reading, Series, Trust

LEVEL = 0.2
QUEUE = "shop/queue_length"


def after_a_good_past(bench, samples=10):
    return bench.say_often(samples, queue_length=lambda i: 5.0 + i % 3)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "null"),
        (math.nan, "NaN"),
        (math.inf, "infinite"),
        (-math.inf, "minus infinite"),
        ("fast", "'fast'"),
        (10**400, "no number"),
        (1 + 2j, "no number"),
    ],
    ids=["null", "nan", "inf", "minus-inf", "text", "beyond-any-float", "complex"],
)
def test_what_is_no_number_is_invalid_at_once_and_kept_nowhere(bench, value, says):
    now = after_a_good_past(bench)
    assert bench.say(now + 10.0, queue_length=value) == []
    trust = bench.monitor.trust(QUEUE, now + 10.0)
    assert trust.health is Health.INVALID and says in trust.reason
    assert len(bench.monitor.window(QUEUE).v) == 10
    bench.say(now + 20.0, queue_length=5.0)
    assert bench.monitor.trust(QUEUE, now + 20.0).ok


@pytest.mark.parametrize(
    ("ahead", "health"),
    [(9.0, Health.OK), (11.0, Health.INVALID), (math.nan, Health.INVALID), (math.inf, Health.INVALID)],
    ids=["within-an-interval", "beyond", "nan", "inf"],
)
def test_a_sample_from_the_future(bench, ahead, health):
    now = after_a_good_past(bench) + 10.0
    bench.say(now, at=now + ahead, queue_length=5.0)
    assert bench.monitor.trust(QUEUE, now).health is health


@pytest.mark.parametrize(
    ("back", "health"),
    [(0.0, Health.OK), (10.0, Health.STALE), (10_000.0, Health.STALE)],
    ids=["same-sample-still-fresh", "older", "clock-set-back"],
)
def test_late_samples_are_dropped(bench, back, health):
    last = after_a_good_past(bench)
    assert bench.say(last + 1.0, at=last - back, queue_length=99.0) == []
    assert 99.0 not in bench.monitor.window(QUEUE).v
    assert bench.monitor.trust(QUEUE, last + 1.0).health is health
    bench.say(last + 10.0, queue_length=5.0)
    assert bench.monitor.trust(QUEUE, last + 10.0).ok


def test_a_target_that_repeats_one_sample_goes_stale(bench):
    last = after_a_good_past(bench)
    for now in range(int(last) + 10, int(last) + 40, 10):
        bench.say(float(now), at=last, queue_length=5.0)
    assert bench.monitor.trust(QUEUE, last + 30.0).health is Health.STALE


@pytest.mark.parametrize(
    ("age", "health"), [(25.9, Health.OK), (26.1, Health.STALE), (-26.1, Health.STALE)], ids=["fresh", "old", "clock-back"]
)
def test_a_series_is_stale_after_two_and_a_half_intervals_and_a_second(bench, age, health):
    last = after_a_good_past(bench)
    trust = bench.monitor.trust(QUEUE, last + age)
    assert trust.health is health
    assert trust.ok or "s" in trust.reason


@pytest.mark.parametrize(("samples", "health"), [(1, Health.WARMING_UP), (4, Health.WARMING_UP), (5, Health.OK)])
def test_warming_up(bench, samples, health):
    now = after_a_good_past(bench, samples)
    assert bench.monitor.trust(QUEUE, now).health is health


def test_a_failed_sensor_shows_within_the_cycle_with_its_own_words(bench):
    now = after_a_good_past(bench)
    assert bench.monitor.post(bench.sensor, SensorError("HTTP 500 from http://127.0.0.1:1/metrics"), now + 1.0) == []
    trust = bench.monitor.trust(QUEUE, now + 1.0)
    assert trust.health is Health.MISSING and "HTTP 500" in trust.reason
    assert bench.monitor.trust(QUEUE, now + 1e6).health is Health.MISSING  # says why, however long it lasts
    bench.say(now + 10.0, queue_length=6.0)
    assert bench.monitor.trust(QUEUE, now + 10.0).ok


def test_a_failure_that_ends_with_old_news_is_judged_by_its_age(bench):
    last = after_a_good_past(bench)
    bench.monitor.post(bench.sensor, SensorError("time-out"), last + 5.0)
    bench.say(last + 10.0, at=last, queue_length=5.0)
    assert bench.monitor.trust(QUEUE, last + 10.0).ok
    assert bench.monitor.trust(QUEUE, last + 30.0).health is Health.STALE


def test_an_invalid_value_is_not_mended_by_old_news(bench):
    last = after_a_good_past(bench)
    bench.say(last + 10.0, queue_length=math.nan)
    bench.say(last + 20.0, at=last, queue_length=5.0)
    assert bench.monitor.trust(QUEUE, last + 20.0).health is Health.INVALID


def test_what_a_read_leaves_out_is_missing(make_bench, make_sensor):
    bench = make_bench(make_sensor(metric_names=("queue_length", "other_count")))
    now = bench.say_often(10, queue_length=lambda i: 5.0 + i % 3, unpromised=3.0)
    assert bench.monitor.aggregate("other_count", "shop", (), "mean", now, 0.0).trust.health is Health.MISSING
    bench.say(now + 10.0, other_count=1.0)
    for name in ("queue_length", "unpromised"):
        trust = bench.monitor.trust(f"shop/{name}", now + 10.0)
        assert trust.health is Health.MISSING and "absent" in trust.reason


def test_a_label_that_is_gone_for_good_is_forgotten_while_its_siblings_go_on(bench):
    def read(now, *pods):
        series = [Series.named("queue_length", "shop", {"pod": pod}) for pod in pods]
        bench.monitor.post(bench.sensor, [Reading(one, 3.0 + now % 7, now) for one in series], now)

    for i in range(10):
        read(10.0 * i, "a", "b")
    read(100.0, "b")
    assert not bench.monitor.aggregate("queue_length", "shop", (), "sum", 100.0, 0.0).trust.ok  # half a sum is no sum
    for i in range(11, 21):
        read(10.0 * i, "b")
    assert bench.monitor.aggregate("queue_length", "shop", (), "sum", 200.0, 0.0).trust.ok
    assert [dict(one.labels)["pod"] for one in bench.monitor.series() if one.name == "queue_length"] == ["b"]


def test_one_read_may_hold_good_and_bad(bench):
    good = bench.say(0.0, queue_length=3.0, other_count=math.nan)
    assert [(reading.series.name, reading.value) for reading in good] == [("queue_length", 3.0)]


def test_a_sensor_that_was_taken_out_is_not_listened_to(bench, make_sensor):
    assert bench.say(0.0, by=make_sensor("stranger"), queue_length=3.0) == []
    assert bench.monitor.series() == []


def test_names_that_are_not_there_are_explained(bench):
    now = after_a_good_past(bench)
    with pytest.raises(NotFound, match="Did you mean shop/queue_length"):
        bench.monitor.window("shop/queue_lenght")
    assert bench.monitor.trust("shop/nothing", now).health is Health.MISSING


def test_restored_series_count_once_they_are_read_again(bench):
    series = bench.series("queue_length")
    bench.monitor.restore([(series, [0.0, 10.0, 20.0, 30.0], [3.0, 4.0, math.nan, 3.0]), (series, 40.0, 4.0)])
    assert bench.monitor.series() == []
    assert bench.monitor.trust(QUEUE, 50.0).health is Health.WARMING_UP
    bench.say(50.0, queue_length=3.0)
    assert bench.monitor.trust(QUEUE, 50.0).ok
    assert bench.monitor.history(QUEUE).v.tolist() == [3.0, 4.0, 3.0, 4.0, 3.0]


def test_samples_restored_from_a_clock_that_was_ahead_do_not_silence_the_series(bench):
    bench.monitor.restore([(bench.series("queue_length"), [5_000.0, 5_010.0], [3.0, 4.0])])
    assert len(bench.say(100.0, queue_length=3.0)) == 1


@pytest.mark.parametrize(
    ("why", "expected"),
    [
        pytest.param(Trust(Health.WARMING_UP, "needs a second reading"), None, id="its own word"),
        pytest.param(Trust(Health.MISSING, "it refused the connection"), None, id="the reason of a failed scrape"),
        pytest.param(None, Trust(Health.MISSING, "absent from what shop metrics reads"), id="nothing to add"),
    ],
)
def test_a_sensor_tells_why_it_is_without_a_series(bench, why, expected):
    bench.sensor.metric_names, bench.sensor.why_absent = ["up", "p95_seconds"], lambda name: why
    bench.say(0.0, up=1.0)
    aggregate = bench.monitor.aggregate("p95_seconds", "shop", now=0.0)
    assert aggregate.trust == (expected or why)
    end = bench.say_often(6, 10.0, up=1.0, p95_seconds=0.2)
    bench.say(end + 10.0, up=0.0)
    assert bench.monitor.trust("shop/p95_seconds", end + 10.0) == (expected or why)
