"""What people ask of actions: once is once, a changed state voids it, and only the latest change can be taken back."""

from __future__ import annotations

import pytest

from execute.kit import World, an_action, run, through
from trimtab.domain.actions import ActionState as S
from trimtab.domain.errors import Conflict, NotFound
from trimtab.execute import requests


class TestRequests:
    @staticmethod
    async def awaiting(world, **about):
        record = await world.book.propose(an_action(), None, world.clock.t)
        return await world.book.move(record, S.AWAITING_APPROVAL, "risk", world.clock.t, expires_at=world.clock.t + 60.0, **about)

    def test_an_approval_lets_it_run_once(self):
        async def story(world):
            record = await self.awaiting(world)
            first = await requests.approve(
                world.executor, record.action_id, 1001.0, actor="ann", plan_hash=record.action.plan_hash
            )
            with pytest.raises(Conflict, match="does not await approval"):
                await requests.approve(world.executor, record.action_id, 1001.0, actor="bob")
            await world.advance()
            return first

        world = World()
        assert run(story(world)).approved_by == "ann"
        assert world.lever.sets == [4]

    @pytest.mark.parametrize("case", ["hash", "stale", "late", "unreadable"])
    def test_a_changed_state_voids_an_approval(self, case):
        async def story(world):
            record = await self.awaiting(world)
            world.lever.value = 2 if case == "stale" else 1
            world.lever.silent = case == "unreadable"
            now, given_hash = (1100.0 if case == "late" else 1001.0), ("0" * 16 if case == "hash" else None)
            with pytest.raises(Conflict):
                await requests.approve(world.executor, record.action_id, now, actor="ann", plan_hash=given_hash)
            return world.book.get(record.action_id).state

        world = World()
        expected = S.AWAITING_APPROVAL if case in ("hash", "unreadable") else S.EXPIRED
        assert run(story(world)) is expected
        assert world.lever.sets == []

    def test_a_rejected_action_never_runs(self):
        async def story(world):
            record = await self.awaiting(world)
            await requests.reject(world.executor, record.action_id, 1001.0, actor="ann")
            await world.advance()
            with pytest.raises(Conflict):
                await requests.approve(world.executor, record.action_id, 1002.0, actor="ann")

        world = World()
        run(story(world))
        assert world.lever.sets == []

    def test_taking_back_is_no_answer_to_a_question(self):
        async def story(world):
            record = await self.awaiting(world)
            with pytest.raises(Conflict, match="awaits an answer") as refused:
                await requests.roll_back(world.executor, record.action_id, 1001.0, actor="ann")
            assert f"`trimtab reject {record.action_id}` declines it" in str(refused.value)
            return world.book.get(record.action_id).state

        assert run(story(World())) is S.AWAITING_APPROVAL

    @pytest.mark.parametrize(
        ("because", "reason"), [("", "withdrawn by ann"), ("paused by ann", "paused by ann")], ids=["unsaid", "said"]
    )
    def test_what_is_about_to_start_is_withdrawn_with_the_reason(self, because, reason):
        async def story(world):
            await world.schedule(an_action())
            return await requests.roll_back(world.executor, an_action().action_id, 1001.0, actor="ann", because=because)

        record = run(story(World()))
        assert (record.state, record.reason, record.actor) == (S.REJECTED, reason, "ann")

    def test_asking_about_what_is_not_there(self):
        with pytest.raises(NotFound, match="nope"):
            run(requests.approve(World().executor, "nope", 0.0, actor="ann"))

    def test_only_the_latest_change_of_a_lever_can_be_taken_back(self):
        async def story(world):
            world.samples(0.6, 0.1)
            await through(world)
            second = an_action(action_id="second", from_value=4, to_value=8, created_at=1100.0)
            await world.schedule(second, requested=True)
            world.clock.t = 1200.0
            world.samples(0.6, 0.1, at=1200.0)
            for _ in range(30):
                record = await world.advance("second", seconds=1.0)
                if record.state.terminal:
                    break
            assert record.state is S.KEPT
            with pytest.raises(Conflict, match="take that one back first"):
                await requests.roll_back(world.executor, "workers_increase_1000", world.clock.t, actor="ann")
            await requests.roll_back(world.executor, "second", world.clock.t, actor="ann")
            return await world.advance("second")

        world = World()
        assert run(story(world)).state is S.ROLLED_BACK
        assert world.lever.value == 4
