"""Things break around the loop: it stops deciding, says why, and goes on by itself once they work again."""

from __future__ import annotations

import asyncio

import pytest

from scenarios.stage import Shop, Stage
from trimtab.assembly import assemble, load_settings
from trimtab.domain.actions import ActionState as S
from trimtab.domain.errors import StoreError
from trimtab.loop.clocks import WallClock
from trimtab.loop.schedule import Stage as LoopStage


def failing(real, broken):
    """`real`, which raises for as long as `broken` is not empty."""

    async def call(*args, **kwargs):
        if broken:
            raise StoreError("no space left on the disk")
        return await real(*args, **kwargs)

    return call


def test_a_journal_that_is_lost_in_mid_action_stops_everything_and_a_metric_write_does_not_hide_it(tmp_path):
    stage, broken = Stage(tmp_path, Shop(20, fault_at=5.0)), []
    journal = stage.stores.journal
    journal.record, journal.note = failing(journal.record, broken), failing(journal.note, broken)

    async def story(stage):
        while not stage.agent.book.in_state(S.SETTLING):
            await stage.go(0.5)
        before = list(stage.shop.sets)
        broken.append("full")
        await stage.go(20.0)
        lost = stage.agent.get_status(), list(stage.shop.sets)
        broken.clear()
        await stage.go(60.0)
        return before, lost, stage.agent.get_status()

    before, (lost, sets), after = stage.play(5.0, story)
    assert sets == before
    assert lost["state"] == "hold"
    assert any("no space left" in hold for hold in lost["holds"])
    assert after["state"] == "running", after["holds"]
    assert stage.agent.goal_states()[0].achieved
    assert not [record for record in stage.records if record.state.in_flight]


def test_a_metric_store_that_is_lost_is_said_and_forgotten_once_it_works(tmp_path):
    stage, broken = Stage(tmp_path, Shop(21)), []
    stage.stores.metrics.write = failing(stage.stores.metrics.write, broken)

    async def story(stage):
        broken.append("full")
        await stage.go(3.0)
        lost = stage.agent.get_status()
        broken.clear()
        await stage.go(3.0)
        return lost, stage.agent.get_status()

    lost, after = stage.play(10.0, story)
    assert (lost["state"], after["state"]) == ("hold", "running")
    assert "no space left" in " ".join(lost["holds"])


@pytest.mark.parametrize("name", [stage.value for stage in LoopStage if stage is not LoopStage.MONITOR])
def test_a_stage_that_fails_stops_no_other_and_its_reason_is_shown(tmp_path, name):
    stage = Stage(tmp_path, Shop(22))

    async def story(stage):
        async def broken(now):
            raise ZeroDivisionError("by a bug")

        real = getattr(stage.agent, f"_{name}")
        setattr(stage.agent, f"_{name}", broken)
        turns = len(stage.seen)
        stage.agent.schedule.wake(LoopStage(name))
        await stage.go(10.0)
        shown, went_on = stage.agent.get_status(), len(stage.seen) - turns
        setattr(stage.agent, f"_{name}", real)
        stage.agent.schedule.wake(LoopStage(name))
        await stage.go(5.0)
        return shown, went_on, stage.agent.get_status()

    shown, went_on, after = stage.play(10.0, story)
    assert any("by a bug" in hold for hold in shown["holds"])
    assert went_on >= 5
    assert after["holds"] == []


def test_while_the_analysis_fails_nothing_is_kept_on_what_it_said_before(tmp_path):
    stage = Stage(tmp_path, Shop(23, fault_at=5.0))

    async def story(stage):
        async def broken(now):
            raise ZeroDivisionError("by a bug")

        while not stage.agent.book.in_state(S.VERIFYING):
            await stage.go(0.5)
        trial = stage.agent.book.in_state(S.VERIFYING)[0]
        stage.agent._analyze = broken
        await stage.go(200.0)
        return stage.agent.book.get(trial.action_id)

    record = stage.play(5.0, story)
    assert record.state is S.ROLLED_BACK
    assert record.success is False


def test_taking_back_a_kept_change_is_done_when_the_call_returns(tmp_path):
    stage = Stage(tmp_path, Shop(24, fault_at=30.0))

    async def story(stage):
        kept = [record for record in stage.records if record.state is S.KEPT][-1]
        before = stage.shop.levers["workers"]
        taken = await stage.agent.rollback_action(kept, actor="ann")
        return kept, before, taken, stage.shop.levers["workers"]

    kept, before, taken, after = stage.play(150.0, story)
    assert (before, after) == (kept.action.to_value, kept.snapshot)
    assert (taken.state, taken.actor) == (S.ROLLED_BACK, "ann")


def test_a_proposal_that_was_cut_off_before_its_decision_expires(tmp_path):
    stage = Stage(tmp_path, Shop(25, fault_at=5.0))
    journal = stage.stores.journal
    real, cut = journal.record, []

    async def cut_off_once(record, from_state):
        if record.state is S.SCHEDULED and not cut:
            cut.append(record.action_id)
            raise StoreError("no space left on the disk")
        return await real(record, from_state)

    journal.record = cut_off_once
    stage.play(60.0)
    assert stage.agent.book.get(cut[0]).state is S.EXPIRED
    assert not stage.agent.book.in_state(S.PROPOSED)
    assert stage.agent.goal_states()[0].achieved


def test_a_request_that_fits_no_lever_value_or_goal_is_refused_in_words(tmp_path):
    stage = Stage(tmp_path, Shop(26))

    async def story(stage):
        said = []
        for lever_id, value in (("shop/nope", 1), ("shop/workers", 99), ("shop/workers", 2)):
            try:
                await stage.agent.submit(lever_id, value, reason="to see", actor="ann")
            except Exception as error:
                said.append(str(error))
        return said

    said = stage.play(10.0, story)
    assert [part in text for part, text in zip(("no lever", "from 1 to 16", "already"), said, strict=True)] == [True] * 3


def test_a_change_that_a_person_asks_for_is_judged_like_any_other(tmp_path):
    stage = Stage(tmp_path, Shop(27))

    async def story(stage):
        record = await stage.agent.submit("shop/batch", 20, reason="to see", actor="ann")
        await stage.go(40.0)
        return stage.agent.book.get(record.action_id)

    record = stage.play(20.0, story)
    assert (record.state, record.approved_by) == (S.ROLLED_BACK, "ann")
    assert record.guard_breached
    assert stage.shop.levers["batch"] == 4


def test_a_sensor_that_hangs_does_not_make_the_loop_spin(tmp_path):
    """On the wall clock: the other sensors fall out of step with the stage that reads them."""
    stage = Stage(tmp_path, Shop(29))
    agent = assemble(
        load_settings(tmp_path / "trimtab.yaml"), clock=WallClock(), stores=stage.stores, plants={"shop": stage.shop}
    )
    turns = []
    real = agent.turn

    async def hang(now):
        await asyncio.sleep(30.0)

    async def turn(now):
        turns.append(now)
        return await real(now)

    async def story():
        agent.parts.sensors[0].read, agent.turn = hang, turn
        running = asyncio.ensure_future(agent.run())
        await asyncio.sleep(3.2)
        agent.stop()
        await running

    asyncio.run(story())
    assert 3 <= len(turns) <= 60, len(turns)


def test_everything_is_closed_although_one_thing_will_not(tmp_path):
    stage, closed = Stage(tmp_path, Shop(28)), []

    async def stuck():
        raise OSError("will not close")

    async def close_journal():
        closed.append("journal")

    stage.agent.levers.close, stage.stores.journal.close = stuck, close_journal
    stage.play(2.0)
    assert closed == ["journal"]
    assert asyncio.run(stage.agent.close()) is None
