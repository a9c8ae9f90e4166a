"""Goals: when missing one is a symptom, how bad, and when it ends."""

from __future__ import annotations

import pytest

from trimtab.analyze import Analyzer
from trimtab.domain.direction import Direction
from trimtab.domain.goals import Goal
from trimtab.domain.metrics import Health, MetricType, Severity, Threshold

FAST = Goal("checkout_p95_seconds", 0.2, Direction.MINIMIZE, element="shop")
MUCH = Goal("orders_per_second", 100.0, Direction.MAXIMIZE, element="shop")


def goal_symptoms(analysis):
    return [symptom for symptom in analysis.symptoms if symptom.kind == "goal_missed"]


@pytest.mark.parametrize(
    ("goal", "values", "severity", "confirmed"),
    [
        pytest.param(FAST, [0.1] * 5, None, None, id="met"),
        pytest.param(FAST, [0.209] * 5, None, None, id="inside-the-deadband"),
        pytest.param(FAST, [0.1, 0.1, 0.1, 0.3, 0.3], None, None, id="two-samples-are-not-three"),
        pytest.param(FAST, [0.02, 0.02, 0.22, 0.22, 0.22], None, None, id="the-mean-still-meets-it"),
        pytest.param(FAST, [0.1, 0.1, 0.3, 0.3, 0.3], Severity.WARNING, True, id="three-samples"),
        pytest.param(FAST, [0.61] * 5, Severity.CRITICAL, True, id="three-times-the-target"),
        pytest.param(FAST, [0.3, 0.3, 0.3, 0.3, 0.5], Severity.WARNING, True, id="one-critical-sample-on-top"),
        pytest.param(FAST, [0.1, 0.1, 0.1, 0.1, 0.4], Severity.CRITICAL, False, id="one-critical-reading"),
        pytest.param(FAST, [0.1, 0.1, 0.1, 0.4, 0.4], Severity.CRITICAL, False, id="two"),
        pytest.param(FAST, [0.1, 0.1, 0.4, 0.4, 0.4], Severity.CRITICAL, True, id="confirmed-by-the-third"),
        pytest.param(FAST, [0.01, 0.01, 0.4, 0.1, 0.1], None, None, id="a-critical-reading-that-has-passed"),
        pytest.param(MUCH, [120.0] * 5, None, None, id="enough"),
        pytest.param(MUCH, [80.0] * 5, Severity.WARNING, True, id="too-little"),
        pytest.param(MUCH, [50.0] * 5, Severity.CRITICAL, True, id="half"),
    ],
)
def test_when_a_goal_is_missed(view, goal, values, severity, confirmed):
    view.add(goal.metric_name, *values)
    found = goal_symptoms(Analyzer([goal]).analyze(view, view.now))
    assert [(s.severity, s.confirmed) for s in found] == ([] if severity is None else [(severity, confirmed)])
    for symptom in found:
        assert 0.0 <= symptom.score < 1.0
        assert (symptom.element, symptom.goal_id) == ("shop", goal.goal_id)


def test_beyond_what_is_critical_for_its_type(view):
    goal = Goal("response_time_ms", 2_500.0, Direction.MINIMIZE, element="shop")
    view.add("response_time_ms", *[3_200.0] * 5)
    analysis = Analyzer([goal]).analyze(view, view.now)
    assert goal_symptoms(analysis)[0].severity is Severity.CRITICAL
    gentle = Analyzer([goal], thresholds={MetricType.RESPONSE_TIME: Threshold(5.0, 9.0)})
    assert goal_symptoms(gentle.analyze(view, view.now))[0].severity is Severity.WARNING


def test_it_lasts_until_the_mean_is_inside_the_target(view):
    analyzer = Analyzer([FAST])
    view.add(FAST.metric_name, *[0.3] * 5)
    since = goal_symptoms(analyzer.analyze(view, view.now))[0].since
    assert since == 30.0  # the first of the three samples
    seen = []
    for value in (0.205, 0.205, 0.205, 0.205, 0.205, 0.195, 0.195, 0.195, 0.195, 0.195, 0.205):
        view.add(FAST.metric_name, value)
        found = goal_symptoms(analyzer.analyze(view, view.now))
        seen.append(bool(found))
        assert all(symptom.since == since for symptom in found)
    assert seen == [True] * 7 + [False] * 4  # 0.205 would not have begun it, and does not end it


def test_the_evidence_is_for_people(view):
    view.add(FAST.metric_name, *[0.61] * 5)
    assert goal_symptoms(Analyzer([FAST]).analyze(view, view.now))[0].evidence == (
        "checkout_p95_seconds 0.61 s over 5 samples misses its goal of 0.2 s (3.05 x)"
    )


@pytest.mark.parametrize(
    ("values", "achieved", "progress", "miss"),
    [([0.1] * 5, True, 1.0, 0.0), ([0.4] * 5, False, 0.5, 1.0), ([0.8] * 5, False, 0.25, 3.0)],
    ids=["met", "twice", "four-times"],
)
def test_how_a_goal_stands(view, values, achieved, progress, miss):
    view.add(FAST.metric_name, *values)
    state = Analyzer([FAST]).analyze(view, view.now).goals[0]
    assert (state.achieved, state.progress, state.miss) == (achieved, pytest.approx(progress), pytest.approx(miss))
    assert state.current == pytest.approx(values[-1]) and state.latest == values[-1]


def test_the_mean_reaches_back_over_the_settling_time(view):
    view.add(FAST.metric_name, *[0.1] * 5, *[0.3] * 5)
    states = [Analyzer([FAST]).analyze(view, view.now, {"shop": settle}).goals[0] for settle in (0.0, 100.0)]
    assert [state.current for state in states] == [pytest.approx(0.3), pytest.approx(0.2)]
    assert Analyzer([FAST], default_settle_seconds=100.0).analyze(view, view.now).goals[0].current == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("health", "shown"), [(Health.WARMING_UP, True), (Health.STALE, False), (Health.SUSPECT, False), (Health.MISSING, False)]
)
def test_what_cannot_be_trusted_is_held(view, health, shown):
    view.add(FAST.metric_name, *[0.9] * 5)
    view.distrust("shop/checkout_p95_seconds", "HTTP 500 from http://127.0.0.1:1/stats", health)
    analysis = Analyzer([FAST]).analyze(view, view.now)
    state = analysis.goals[0]
    assert (state.achieved, state.progress, state.miss) == (None, 0.0, 0.0)
    assert (state.current is not None) is shown
    assert analysis.symptoms == ()
    assert analysis.holds == ("HOLD: checkout_p95_seconds: HTTP 500 from http://127.0.0.1:1/stats; no action rests on it",)


def test_a_hold_interrupts_a_symptom_and_does_not_forget_it(view):
    analyzer = Analyzer([FAST])
    view.add(FAST.metric_name, *[0.3] * 5)
    since = goal_symptoms(analyzer.analyze(view, view.now))[0].since
    view.distrust("shop/checkout_p95_seconds", "time-out")
    assert goal_symptoms(analyzer.analyze(view, view.now)) == []
    view.bad.clear()
    view.add(FAST.metric_name, 0.205)
    assert goal_symptoms(analyzer.analyze(view, view.now))[0].since == since


def test_a_goal_that_nothing_yields_is_held(view):
    view.add("other", *[1.0] * 5)
    analysis = Analyzer([FAST]).analyze(view, view.now)
    assert analysis.goals[0].element == "shop"
    assert analysis.holds == ("HOLD: checkout_p95_seconds: no sensor yields checkout_p95_seconds; no action rests on it",)


@pytest.mark.parametrize(
    ("depot", "element", "current"),
    [(None, "shop", 0.3), (0.1, "shop", 0.2), (0.5, "depot", 0.4)],
    ids=["one-element", "shop-is-worse", "depot-is-worse"],
)
def test_a_goal_without_an_element_speaks_of_those_that_yield_it(view, depot, element, current):
    goal = Goal("checkout_p95_seconds", 0.2, Direction.MINIMIZE)
    view.add(goal.metric_name, *[0.3] * 5)
    if depot is not None:
        view.add(goal.metric_name, *[depot] * 5, element="depot")
    state = Analyzer([goal]).analyze(view, view.now).goals[0]
    assert (state.element, state.current) == (element, pytest.approx(current))
