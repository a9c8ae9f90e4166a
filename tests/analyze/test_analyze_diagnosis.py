"""Where trouble began: the call graph, changes, silence, constants, and the watch over a monitor."""

from __future__ import annotations

import numpy as np
import pytest

from trimtab.analyze import diagnose
from trimtab.analyze.deviations import contrast, deviation
from trimtab.analyze.suspicions import SuspicionWatch
from trimtab.domain.diagnosis import Change
from trimtab.domain.goals import Symptom
from trimtab.domain.metrics import Severity

GRAPH = {"web": ("api", "cache"), "api": ("db",)}
TARGET = ("web", "latency_ms")
LEVELS = {"web": 100.0, "api": 60.0, "db": 20.0, "cache": 2.0}


def noise(n: int, seed: int) -> np.ndarray:
    return 0.03 * np.random.default_rng(seed).standard_normal(n)


def calm(n: int = 120) -> dict:
    return {(name, "latency_ms"): level * (1 + noise(n, i)) for i, (name, level) in enumerate(LEVELS.items())}


def off(extra: dict[str, float], m: int = 10) -> dict:
    """Samples of trouble: `extra` milliseconds at each element."""
    return {
        (name, "latency_ms"): level * (1 + noise(m, 100 + i)) + extra.get(name, 0.0)
        for i, (name, level) in enumerate(LEVELS.items())
    }


def test_the_deepest_in_trouble_is_named_first():
    causes = diagnose(TARGET, calm(), off({"web": 80, "api": 80, "db": 80}), GRAPH)
    assert causes[0].element == "db"
    assert causes[0].probability > 0.8
    assert "latency_ms went from 20" in causes[0].evidence[0]
    assert "api, web depend on it and suffer too" in causes[0].evidence


def test_what_suffers_alone_is_its_own_cause():
    causes = diagnose(TARGET, calm(), off({"web": 80}), GRAPH)
    assert causes[0].element == "web"


def test_trouble_elsewhere_is_not_blamed_for_what_does_not_depend_on_it():
    graph = {"web": ("api",), "api": ("db",), "other": ("cache",)}
    causes = diagnose(TARGET, calm(), off({"web": 80, "api": 80, "cache": 30}), graph)
    assert causes[0].element == "api"


def test_a_recent_change_tips_the_scale_and_an_old_or_later_one_does_not():
    trouble = off({"web": 80, "api": 80, "cache": 0.4})

    def suspicion(*changes: Change) -> float:
        causes = diagnose(TARGET, calm(), trouble, GRAPH, changes, since=100_000.0)
        return next(cause.probability for cause in causes if cause.element == "cache")

    base = suspicion()
    recent = suspicion(Change("cache", 99_900.0, "version 2 was deployed"))
    assert recent > base + 0.1
    assert suspicion(Change("cache", 50_000.0, "version 1 was deployed")) == pytest.approx(base, rel=0.01)
    assert suspicion(Change("cache", 100_001.0, "too late")) == base


def test_a_change_is_told_in_words():
    causes = diagnose(TARGET, calm(), off({"web": 80, "api": 80}), GRAPH, [Change("api", 0.0, "version 2 was deployed")])
    assert "version 2 was deployed" in causes[0].sentence


def test_silence_counts_only_where_nothing_tells_that_nobody_asked():
    normal, abnormal = calm(), off({"web": 80, "api": 80})
    abnormal["db", "latency_ms"] = np.full(10, np.nan)
    silent = {cause.element: cause for cause in diagnose(TARGET, normal, abnormal, GRAPH)}
    assert silent["db"].evidence[0] == "latency_ms has no samples any more"
    normal["db", "requests"], abnormal["db", "requests"] = np.full(120, 50.0) + noise(120, 9), np.zeros(10)
    idle = {cause.element: cause for cause in diagnose(TARGET, normal, abnormal, GRAPH)}
    assert idle["api"].probability > silent["api"].probability


def test_what_was_different_before_the_symptom_is_no_evidence():
    """Another version since normal time: the level of db doubled, but not with the symptom."""
    normal, abnormal = calm(), off({"db": 40})
    shape = np.array([0, 0, 0, 0, 1, 1, 1, 0, 0, 0], dtype=float)
    for name in ("web", "api"):
        abnormal[name, "latency_ms"] = abnormal[name, "latency_ms"] + 80 * shape
    assert diagnose(TARGET, normal, abnormal, GRAPH)[0].element == "api"


def test_a_constant_that_moves_is_as_unlikely_as_a_first_ever_event():
    found = deviation(("db", "availability"), np.full(100, 100.0), np.array([97.0, 98.0]), None)
    assert found is not None and 2.0 < found.log_ratio < 5.0
    still = deviation(("db", "availability"), np.full(100, 100.0), np.array([100.0, 100.0]), None)
    assert still is not None and still.log_ratio < 0.0
    better = deviation(("db", "availability"), np.full(100, 90.0), np.array([100.0, 100.0]), None)
    assert better is not None and better.log_ratio < 0.0


def test_no_contrast_where_the_symptom_shows_all_along():
    assert contrast(np.array([5.0, 5.1, 4.9, 5.0]), np.array([1.0, 1.1, 0.9, 1.0]), 1) is None


def test_without_a_graph_what_deviates_most_is_named_and_the_sum_is_one():
    causes = diagnose(TARGET, calm(), off({"web": 30, "db": 80}))
    assert causes[0].element == "db"
    assert sum(cause.probability for cause in causes) <= 1.0 + 1e-9


def test_circles_in_the_graph_do_no_harm():
    graph = {"web": ("api",), "api": ("web", "db"), "db": ("api",)}
    assert diagnose(TARGET, calm(), off({"web": 80, "api": 80, "db": 80}), graph)


def test_nothing_known_is_no_error():
    causes = diagnose(TARGET, {}, {}, None)
    assert causes[0].element == "web"


def symptom(since: float, element: str = "web", kind: str = "goal_missed", confirmed: bool = True) -> Symptom:
    return Symptom(kind, element, "latency_ms", Severity.WARNING, 0.5, "high", since, "goal:latency_ms", confirmed)


class TestWatch:
    def fill(self, view, trouble: dict[str, float]):
        for (name, metric), values in calm(100).items():
            after = off(trouble)[name, metric]
            view.add(metric, *values, *after, element=name)
        return 1000.0 + 5.0  # the symptom's beginning: 100 samples, 10 s apart

    def test_a_lasting_symptom_gets_its_diagnosis(self, view):
        since = self.fill(view, {"web": 80, "api": 80, "db": 80})
        found = SuspicionWatch(GRAPH).look([symptom(since)], view, view.now)
        assert found[0].causes[0].element == "db"
        assert found[0].sentence.startswith("likely cause: db (")

    @pytest.mark.parametrize("one", [symptom(1005.0, kind="anomaly"), symptom(1005.0, confirmed=False), symptom(50.0)])
    def test_none_without_a_lasting_symptom_or_a_past(self, view, one):
        self.fill(view, {"web": 80})
        assert SuspicionWatch(GRAPH).look([one], view, view.now) == ()

    def test_none_where_one_element_is_all_there_is(self, view):
        view.add("latency_ms", *calm(100)[TARGET], *off({"web": 80})[TARGET], element="web")
        assert SuspicionWatch().look([symptom(1005.0)], view, view.now) == ()

    def test_it_is_made_anew_after_a_minute_and_forgotten_with_its_symptom(self, view):
        since, watch = self.fill(view, {"web": 80, "db": 80}), SuspicionWatch(GRAPH)
        first = watch.look([symptom(since)], view, view.now)
        assert watch.look([symptom(since)], view, view.now + 59.0) == first
        assert watch.look([symptom(since)], view, view.now + 60.0)[0].at == view.now + 60.0
        assert watch.look([], view, view.now + 61.0) == ()
        assert watch.look([symptom(since)], view, view.now + 62.0)[0].at == view.now + 62.0
