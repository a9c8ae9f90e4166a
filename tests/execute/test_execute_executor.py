"""The executor with a lever that misbehaves: what is journalled, what is set, and where the action ends."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execute.kit import GUARD, WORKERS, FakeLever, World, a_record, an_action, goal_state, guard_state, run, through
from trimtab.domain.actions import ActionState as S
from trimtab.domain.errors import IllegalTransition, Retryable, StoreError
from trimtab.domain.levers import LeverKind, LeverSpec
from trimtab.domain.verdicts import Verdict, VerdictStatus
from trimtab.execute import recovery, requests
from trimtab.systems.file.lever import FileLever
from trimtab.systems.file.options import FileLeverOptions


def test_a_change_that_helps_is_journalled_before_it_is_set_and_kept_once_proven():
    world = World()
    world.samples(0.6, 0.1)
    record = run(through(world))
    assert world.journal.path() == ["proposed", "scheduled", "applying", "settling", "verifying", "kept"]
    assert (world.lever.value, world.lever.sets) == (4, [4])
    assert record.success is True
    assert record.actual_improvement == pytest.approx(5 / 6, abs=0.1)


def test_a_change_that_harms_is_undone_and_read_back():
    world = World()
    world.samples(0.3, 0.9)
    record = run(through(world))
    assert world.journal.path()[-2:] == ["rolling_back", "rolled_back"]
    assert (world.lever.value, world.lever.sets) == (1, [4, 1])
    assert record.success is False
    assert world.told == ["rollback"]


def test_a_breached_guard_ends_the_trial_while_it_settles():
    async def story(world):
        await world.schedule()
        await world.advance()
        world.evidence.guard_states = [guard_state(0.05)]
        return await world.advance(seconds=1.0)

    world = World()
    record = run(story(world))
    assert (record.state, world.lever.value, record.guard_breached) == (S.ROLLED_BACK, 1, GUARD.guard_id)
    assert record.outcome.harmed


class Refusing(FakeLever):
    """Takes no change, but lets one be undone."""

    def __init__(self):
        super().__init__()
        self.restored, self.refuses = [], False

    async def set(self, value):
        if self.refuses:
            raise Retryable("nobody is there")
        await super().set(value)

    async def restore(self, value):
        self.value = value
        self.restored.append(value)


def test_an_undo_asks_for_what_the_lever_offers_for_it():
    async def story(world):
        await world.schedule()
        await world.advance()
        world.lever.refuses = True
        world.evidence.guard_states = [guard_state(0.05)]
        return await world.advance(seconds=1.0)

    world = World(Refusing())
    assert run(story(world)).state is S.ROLLED_BACK
    assert (world.lever.sets, world.lever.restored) == ([4], [1])


def test_a_file_whose_program_cannot_be_told_gives_nothing_to_judge(tmp_path, monkeypatch):
    async def story(world):
        await world.schedule()
        await world.advance()
        return [(await world.advance(seconds=4.0)).state for _ in range(4)]

    monkeypatch.setattr("trimtab.systems.file.lever.check", lambda notify: None)  # it ends right after the look
    file = tmp_path / "workers"
    file.write_text("1")
    options = {"type": "file", "name": "workers", "path": file, "bounds": (1, 16), "notify": {"pid_file": tmp_path / "pid"}}
    world = World(FileLever(FileLeverOptions.model_validate(options), WORKERS))
    assert run(story(world))[-1] is S.FAILED
    assert "settling" not in world.journal.path() and file.read_text() == "1"


FAULTS = [
    ("refused", "refuse", [S.FAILED], 1),
    ("acknowledgement lost", "lose", [S.SETTLING], 4),
    ("request lost", "drop", [S.PROBING, S.PROBING, S.PROBING, S.FAILED], 1),
    ("accepted and ignored", "ignore", [S.PROBING, S.PROBING, S.PROBING, S.FAILED], 1),
]


@pytest.mark.parametrize(("fault", "path", "value"), [pytest.param(*case[1:], id=case[0]) for case in FAULTS])
def test_an_effect_in_doubt_is_looked_for_and_never_sent_again(fault, path, value):
    async def story(world):
        world.lever.script = [fault]
        await world.schedule()
        return [(await world.advance(seconds=4.0 * (i > 0))).state for i in range(len(path))]

    world = World()
    assert run(story(world)) == path
    assert world.lever.value == value
    assert world.lever.sets == [4]


def test_a_foreign_value_is_never_overwritten():
    async def story(world):
        await world.schedule()
        await world.advance()
        world.lever.value = 9
        return await world.advance(seconds=1.0)

    world = World()
    assert run(story(world)).state is S.YIELDED
    assert (world.lever.value, world.lever.sets) == (9, [4])


def test_a_foreign_value_that_comes_while_rolling_back_is_not_overwritten():
    async def story(world):
        await world.schedule()
        await world.advance()
        world.lever.script = ["drop"]
        world.executor.recall("workers_increase_1000", "taken back by ann", "ann")
        first = await world.advance(seconds=1.0)
        world.lever.value = 9
        return first, await world.advance(seconds=1.0)

    world = World()
    first, last = run(story(world))
    assert (first.state, last.state) == (S.ROLLING_BACK, S.YIELDED)
    assert world.lever.value == 9


def test_a_rollback_that_fails_freezes_the_lever_and_tells_people_until_a_person_retries():
    async def story(world):
        await world.schedule()
        await world.advance()
        world.executor.recall("workers_increase_1000", "taken back by ann", "ann")
        world.lever.silent = True
        for _ in range(10):
            failed = await world.advance(seconds=2.0)
            if failed.state.terminal:
                break
        frozen = world.executor.levers.states["shop/workers"].frozen
        world.lever.silent = False
        await requests.roll_back(world.executor, failed.action_id, world.clock.t, actor="ann")
        return failed, frozen, await world.advance()

    world = World()
    failed, frozen, retried = run(story(world))
    assert failed.state is S.ROLLBACK_FAILED
    assert frozen
    assert "failed" in world.told
    assert [row.kind for row in world.journal.rows if row.kind in ("frozen", "unfrozen")] == ["frozen", "unfrozen"]
    assert (retried.state, world.lever.value) == (S.ROLLED_BACK, 1)
    assert world.executor.levers.states["shop/workers"].frozen is None


def test_without_a_journal_nothing_is_set():
    async def story(world):
        await world.schedule()
        world.journal.full = True
        with pytest.raises(StoreError):
            await world.advance()
        refused = list(world.lever.sets)
        world.journal.full = False
        return refused, await world.advance()

    world = World()
    refused, record = run(story(world))
    assert refused == []
    assert record.state is S.SETTLING


VOID = [
    ("the lever moved since", lambda w: setattr(w.lever, "value", 3)),
    ("the goal is met again", lambda w: w.evidence.goals.update({k: goal_state(0.1, True) for k in w.evidence.goals})),
    ("the lever is frozen", lambda w: w.executor.levers.freeze("shop/workers", "a rollback failed")),
]


@pytest.mark.parametrize("spoil", [pytest.param(spoil, id=name) for name, spoil in VOID])
def test_a_plan_that_no_longer_fits_is_void(spoil):
    async def story(world):
        await world.schedule()
        spoil(world)
        return await world.advance()

    world = World()
    assert run(story(world)).state is S.EXPIRED
    assert world.lever.sets == []


async def start_all(world, specs, **about):
    for i, spec in enumerate(specs):
        action = an_action(spec, action_id=f"a{i}", locks=spec.locks, **{"goal_id": f"goal{i}", **about})
        await world.schedule(action)
    for i in range(len(specs)):
        await world.advance(f"a{i}")
    return [record.action_id for record in world.book.under_way()]


def spec_on(element, name="lever"):
    return LeverSpec(name, element, bounds=(1, 16), locks=frozenset({element}))


def test_no_more_at_once_than_allowed():
    specs = [spec_on(f"e{i}") for i in range(5)]
    assert run(start_all(World(*(FakeLever(spec) for spec in specs)), specs)) == ["a0", "a1", "a2"]


def test_never_two_on_one_lock():
    specs = [spec_on("e0", "a"), spec_on("e0", "b"), spec_on("e1")]
    assert run(start_all(World(*(FakeLever(spec) for spec in specs)), specs)) == ["a0", "a2"]


def test_never_two_that_one_goal_would_judge():
    specs = [spec_on("e0"), spec_on("e1")]
    world = World(*(FakeLever(spec) for spec in specs))
    assert run(start_all(world, specs, goal_id="goal:shared")) == ["a0"]


@pytest.mark.parametrize("paused", [True, False])
def test_while_paused_nothing_starts(paused):
    async def story(world):
        await world.schedule()
        world.executor.paused = paused
        return await world.advance(seconds=500.0)

    world = World()
    assert run(story(world)).state is (S.SCHEDULED if paused else S.SETTLING)


KINDS = [
    LeverSpec("n", "shop", LeverKind.INTEGER, (0, 100), locks=frozenset({"shop"})),
    LeverSpec("x", "shop", LeverKind.FLOAT, (0.0, 1.0), step=0.01, locks=frozenset({"shop"})),
    LeverSpec("c", "shop", LeverKind.CHOICE, choices=("a", "b", "c"), locks=frozenset({"shop"})),
    LeverSpec("b", "shop", LeverKind.BOOLEAN, locks=frozenset({"shop"})),
]


def value_of(spec):
    if spec.kind is LeverKind.INTEGER:
        return st.integers(0, 100)
    if spec.kind is LeverKind.FLOAT:
        return st.integers(0, 100).map(lambda i: i / 100)
    return st.sampled_from(spec.choices) if spec.kind is LeverKind.CHOICE else st.booleans()


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_rollback_after_apply_is_identity_whatever_the_network_does(data):
    spec = data.draw(st.sampled_from(KINDS))
    start, goal = data.draw(value_of(spec)), data.draw(value_of(spec))
    if start == goal:
        return
    faults = data.draw(st.lists(st.sampled_from(["", "lose", "drop", "ignore"]), max_size=4))

    async def story(world):
        await world.schedule(an_action(spec, start, goal, locks=spec.locks))
        world.lever.script = faults
        record = await world.advance()
        world.executor.recall(record.action_id, "taken back by ann", "ann")
        for _ in range(12):
            if record.state.terminal:
                break
            record = await world.advance(seconds=2.0)
        return record

    world = World(FakeLever(spec, start))
    record = run(story(world))
    assert record.state in (S.ROLLED_BACK, S.FAILED)
    assert world.lever.value == start


RESTARTS = [
    # state before the crash, was it acknowledged, what the lever holds after it → where it ends, and what the lever holds then
    (S.SCHEDULED, False, 1, S.EXPIRED, 1),
    (S.APPLYING, False, 1, S.FAILED, 1),
    (S.APPLYING, False, 4, S.ROLLED_BACK, 1),
    (S.APPLYING, False, 9, S.YIELDED, 9),
    (S.PROBING, False, 1, S.FAILED, 1),
    (S.PROBING, False, 4, S.ROLLED_BACK, 1),
    (S.SETTLING, True, 4, S.ROLLED_BACK, 1),
    (S.SETTLING, True, 1, S.YIELDED, 1),
    (S.VERIFYING, True, 4, S.ROLLED_BACK, 1),
    (S.VERIFYING, True, 9, S.YIELDED, 9),
    (S.ROLLING_BACK, True, 4, S.ROLLED_BACK, 1),
    (S.ROLLING_BACK, True, 1, S.ROLLED_BACK, 1),
    (S.ROLLING_BACK, True, 9, S.YIELDED, 9),
]


@pytest.mark.parametrize(("state", "acknowledged", "holds", "ends", "left"), RESTARTS)
def test_after_a_crash_every_action_ends_within_thirty_seconds(state, acknowledged, holds, ends, left):
    async def story():
        world = World(FakeLever(value=holds))
        record = a_record(state, acknowledged=acknowledged, rollback_reason="worse" if state is S.ROLLING_BACK else None)
        world.journal.stands[record.action_id] = record
        await world.book.open(5000.0)
        world.clock.t = 5000.0
        await recovery.recover(world.executor, world.clock.t)
        for _ in range(30):
            if world.book.get(record.action_id).state.terminal:
                break
            await world.advance(record.action_id, seconds=1.0)
        return world, world.book.get(record.action_id)

    world, record = run(story())
    assert (record.state, world.lever.value) == (ends, left)


def test_nothing_is_learned_from_a_trial_that_was_cut_off_unless_it_had_shown_its_harm():
    open_ = Verdict(VerdictStatus.INCONCLUSIVE, 0.0, -1.0, 1.0, "", "")
    worse = Verdict(VerdictStatus.WORSE, -1.0, -2.0, -0.1, "", "")
    ended = {"ended_at": 1.0, "interrupted": True}
    assert a_record(S.ROLLED_BACK, verdict=open_, **ended).outcome is None
    assert a_record(S.ROLLED_BACK, verdict=worse, **ended).outcome.harmed
    assert a_record(S.ROLLED_BACK, guard_breached="g", **ended).outcome.harmed
    assert a_record(S.ROLLED_BACK, verdict=open_, ended_at=1.0).outcome is not None


def test_another_hand_that_takes_the_lever_says_nothing_of_our_move():
    open_ = Verdict(VerdictStatus.INCONCLUSIVE, 0.0, -1.0, 1.0, "", "")
    worse = Verdict(VerdictStatus.WORSE, -1.0, -2.0, -0.1, "", "")
    assert a_record(S.YIELDED, verdict=open_, ended_at=1.0).outcome is None
    assert a_record(S.YIELDED, verdict=worse, ended_at=1.0).outcome.harmed


def test_an_effect_that_comes_late_after_a_crash_is_found():
    async def story():
        world = World()
        record = a_record(S.APPLYING, acknowledged=False, executed_at=4999.0)
        world.journal.stands[record.action_id] = record
        await world.book.open(5000.0)
        world.clock.t = 5000.0
        await recovery.recover(world.executor, world.clock.t)
        await world.advance(seconds=1.0)
        world.lever.value = 4  # the slow target carries out what it was asked before the crash
        return world, await world.advance(seconds=2.0)

    world, record = run(story())
    assert (record.state, world.lever.value) == (S.ROLLED_BACK, 1)


@pytest.mark.parametrize("noted", [True, False], ids=["noted", "killed before the note"])
@pytest.mark.parametrize("state", [S.ROLLBACK_FAILED, S.ROLLED_BACK])
def test_a_lever_is_frozen_after_a_restart_exactly_while_its_rollback_stands_failed(state, noted):
    async def story():
        world = World()
        record = a_record(state, ended_at=1.0)
        world.journal.stands[record.action_id] = record
        if noted:
            await world.journal.note("frozen", "stuck", at=1.0, data={"lever": "shop/workers"}, action_id=record.action_id)
        await world.book.open(5000.0)
        await recovery.recover(world.executor, 5000.0)
        return world.executor.levers.states["shop/workers"].frozen

    assert bool(run(story())) is (state is S.ROLLBACK_FAILED)


def test_stopping_takes_back_what_is_unproven_and_leaves_what_is_kept():
    async def story(world):
        await world.schedule()
        await world.advance()
        return await recovery.wind_down(world.executor)

    world = World()
    assert run(story(world)) == ()
    assert world.lever.value == 1
    assert world.journal.path()[-1] == "rolled_back"


def test_a_state_change_that_the_table_does_not_know_is_refused_before_the_journal_sees_it():
    async def story(world):
        record = await world.schedule()
        with pytest.raises(IllegalTransition):
            await world.book.move(record, S.KEPT, "by magic", 1000.0)

    world = World()
    run(story(world))
    assert world.journal.path() == ["proposed", "scheduled"]
