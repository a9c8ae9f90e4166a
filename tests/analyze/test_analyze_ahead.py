"""A goal or guard that a steady trend will cross is a symptom before it is missed."""

from __future__ import annotations

import numpy as np

from trimtab.analyze import Analyzer
from trimtab.domain.direction import Direction
from trimtab.domain.goals import Goal, Guard

GOAL = Goal("disk_usage_percent", 80.0, Direction.MINIMIZE)


def filling(n: int = 200, per_sample: float = 0.1, seed: int = 0) -> list[float]:
    return (50 + per_sample * np.arange(n) + 0.2 * np.random.default_rng(seed).standard_normal(n)).tolist()


def kinds(analysis) -> list[str]:
    return [symptom.kind for symptom in analysis.symptoms if symptom.kind != "anomaly"]


def test_it_is_said_at_the_second_look_with_its_interval(view):
    view.add("disk_usage_percent", *filling())
    analyzer = Analyzer([GOAL])
    assert kinds(analyzer.analyze(view, view.now)) == []
    assert kinds(analyzer.analyze(view, view.now + 30)) == []
    found = [s for s in analyzer.analyze(view, view.now + 60).symptoms if s.kind == "forecast"]
    assert "disk_usage_percent 70 % will cross its goal of 80 % in 17 min (90 %: 17 min to 17 min)" in found[0].evidence
    assert found[0].goal_id == GOAL.goal_id


def test_the_goal_itself_says_so_as_long_as_it_is_met(view):
    view.add("disk_usage_percent", *filling())
    analyzer = Analyzer([GOAL])
    analyzer.analyze(view, view.now)
    state = analyzer.analyze(view, view.now + 60).goals[0]
    assert state.achieved
    assert "will cross its goal" in state.foreseen


def test_a_guard_too(view):
    view.add("disk_usage_percent", *filling())
    analyzer = Analyzer([], {"shop": [Guard("disk_usage_percent", max=80.0)]})
    analyzer.analyze(view, view.now)
    assert kinds(analyzer.analyze(view, view.now + 60)) == ["forecast"]


def test_switched_off(view):
    view.add("disk_usage_percent", *filling())
    analyzer = Analyzer([GOAL], look_ahead=False)
    analyzer.analyze(view, view.now)
    assert kinds(analyzer.analyze(view, view.now + 60)) == []


def test_it_ends_when_the_trend_does(view):
    view.add("disk_usage_percent", *filling())
    analyzer = Analyzer([GOAL])
    analyzer.analyze(view, view.now)
    assert kinds(analyzer.analyze(view, view.now + 60)) == ["forecast"]
    view.add("disk_usage_percent", *([70.0] * 80))
    assert kinds(analyzer.analyze(view, view.now + 120)) == []


def test_a_goal_that_is_missed_is_no_forecast(view):
    view.add("disk_usage_percent", *filling(400))
    analyzer = Analyzer([GOAL])
    analyzer.analyze(view, view.now)
    assert "forecast" not in kinds(analyzer.analyze(view, view.now + 60))


def test_a_trend_the_other_way_is_welcome(view):
    view.add("disk_usage_percent", *filling(per_sample=-0.1))
    analyzer = Analyzer([GOAL])
    analyzer.analyze(view, view.now)
    assert kinds(analyzer.analyze(view, view.now + 60)) == []


def days(view, n: int = 900, slope: float = 1.25) -> tuple[np.ndarray, np.ndarray]:
    """Five minutes' means up to the view's now; `slope` a day, 60 % at the end."""
    t = view.now + 300.0 * np.arange(1 - n, 1)
    return t, 60 + slope * (t - t[-1]) / 86_400.0 + 0.1 * np.random.default_rng(1).standard_normal(n)


def far(analyzer, view, t, v, looks: int = 2) -> list[str]:
    """What is said after so many hours, each with the past as it was then; the window shows nothing."""
    for k in range(looks, 0, -1):
        analyzer.recall(GOAL.goal_id, t[: t.size - 12 * (k - 1)], v[: t.size - 12 * (k - 1)])
        said = [s.evidence for s in analyzer.analyze(view, view.now).symptoms if s.kind == "forecast"]
    return said


def still(view) -> None:
    view.add("disk_usage_percent", *(60 + 0.1 * np.random.default_rng(2).standard_normal(120)).tolist())


def test_what_takes_days_is_told_from_the_past_at_the_second_hour(view):
    still(view)
    t, v = days(view, slope=8.0)
    assert far(Analyzer([GOAL]), view, t, v, looks=1) == []
    (said,) = far(Analyzer([GOAL]), view, t, v)
    assert "will cross its goal of 80 % in 2.5 days (90 %: 2.5 days to 2.5 days)" in said


def test_the_same_past_handed_over_twice_is_one_look(view):
    still(view)
    t, v = days(view, slope=8.0)
    analyzer = Analyzer([GOAL])
    for _ in range(3):
        analyzer.recall(GOAL.goal_id, t, v)
        assert kinds(analyzer.analyze(view, view.now)) == []


def test_less_than_two_days_say_nothing(view):
    still(view)
    t, v = days(view, 500, slope=30.0)
    assert far(Analyzer([GOAL]), view, t, v) == []


def test_a_daily_swing_towards_the_goal_is_no_trend(view):
    still(view)
    t, _ = days(view)
    v = 55 + 20 * np.sin(2 * np.pi * (t - t[-1]) / 86_400.0) + 0.3 * np.random.default_rng(5).standard_normal(t.size)
    assert far(Analyzer([GOAL]), view, t, v) == []
