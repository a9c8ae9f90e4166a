"""Laws of the windows: bounded, in order, and equal to what was said."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trimtab.domain.metrics import Reading, Series
from trimtab.monitor import Monitor
from trimtab.monitor.windows import RingWindow


def _bytes_held(window):
    return window.t.base.nbytes + window.v.base.nbytes


STEPS = st.lists(st.floats(0.01, 50.0), min_size=1, max_size=400)


@given(STEPS, st.integers(8, 40), st.floats(10.0, 500.0))
def test_a_window_holds_the_newest_samples_in_bounded_memory(steps, max_samples, seconds):
    window, times, most = RingWindow(seconds, max_samples), np.cumsum(steps), 0
    for i, t in enumerate(times):
        window.append(float(t), float(i))
        assert len(window) <= max_samples
        most = max(most, len(window))
        assert _bytes_held(window) <= 2 * 8 * min(max(4 * most, 16), 2 * max(max_samples, 8))
    fresh = [float(i) for i, t in enumerate(times) if t >= times[-1] - seconds][-max_samples:]
    held = window.v.tolist()
    assert held[-len(fresh) :] == fresh
    assert len(held) <= max(len(fresh), 8)
    assert np.all(np.diff(window.t) > 0)


@given(STEPS, st.floats(0.0, 20_000.0))
def test_dropping_what_lies_ahead_leaves_the_rest(steps, limit):
    window = RingWindow(1e9, 1000)
    for t in np.cumsum(steps):
        window.append(float(t), 1.0)
    before = window.t.copy()
    window.drop_after(limit)
    assert window.t.tolist() == [t for t in before.tolist() if t <= limit]


def test_copies_do_not_change_under_their_reader(bench):
    now = bench.say_often(10, queue_length=lambda i: 1.0 + i)
    seen = bench.monitor.window("shop/queue_length")
    bench.say_often(100, start=now + 10.0, queue_length=50.0)
    assert seen.v.tolist() == [1.0 + i for i in range(10)]


def test_a_target_that_invents_labels_cannot_fill_the_memory(make_sensor):
    sensor = make_sensor()
    monitor = Monitor([sensor], interval_seconds=1.0, window_seconds=60.0, max_series=50)
    monitor.restore([(Series.named("queue_length", "old", {"i": str(i)}), 0.0, 1.0) for i in range(80)])
    for now in range(1, 30):
        readings = [Reading(Series.named("queue_length", "shop", {"id": f"{now}-{i}"}), 1.0, float(now)) for i in range(20)]
        monitor.post(sensor, readings, float(now))
        assert len(monitor.series()) <= 50
    assert monitor.crowding() == "the limit of 50 series is reached: 20 further ones are not read"
    for now in range(30, 60):  # and what was invented once is forgotten
        monitor.post(sensor, [Reading(Series.named("queue_length", "shop", {"id": "real"}), 1.0, float(now))], float(now))
    assert [dict(one.labels)["id"] for one in monitor.series()] == ["real"]
    assert monitor.crowding() is None


def test_a_short_window_stays_small_however_long_it_runs():
    window = RingWindow(20.0, 4096)
    for i in range(5_000):
        window.append(float(i), 1.0)
    assert len(window) == 21 and _bytes_held(window) <= 2 * 8 * 64
