"""Carry out what was decided: start, watch, prove or undo. Called once a turn for every action that is due.

Order is everything here: look, journal the intent, only then touch the lever, read it back, journal what was seen. A crash
between any two of these leaves a row from which `recovery` knows what to look for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trimtab.domain.actions import ActionRecord
from trimtab.domain.actions import ActionState as S
from trimtab.domain.errors import LeverError, Permanent
from trimtab.domain.goals import GoalState, GuardState
from trimtab.domain.ports import Clock
from trimtab.domain.verdicts import Verdict
from trimtab.execute.book import Book
from trimtab.execute.disturbance import disturbances, undisturbed
from trimtab.execute.levers import LeverBook
from trimtab.execute.trial import Seen, Step, TrialRules, after_rollback, next_step
from trimtab.verify import judge

START_PATIENCE = 60.0  # seconds that a scheduled action waits for its lever to answer, or its locks to come free


class Evidence(Protocol):
    """What the executor may know of the world; the agent answers from its last analysis."""

    def goal(self, goal_id: str) -> GoalState | None:
        """How a goal stands."""
        ...

    def guards(self, elements: frozenset[str]) -> Sequence[GuardState]:
        """How the guards of these elements stand."""
        ...

    def missed(self) -> Mapping[str, str]:
        """Goal id → sentence, of every goal that is missed now."""
        ...

    def met(self) -> tuple[str, ...]:
        """The ids of the goals that are met now."""
        ...

    def samples(self, goal_id: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Times (n,) and values (n,) of a goal's metric."""
        ...


class Executor:
    """Moves actions through their life. One `advance` runs per action at a time; the agent sees to that."""

    def __init__(self, book: Book, levers: LeverBook, evidence: Evidence, clock: Clock, rules: TrialRules, *, at_once: int = 3):
        self.book = book
        self.levers = levers
        self.paused = False
        self._evidence = evidence
        self._clock = clock
        self._rules = rules
        self._at_once = at_once
        self._starting = asyncio.Lock()  # one action at a time passes from scheduled to applying
        self._recalls: dict[str, tuple[str, str]] = {}  # action id → (why it is to be taken back, who said so)
        self._judged: dict[str, tuple[float, Verdict]] = {}  # action id → (time of the newest sample judged, verdict)

    def due(self, now: float) -> tuple[ActionRecord, ...]:
        """Every action that something may become of now."""
        live = (S.SCHEDULED, S.APPLYING, S.PROBING, S.SETTLING, S.VERIFYING, S.ROLLING_BACK)
        waiting = (r for r in self.book.in_state(S.KEPT_ON_PROBATION) if not self._tried_further(r))
        watched = (r for r in self.book.in_state(S.KEPT) if self._watched(r, now) or r.action_id in self._recalls)
        retried = (r for r in self.book.in_state(S.ROLLBACK_FAILED) if r.action_id in self._recalls)
        return (*self.book.in_state(*live), *waiting, *watched, *retried)

    def _tried_further(self, record: ActionRecord) -> bool:
        """Whether a later trial moves the lever on from where `record` left it: until that ends, its value is not foreign."""
        return any(other.action.lever_id == record.action.lever_id for other in self.book.under_way())

    def _successor(self, record: ActionRecord) -> str | None:
        """The later change of the same lever that was kept and so built on `record`, if there is one."""
        since = record.executed_at or record.since
        kin = (r for r in self.book.in_state(S.KEPT, S.KEPT_ON_PROBATION) if r.action.lever_id == record.action.lever_id)
        return next((r.action_id for r in kin if (r.executed_at or 0.0) > since), None)

    def _watched(self, record: ActionRecord, now: float) -> bool:
        """Whether a kept change would be the suspect if a guard broke now: recent, and nothing was done to its locks since."""
        if now >= self._rules.watched_until(record):
            return False
        kin = (other for other in self.book.records if other.action.locks & record.action.locks and other.executed_at is not None)
        return max(kin, key=lambda other: other.executed_at or 0.0).action_id == record.action_id

    async def advance(self, action_id: str) -> None:
        """Take one action as far as it goes now."""
        record = self.book.get(action_id)
        if record.state is S.SCHEDULED:
            record = await self._start(record)
        elif record.state is S.ROLLBACK_FAILED:
            record = await self._retry_rollback(record)
        elif record.state not in (S.APPLYING, S.ROLLING_BACK):
            record = await self._watch(record)
        if record.state is S.APPLYING:
            record = await self._apply(record)
        if record.state is S.ROLLING_BACK:
            record = await self._restore(record)
        await self._clean_up(record)

    def recall(self, action_id: str, reason: str, actor: str) -> None:
        """Ask for an action to be taken back; the next `advance` does it."""
        self._recalls[action_id] = (reason, actor)

    # -- scheduled → applying → settling

    async def _start(self, record: ActionRecord) -> ActionRecord:
        async with self._starting:
            blocked = self._blocked(record)
            if blocked:
                return await self._wait_or_expire(record, blocked)
            try:
                value = await self.levers.look(record.action.lever_id, self._clock.now())
            except LeverError as error:
                return await self._wait_or_expire(record, error.message)
            void = self._void(record, value)
            if void:
                return await self.book.move(record, S.EXPIRED, void, self._clock.now())
            now = self._clock.now()
            broken = tuple((g.guard.guard_id, g.value) for g in self._guards(record) if g.breached and g.value is not None)
            return await self.book.move(
                record,
                S.APPLYING,
                f"setting {record.action.lever_id} to {record.action.to_value!r}",
                now,
                executed_at=now,
                snapshot=value,
                guards_broken_before=broken,
                goals_met_before=self._evidence.met(),
            )

    def _blocked(self, record: ActionRecord) -> str | None:
        if self.paused:
            return "paused: nothing new starts"
        others = self.book.under_way()
        if len(others) >= self._at_once:
            return f"{len(others)} actions are under way, {self._at_once} at once are allowed"
        holder = next((o for o in others if o.action.locks & record.action.locks), None)
        return f"{holder.action_id} holds {', '.join(sorted(holder.action.locks & record.action.locks))}" if holder else None

    async def _wait_or_expire(self, record: ActionRecord, why: str) -> ActionRecord:
        if self.paused or self._clock.now() - record.since < START_PATIENCE:
            return self.book.amend(record, reason=f"waiting to start: {why}")
        return await self.book.move(record, S.EXPIRED, f"could not start for {START_PATIENCE:g} s: {why}", self._clock.now())

    def _void(self, record: ActionRecord, value: object) -> str | None:
        action, spec = record.action, self.levers.states[record.action.lever_id].spec
        if not spec.same(value, action.from_value):  # type: ignore[arg-type]
            return f"the plan is stale: {action.lever_id} reads {value!r}, it was planned at {action.from_value!r}"
        frozen = self.levers.states[action.lever_id].frozen
        if frozen:
            return f"{action.lever_id} is frozen: {frozen}"
        goal = self._evidence.goal(action.goal_id)
        if goal is not None and goal.achieved and not record.requested:
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
        if seen.value is not None and seen.spec.same(seen.value, action.to_value):
            reason = f"{action.lever_id} reads {seen.value!r}; settling for {action.settle_seconds:g} s"
            return await self.book.move(record, S.SETTLING, reason, seen.now, acknowledged=True)
        message = (
            error.message if error is not None else seen.unreadable or f"{action.lever_id} reads {seen.value!r} after the change"
        )
        if isinstance(error, Permanent) and seen.value is not None and seen.spec.same(seen.value, record.snapshot):
            return await self.book.move(record, S.FAILED, f"{message}; nothing changed", seen.now, error=message)
        return await self.book.move(record, S.PROBING, f"{message}: looking before anything else", seen.now, error=message)

    # -- settling, verifying, probing, probation

    async def _watch(self, record: ActionRecord) -> ActionRecord:
        seen = await self._see(record)
        step = next_step(record, seen, self._rules)
        return record if step is None else await self._take(record, step, seen)

    async def _take(self, record: ActionRecord, step: Step, seen: Seen) -> ActionRecord:
        actor = self._recalls.get(record.action_id, ("", "trimtab"))[1]
        changes: dict[str, Any] = {
            "verdict": seen.verdict or record.verdict,
            "interrupted": record.interrupted or step.interrupted,
        }
        if step.acknowledged is not None:
            changes["acknowledged"] = step.acknowledged
        if step.to is S.ROLLING_BACK:
            changes |= {"rollback_reason": step.reason, "guard_breached": step.guard or record.guard_breached}
        return await self.book.move(record, step.to, step.reason, seen.now, actor=actor, **changes)

    async def _see(self, record: ActionRecord) -> Seen:
        action = record.action
        value, unreadable = None, None
        if record.state is not S.KEPT:
            try:
                value = await self.levers.look(action.lever_id, self._clock.now())
            except LeverError as error:
                unreadable = error.message
        recall = self._recalls.get(record.action_id)
        others = (other for other in self.book.under_way() if other.action_id != record.action_id)
        quiet = not self.paused and not any(other.action.locks & action.locks for other in others)
        return Seen(
            now=self._clock.now(),
            spec=self.levers.states[action.lever_id].spec,
            value=value,
            unreadable=unreadable,
            goal=self._evidence.goal(action.goal_id),
            guards=tuple(self._guards(record)),
            goals_missed=self._evidence.missed(),
            verdict=self._verdict(record),
            recall=recall[0] if recall else None,
            quiet=quiet,
            successor=self._successor(record) if record.state is S.KEPT_ON_PROBATION else None,
        )

    def _verdict(self, record: ActionRecord) -> Verdict | None:
        """The verdict on the samples at hand; judged anew only where there are new ones."""
        goal = self._evidence.goal(record.action.goal_id)
        if record.state not in (S.VERIFYING, S.KEPT_ON_PROBATION) or goal is None or record.executed_at is None:
            return None
        t, y = self._undisturbed_samples(record)
        newest = float(t[-1]) if t.size else 0.0
        judged = self._judged.get(record.action_id)
        if judged is None or judged[0] != newest:
            verdict = judge(
                (t, y),
                applied_at=record.executed_at,
                goal=goal.goal,
                settle_seconds=record.action.settle_seconds,
                min_effect=self._rules.min_effect,
                changes=self._earlier_changes(record),
            )
            judged = self._judged[record.action_id] = (newest, verdict)
        return judged[1]

    def _undisturbed_samples(self, record: ActionRecord) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The goal's samples without those from the midst of other trials, whose levels were of our making."""
        t, y = self._evidence.samples(record.action.goal_id)
        others = (other for other in self.book.records if other.action_id != record.action_id)
        keep = undisturbed(t, disturbances(others, record.action.locks))
        return t[keep], y[keep]

    def _earlier_changes(self, record: ActionRecord) -> tuple[float, ...]:
        """When levers of the same locks were moved on purpose before: such shifts do not come and go by themselves."""
        kin = [
            other
            for other in self.book.records
            if other.action.locks & record.action.locks and other.action_id != record.action_id
        ]
        moved = (other.executed_at for other in kin if other.executed_at is not None)
        undone = (other.ended_at for other in kin if other.rollback_reason is not None and other.ended_at is not None)
        return tuple(sorted({*moved, *undone}))

    # -- rolling back

    async def _restore(self, record: ActionRecord) -> ActionRecord:
        """Put the snapshot back where the lever still holds our value, and read it back; in doubt, try again next turn."""
        seen = await self._see(record)
        done = after_rollback(record, seen)
        if done is None and seen.value is not None and seen.spec.same(seen.value, record.action.to_value):
            try:
                await self.levers.put(record.action.lever_id, record.snapshot, seen.now)  # type: ignore[arg-type]
            except LeverError as error:
                record = self.book.amend(record, error=error.message)
            record = self.book.amend(record, attempts=record.attempts + 1, acknowledged=True)
            seen = await self._see(record)
            done = after_rollback(record, seen)
        return record if done is None else await self._take(record, done, seen)

    async def _retry_rollback(self, record: ActionRecord) -> ActionRecord:
        reason, actor = self._recalls[record.action_id]
        return await self.book.move(record, S.ROLLING_BACK, reason, self._clock.now(), actor=actor)

    async def _clean_up(self, record: ActionRecord) -> None:
        """What follows from where the action stands now: freeze, thaw, forget."""
        lever_id = record.action.lever_id
        if record.state is S.ROLLBACK_FAILED and not self.levers.states[lever_id].frozen:
            self.levers.freeze(lever_id, record.reason)
            await self.book.note("frozen", record.reason, self._clock.now(), action_id=record.action_id, data={"lever": lever_id})
        if record.state is S.ROLLED_BACK and self.levers.states[lever_id].frozen:
            self.levers.unfreeze(lever_id)
            reason = f"{lever_id} was restored and read back"
            await self.book.note("unfrozen", reason, self._clock.now(), action_id=record.action_id, data={"lever": lever_id})
        if record.state is S.SIMULATED and record.snapshot is not None and not record.interrupted:
            await self.levers.put(lever_id, record.snapshot, self._clock.now())  # a simulated lever: it reads through again
            await self.levers.look(lever_id, self._clock.now())
        if record.state.terminal:
            self._recalls.pop(record.action_id, None)
            if record.state is not S.KEPT_ON_PROBATION:
                self._judged.pop(record.action_id, None)

    # -- evidence

    def _guards(self, record: ActionRecord) -> Sequence[GuardState]:
        return self._evidence.guards(record.action.locks | {record.action.element})
