"""Incidents about who may start what: a storm, a closing window, a freeze, a kill switch thrown in the middle of things."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from scenarios import stage as stages
from scenarios.stage import Shop, Stage
from trimtab.domain.actions import ActionState as S
from trimtab.plan.history import refused_by_a_person

NIGHT = 1_795_212_000.0 - 400  # 2026-11-20 21:53:20 UTC, a Friday, 400 s before 22:00


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """An agent whose configuration has more at its end."""

    def build(more="", safety="", **about):
        text = stages.YAML.replace("enable_automatic_actions:", f"{safety} enable_automatic_actions:")
        monkeypatch.setattr(stages, "YAML", text + more.replace("{", "{{").replace("}", "}}"))
        built = Stage(tmp_path, **about)
        monkeypatch.undo()
        return built

    return build


def starts(stage):
    return [record.executed_at for record in stage.records if record.executed_at is not None]


def notes(stage, *kinds):
    return [row.kind for row in reversed(asyncio.run(stage.stores.journal.notes(kinds, 100)))]


STORM = "storm_halt: {{harmful_actions: 1, window_seconds: 600}},"


@pytest.mark.parametrize("resumes", [True, False])
def test_after_harm_nothing_new_starts_until_a_person_looks_and_a_restart_changes_nothing(stage, resumes):
    shop = Shop(fault_at=200.0)
    first = stage(safety=STORM, shop=shop)

    async def harm(running):
        await running.agent.submit("shop/batch", 32, reason="to see", actor="ann")  # breaks the guard
        await running.go(60)
        assert [record.state for record in running.records] == [S.ROLLED_BACK]
        assert running.agent.state == "hold"
        assert any(hold.startswith("storm halt: 1 change did harm within 10 min") for hold in running.agent.holds)

    first.play(100, harm)
    second = stage(safety=STORM, shop=shop, stores=first.stores, start=first.clock.now() + 1)

    async def wait(running):
        assert starts(running) == starts(first)  # the goal has been missed for a while, and nothing was done
        assert "storm halt" in running.agent.plan.sentence
        if resumes:
            await running.agent.resume("ann")
        await running.go(60)
        assert (len(starts(running)) > 1) is resumes

    second.play(160, wait)
    assert notes(second, "storm", "resumed") == (["storm", "resumed"] if resumes else ["storm"])


def test_many_inconclusive_trials_are_no_storm(stage):
    """Every lever is tried again and again on a goal that none of them can reach: much is undone, nothing did harm."""
    shop = Shop(fault_at=30.0, surge=400.0, noise=0.3)
    shop.spoil = {"shop_error_ratio": 0.002}  # no guard is ever near
    done = stage(safety="storm_halt: {{harmful_actions: 1, window_seconds: 86400}},", shop=shop)
    done.play(600)
    undone = [record for record in done.records if record.state is S.ROLLED_BACK and record.guard_breached is None]
    assert len(undone) >= 3
    assert notes(done, "storm") == []


NIGHTS = "\nmaintenance_windows: [{name: nights, days: [fri], start: '22:00', end: '22:10', elements: [shop]}]\n"


def test_the_agent_waits_for_its_window_acts_in_it_and_stops_with_it(stage):
    done = stage(NIGHTS, shop=Shop(fault_at=60.0, surge=30.0), start=NIGHT)

    async def before(running):
        assert starts(running) == []
        assert (
            "outside of the maintenance windows of shop: 'nights' opens in 2 min (Fri 22:00 UTC)" in running.agent.plan.sentence
        )
        (window,) = running.agent.get_status()["windows"]
        assert (window["open"], window["changes_at"]) == (False, "2026-11-20T22:00:00.000Z")
        await running.go(1000)

    done.play(300, before)
    times = [datetime.fromtimestamp(at, UTC).strftime("%H:%M") for at in starts(done)]
    assert times and all("22:00" <= each < "22:10" for each in times)
    assert all(record.state.terminal for record in done.records)  # what began in it was finished or undone after it


@pytest.mark.parametrize("late", [True, False])
def test_what_was_scheduled_just_before_the_end_is_not_started_after_it(stage, late):
    closes = NIGHT + 400 + 600
    done = stage(NIGHTS, shop=Shop(fault_at=0.0), start=closes - 100)

    async def play(running):
        running.agent.executor.hold = "held by the test"  # so that nothing has started yet
        await running.go(40)
        running.agent.executor.hold = None
        situation, now = running.agent.situation(running.clock.now()), running.clock.now()
        (proposal, *_) = [each for optimizer in running.agent.parts.optimizers for each in optimizer.propose(situation)]
        record = await running.agent.book.propose(proposal, None, now)
        await running.agent.book.move(record, S.SCHEDULED, "decided in time", now)
        if late:
            running.clock.advance_to(closes)
        await running.go(120)
        return running.agent.book.get(record.action_id)

    record = done.play(0.5, play)
    assert (record.executed_at is None) is late
    if late:
        assert record.state is S.EXPIRED
        assert "outside of the maintenance windows of shop" in record.reason


@pytest.mark.parametrize("frozen", [True, False])
def test_in_a_freeze_a_person_may_still_try_what_the_agent_may_not(stage, frozen):
    freeze = (
        "\nchange_freezes: [{name: fridays, days: [fri]}]\n" if frozen else "\nchange_freezes: [{name: sundays, days: [sun]}]\n"
    )
    done = stage(freeze, shop=Shop(fault_at=0.0), start=NIGHT - 3600, automatic="false")

    async def by_hand(running):
        asked = running.agent.book.in_state(S.AWAITING_APPROVAL)
        assert (asked == ()) is frozen  # nobody is asked, either
        for record in asked:
            await running.agent.approve(record.action_id, approved=False, actor="ann")
        submitted = await running.agent.submit("shop/workers", 6, reason="to see", actor="ann")
        await running.go(30)
        return running.agent.book.get(submitted.action_id)

    assert done.play(60, by_hand).executed_at is not None


@pytest.mark.parametrize("undo", [True, False])
def test_a_pause_finishes_what_is_under_way_and_with_undo_takes_it_back_at_once(stage, undo):
    done = stage(shop=Shop(fault_at=0.0, surge=30.0))

    async def stop(running):
        while not running.agent.book.under_way():
            await running.go(1)
        (record,) = running.agent.book.under_way()
        taken = await running.agent.pause("ann", undo=undo)
        now = running.agent.book.get(record.action_id)
        assert taken == ([record.action_id] if undo else ())
        assert now.state is (S.ROLLED_BACK if undo else record.state)
        if undo:
            assert running.shop.levers[record.action.lever] == record.snapshot
            assert (now.actor, now.rollback_reason) == ("trimtab", "paused by ann, with what was under way taken back")
            assert not refused_by_a_person(now), "ann said nothing against this very change"
        await running.go(300)
        assert starts(running)[-1] == record.executed_at
        assert running.agent.book.under_way() == ()

    done.play(10, stop)
