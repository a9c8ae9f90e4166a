"""What counts as the present level: nothing from before the last change, or its undoing, has settled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from trimtab.domain.actions import ActionRecord, OptimizationAction
from trimtab.domain.actions import ActionState as S
from trimtab.domain.direction import Direction
from trimtab.domain.goals import Analysis, Goal, GoalState, Guard, GuardState, Symptom
from trimtab.domain.levers import ActionPriority, Reversibility
from trimtab.domain.metrics import Health, Reading, Series, Severity, Trust
from trimtab.domain.verdicts import Verdict, VerdictStatus
from trimtab.loop.evidence import PATIENCE_SAMPLES, LastAnalysis
from trimtab.monitor import Monitor

GOAL = Goal("shop_p95_seconds", 0.2, Direction.MINIMIZE)
OK = Trust(Health.OK)


def record(state, executed_at, ended_at=None, *, locks=("shop",), undone=None, futile=False, guard=None):
    action = OptimizationAction(
        "a", "t", "d", locks[0], "workers", 1, 2, GOAL.metric_name, GOAL.goal_id, "", "", 0.1, 0.5, 0.3,
        ActionPriority.MEDIUM, Reversibility.REVERSIBLE, 10.0, 0.0, frozenset(locks),
    )  # fmt: skip
    verdict = Verdict(VerdictStatus.INCONCLUSIVE, None, None, None, "", "", futile=futile) if futile else None
    return ActionRecord(action, state, 0.0, "", executed_at=executed_at, ended_at=ended_at, rollback_reason=undone,
                        verdict=verdict, guard_breached=guard)  # fmt: skip


TABLE = {
    "nothing was ever done": ((), 0.0),
    "proposed only": ((record(S.SCHEDULED, None),), 0.0),
    "under way": ((record(S.VERIFYING, 100.0),), 110.0),
    "kept": ((record(S.KEPT, 100.0, 130.0),), 110.0),
    "undone: from the undoing on": ((record(S.ROLLED_BACK, 100.0, 130.0, undone="worse"),), 140.0),
    "being undone: not over yet": ((record(S.ROLLING_BACK, 100.0, undone="worse"),), 110.0),
    "undone without an effect worth having: leaves none": ((record(S.ROLLED_BACK, 100.0, 130.0, undone="no", futile=True),), 0.0),
    "futile, but a guard broke": ((record(S.ROLLED_BACK, 100.0, 130.0, undone="no", futile=True, guard="g"),), 140.0),
    "the latest counts": ((record(S.ROLLED_BACK, 100.0, 150.0, undone="worse"), record(S.KEPT, 120.0, 140.0)), 160.0),
    "an element it depends on": ((record(S.KEPT, 100.0, locks=("web", "shop")),), 110.0),
    "another element": ((record(S.KEPT, 100.0, locks=("web",)),), 0.0),
}


class Still:
    """A sensor that is only ever posted for."""

    name, element, interval, metric_names = "still", "shop", 1.0, (GOAL.metric_name,)


def steady(second):
    return 0.3 + 0.001 * (second % 7)


def evidence(samples=200, value=steady, **state):
    sensor = Still()
    monitor = Monitor([sensor], interval_seconds=1.0, window_seconds=3600.0)
    series = Series.named(GOAL.metric_name, "shop")
    for second in range(samples):
        monitor.post(sensor, [Reading(series, value(second), float(second))], float(second))
    found = LastAnalysis(monitor)
    found.now = float(samples)
    goal = GoalState(GOAL, "shop", 0.3, 0.3, False, 0.5, 0.5, OK)
    found.analysis = Analysis(found.now, **{"goals": (goal,), **state})
    return found


@pytest.mark.parametrize(("records", "since"), TABLE.values(), ids=TABLE)
def test_baseline_counts(records, since):
    assert evidence().baseline_counts(records) == {GOAL.goal_id: 200 - int(since)}


@pytest.mark.parametrize(
    ("missed_for", "counted"),
    [(0, range(1, 10)), (PATIENCE_SAMPLES - 2, range(1, 10)), (PATIENCE_SAMPLES + 5, range(200, 201))],
    ids=["on its way", "still on its way", "drifting on and on"],
)
def test_a_metric_on_its_way_has_no_level_until_it_was_missed_for_long(missed_for, counted):
    since = 200.0 - missed_for
    symptom = Symptom("goal_missed", "shop", GOAL.metric_name, Severity.WARNING, 0.5, "", since, GOAL.goal_id)
    climbing = evidence(value=lambda second: 0.3 * 1.3 ** max(0, second - 180), symptoms=(symptom,))
    assert climbing.baseline_counts(())[GOAL.goal_id] in counted


def test_samples_of_a_goal_are_all_there_are_and_none_for_a_stranger():
    t, v = evidence(50).samples(GOAL.goal_id)
    assert t.tolist() == list(map(float, range(50))) and v.min() >= 0.3
    assert [part.size for part in evidence().samples("goal:nobody")] == [0, 0]
    assert np.all(np.diff(t) > 0)


@pytest.mark.parametrize(
    ("kind", "confirmed", "missed"),
    [("goal_missed", True, True), ("goal_missed", False, False), ("anomaly", True, False)],
    ids=["clearly missed", "one sample only", "merely unusual"],
)
def test_a_goal_counts_as_missed_only_on_a_confirmed_symptom(kind, confirmed, missed):
    symptom = Symptom(kind, "shop", GOAL.metric_name, Severity.WARNING, 0.5, "", 0.0, GOAL.goal_id, confirmed)
    assert (GOAL.goal_id in evidence(symptoms=(symptom,)).missed()) is missed


@pytest.mark.parametrize(
    ("achieved", "met"), [(True, (GOAL.goal_id,)), (False, ()), (None, ())], ids=["met", "missed", "on hold"]
)
def test_met(achieved, met):
    assert evidence(goals=(GoalState(GOAL, "shop", 0.1, 0.1, achieved, 1.0, 0.0, OK),)).met() == met


def test_guards_are_those_of_the_elements_asked_for():
    states = tuple(GuardState(Guard("errors", max=0.1), element, 0.0, False, OK) for element in ("shop", "web"))
    assert [state.element for state in evidence(guards=states).guards(frozenset({"web", "db"}))] == ["web"]


def beside(ties, *, controls=(), element="shop", offset=0.2):
    """An evidence with the goal's metric on three elements, and another metric on the last of them."""
    sensors = [Still() for _ in range(4)]
    series = [Series.named(GOAL.metric_name, name) for name in ("shop", "db", "web")] + [Series.named("load", "web")]
    for sensor, one in zip(sensors, series, strict=True):
        sensor.name, sensor.element, sensor.metric_names = f"{one.element}-{one.name}", one.element, (one.name,)
    monitor = Monitor(sensors, interval_seconds=1.0, window_seconds=3600.0)
    for second in range(60):
        for index, (sensor, one) in enumerate(zip(sensors, series, strict=True)):
            at = second + offset * index
            monitor.post(sensor, [Reading(one, steady(second) + index, at)], at)
    found = LastAnalysis(monitor, ties)
    found.now = 60.0
    goal = replace(GOAL, element=element, controls=controls)
    found.analysis = Analysis(60.0, (GoalState(goal, element or "", 0.3, 0.3, False, 0.5, 0.5, OK),))
    return found, goal.goal_id


def test_controls_are_the_same_metric_elsewhere_where_nothing_is_shared():
    ties = {"shop": frozenset({"shop", "db"}), "db": frozenset({"db"}), "web": frozenset({"web"})}
    found, goal_id = beside(ties)
    controls = found.controls(goal_id, ties["shop"])
    assert list(controls) == [f"web/{GOAL.metric_name}"]
    (web,) = controls.values()
    assert web.ties == frozenset({"web"})
    assert web.values == pytest.approx(found.samples(goal_id)[1] + 2.0)
    assert found.controls(goal_id, frozenset({"shop", "web"})).keys() == {f"db/{GOAL.metric_name}"}


def test_what_depends_on_the_element_acted_on_is_no_control():
    found, goal_id = beside({"web": frozenset({"web", "shop"})})
    assert f"web/{GOAL.metric_name}" not in found.controls(goal_id, frozenset({"shop"}))


def test_a_goal_may_name_its_controls():
    found, goal_id = beside({"web": frozenset({"web", "shop"})}, controls=("load", "nothing"))
    controls = found.controls(goal_id, frozenset({"shop", "db"}))
    assert list(controls) == ["load"]
    assert controls["load"].ties == frozenset({"web", "shop"})


def test_a_goal_over_all_elements_has_none_by_itself():
    found, goal_id = beside({}, element=None)
    assert found.controls(goal_id, frozenset({"shop"})) == {} == found.controls("goal:nobody", frozenset())


def test_samples_taken_at_other_times_are_no_controls():
    found, goal_id = beside({}, offset=0.9)
    (web,) = [c for name, c in found.controls(goal_id, frozenset({"shop"})).items() if name.startswith("web")]
    assert np.isfinite(web.values).sum() <= 59
