"""Carry out what was decided: start, watch, prove or undo. Called once a turn for every action that is due.

Order is everything here: look, journal the intent, only then touch the lever, read it back, journal what was seen. A crash
between any two of these leaves a row from which `recovery` knows what to look for. An intent is carried out in the very call that
journalled it, and never again: whoever finds an action `applying` looks what became of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from trimtab.domain.actions import OURSELVES, ActionRecord
from trimtab.domain.actions import ActionState as S
from trimtab.domain.errors import LeverError, Permanent
from trimtab.domain.levers import LeverValue
from trimtab.domain.ports import Clock
from trimtab.domain.words import setting
from trimtab.execute.book import Book
from trimtab.execute.kin import STANDING, holder_of
from trimtab.execute.levers import LeverBook
from trimtab.execute.observer import Evidence, Observer, Regulation
from trimtab.execute.switchback import switched, wanted
from trimtab.execute.trial import Seen, Step, TrialRules, after_rollback, half_way, holds_ours, in_place, next_step

START_PATIENCE = 60.0  # seconds that a scheduled action waits for its lever to answer, or its locks to come free


class Executor:
    """Moves actions through their life. One `advance` runs per action at a time; the agent sees to that.

    `paused`: nothing new starts. `hold`: why nothing new may start for now, though nobody paused. `kill_switch` and `gate` are
    asked right before every start: a pause from outside of the process, and why this action may not start at this time.
    """

    def __init__(self, book: Book, levers: LeverBook, evidence: Evidence, clock: Clock, rules: TrialRules, *, at_once: int = 3):
        self.book = book
        self.levers = levers
        self.paused = False
        self.hold: str | None = None
        self.kill_switch: Callable[[], str | None] = lambda: None
        self.gate: Callable[[ActionRecord, float], str | None] = lambda record, now: None
        self._observer = Observer(book, levers, evidence, clock, rules)
        self._clock = clock
        self._rules = rules
        self._at_once = at_once
        self._starting = asyncio.Lock()  # one action at a time passes from scheduled to applying
        self._put_back: set[str] = set()  # actions whose snapshot was asked for in this process
        self._recalls: dict[str, tuple[str, str]] = {}  # action id → (why it is to be taken back, who said so)

    @property
    def stopped(self) -> str | None:
        """Why nothing new starts until a person says so; None where it may."""
        return "paused: nothing new starts" if self.paused else self.kill_switch()

    def due(self, now: float) -> tuple[ActionRecord, ...]:
        """Every action that something may become of now."""
        live = (S.SCHEDULED, S.APPLYING, S.PROBING, S.SETTLING, S.VERIFYING, S.ROLLING_BACK)
        under_way = {record.action.lever_id for record in self.book.under_way()}
        waiting = (r for r in self.book.in_state(S.KEPT_ON_PROBATION) if r.action.lever_id not in under_way or self._recalled(r))
        watched = (r for r in self.book.in_state(S.KEPT) if self._watched(r, now) or self._recalled(r))
        retried = (r for r in self.book.in_state(S.ROLLBACK_FAILED) if self._recalled(r))
        found = (*self.book.in_state(*live), *waiting, *watched, *retried)
        return tuple(record for record in found if record.state.in_flight or record.action.lever_id in self.levers.states)

    def _watched(self, record: ActionRecord, now: float) -> bool:
        """For a while after it was kept; a policy for as long as it is at work."""
        regulation = self._observer.regulation
        return now < self._rules.watched_until(record) or (regulation is not None and regulation.in_force(record))

    async def advance(self, action_id: str) -> None:
        """Take one action as far as it goes now."""
        record = self.book.get(action_id)
        if record.state is S.SCHEDULED:
            record = await self._start(record)
        elif record.state is S.APPLYING:
            record = await self._find_out(record)
        elif record.state is S.ROLLBACK_FAILED:
            record = await self._retry_rollback(record)
        elif record.state is not S.ROLLING_BACK:
            record = await self._watch(record)
        if record.state is S.ROLLING_BACK:
            record = await self._restore(record)
        await self._clean_up(record)

    def recall(self, action_id: str, reason: str, actor: str) -> None:
        """Ask for an action to be taken back; the next `advance` does it."""
        self._recalls[action_id] = (reason, actor)

    def _recalled(self, record: ActionRecord) -> bool:
        return record.action_id in self._recalls

    # -- scheduled → applying → settling

    async def _start(self, record: ActionRecord) -> ActionRecord:
        async with self._starting:
            blocked = self._blocked(record)
            value: LeverValue | None = None
            if not blocked:
                try:
                    value = await self.levers.look(record.action.lever_id, self._clock.now())
                except LeverError as error:
                    blocked = error.message
            record = self.book.get(record.action_id)  # while the lever was read, a person may have withdrawn it, or paused
            if record.state is not S.SCHEDULED:
                return record
            blocked = blocked or self._blocked(record)
            if blocked or value is None:
                return await self._wait_or_expire(record, blocked or "not read")
            void = self._void(record, value)
            if void:
                return await self.book.move(record, S.EXPIRED, void, self._clock.now())
            record = await self._intend(record, value)
        if (closed := self._closed(record)) is not None:  # since the intent was made durable
            why = f"{closed}: nothing was set"
            return await self.book.move(record, S.FAILED, why, self._clock.now(), error=why, interrupted=True)
        return await self._apply(record)

    async def _intend(self, record: ActionRecord, value: LeverValue) -> ActionRecord:
        """Make the intent and the undo snapshot durable; the effect follows in the same call."""
        now, guards = self._clock.now(), self._observer.guards(record)
        return await self.book.move(
            record,
            S.APPLYING,
            f"setting {record.action.lever_id} to {setting(record.action.to_value)}",
            now,
            executed_at=now,
            snapshot=value,
            guards_broken_before=tuple((g.guard.guard_id, g.value) for g in guards if g.breached and g.value is not None),
            goals_met_before=self._observer.evidence.met(),
        )

    def _blocked(self, record: ActionRecord) -> str | None:
        """Why the action may not start now. Asked again right before it does, with nothing awaited in between."""
        if (closed := self._closed(record)) is not None:
            return closed
        under_way = self.book.under_way()
        if len(under_way) >= self._at_once:
            return f"{len(under_way)} actions are under way, {self._at_once} at once are allowed"
        holder = holder_of(record.action, under_way)
        if holder is not None:
            return f"{holder.action_id} holds {', '.join(sorted(holder.action.held & record.action.held))}"
        goal = self._observer.evidence.goal(record.action.goal_id)
        trusts = [guard.trust for guard in self._observer.guards(record)] + ([goal.trust] if goal is not None else [])
        return next((trust.why for trust in trusts if not trust.ok), None)

    def _closed(self, record: ActionRecord) -> str | None:
        return self.stopped or self.hold or self.gate(record, self._clock.now())

    def closed_to_moves(self, record: ActionRecord) -> str | None:
        """Why the policy that `record` started may move nothing now: what holds back starts. Nobody approved this very move."""
        return self._closed(replace(record, requested=False, approved_by=None))

    @property
    def evidence(self) -> Evidence:
        """What is known of the world."""
        return self._observer.evidence

    def regulated(self, regulation: Regulation) -> None:
        """Let the policies at work be known."""
        self._observer.regulation = regulation

    def now(self) -> float:
        """Unix seconds."""
        return self._clock.now()

    async def _wait_or_expire(self, record: ActionRecord, why: str) -> ActionRecord:
        if self.stopped or self._clock.now() - record.since < START_PATIENCE:
            return self.book.amend(record, reason=f"waiting to start: {why}")
        return await self.book.move(record, S.EXPIRED, f"could not start for {START_PATIENCE:g} s: {why}", self._clock.now())

    def _void(self, record: ActionRecord, value: LeverValue) -> str | None:
        action, state = record.action, self.levers.states[record.action.lever_id]
        if not state.spec.same(value, action.from_value):
            return f"the plan is stale: {action.lever_id} reads {setting(value)}, it was planned at {setting(action.from_value)}"
        if state.frozen:
            return f"{action.lever_id} is frozen: {state.frozen}"
        goal = self._observer.evidence.goal(action.goal_id)
        if goal is not None and goal.achieved and not goal.foreseen and not record.requested and not state.spec.governs:
            return f"no longer needed: {action.metric_name} meets its goal again"
        return None

    async def _apply(self, record: ActionRecord) -> ActionRecord:
        action = record.action
        error = None
        try:
            await self.levers.put(action.lever_id, action.to_value, self._clock.now())
        except LeverError as failure:
            error = failure
        seen = await self._see(record)
        if in_place(record, seen):
            reason = f"{action.lever_id} reads {setting(seen.value)}; settling for {action.settle_seconds:g} s"
            return await self.book.move(record, S.SETTLING, reason, seen.now, acknowledged=True, in_place_at=seen.now)
        if error is None and half_way(record, seen):
            reason = f"{action.lever_id} is {seen.value}: waiting until it is done"
            return await self.book.move(record, S.PROBING, reason, seen.now, acknowledged=True)
        message = (
            error.message
            if error is not None
            else seen.unreadable or f"{action.lever_id} reads {setting(seen.value)} after the change"
        )
        if isinstance(error, Permanent) and seen.value is not None and seen.spec.same(seen.value, record.snapshot):
            return await self.book.move(record, S.FAILED, f"{message}; nothing changed", seen.now, error=message)
        return await self.book.move(record, S.PROBING, f"{message}: looking before anything else", seen.now, error=message)

    async def _find_out(self, record: ActionRecord) -> ActionRecord:
        """An intent without an outcome: its row or its call was cut off. Look: sending again could overwrite another's value."""
        why = f"it is not known whether {record.action.lever_id} was set: looking before anything else"
        return await self.book.move(record, S.PROBING, why, self._clock.now(), error=record.error or why)

    # -- settling, verifying, probing, probation

    async def _watch(self, record: ActionRecord) -> ActionRecord:
        seen = await self._see(record)
        step = next_step(record, seen, self._rules)
        if step is None and record.state is S.PROBING and seen.spec.gradual and half_way(record, seen):
            record, seen = await self._go_on(record)
            step = next_step(record, seen, self._rules)
        if step is not None and step.to is S.ROLLING_BACK and record.state in STANDING and not seen.quiet:
            return self._make_room(record)
        return record if step is None else await self._take(record, step, seen)

    async def _go_on(self, record: ActionRecord) -> tuple[ActionRecord, Seen]:
        """A pool that is on its way, and nowhere else, is asked again for the very same value: it goes on from there."""
        try:
            await self.levers.put(record.action.lever_id, record.action.to_value, self._clock.now())
        except LeverError as error:
            record = self.book.amend(record, error=error.message)
        return record, await self._see(record)

    def _make_room(self, record: ActionRecord) -> ActionRecord:
        """Let the trial that holds the lock be taken back first; two hands at once on one thing could not be told apart."""
        holder = holder_of(record.action, self.book.under_way())
        if holder is not None and not self._recalled(holder):
            self.recall(holder.action_id, f"making room: {record.action_id} is taken back", OURSELVES)
        return record

    async def _switch(self, record: ActionRecord, step: Step, on: bool) -> ActionRecord:
        """Put the change on, or take it off, for the next block of a switchback: intent, effect, look, as at the start."""
        if (closed := self._closed(record)) is not None:
            return self.book.amend(record, reason=f"waiting to switch {record.action.lever_id}: {closed}")
        now, lever_id, error = self._clock.now(), record.action.lever_id, None
        record = await self.book.move(
            record, S.VERIFYING, step.reason, now, switches=switched(record, on, now), acknowledged=False
        )
        value = wanted(record)
        try:
            if value is not None:
                await self.levers.put(lever_id, value, now, undo=not on)
        except LeverError as failure:
            error = failure.message
        seen = await self._see(record)
        if error is None and in_place(record, seen):
            return self.book.amend(record, acknowledged=True)
        why = f"{error or f'{lever_id} reads {setting(seen.value)}'} after it was to be switched to {setting(value)}"
        return await self._take(record, Step(S.ROLLING_BACK, why, interrupted=True), seen)

    async def _take(self, record: ActionRecord, step: Step, seen: Seen) -> ActionRecord:
        if step.switch is not None:
            return await self._switch(record, step, step.switch)
        actor = self._recalls.get(record.action_id, ("", OURSELVES))[1]
        changes: dict[str, Any] = {
            "verdict": seen.verdict or record.verdict,
            "interrupted": record.interrupted or step.interrupted,
        }
        if step.acknowledged is not None:
            changes["acknowledged"] = step.acknowledged
        if step.to is S.SETTLING:
            changes["in_place_at"] = seen.now
        if step.to is S.ROLLING_BACK:
            changes |= {
                "rollback_reason": step.reason,
                "guard_breached": step.guard or record.guard_breached,
                "undo_ends": step.ends,
            }
        return await self.book.move(record, step.to, step.reason, seen.now, actor=actor, **changes)

    async def _see(self, record: ActionRecord) -> Seen:
        recall = self._recalls.get(record.action_id)
        return await self._observer.see(record, recall[0] if recall else None)

    # -- rolling back

    async def _restore(self, record: ActionRecord) -> ActionRecord:
        """Put the snapshot back where the lever still holds our value, and read it back; in doubt, try again next turn."""
        seen = await self._see(record)
        done = after_rollback(record, seen)
        untold = self.levers.restorable(record.action.lever_id) and record.action_id not in self._put_back
        again = done is not None and done.to is record.undo_ends and untold  # an earlier run may have died before it told of it
        if record.snapshot is not None and (again or (done is None and holds_ours(record, seen))):
            self._put_back.add(record.action_id)
            try:
                await self.levers.put(record.action.lever_id, record.snapshot, seen.now, undo=True)
            except LeverError as error:
                record = self.book.amend(record, error=error.message)
            record = self.book.amend(record, acknowledged=True)
            seen = await self._see(record)
            done = after_rollback(record, seen)
        return record if done is None else await self._take(record, done, seen)

    async def _retry_rollback(self, record: ActionRecord) -> ActionRecord:
        reason, actor = self._recalls[record.action_id]
        return await self.book.move(record, S.ROLLING_BACK, reason, self._clock.now(), actor=actor)

    async def _clean_up(self, record: ActionRecord) -> None:
        """What follows from where the action stands now: freeze, thaw, forget."""
        lever_id = record.action.lever_id
        frozen = self.levers.states[lever_id].frozen
        if record.state is S.ROLLBACK_FAILED and not frozen:
            self.levers.freeze(lever_id, record.reason)
            await self.book.note("frozen", record.reason, self._clock.now(), action_id=record.action_id, data={"lever": lever_id})
        if record.state in (S.ROLLED_BACK, S.STEPPED_BACK, S.YIELDED) and frozen:
            self.levers.unfreeze(lever_id)
            reason = f"{lever_id} may be moved again: {record.reason}"
            await self.book.note("unfrozen", reason, self._clock.now(), action_id=record.action_id, data={"lever": lever_id})
        if record.state is S.SIMULATED and record.snapshot is not None and not record.interrupted:
            await self.levers.put(lever_id, record.snapshot, self._clock.now(), undo=True)  # simulated levers read through again
            await self.levers.look(lever_id, self._clock.now())
        if record.state.terminal and record.state not in STANDING:
            self._recalls.pop(record.action_id, None)
            self._put_back.discard(record.action_id)
            self._observer.forget(record.action_id)
