"""The sensor of what is pushed: silent while nobody sends, and as exact as a scrape where somebody does."""

from __future__ import annotations

import asyncio

import pytest

from trimtab.domain.errors import SensorError
from trimtab.domain.metrics import Series
from trimtab.domain.ports import Listener, Sensor, TellsAbsence
from trimtab.systems.prometheus.pushed import FORGET_SECONDS, PushedOptions, PushedSensor


def sensor(**about):
    return PushedSensor(PushedOptions(match={"job": "checkout"}, **about), "checkout")


def read(one, now=0.0):
    return [(reading.series.metric_id, reading.timestamp, reading.value) for reading in asyncio.run(one.read(now))]


def tell(one, name, at, value, **labels):
    one.hear(Series.named(name, "checkout", labels), at, value)


def test_it_is_a_sensor_that_is_told():
    one = sensor()
    assert isinstance(one, Listener)
    assert isinstance(one, TellsAbsence)
    listed: Sensor = one
    assert listed.metric_names == []


def test_samples_keep_the_times_that_they_were_sent_with_and_come_once():
    one = sensor()
    tell(one, "queue_length", 20.0, 5.0)
    tell(one, "queue_length", 10.0, 4.0)
    assert read(one) == [("checkout/queue_length", 10.0, 4.0), ("checkout/queue_length", 20.0, 5.0)]
    with pytest.raises(SensorError, match="nothing was pushed"):
        read(one)


def test_counters_are_left_out_and_made_into_what_is_asked_for():
    one = sensor(derive=[{"name": "checkout_requests_per_second", "rate": "requests_total"}])
    tell(one, "requests_total", 10.0, 100.0, code="200")
    assert read(one) == []
    assert one.why_absent("checkout_requests_per_second").reason == "needs a second push"
    tell(one, "requests_total", 70.0, 160.0, code="200")
    assert read(one) == [("checkout/checkout_requests_per_second", 70.0, 1.0)]


def test_a_late_sample_does_not_turn_a_counter_back():
    one = sensor(derive=[{"name": "checkout_requests_per_second", "rate": "requests_total"}])
    tell(one, "requests_total", 10.0, 100.0)
    read(one)
    tell(one, "requests_total", 70.0, 160.0)
    tell(one, "requests_total", 40.0, 130.0)
    assert read(one)[0][2] == 1.0


def test_what_is_silent_for_long_is_forgotten():
    one = sensor(derive=[{"name": "checkout_requests_per_second", "rate": "requests_total"}])
    tell(one, "requests_total", 10.0, 100.0, pod="old")
    tell(one, "requests_total", 10.0, 0.0, pod="new")
    read(one)
    later = 20.0 + FORGET_SECONDS
    tell(one, "requests_total", later, later - 10.0, pod="new")
    assert read(one)[0][2] == pytest.approx(1.0)
    assert len(one._latest["requests_total"]) == 1


def test_only_what_is_named_is_taken_where_names_are_given():
    one = sensor(metrics=["queue_length"])
    tell(one, "queue_length", 1.0, 5.0)
    tell(one, "threads", 1.0, 5.0)
    assert len(read(one)) == 1
    assert one.metric_names == ["queue_length"]
