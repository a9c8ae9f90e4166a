"""The web cluster against queueing theory, and against the rules of its exemplar."""

from __future__ import annotations

import numpy as np
import pytest

from trimtab.plants.loads import Constant, Diurnal, FlashCrowd, Ramp, Replayed, Square, bursty
from trimtab.plants.web_cluster import SERVICE_MEAN, SERVICE_SD, WebCluster, utility_of


def run(cluster, minutes=200, dt=60.0):
    return [cluster.step(dt * (k + 1), dt) for k in range(minutes)]


def mean(steps, metric):
    return float(np.mean([step[metric] for step in steps]))


def truncated_moments(n=400_000):
    """First and second moment of a service time, by drawing it."""
    drawn = np.random.default_rng(9).normal(SERVICE_MEAN, SERVICE_SD, n)
    drawn = drawn[drawn >= 0.0]
    return float(drawn.mean()), float((drawn**2).mean())


@pytest.mark.parametrize("rate", [6.0, 12.0, 18.0])
def test_one_server_answers_as_pollaczek_and_khinchine_say(rate):
    first, second = truncated_moments()
    waiting = rate * second / (2.0 * (1.0 - rate * first))  # M/G/1
    steps = run(WebCluster(np.random.default_rng(3), load=Constant(rate), servers=1))
    assert mean(steps, "cluster_response_seconds") == pytest.approx(first + waiting, rel=0.06)
    assert mean(steps, "cluster_utilization_ratio") == pytest.approx(rate * first, rel=0.03)


def test_dimmed_requests_take_a_millisecond():
    steps = run(WebCluster(np.random.default_rng(3), load=Constant(20.0), servers=1, dimmer=0.0), 10)
    assert mean(steps, "cluster_response_seconds") == pytest.approx(0.001, rel=0.05)
    assert mean(steps, "cluster_dimmed_ratio") == 1.0


def test_a_server_helps_only_once_it_has_booted():
    cluster = WebCluster(np.random.default_rng(3), load=Constant(30.0), servers=1, boot_delay=180.0)
    run(cluster, 2)
    cluster.set("servers", 2)
    active = [cluster.step(60.0 * (3 + k), 60.0)["cluster_active_servers"] for k in range(5)]
    assert active == [1.0, 1.0, 2.0, 2.0, 2.0]
    assert cluster.get("servers") == 2.0


def test_an_overload_is_never_shown_as_calm():
    cluster = WebCluster(np.random.default_rng(3), load=Constant(60.0), servers=1)
    slow = [step["cluster_response_seconds"] for step in run(cluster, 10)]
    assert slow[-1] > slow[0] > 1.0


def test_no_request_is_lost_when_servers_come_and_go():
    cluster, rng = WebCluster(np.random.default_rng(3), load=Constant(20.0), boot_delay=60.0), np.random.default_rng(4)
    arrived = answered = 0.0
    for k in range(100):
        cluster.set("servers", float(rng.integers(1, 4)))
        arrived += cluster.step(60.0 * (k + 1), 60.0)["cluster_requests_per_second"] * 60.0
    cluster._load = Constant(0.0)
    run(cluster, 60)
    assert arrived > answered
    assert cluster._late.size == 0


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        pytest.param((600, 0, 0.1, 2, 60.0), 900.0 - 600.0, id="all full"),
        pytest.param((300, 300, 0.1, 1, 60.0), 450.0 + 300.0 - 300.0, id="half dimmed"),
        pytest.param((600, 0, 0.8, 1, 60.0), 1.5 * 600 - 1.5 * 3 * 22.46 * 60 - 300.0, id="too slow"),
        pytest.param((6000, 0, 0.8, 3, 60.0), -900.0, id="too slow, but more than anybody could have served"),
    ],
)
def test_utility_is_counted_as_the_exemplar_counts_it(args, expected):
    assert utility_of(*args) == pytest.approx(expected)


@pytest.mark.parametrize(
    "load",
    [Diurnal(period=6300.0), Ramp(), FlashCrowd(), Square(), bursty(1), Replayed((0.0, 9.0), (1.0, 2.0))],
    ids=lambda load: type(load).__name__,
)
def test_a_load_is_never_negative_and_always_the_same(load):
    times = np.linspace(0.0, 6300.0, 500)
    rates = [load(float(t)) for t in times]
    assert min(rates) >= 0.0
    assert rates == [load(float(t)) for t in times]


@pytest.mark.parametrize(("times", "rates"), [((), ()), ((0.0, 1.0), (5.0,)), ((1.0, 1.0), (5.0, 6.0))])
def test_a_recording_that_makes_no_sense_is_refused(times, rates):
    with pytest.raises(ValueError, match="recorded load"):
        Replayed(times, rates)
