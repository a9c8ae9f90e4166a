"""Controls of a trial: chosen once, and dropped when our own actions or another hand move what they belong to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from execute.kit import WORKERS, World, a_record, an_action, run, through
from trimtab.domain.actions import ActionState as S
from trimtab.domain.levers import LeverSpec
from trimtab.domain.metrics import Health, Trust
from trimtab.domain.situation import LeverState
from trimtab.domain.verdicts import VerdictStatus
from trimtab.execute.controls import Control, Controls

T = 1000.0 + np.arange(-300.0, 60.0)
LOAD = np.sin(T**2)
Y, KIN = 10.0 + LOAD, 5.0 + 0.3 * LOAD + 0.02 * np.cos(T**3)
OFFERED = {"shop-2/p95_seconds": Control(KIN, frozenset({"shop-2", "db-2"}))}
RECORD = a_record()
SHOP_2 = LeverSpec("workers", "shop-2", bounds=(1, 16), settle_seconds=10.0)


def other(**changes):
    return a_record(S.KEPT, action=an_action(SHOP_2, action_id="other", locks=frozenset({"shop-2"})), **changes)


def lever(spec, moved_at):
    return {spec.lever_id: LeverState(spec, 1, Trust(Health.OK), 0.0, moved_at)}


CASES = {
    "nothing else moves": ((), {}, True),
    "our own action on it, meanwhile": ((other(executed_at=1020.0),), {}, False),
    "one of ours that has not settled": ((other(executed_at=995.0),), {}, False),
    "one of ours on another element": ((a_record(S.KEPT, action=replace(an_action(), action_id="x", locks=frozenset()),
                                                 executed_at=1020.0),), {}, True),
    "another hand on it": ((), lever(SHOP_2, 1020.0), False),
    "another hand on what it depends on": ((), lever(LeverSpec("pool", "db-2", bounds=(1, 9)), 1020.0), False),
    "another hand, long before": ((), lever(SHOP_2, 900.0), True),
    "another hand elsewhere": ((), lever(WORKERS, 1020.0), True),
}  # fmt: skip


@pytest.mark.parametrize(("records", "levers", "kept"), CASES.values(), ids=CASES)
def test_what_else_moved_it(records, levers, kept):
    found = Controls().beside(RECORD, (T, Y), OFFERED, (RECORD, *records), levers)
    assert list(found) == (list(OFFERED) if kept else [])


def test_it_is_dropped_in_the_midst_of_a_trial_and_none_takes_its_place():
    controls = Controls()
    late = {**OFFERED, "late/p95_seconds": Control(KIN.copy(), frozenset({"late"}))}
    assert list(controls.beside(RECORD, (T, Y), OFFERED, (RECORD,), {})) == list(OFFERED)
    assert list(controls.beside(RECORD, (T, Y), late, (RECORD,), {})) == list(OFFERED)
    assert controls.beside(RECORD, (T, Y), late, (RECORD, other(executed_at=1020.0)), {}) == {}
    controls.forget(RECORD.action_id)
    assert len(controls.beside(RECORD, (T, Y), late, (RECORD,), {})) == 2


def test_its_own_past_trials_are_no_part_of_it():
    before = other(executed_at=800.0, ended_at=805.0)
    (values,) = Controls().beside(RECORD, (T, Y), OFFERED, (RECORD, before), {}).values()
    assert np.isnan(values[(T >= 800.0) & (T < 810.0)]).all() and np.isfinite(values).sum() == T.size - 10


def test_a_trial_is_judged_beside_its_control_and_says_so():
    world = World()
    t = 1000.0 + np.arange(-300.0, 40.0) + 0.5
    rng = np.random.default_rng(4)
    load = np.exp(0.3 * np.convolve(rng.standard_normal(t.size + 60), np.full(60, 0.13), mode="valid")[: t.size])
    world.evidence.t, world.evidence.y = t, load * np.where(t < 1000.0, 1.0, 0.8)
    kin = load * np.exp(0.02 * rng.standard_normal(t.size))
    world.evidence.control_values = {"shop-2/p95_seconds": Control(kin, frozenset({"shop-2"}))}
    record = run(through(world))
    assert record.verdict.status is VerdictStatus.IMPROVED
    assert "beside the control shop-2/p95_seconds" in record.verdict.reason
