"""Trials that put their change on and take it off: what they prove, and what becomes of them when something comes between."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from execute.kit import GOAL, GUARD, WORKERS, FakeLever, World, a_record, an_action, goal_state, guard_state, run
from trimtab.domain.actions import ActionState as S
from trimtab.domain.actions import Switch
from trimtab.domain.levers import Reversibility
from trimtab.domain.verdicts import VerdictStatus
from trimtab.execute import recovery
from trimtab.execute.switchback import (
    MAX_PAIRS,
    PATIENCE_BLOCKS,
    block_seconds,
    coins,
    may_switch,
    next_switch,
    order,
    verdict_on,
)
from trimtab.storage.codec import decode, encode

CHEAP = replace(WORKERS, switchback=True)
HISTORY, BLOCK = 300, 13.0  # seconds; settling for 10, three samples


class Plant(World):
    """A service whose latency wanders by itself; the lever takes `gain` of it away. One sample a second."""

    def __init__(self, seed=0, *, gain=0.3, spec=CHEAP, journal=None, value=1):
        super().__init__(FakeLever(spec, value), journal=journal)
        rng, state, self.noise = np.random.default_rng([5, seed]), 0.0, []
        for e in rng.standard_normal(2000).tolist():
            state = 0.99 * state + math.sqrt(1 - 0.99**2) * e
            self.noise.append(math.exp(0.3 * state))
        self.gain, self.t0 = gain, self.clock.t - HISTORY
        self.evidence.t = self.t0 + np.arange(HISTORY, dtype=float)
        self.evidence.y = np.asarray(self.noise[:HISTORY])

    def sample(self):
        self.clock.t += 1.0
        value = self.noise[int(self.clock.t - self.t0)] * (1 - self.gain * (self.lever.value == 4))
        self.evidence.t = np.append(self.evidence.t, self.clock.t - 0.5)
        self.evidence.y = np.append(self.evidence.y, value)

    async def live(self, until=lambda record: False, turns=700):
        """Second by second, until the action has ended or `until` says so."""
        action = an_action(self.lever.spec)
        if action.action_id not in self.journal.stands:
            await self.schedule(action)
        record = await self.advance()
        for _ in range(turns):
            if record.state.terminal or until(record):
                break
            self.sample()
            record = await self.advance()
        return record


def in_block(number, *, on=None):
    return lambda record: len(record.switches) >= number and (on is None or record.is_on is on)


def ends(spec, seeds, **about):
    return [run(Plant(seed, spec=spec, **about).live()) for seed in seeds]


def test_it_proves_in_wandering_noise_what_the_past_alone_cannot():
    seeds = range(12)
    alone = ends(WORKERS, seeds)
    switched = ends(CHEAP, seeds)
    assert sum(r.verdict is not None and r.verdict.status is VerdictStatus.IMPROVED for r in switched) >= 9
    assert sum(r.verdict is not None and r.verdict.status is VerdictStatus.IMPROVED for r in alone) <= 3
    proven = next(r for r in switched if r.switches and r.verdict.conclusive)
    assert proven.verdict.method == "switchback" and "in random order" in proven.reason


def test_what_does_nothing_is_taken_back():
    plants = [Plant(seed, gain=0.0) for seed in range(12)]
    records = [run(plant.live()) for plant in plants]
    assert sum(record.verdict.status is VerdictStatus.IMPROVED for record in records) <= 1
    assert all(plant.lever.value == (4 if r.state is S.KEPT else 1) for plant, r in zip(plants, records, strict=True))


def test_a_kept_change_is_on_and_every_put_was_journalled_before():
    plant = Plant(1)
    seen = []
    put = plant.lever.set

    async def noting(value):
        seen.append((value, plant.journal.stands["workers_increase_1000"].is_on))
        await put(value)

    plant.lever.set = noting
    record = run(plant.live())
    assert record.state in (S.KEPT, S.KEPT_ON_PROBATION) and record.switches and plant.lever.value == 4
    assert seen == [(4, True)] + [(4 if switch.on else 1, switch.on) for switch in record.switches]
    rows = [row for row in plant.journal.rows if row.from_state is S.VERIFYING and row.to_state is S.VERIFYING]
    assert len(rows) == len(record.switches)
    blocks = [switch.on for switch in record.switches][: len(record.switches) // 2 * 2]
    assert tuple(blocks) == order(record.action_id)[: len(blocks)]


def reborn(plant):
    """The agent dies, and starts again on the same journal and lever."""
    other = Plant(journal=plant.journal, value=plant.lever.value)
    other.clock.t = plant.clock.t
    other.evidence = plant.evidence

    async def story():
        await other.book.open(other.clock.t)
        await recovery.recover(other.executor, other.clock.t)
        record = other.book.get("workers_increase_1000")
        for _ in range(30):
            if record.state.terminal:
                break
            record = await other.advance(seconds=1.0)
        return record

    return other, run(story())


@pytest.mark.parametrize("on", [True, False], ids=["with the change", "without"])
def test_a_crash_between_blocks_takes_the_change_back(on):
    plant = Plant(2)
    run(plant.live(in_block(2, on=on)))
    other, record = reborn(plant)
    assert (record.state, other.lever.value, record.interrupted) == (S.ROLLED_BACK, 1, True)
    assert record.outcome is None


@pytest.mark.parametrize("on", [True, False], ids=["before it was put on", "before it was taken off"])
def test_a_crash_between_the_row_and_the_lever_takes_the_change_back(on):
    plant = Plant(2)

    class Killed(BaseException):
        pass

    async def dies(value):
        if len(plant.journal.stands["workers_increase_1000"].switches) >= 2 and (value == 4) is on:
            raise Killed
        plant.lever.value = value

    plant.lever.set = dies
    with pytest.raises(Killed):
        run(plant.live())
    other, record = reborn(plant)
    assert (record.state, other.lever.value) == (S.ROLLED_BACK, 1)


def changed(what, *, on=None, turns=3):
    """The record a little after `what` happened in the second block or later."""
    plant = Plant(2)

    async def story():
        await plant.live(in_block(2, on=on))
        what(plant)
        return await plant.live(turns=turns)

    return plant, run(story())


@pytest.mark.parametrize("on", [True, False], ids=["with the change", "without"])
def test_a_foreign_hand_between_blocks_is_yielded_to(on):
    plant, record = changed(lambda plant: setattr(plant.lever, "value", 9), on=on)
    assert (record.state, plant.lever.value) == (S.YIELDED, 9)


@pytest.mark.parametrize("on", [True, False], ids=["with the change", "without"])
def test_a_guard_breached_in_any_block_takes_it_back(on):
    plant, record = changed(lambda plant: setattr(plant.evidence, "guard_states", [guard_state(0.05)]), on=on)
    assert (record.state, plant.lever.value, record.guard_breached) == (S.ROLLED_BACK, 1, GUARD.guard_id)


def test_a_goal_that_turns_critical_ends_the_experiment():
    plant, record = changed(lambda plant: setattr(plant.evidence, "is_critical", True))
    assert (record.state, plant.lever.value) == (S.ROLLED_BACK, 1) and "no time" in record.reason


def test_a_critical_goal_never_waits_for_one():
    plant = Plant(2)
    plant.evidence.is_critical = True
    record = run(plant.live())
    assert record.state is S.ROLLED_BACK and record.switches == ()


def test_while_paused_nothing_is_switched_and_a_long_pause_takes_it_back():
    plant, record = changed(lambda plant: setattr(plant.executor, "paused", True), turns=30)
    blocks = len(record.switches)
    assert record.state is S.VERIFYING and "waiting to switch" in record.reason
    assert run(plant.live(turns=30)).state is S.ROLLED_BACK and plant.lever.value == 1
    assert len(plant.book.get(record.action_id).switches) == blocks


def test_after_a_short_pause_it_goes_on():
    plant, record = changed(lambda plant: setattr(plant.executor, "paused", True), turns=20)
    plant.executor.paused = False
    after = run(plant.live(turns=30))
    assert len(after.switches) > len(record.switches)
    assert [s.on for s in after.switches] == list(order(after.action_id)[: len(after.switches)])


def test_a_switch_that_fails_takes_the_change_back():
    _, record = changed(lambda plant: setattr(plant.lever, "script", ["refuse"] * 20), turns=40)
    assert record.state in (S.ROLLING_BACK, S.ROLLED_BACK, S.ROLLBACK_FAILED) and record.interrupted
    assert "not now" in (record.rollback_reason or "")


def test_a_person_may_take_it_back_at_any_time():
    plant, record = changed(lambda plant: plant.executor.recall("workers_increase_1000", "taken back by ada", "ada"), on=False)
    assert (record.state, plant.lever.value, record.actor) == (S.ROLLED_BACK, 1, "ada")


SPECS = {
    "declared": (CHEAP, {}, True),
    "not declared": (WORKERS, {}, False),
    "a job": (replace(CHEAP, run_once=True), {}, False),
    "a pool that gets there slowly": (replace(CHEAP, gradual=True), {}, False),
    "simulated": (CHEAP, {"simulated": True}, False),
    "transient": (CHEAP, {"action": an_action(reversibility=Reversibility.TRANSIENT)}, False),
}


@pytest.mark.parametrize(("spec", "about", "may"), SPECS.values(), ids=SPECS)
def test_which_levers_are_switched(spec, about, may):
    assert may_switch(a_record(**about), spec) is may


@given(st.text(max_size=40))
def test_coins_are_the_ids_own_and_each_pair_has_both(action_id):
    assert coins(action_id) == coins(action_id)
    blocks = order(action_id)
    assert len(blocks) == 2 * MAX_PAIRS
    assert all(blocks[i] != blocks[i + 1] for i in range(0, len(blocks), 2))


def test_coins_are_fair():
    heads = np.mean([coins(f"workers_increase_{i}") for i in range(500)])
    assert abs(float(heads) - 0.5) < 0.03


def test_a_block_outlasts_the_settling_and_the_next_comes_after_it():
    record = a_record(switches=(Switch(100.0, True),))
    assert block_seconds(record, 1.0) == BLOCK
    assert next_switch(record, 112.9, 1.0) is None
    assert next_switch(record, 113.0, 1.0) is order(record.action_id)[1]


def test_switches_survive_the_journal():
    record = a_record(switches=(Switch(100.0, True), Switch(113.0, False)))
    assert decode(encode(record)) == record


def test_an_effect_that_is_plain_needs_no_switching():
    plant = Plant(3, gain=0.95)
    record = run(plant.live())
    assert record.state is S.KEPT and record.switches == () and plant.lever.sets == [4]
    assert goal_state().goal is GOAL


def test_what_could_not_begin_for_some_blocks_does_not_begin():
    record = a_record()
    patience = PATIENCE_BLOCKS * block_seconds(record, 1.0)
    assert may_switch(record, CHEAP, patience, 1.0)
    assert not may_switch(record, CHEAP, patience + 1.0, 1.0)


@pytest.mark.parametrize(("blocks", "late", "pairs"), [(10, 0.0, 5), (11, 0.0, 5), (12, 0.0, 6), (12, -1.0, 5)])
def test_every_pair_counts_as_soon_as_its_blocks_are_over(blocks, late, pairs):
    record = a_record()
    on, lasts = order(record.action_id), block_seconds(record, 1.0)
    record = replace(record, switches=tuple(Switch(1000.0 + i * lasts, on[i]) for i in range(blocks)))
    now = 1000.0 + blocks * lasts + late
    t = np.arange(1000.0, now)
    verdict = verdict_on(record, (t, 1.0 + 0.1 * np.cos(t**2)), goal_state(), now, 1.0, 0.05)
    assert f"by {pairs} pairs of blocks" in verdict.reason
