"""A shop under surge, on a virtual clock: the whole loop, read like incident reports."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import pairwise

import pytest

from scenarios.stage import Shop, Stage
from trimtab.domain.actions import ActionState as S


@pytest.mark.parametrize("seed", range(4))
def test_a_surge_is_answered_with_the_lever_that_helps_and_nothing_else_is_kept(tmp_path, seed):
    """covers: F8. After 60 s the load trebles; within 120 s the goal is met again, and only workers have moved for good."""
    stage = Stage(tmp_path, Shop(seed, fault_at=60.0))
    stage.play(180.0)
    goal = stage.agent.goal_states()[0]
    assert goal.achieved, [(r.description, r.state, r.reason) for r in stage.records]
    assert stage.shop.levers["workers"] >= 4
    assert (stage.shop.levers["log_level"], stage.shop.levers["batch"]) == ("info", 4)
    kept = [record for record in stage.records if record.state in (S.KEPT, S.KEPT_ON_PROBATION)]
    assert {record.action.lever for record in kept} == {"workers"}


@pytest.mark.parametrize("seed", range(2))
def test_without_a_fault_nothing_is_kept_in_an_hour(tmp_path, seed):  # ten days on every plant: bench-stability
    stage = Stage(tmp_path, Shop(seed))
    stage.play(3600.0)
    assert not [record for record in stage.records if record.state in (S.KEPT, S.KEPT_ON_PROBATION)]
    assert stage.shop.levers == {"workers": 2, "log_level": "info", "batch": 4}


def test_a_guard_is_never_left_broken_by_a_trial(tmp_path):
    """Only batch can be moved, and it breaks the guard: it is tried, undone at once, and its harm remembered."""
    shop = Shop(1, fault_at=20.0)
    stage = Stage(tmp_path, shop, risk=0.9)  # workers ask a person, and nobody answers
    stage.play(300.0)
    breached = [record for record in stage.records if record.guard_breached]
    assert shop.levers["batch"] <= 8
    assert all(record.state is S.ROLLED_BACK for record in breached)
    assert len(breached) <= 2, [(r.description, r.state) for r in stage.records]


def test_in_simulation_mode_nothing_is_ever_set_and_nothing_is_learned(tmp_path):
    stage = Stage(tmp_path, Shop(2, fault_at=20.0), simulate="true")
    stage.play(120.0)
    assert stage.shop.sets == []
    assert {record.state for record in stage.records if record.executed_at} == {S.SIMULATED}
    assert all(record.outcome is None for record in stage.records)
    assert all(record.success is None for record in stage.records)


@pytest.mark.parametrize("automatic", ["true", "false"])
def test_with_automatic_actions_off_a_person_is_asked(tmp_path, automatic):
    stage = Stage(tmp_path, Shop(3, fault_at=20.0), automatic=automatic)
    stage.play(60.0)
    asked = [record for record in stage.records if record.state is S.AWAITING_APPROVAL]
    assert bool(asked) is (automatic == "false")
    assert bool(stage.shop.sets) is (automatic == "true")


def test_an_approved_action_runs_and_a_second_approval_is_refused(tmp_path):
    async def approve(stage):
        record = next(r for r in stage.records if r.state is S.AWAITING_APPROVAL and r.action.lever == "workers")
        await stage.agent.approve(record.action_id, actor="ann", plan_hash=record.action.plan_hash)
        with pytest.raises(Exception, match="does not await approval"):
            await stage.agent.approve(record.action_id, actor="bob")
        await stage.go(60.0)
        return stage.agent.book.get(record.action_id)

    stage = Stage(tmp_path, Shop(4, fault_at=20.0), automatic="false")
    record = stage.play(60.0, approve)
    assert record.state is S.KEPT, record.reason
    assert record.approved_by == "ann"
    assert [value for lever, value in stage.shop.sets if lever == "workers"] == [record.action.to_value]


def test_paused_means_nothing_new_starts_and_it_survives_a_restart(tmp_path):
    shop = Shop(5, fault_at=10.0)
    first = Stage(tmp_path, shop)

    async def pause(stage):
        await stage.agent.pause("ann")

    first.play(5.0, pause)
    second = Stage(tmp_path, shop, stores=first.stores, start=first.clock.now() + 5.0)
    second.play(60.0)
    assert (shop.sets, second.seen[-1][1]) == ([], "paused")

    async def resume(stage):
        await stage.agent.resume("ann")
        await stage.go(30.0)

    third = Stage(tmp_path, shop, stores=first.stores, start=second.clock.now() + 5.0)
    third.play(10.0, resume)
    assert shop.sets


BAD = {
    "null": {"shop_p95_seconds": None},
    "nan": {"shop_p95_seconds": float("nan")},
    "inf": {"shop_p95_seconds": float("inf")},
    "minus inf": {"shop_p95_seconds": float("-inf")},
    "zero on error": {"shop_p95_seconds": 0.0},
    "guard nan": {"shop_error_ratio": float("nan")},
}


@pytest.mark.parametrize("name", [*BAD, "sensor dead", "metric gone"])
def test_bad_data_stop_decisions_and_show_a_hold_within_one_cycle(tmp_path, name):
    async def spoil(stage):
        before = len(stage.records)
        stage.shop.fault_at = 0.0  # a real fault happens too, but nothing trustworthy shows it
        stage.shop.dead = name == "sensor dead"
        stage.shop.spoil = BAD.get(name)
        if name == "metric gone":
            step = stage.shop.step
            stage.shop.step = lambda now, dt: {k: v for k, v in step(now, dt).items() if k != "shop_p95_seconds"}
        await stage.go(1.05)
        shown = stage.agent.get_status()
        await stage.go(60.0)
        return shown, len(stage.records) - before

    stage = Stage(tmp_path, Shop(6))
    shown, proposed = stage.play(30.0, spoil)
    assert shown["state"] == "hold"
    assert any("HOLD" in hold for hold in shown["holds"])
    assert proposed == 0
    assert stage.shop.sets == []


def test_a_critical_reading_leads_to_an_action_within_five_seconds_at_the_default_periods(tmp_path):
    """covers: F8. Everything at 30 s and more; the plant breaks between two readings."""
    stage = Stage(tmp_path, Shop(7, fault_at=605.0, surge=10.0), interval=30, step=0.5)
    stage.play(700.0)
    readings = stage.agent.monitor.window("shop/shop_p95_seconds")
    first = next(t for t, v in zip(readings.t, readings.v, strict=True) if v > 0.4)
    acted = min(record.executed_at for record in stage.records if record.executed_at)
    assert acted - first <= 5.0


def test_the_same_seed_gives_the_same_story(tmp_path):
    def story(folder):
        folder.mkdir()
        stage = Stage(folder, Shop(8, fault_at=30.0))
        stage.play(150.0)
        return [(r.action_id, r.state, r.reason, r.since) for r in stage.records]

    first = story(tmp_path / "a")
    assert first == story(tmp_path / "b")
    assert len(first) >= 2


def test_a_kept_change_is_explained_with_its_whole_life_and_the_belief_before_and_after(tmp_path):
    stage = Stage(tmp_path, Shop(9, fault_at=30.0))

    async def explain(stage):
        record = next(r for r in stage.records if r.state is S.KEPT)
        return await stage.agent.explain(record.action_id)

    record, rows = stage.play(180.0, explain)
    assert [row.to_state for row in rows if row.to_state][:5] == [S.PROPOSED, S.SCHEDULED, S.APPLYING, S.SETTLING, S.VERIFYING]
    learned = next(row for row in rows if row.kind == "learned")
    assert learned.data["after"]["p_success"] > learned.data["before"]["p_success"]
    assert record.decision.reason
    assert asyncio.run(stage.stores.journal.verify()) > len(rows)


def test_a_lost_journal_stops_decisions_with_a_reason(tmp_path):
    from trimtab.domain.errors import StoreError

    stage = Stage(tmp_path, Shop(10, fault_at=10.0))

    async def full(*args, **kwargs):
        raise StoreError("no space left on the disk")

    stage.stores.journal.record = full

    async def status(stage):
        return stage.agent.get_status()

    shown = stage.play(60.0, status)
    assert stage.shop.sets == []
    assert any("no space left" in hold for hold in shown["holds"])


def test_a_foreign_hand_is_noticed_within_a_cycle_and_yielded_to(tmp_path):
    async def interfere(stage):
        for _ in range(400):
            await stage.go(0.5)
            trial = next((r for r in stage.agent.book.under_way() if r.state is S.VERIFYING), None)
            if trial is not None:
                stage.shop.levers[trial.action.lever] = foreign = "error" if trial.action.lever == "log_level" else 13
                await stage.go(1.5)
                return stage.agent.book.get(trial.action_id), foreign
        return None

    stage = Stage(tmp_path, Shop(11, fault_at=5.0))
    record, foreign = stage.play(10.0, interfere)
    assert record.state is S.YIELDED
    assert stage.shop.levers[record.action.lever] == foreign


def test_never_more_than_one_trial_at_a_time_on_one_element(tmp_path):
    stage = Stage(tmp_path, Shop(12, fault_at=20.0))
    stage.play(240.0)
    spans = sorted((r.executed_at, r.ended_at) for r in stage.records if r.executed_at and r.ended_at)
    assert len(spans) >= 3
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert Counter(r.state for r in stage.records)[S.ROLLBACK_FAILED] == 0
