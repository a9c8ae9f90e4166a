"""Guards, thresholds, anomalies and holds as the analyzer reports them."""

from __future__ import annotations

import re

import numpy as np
import pytest

from trimtab.analyze import Analyzer
from trimtab.domain.direction import Direction
from trimtab.domain.goals import Goal, Guard
from trimtab.domain.metrics import Severity

ERRORS = Guard("checkout_error_ratio", max=0.01)


@pytest.mark.parametrize(
    ("guard", "values", "breached"),
    [
        pytest.param(ERRORS, [0.0, 0.0, 0.0, 0.0, 0.01], False, id="at-the-limit"),
        pytest.param(ERRORS, [0.0, 0.0, 0.0, 0.0, 0.02], True, id="latest-over"),
        pytest.param(ERRORS, [0.5, 0.5, 0.5, 0.5, 0.0], False, id="has-been-over"),
        pytest.param(Guard("checkout_error_ratio", min=0.5), [0.9] * 4 + [0.4], True, id="latest-under"),
    ],
)
def test_the_latest_sample_decides_for_a_guard(view, guard, values, breached):
    view.add(guard.metric_name, *values)
    analysis = Analyzer([], {"shop": [guard]}).analyze(view, view.now)
    state = analysis.guards[0]
    assert (state.element, state.value, state.breached) == ("shop", values[-1], breached)
    symptoms = [s for s in analysis.symptoms if s.kind == "guard_breached"]
    assert len(symptoms) == breached
    for symptom in symptoms:
        assert symptom.severity is Severity.CRITICAL and symptom.confirmed and 0.5 <= symptom.score < 1.0


def test_a_breach_keeps_its_beginning_and_says_so_to_people(view):
    analyzer = Analyzer([], {"": [ERRORS]})
    view.add(ERRORS.metric_name, *[0.0] * 5, 0.02)
    first = analyzer.analyze(view, view.now).symptoms[0]
    view.add(ERRORS.metric_name, 0.03)
    second = analyzer.analyze(view, view.now).symptoms[0]
    assert first.since == second.since == 60.0
    assert second.evidence == "checkout_error_ratio 3 % breaches its guard: at most 1 %"


def test_a_guard_that_cannot_be_read_is_held_and_not_called_whole(view):
    view.add(ERRORS.metric_name, *[0.5] * 5)
    view.distrust("shop/checkout_error_ratio", "the target sent NaN")
    analysis = Analyzer([], {"shop": [ERRORS]}).analyze(view, view.now)
    assert (analysis.guards[0].value, analysis.guards[0].breached) == (None, None)
    assert analysis.symptoms == ()
    assert analysis.holds == ("HOLD: checkout_error_ratio: the target sent NaN; no action rests on it",)


@pytest.mark.parametrize(
    ("name", "values", "severity", "confirmed"),
    [
        pytest.param("cpu_usage_percent", [74.0] * 5, None, None, id="cpu-normal"),
        pytest.param("cpu_usage_percent", [70.0, 70.0, 70.0, 76.0, 76.0], None, None, id="two-warnings-are-not-three"),
        pytest.param("cpu_usage_percent", [76.0] * 5, Severity.WARNING, True, id="cpu-warning"),
        pytest.param("cpu_usage_percent", [50.0] * 4 + [95.0], Severity.CRITICAL, False, id="one-critical-reading"),
        pytest.param("cpu_usage_percent", [76.0] * 4 + [95.0], Severity.WARNING, True, id="one-critical-on-top"),
        pytest.param("cpu_usage_percent", [95.0] * 5, Severity.CRITICAL, True, id="cpu-critical"),
        pytest.param("cpu_usage_ratio", [0.95] * 5, Severity.CRITICAL, True, id="as-a-ratio"),
        pytest.param("memory_usage_percent", [71.0] * 5, Severity.WARNING, True, id="memory"),
        pytest.param("response_time_ms", [1_500.0] * 5, Severity.WARNING, True, id="milliseconds"),
        pytest.param("response_time_seconds", [0.5] * 5, None, None, id="seconds"),
        pytest.param("error_rate_ratio", [0.06] * 5, Severity.CRITICAL, True, id="errors"),
        pytest.param("success_rate_percent", [93.0] * 5, Severity.WARNING, True, id="lower-is-worse"),
        pytest.param("success_rate_ratio", [0.89] * 5, Severity.CRITICAL, True, id="lower-is-worse-as-a-ratio"),
        pytest.param("success_rate_percent", [99.0] * 5, None, None, id="success"),
        pytest.param("queue_length", [1e9] * 5, None, None, id="no-type-no-threshold"),
    ],
)
def test_thresholds(view, name, values, severity, confirmed):
    view.add(name, *values)
    found = [s for s in Analyzer([]).analyze(view, view.now).symptoms if s.kind == "threshold"]
    assert [(s.severity, s.confirmed) for s in found] == ([] if severity is None else [(severity, confirmed)])
    assert all(0.0 <= symptom.score <= 1.0 for symptom in found)


def test_a_threshold_does_not_flicker_at_its_limit(view):
    analyzer, seen = Analyzer([]), []
    view.add("cpu_usage_percent", *[78.0] * 5)
    for value in (74.0, 78.0, 74.0, 78.0, 60.0, 60.0):
        view.add("cpu_usage_percent", value)
        analyzer_says = analyzer.analyze(view, view.now)
        seen.append(len(analyzer_says.symptoms))
    assert seen == [0, 0, 0, 0, 0, 0]  # it never began
    view.add("cpu_usage_percent", *[78.0] * 3)
    assert len(analyzer.analyze(view, view.now).symptoms) == 1
    lasts = []
    for value in (74.0, 78.0, 74.0, 60.0, 60.0):
        view.add("cpu_usage_percent", value)
        lasts.append(len(analyzer.analyze(view, view.now).symptoms))
    assert lasts == [1, 1, 1, 0, 0]


@pytest.mark.parametrize(("name", "unit"), [("cpu_usage", ""), ("cpu_usage_seconds", "seconds")])
def test_units_that_do_not_compare_are_held_not_guessed(view, name, unit):
    view.add(name, *[99.0] * 5)
    analysis = Analyzer([]).analyze(view, view.now)
    assert analysis.symptoms == ()
    assert len(analysis.holds) == 1 and "cannot compare" in analysis.holds[0] and analysis.holds[0].startswith(f"HOLD: {name}: ")


def test_what_is_untrusted_passes_no_threshold(view):
    view.add("cpu_usage_percent", *[99.0] * 5)
    view.distrust("shop/cpu_usage_percent", "time-out")
    analysis = Analyzer([]).analyze(view, view.now)
    assert analysis.symptoms == ()
    assert analysis.holds == ("HOLD: cpu_usage_percent: time-out; no action rests on it",)


def test_series_with_one_reason_are_held_in_one_sentence(view):
    for i in range(5):
        view.add(f"m{i}", 1.0)
        view.distrust(f"shop/m{i}", "time-out")
    assert Analyzer([]).analyze(view, view.now).holds == (
        "HOLD: 5 series of shop (m0, m1, m2, …): time-out; no action rests on it",
    )


@pytest.mark.parametrize("crowded", [None, "the limit of 50 series is reached: 20 further ones are not read"])
def test_series_for_which_there_is_no_room_are_held_in_one_sentence(view, crowded):
    view.add("m", 1.0)
    view.crowded = crowded
    assert Analyzer([]).analyze(view, view.now).holds == ((f"HOLD: {crowded}",) if crowded else ())


def test_an_anomaly_is_written_with_as_many_digits_as_it_takes_to_see_it(view):
    rng, analyzer = np.random.default_rng(4), Analyzer([])
    view.add("process_memory_bytes", *rng.normal(68.60e6, 50.0, 200))
    analyzer.analyze(view, view.now)
    view.add("process_memory_bytes", 68.601e6, 68.601e6, 68.601e6)
    (symptom,) = analyzer.analyze(view, view.now).symptoms
    value, *usual = re.findall(r"[\d.]+ MB", symptom.evidence)
    assert value == "68.601 MB" and usual and value not in usual


def test_an_anomaly_begins_once_and_lasts_while_it_is_strange(view):
    rng, analyzer = np.random.default_rng(4), Analyzer([])
    view.add("queue_length", *rng.normal(50.0, 2.0, 200))
    assert analyzer.analyze(view, view.now).symptoms == ()
    found = []
    for value in [63.0, 64.0, 63.5, 64.0, 50.0, 50.5, 49.0]:
        view.add("queue_length", value)
        found.append(analyzer.analyze(view, view.now).symptoms)
    assert [len(symptoms) for symptoms in found] == [0, 0, 1, 1, 0, 0, 0]
    assert found[2][0].kind == "anomaly" and found[2][0].since == found[3][0].since
    assert "queue_length 63.5 is unlike its learned behaviour of" in found[2][0].evidence


def test_each_sample_is_fed_once(view, monkeypatch):
    from trimtab.analyze import stream

    fed, notice = [], stream.StreamDetector.notice
    monkeypatch.setattr(stream.StreamDetector, "notice", lambda self, t, v: fed.append(t) or notice(self, t, v))
    analyzer = Analyzer([Goal("queue_length", 10.0, Direction.MINIMIZE)])
    view.add("queue_length", 1.0, 2.0, 3.0)
    for _ in range(3):
        analyzer.analyze(view, view.now)
    view.add("queue_length", 4.0)
    analyzer.analyze(view, view.now)
    assert fed == [10.0, 20.0, 30.0, 40.0]


def test_the_worst_comes_first(view):
    view.add("checkout_error_ratio", *[0.2] * 5).add("cpu_usage_percent", *[95.0] * 5).add("p95_seconds", *[9.0] * 5)
    analyzer = Analyzer([Goal("p95_seconds", 1.0, Direction.MINIMIZE)], {"shop": [ERRORS]})
    assert [s.kind for s in analyzer.analyze(view, view.now).symptoms] == ["guard_breached", "goal_missed", "threshold"]
