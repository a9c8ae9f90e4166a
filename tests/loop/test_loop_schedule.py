"""When each stage is due: periods are upper bounds, whoever has news wakes a stage at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.loop.schedule import Schedule, Stage

PERIODS = {Stage.MONITOR: 30.0, Stage.ANALYZE: 60.0, Stage.PLAN: 300.0, Stage.EXECUTE: 10.0, Stage.LEARN: 300.0}


def test_everything_is_due_at_the_start_and_then_after_its_period():
    schedule = Schedule(PERIODS, start=100.0)
    assert schedule.next_due() == 100.0
    assert not schedule.take(Stage.MONITOR, 99.9)
    assert all(schedule.take(stage, 100.0) for stage in Stage)
    assert schedule.next_due() == 110.0
    assert [stage for stage in Stage if schedule.take(stage, 160.0)] == [Stage.MONITOR, Stage.ANALYZE, Stage.EXECUTE]


@pytest.mark.parametrize(
    ("at", "due", "woken"),
    [(0.0, 0.0, 1), (105.0, 105.0, 1), (110.0, 110.0, 0), (500.0, 110.0, 0)],
    ids=["at once", "earlier", "no earlier than it is due anyway", "later changes nothing"],
)
def test_waking_brings_forward_and_tells_the_sleeper(at, due, woken):
    calls = []
    schedule = Schedule(PERIODS, 100.0, lambda: calls.append(1))
    for stage in Stage:
        schedule.take(stage, 100.0)
    schedule.wake(Stage.EXECUTE, at)
    assert (schedule.next_due(), len(calls)) == (due, woken)


def test_a_woken_stage_runs_once_and_is_then_a_whole_period_away():
    schedule = Schedule(PERIODS, 0.0)
    assert schedule.take(Stage.PLAN, 0.0)
    schedule.wake(Stage.PLAN)
    assert schedule.take(Stage.PLAN, 50.0)
    assert not schedule.take(Stage.PLAN, 349.0)
    assert schedule.take(Stage.PLAN, 350.0)


@given(st.lists(st.floats(0.0, 400.0), max_size=40))
def test_a_late_loop_makes_up_for_nothing_and_is_never_stuck(gaps):
    """However late the loop turns, a stage runs once for all that was missed, and its next moment lies ahead."""
    schedule, now = Schedule(PERIODS, 0.0), 0.0
    for gap in gaps:
        now += gap
        for stage in Stage:
            if schedule.take(stage, now):
                assert not schedule.take(stage, now)
        assert now < schedule.next_due() <= now + 10.0
