"""A job's life: started once, waited for, measured from when it is done, taken back whole; killed or broken, nothing is left."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from execute.kit import FakeJournal, FakeLever, World, a_record, an_action, goal_state, guard_state, run
from trimtab.domain.actions import ActionState as S
from trimtab.domain.errors import Conflict, Retryable
from trimtab.domain.levers import LeverKind, LeverSpec, Reversibility
from trimtab.execute import recovery, requests
from trimtab.execute.trial import Seen, TrialRules, after_rollback, next_step

INDEX = LeverSpec(
    "index", "shop", LeverKind.CHOICE, choices=("absent", "done"), settle_seconds=10.0, run_once=True, takes_seconds=60.0
)
RUN_IT = an_action(INDEX, "absent", "done", action_id="index_1000", action_type="index")
RULES = TrialRules(cooldown=60.0, sample_seconds=1.0)


class FakeJob(FakeLever):
    """A job that is done `ticks` looks after it was started; undone at once, also while it runs."""

    def __init__(self, ticks=3, ends="done"):
        super().__init__(INDEX, "absent")
        self.ticks, self.ends, self.left = ticks, ends, 0

    async def read(self):
        if self.value == "running":
            self.left -= 1
            if self.left <= 0:
                self.value = self.ends
        return await super().read()

    async def set(self, value):
        await super().set(value)
        if self.value == "done":
            self.value, self.left = "running", self.ticks


def seen(at=1005.0, value="running", **changes):
    return replace(Seen(at, INDEX, value, goal=goal_state(), guards=(guard_state(),)), **changes)


def probing(**changes):
    return a_record(S.PROBING, action=RUN_IT, **changes)


@pytest.mark.parametrize(
    ("record", "at", "to"),
    [
        pytest.param(probing(), seen(), None, id="it runs: wait"),
        pytest.param(probing(), seen(1059.0), None, id="it still runs"),
        pytest.param(probing(), seen(1061.0), S.ROLLING_BACK, id="it takes too long"),
        pytest.param(probing(), seen(value="broken"), S.ROLLING_BACK, id="it broke"),
        pytest.param(probing(), seen(value="done"), S.SETTLING, id="it is done"),
        pytest.param(probing(), seen(value="absent"), S.FAILED, id="it ended without an effect"),
        pytest.param(probing(acknowledged=False), seen(value="absent"), None, id="not begun yet: it may be about to"),
        pytest.param(probing(acknowledged=False), seen(1013.0, "absent"), S.FAILED, id="it never began"),
        pytest.param(probing(), seen(guards=(guard_state(0.02),)), S.ROLLING_BACK, id="a guard breaks while it runs"),
        pytest.param(probing(), seen(recall="taken back by ann"), S.ROLLING_BACK, id="a person takes it back"),
        pytest.param(probing(interrupted=True), seen(), S.ROLLING_BACK, id="the agent was killed while it ran"),
        pytest.param(probing(interrupted=True), seen(value="done"), S.ROLLING_BACK, id="the agent was killed, it is done now"),
        pytest.param(a_record(S.SETTLING, action=RUN_IT), seen(value="broken"), S.ROLLING_BACK, id="it broke after it was done"),
        pytest.param(a_record(S.SETTLING, action=RUN_IT), seen(value="absent"), S.YIELDED, id="somebody dropped it"),
    ],
)
def test_a_job_at_work(record, at, to):
    step = next_step(record, at, RULES)
    assert (step.to if step else None) is to


def test_settling_and_the_deadline_count_from_when_it_is_done_not_from_when_it_was_started():
    record = a_record(S.SETTLING, action=RUN_IT, in_place_at=1050.0)
    assert next_step(record, seen(1059.0, "done"), RULES) is None
    assert next_step(record, seen(1060.0, "done"), RULES).to is S.VERIFYING
    assert RULES.deadline(record) == 1050.0 + 10.0 + 30.0


@pytest.mark.parametrize("value", ["running", "broken", "done"])
def test_what_is_half_done_is_ours_to_take_back(value):
    record = a_record(S.ROLLING_BACK, action=RUN_IT, rollback_reason="no use")
    assert after_rollback(record, seen(1011.0, value)) is None
    assert after_rollback(record, seen(1011.0, "absent")).to is S.ROLLED_BACK
    assert after_rollback(record, seen(1030.0, value)).to is S.ROLLBACK_FAILED


async def live(world, *, until, seconds=1.0, turns=80):
    record = await world.advance("index_1000")
    for _ in range(turns):
        if record.state in until or record.state.terminal:
            break
        record = await world.advance("index_1000", seconds=seconds)
    return record


def test_a_job_that_helps_is_started_once_waited_for_measured_and_kept():
    async def story():
        world = World(FakeJob(ticks=20), rules=RULES)
        await world.schedule(RUN_IT)
        done = await live(world, until={S.SETTLING})
        world.samples(0.5, 0.1, at=done.in_place_at)
        ended = await live(world, until=set())
        assert world.journal.path("index_1000") == [
            "proposed", "scheduled", "applying", "probing", "settling", "verifying", "kept",
        ]  # fmt: skip
        assert world.lever.sets == ["done"]
        assert ended.in_place_at - ended.executed_at > 5.0
        assert ended.verdict.low > 0.5

    run(story())


def test_a_job_that_does_not_help_is_taken_back_and_read_back():
    async def story():
        world = World(FakeJob(), rules=RULES)
        await world.schedule(RUN_IT)
        done = await live(world, until={S.SETTLING})
        world.samples(0.5, 0.5, at=done.in_place_at, n_after=40)
        ended = await live(world, until=set())
        assert ended.state is S.ROLLED_BACK
        assert (world.lever.sets, world.lever.value) == (["done", "absent"], "absent")

    run(story())


@pytest.mark.parametrize("ends", ["broken", "absent"])
def test_a_job_that_fails_leaves_nothing_behind(ends):
    async def story():
        world = World(FakeJob(ends=ends), rules=RULES)
        await world.schedule(RUN_IT)
        ended = await live(world, until=set())
        assert ended.state is (S.ROLLED_BACK if ends == "broken" else S.FAILED)
        assert world.lever.value == "absent"
        assert ended.outcome is None  # nothing was measured, so nothing is learned

    run(story())


def test_our_own_job_at_work_is_not_taken_for_another_hand_and_a_stranger_s_is():
    async def story():
        world = World(FakeJob(), rules=RULES)
        await world.schedule(RUN_IT)
        await live(world, until={S.SETTLING})
        assert world.executor.levers.states["shop/index"].moved_by_others_at is None
        world.lever.value = "absent"
        await world.executor.levers.look("shop/index", world.clock.t)
        assert world.executor.levers.states["shop/index"].moved_by_others_at == world.clock.t

    run(story())


@pytest.mark.parametrize("ticks", [1, 3, 1000], ids=["done", "nearly done", "running on"])
@pytest.mark.parametrize("died", [1, 2, 3, 4], ids=["scheduled", "applying", "probing", "later"])
def test_killed_at_any_step_a_job_is_taken_back_and_never_started_again(ticks, died):
    async def story():
        journal, job = FakeJournal(), FakeJob(ticks=ticks)
        before = World(job, journal=journal, rules=RULES)
        await before.schedule(RUN_IT)
        while len(journal.path("index_1000")) < died + 1 and not before.book.get("index_1000").state.terminal:
            await before.advance("index_1000", seconds=1.0)
            if ticks == 1000 and len(journal.path("index_1000")) == 4:
                break
        started = job.sets.count("done")
        after = World(job, journal=journal, rules=RULES)  # the same journal and target, a new process
        after.clock.t = before.clock.t + 2.0
        await after.book.open(after.clock.t)
        await recovery.recover(after.executor, after.clock.t)
        if not after.book.get("index_1000").state.terminal:
            ended = await live(after, until=set(), turns=30)
            assert ended.state.terminal
        assert job.sets.count("done") == started
        assert job.value == "absent" or after.book.get("index_1000").state is S.KEPT

    run(story())


POOL = LeverSpec("pool", "shop", bounds=(1, 16), settle_seconds=10.0, gradual=True)
GROW = an_action(POOL, 2, 8, action_id="pool_1000", action_type="pool")


class SlowPool(FakeLever):
    """A pool that gets `reach` workers further in one call, and never beyond `most`."""

    def __init__(self, reach=2, most=16):
        super().__init__(POOL, 2)
        self.reach, self.most = reach, most

    async def set(self, value):
        self.sets.append(value)
        towards = max(-self.reach, min(self.reach, value - self.value))
        self.value = min(self.value + towards, self.most)
        if self.value != value:
            raise Retryable(f"{self.value} of {value} so far")


async def grow(world, *, until=frozenset()):
    await world.schedule(GROW)
    record = await world.advance("pool_1000")
    for _ in range(60):
        if record.state.terminal or record.state in until:
            break
        record = await world.advance("pool_1000", seconds=1.0)
    return record


def test_a_pool_that_is_on_its_way_goes_on():
    async def story():
        world = World(SlowPool(), rules=RULES)
        record = await grow(world, until={S.SETTLING})
        assert (record.state, world.lever.value, set(world.lever.sets)) == (S.SETTLING, 8, {8})
        assert record.in_place_at > record.executed_at

    run(story())


def test_a_pool_that_gets_stuck_half_way_is_ours_to_take_back_however_long_that_takes():
    async def story():
        world = World(SlowPool(reach=1, most=5), rules=RULES)
        record = await grow(world)
        assert (record.state, world.lever.value) == (S.ROLLED_BACK, 2)
        assert world.executor.levers.states["shop/pool"].moved_by_others_at is None
        assert record.outcome is None

    run(story())


@pytest.mark.parametrize("value", [1, 9, 16])
def test_a_value_beyond_the_way_is_another_hand_s(value):
    record = a_record(S.PROBING, action=GROW)
    at = replace(Seen(1005.0, POOL, value, goal=goal_state(), guards=(guard_state(),)))
    assert next_step(record, at, RULES).to is S.YIELDED


def test_a_pool_that_shrinks_after_it_had_settled_was_moved_by_another_hand():
    record = a_record(S.VERIFYING, action=GROW, in_place_at=1001.0)
    at = Seen(1020.0, POOL, 5, goal=goal_state(), guards=(guard_state(),))
    assert next_step(record, at, RULES).to is S.YIELDED


def test_a_switch_that_falls_while_the_intent_is_made_durable_keeps_the_lever_untouched():
    async def story():
        world = World()
        await world.schedule()
        journal_record = world.journal.record

        async def slow(record, from_state):
            row = await journal_record(record, from_state)
            world.executor.paused = world.executor.paused or record.state is S.APPLYING
            return row

        world.journal.record = slow
        record = await world.advance()
        assert (record.state, world.lever.sets) == (S.FAILED, [])
        assert "paused" in record.reason
        assert "nothing was set" in record.reason

    run(story())


def test_what_is_irreversible_is_not_taken_back_at_a_person_s_word():
    async def story():
        world = World(FakeJob(ticks=1), rules=RULES)
        once = replace(RUN_IT, reversibility=Reversibility.IRREVERSIBLE)
        await world.schedule(once)
        await live(world, until={S.SETTLING})
        with pytest.raises(Conflict, match="declared irreversible"):
            await requests.roll_back(world.executor, "index_1000", world.clock.t, actor="ann")
        assert world.book.get("index_1000").state is S.SETTLING

    run(story())


class Telling(FakeLever):
    """A setting in a file, of which a program is told; killed in between, the program still runs with the old value."""

    def __init__(self):
        super().__init__()
        self.program, self.dies = self.value, False

    async def set(self, value):
        await super().set(value)
        if self.dies:
            raise asyncio.CancelledError
        self.program = value

    async def restore(self, value):
        await self.set(value)


def test_killed_before_the_program_was_told_of_the_undo_it_is_told_after_the_restart():
    async def story():
        journal, lever = FakeJournal(), Telling()
        before = World(lever, journal=journal)
        await before.schedule()
        await before.advance()
        before.executor.recall("workers_increase_1000", "taken back by ann", "ann")
        lever.dies = True
        with pytest.raises(asyncio.CancelledError):
            await before.advance()
        assert (lever.value, lever.program) == (1, 4)
        lever.dies = False
        after = World(lever, journal=journal)
        after.clock.t = before.clock.t + 30.0
        await after.book.open(after.clock.t)
        await recovery.recover(after.executor, after.clock.t)
        record = await after.advance()
        assert (record.state, lever.value, lever.program) == (S.ROLLED_BACK, 1, 1)

    run(story())
