"""What may come between two steps of the executor: a pause, a person, a lost journal, another hand, another trial."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from execute.kit import GOAL, WORKERS, FakeLever, World, a_record, an_action, goal_state, guard_state, run
from trimtab.domain.actions import ActionState as S
from trimtab.domain.errors import Conflict, StoreError
from trimtab.domain.levers import LeverSpec
from trimtab.domain.metrics import Health, Trust
from trimtab.execute import recovery, requests

CACHE = LeverSpec("cache", "shop", bounds=(1, 16), settle_seconds=10.0, locks=frozenset({"shop"}))
STALE = Trust(Health.STALE, "last sample is 90 s old")


class SlowLever(FakeLever):
    """Answers a read when it is told to."""

    def __init__(self):
        super().__init__()
        self.gate = None

    async def read(self):
        if self.gate is not None:
            await self.gate.wait()
        return self.value


def test_an_intent_whose_outcome_was_not_written_is_looked_for_and_not_sent_again():
    """The journal is lost right after the effect; meanwhile another hand moves the lever."""

    async def story(world):
        await world.schedule()
        real_set = world.lever.set

        async def set_and_lose_the_journal(value):
            await real_set(value)
            world.journal.full = True

        world.lever.set = set_and_lose_the_journal
        with pytest.raises(StoreError):
            await world.advance()
        world.journal.full, world.lever.value = False, 9
        await world.advance(seconds=1.0)
        return await world.advance(seconds=1.0)

    world = World()
    record = run(story(world))
    assert (record.state, world.lever.value, world.lever.sets) == (S.YIELDED, 9, [4])


@pytest.mark.parametrize("interruption", ["pause", "hold", "withdrawn", "nothing"])
def test_what_is_said_while_the_lever_is_being_read_counts(interruption):
    async def story(world):
        world.executor.levers._timeout = 5.0
        record = await world.schedule()
        world.lever.gate = asyncio.Event()
        start = asyncio.ensure_future(world.executor.advance(record.action_id))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if interruption == "pause":
            world.executor.paused = True
        if interruption == "hold":
            world.executor.hold = "the journal is lost"
        if interruption == "withdrawn":
            await requests.roll_back(world.executor, record.action_id, world.clock.t, actor="ann")
        world.lever.gate.set()
        await start
        return world.book.get(record.action_id)

    world = World(SlowLever())
    record = run(story(world))
    expected = {"pause": S.SCHEDULED, "hold": S.SCHEDULED, "withdrawn": S.REJECTED, "nothing": S.SETTLING}[interruption]
    assert record.state is expected
    assert world.lever.sets == ([4] if interruption == "nothing" else [])
    assert world.journal.stands[record.action_id].state is expected


@pytest.mark.parametrize("what", ["goal", "guard"])
def test_nothing_starts_on_what_cannot_be_trusted(what):
    async def story(world):
        await world.schedule(requested=True)
        if what == "goal":
            world.evidence.goals[GOAL.goal_id] = goal_state(trust=STALE)
        else:
            world.evidence.guard_states = [guard_state(trust=STALE)]
        return await world.advance()

    world = World()
    record = run(story(world))
    assert (record.state, world.lever.sets) == (S.SCHEDULED, [])
    assert "90 s old" in record.reason


def test_another_hand_on_a_lever_beside_it_spoils_the_trial():
    async def story(world):
        world.samples(0.6, 0.1)
        await world.executor.levers.look("shop/cache", world.clock.t)
        await world.schedule()
        await world.advance()
        world.levers[1].value = 12
        await world.executor.levers.look("shop/cache", world.clock.t + 1.0)
        for _ in range(20):
            record = await world.advance(seconds=1.0)
        return record

    world = World(FakeLever(), FakeLever(CACHE))
    record = run(story(world))
    assert (record.state, world.lever.value, world.levers[1].value) == (S.ROLLED_BACK, 1, 12)
    assert "another hand moved shop/cache" in record.reason
    assert record.success is False


def test_a_change_on_probation_is_not_credited_with_what_a_later_one_does():
    async def story(world):
        first = a_record(S.KEPT_ON_PROBATION, ended_at=1030.0)
        later = a_record(S.KEPT, action=an_action(CACHE, 1, 4, action_id="later"), executed_at=1100.0, ended_at=1120.0)
        for record in (first, later):
            world.journal.stands[record.action_id] = record
        await world.book.open(1200.0)
        t = 970.0 + np.arange(230.0)
        level = np.where(t < 1100.0, 0.6, 0.1)
        world.evidence.t, world.evidence.y = t, level * (1 + 0.02 * np.sin(2.1 * np.arange(t.size)))
        world.evidence.goals[GOAL.goal_id] = goal_state(0.1, True)
        world.clock.t, world.lever.value = 1199.0, 4
        return await world.advance()

    record = run(story(World(FakeLever(), FakeLever(CACHE))))
    assert record.state is not S.KEPT
    assert record.success is not True


def test_a_guard_that_breaks_during_one_trial_does_not_undo_an_older_change():
    async def story(world):
        older = a_record(S.KEPT, ended_at=1000.0)
        world.journal.stands[older.action_id] = older
        await world.book.open(1001.0)
        world.lever.value = 4
        await world.schedule(an_action(CACHE, 1, 4, action_id="trial", created_at=1001.0))
        await world.advance("trial")
        world.evidence.guard_states = [guard_state(0.05)]
        for action_id in (older.action_id, "trial", older.action_id):
            await world.advance(action_id, seconds=0.5)
        return world.book.get(older.action_id), world.book.get("trial")

    world = World(FakeLever(), FakeLever(CACHE))
    older, trial = run(story(world))
    assert (older.state, trial.state) == (S.KEPT, S.ROLLED_BACK)


def test_taking_back_a_kept_change_first_ends_the_trial_that_holds_its_lock():
    async def story(world):
        older = a_record(S.KEPT, ended_at=1000.0)
        world.journal.stands[older.action_id] = older
        await world.book.open(1001.0)
        world.lever.value = 4
        await world.schedule(an_action(CACHE, 1, 4, action_id="trial", created_at=1001.0))
        await world.advance("trial")
        await requests.roll_back(world.executor, older.action_id, world.clock.t, actor="ann")
        most = 0
        for _ in range(6):
            for record in world.executor.due(world.clock.t):
                await world.advance(record.action_id, seconds=0.2)
                most = max(most, len(world.book.under_way()))
        return world.book.get(older.action_id), world.book.get("trial"), most

    older, trial, most = run(story(World(FakeLever(), FakeLever(CACHE))))
    assert (older.state, trial.state, most) == (S.ROLLED_BACK, S.ROLLED_BACK, 1)


def test_what_a_person_took_back_is_taken_back_even_if_the_agent_is_killed_before_it_could():
    async def story():
        first = World()
        record = a_record(S.KEPT, ended_at=1000.0)
        first.journal.stands[record.action_id] = record
        await first.book.open(1011.0)
        await requests.roll_back(first.executor, record.action_id, 1012.0, actor="ann")
        second = World(FakeLever(value=4), journal=first.journal)
        await second.book.open(1013.0)
        await recovery.recover(second.executor, 1013.0)
        second.clock.t = 1013.0
        return await second.advance(record.action_id), second

    record, world = run(story())
    assert (record.state, world.lever.value, record.actor) == (S.ROLLED_BACK, 1, "ann")


def test_a_judge_that_breaks_is_no_verdict_and_the_trial_still_ends(monkeypatch):
    def broken(*args, **kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr("trimtab.verify.judge", broken)

    async def story(world):
        world.samples(0.6, 0.1)
        await world.schedule()
        for _ in range(60):
            record = await world.advance(seconds=1.0)
        return record

    world = World()
    assert run(story(world)).state is S.ROLLED_BACK
    assert world.lever.value == 1


def test_a_hung_lever_does_not_hold_up_the_stop():
    async def story(world):
        await world.schedule()
        await world.advance()
        world.lever.gate = asyncio.Event()
        world.executor.levers._timeout = 60.0
        began = asyncio.get_running_loop().time()
        left = await recovery.wind_down(world.executor)
        return left, asyncio.get_running_loop().time() - began

    left, took = run(story(World(SlowLever())))
    assert left == ("workers_increase_1000",)
    assert took < 4.5


def test_simulation_does_not_start_over_unfinished_real_changes():
    async def story(simulated):
        world = World(FakeLever(value=4))
        record = a_record(S.VERIFYING)
        world.journal.stands[record.action_id] = record
        await world.book.open(1100.0)
        await recovery.recover(world.executor, 1100.0, simulated=simulated)

    run(story(False))
    with pytest.raises(Conflict, match="simulation_mode: false"):
        run(story(True))


def test_a_message_that_cannot_be_delivered_changes_nothing():
    class Broken:
        async def notify(self, event, title, body):
            raise ConnectionError

    async def story(world):
        world.book._notifier = Broken()
        world.evidence.guard_states = [guard_state(0.001)]
        await world.schedule()
        await world.advance()
        world.evidence.guard_states = [guard_state(0.05)]
        return await world.advance(seconds=1.0)

    assert run(story(World())).state is S.ROLLED_BACK


def test_cool_downs_do_not_stretch_when_the_clock_was_set_back_over_a_restart():
    async def story():
        world = World()
        record = a_record(S.ROLLED_BACK, executed_at=9000.0, ended_at=9100.0)
        world.journal.stands[record.action_id] = record
        await world.book.open(1000.0)
        return world.book.get(record.action_id)

    record = run(story())
    assert max(record.since, record.executed_at, record.ended_at) <= 1010.0
    assert WORKERS.lever_id == record.action.lever_id
