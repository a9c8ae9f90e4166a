"""Zero on error: the rule of `monitor.zeros`, row by row."""

from __future__ import annotations

import numpy as np
import pytest

from trimtab.domain.metrics import Health, Series
from trimtab.monitor.zeros import suspect_zero

STEADY = [20.0 + i % 3 for i in range(20)]
NEAR = [abs((i * 7) % 11) + 0.5 for i in range(20)]


@pytest.mark.parametrize(
    ("name", "past", "had_zero", "alive", "suspect"),
    [
        pytest.param("response_time_seconds", STEADY, True, False, False, id="precedent"),
        pytest.param("response_time_seconds", STEADY[:3], False, True, True, id="response-time-even-if-alive"),
        pytest.param("response_time_seconds", STEADY[:2], False, False, False, id="response-time-too-short-a-past"),
        pytest.param("latency_ms", NEAR[:3], False, True, True, id="latency-even-near-zero"),
        pytest.param("memory_usage_percent", STEADY[:3], False, True, True, id="memory"),
        pytest.param("cpu_usage_percent", STEADY[:3], False, True, True, id="cpu"),
        pytest.param("success_rate_percent", STEADY[:3], False, True, True, id="success-rate"),
        pytest.param("checkout_p95_seconds", STEADY[:3], False, True, True, id="timing-by-name"),
        pytest.param("replication_lag_seconds", STEADY, False, True, False, id="lag-alive"),
        pytest.param("queue_length", STEADY, False, True, False, id="queue-alive"),
        pytest.param("queue_length", STEADY, False, False, True, id="queue-not-alive"),
        pytest.param("queue_length", STEADY[:7], False, False, False, id="queue-too-short-a-past"),
        pytest.param("queue_length", NEAR, False, False, False, id="queue-near-zero"),
        pytest.param("queue_length", [5.0] * 8, False, False, True, id="constant-queue"),
        pytest.param("up", [1.0] * 20, False, False, False, id="up-is-the-evidence"),
        pytest.param("process_up", [1.0] * 20, False, False, False, id="up-of-a-process"),
        pytest.param("startup", [1.0] * 20, False, False, True, id="not-every-name-with-up"),
        pytest.param("error_rate_ratio", STEADY, False, True, False, id="error-rate-alive"),
        pytest.param("throughput", STEADY, False, True, True, id="throughput-even-if-alive"),
        pytest.param("requests_per_second", STEADY, False, True, True, id="per-second-even-if-alive"),
        pytest.param("requests_per_second", NEAR, False, False, False, id="per-second-near-zero"),
    ],
)
def test_the_table(name, past, had_zero, alive, suspect):
    reason = suspect_zero(Series.named(name, "shop"), np.array(past), had_zero=had_zero, target_alive=alive)
    assert (reason is not None) is suspect
    assert reason is None or "0 for the first time" in reason


@pytest.mark.parametrize("zero", [0, 0.0, -0.0, False], ids=["int", "float", "minus", "false"])
def test_a_suspect_zero_is_neither_kept_nor_its_own_precedent(bench, zero):
    now = bench.say_often(10, checkout_p95_seconds=lambda i: 0.2 + 0.01 * (i % 3))
    for i in range(1, 4):
        assert bench.say(now + 10.0 * i, checkout_p95_seconds=zero) == []
        assert bench.monitor.trust("shop/checkout_p95_seconds", now + 10.0 * i).health is Health.SUSPECT
    bench.say(now + 40.0, checkout_p95_seconds=0.2)
    assert bench.monitor.trust("shop/checkout_p95_seconds", now + 40.0).ok
    assert 0.0 not in bench.monitor.window("shop/checkout_p95_seconds").v


@pytest.mark.parametrize(
    ("sibling", "believed"),
    [(0.0, False), (50.0, False), (51.0, True)],
    ids=["all-zero", "unchanged", "changed"],
)
def test_a_queue_that_empties_is_believed_when_the_target_is_seen_alive(bench, sibling, believed):
    now = bench.say_often(10, queue_length=lambda i: 20.0 + i % 3, worked_total=50.0)
    good = bench.say(now + 10.0, queue_length=0.0, worked_total=sibling)
    assert ("queue_length" in {reading.series.name for reading in good}) is believed


def test_what_a_scrape_says_of_itself_is_no_sign_of_life(bench):
    now = bench.say_often(10, queue_length=lambda i: 20.0 + i % 3, scrape_duration_seconds=lambda i: 0.1 + i, up=1.0)
    assert "queue_length" not in {
        r.series.name for r in bench.say(now + 10.0, queue_length=0.0, scrape_duration_seconds=0.7, up=0.5)
    }


def test_a_zero_that_was_there_before_a_restart_is_a_precedent(bench):
    series = bench.series("checkout_p95_seconds")
    bench.monitor.restore([(series, [0.0, 10.0, 20.0, 30.0, 40.0], [0.2, 0.2, 0.0, 0.2, 0.2])])
    assert len(bench.say(50.0, checkout_p95_seconds=0.0)) == 1
