"""The book of actions: where each one stands, and the one door through which a state changes.

`move` checks the table, makes the row durable in the journal, and only then changes what the agent believes. An effect may start
when `move` has returned, never before. Called by `executor`, `requests` and `recovery`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import structlog

from trimtab.domain.actions import OURSELVES, ActionRecord, ActionState, ActionStatus, Decision, JournalRow, OptimizationAction
from trimtab.domain.errors import NotFound
from trimtab.domain.ports import Journal, Notifier
from trimtab.execute import states

REMEMBERED = 500  # ended actions held in memory: enough for cool-downs, search and beliefs; the journal has all

_LOG_LINES: Mapping[ActionState, str] = {  # requirement A15: the lines that an operator follows
    ActionState.APPLYING: "Executing action",
    ActionState.FAILED: "Action failed",
    ActionState.ROLLED_BACK: "Action failed",
    ActionState.ROLLBACK_FAILED: "Action failed",
}
_TELL: Mapping[ActionState, str] = {  # which states people are told of, and under which event
    ActionState.AWAITING_APPROVAL: "approval",
    ActionState.ROLLED_BACK: "rollback",
    ActionState.STEPPED_BACK: "rollback",
    ActionState.ROLLBACK_FAILED: "failed",
    ActionState.FAILED: "failed",
    ActionState.YIELDED: "foreign_write",
}


class Book:
    """Every action that is under way or recent, by id, oldest first; `move` is the only way to change one."""

    def __init__(self, journal: Journal, notifier: Notifier | None = None) -> None:
        self.journal = journal
        self._notifier = notifier
        self._records: OrderedDict[str, ActionRecord] = OrderedDict()
        self._log = structlog.get_logger("trimtab")
        self.ended: list[str] = []  # ids of actions that ended since `learn` last looked
        self.counts: dict[ActionState, int] = {}
        self.head: tuple[int, str] = (0, "")  # sequence number and hash of the journal's last row
        self.at_work: Callable[[ActionRecord], bool] = lambda record: False  # whether an ended action still does something

    async def open(self, now: float) -> None:
        """Read what the journal knows: recent actions, and every one that has not ended.

        Times later than `now` are taken for `now`: a clock that was set back over a restart must not stretch a cool-down.
        """
        unfinished = await self.journal.unfinished()
        recent = await self.journal.recent(REMEMBERED)
        merged = {record.action_id: record for record in (*unfinished, *recent)}
        for record in sorted(merged.values(), key=lambda r: r.action.created_at):
            self._records[record.action_id] = _not_after(record, now)
        self.counts = dict(await self.journal.counts())
        self.head = await self.journal.head()

    async def recollect(self, action_id: str, now: float) -> None:
        """Remember an older action that the journal still has."""
        record = None if action_id in self._records else await self.journal.get(action_id)
        if record is not None:
            self._records[action_id] = _not_after(record, now)
            self._records.move_to_end(action_id, last=False)

    @property
    def records(self) -> tuple[ActionRecord, ...]:
        """All that is remembered, oldest first."""
        return tuple(self._records.values())

    def get(self, action_id: str) -> ActionRecord:
        """One action; raises `NotFound`."""
        try:
            return self._records[action_id]
        except KeyError:
            raise NotFound(f"no action {action_id!r}", remedy="`trimtab history` lists the actions") from None

    def in_state(self, *wanted: ActionState) -> tuple[ActionRecord, ...]:
        """The actions in these states, oldest first."""
        return tuple(record for record in self._records.values() if record.state in wanted)

    def under_way(self) -> tuple[ActionRecord, ...]:
        """The actions that hold their locks."""
        return tuple(record for record in self._records.values() if record.state.in_flight)

    async def propose(
        self, action: OptimizationAction, decision: Decision | None, now: float, *, actor: str = OURSELVES, **about: Any
    ) -> ActionRecord:
        """Enter a new action."""
        record = ActionRecord(action, ActionState.PROPOSED, now, action.description, decision=decision, actor=actor, **about)
        states.check(None, record.state)
        self._wrote(await self.journal.record(record, None))
        self._remember(record, None)
        return record

    async def move(
        self, record: ActionRecord, to_state: ActionState, reason: str, now: float, *, actor: str = OURSELVES, **changes: Any
    ) -> ActionRecord:
        """Let `record` enter `to_state`, durably; returns it as it stands then."""
        states.check(record.state, to_state)
        ended = now if to_state.terminal else None
        changes = {"ended_at": ended, **changes}
        moved = replace(record, state=to_state, since=now, reason=reason, actor=actor, **changes)
        self._wrote(await self.journal.record(moved, record.state))
        self._remember(moved, record.state)
        await self._tell(moved)
        return moved

    async def note(
        self,
        kind: str,
        reason: str,
        now: float,
        *,
        actor: str = OURSELVES,
        action_id: str = "",
        data: Mapping[str, object] | None = None,
    ) -> None:
        """Write a row that moves no action."""
        self._wrote(await self.journal.note(kind, reason, at=now, actor=actor, data=data, action_id=action_id))

    async def prune(self, before: float, now: float) -> int:
        """Let the journal give up what ended before `before`, and forget the same; returns how many rows went."""
        removed = await self.journal.prune(before, at=now)
        if removed:
            old = [record.action_id for record in self._records.values() if record.state.terminal and record.since < before]
            for action_id in old:
                if await self.journal.get(action_id) is None:
                    self._records.pop(action_id, None)
            self.counts, self.head = dict(await self.journal.counts()), await self.journal.head()
        return removed

    def forget_all(self) -> None:
        """Remember no action any more: what a preview only looked at is not its to wind down. The journal stays as it is."""
        self._records.clear()

    def amend(self, record: ActionRecord, **changes: Any) -> ActionRecord:
        """Note something in memory that need not survive a crash (what it waits for).

        Nothing is noted where the action has moved on meanwhile; returns it as it stands.
        """
        if self.get(record.action_id).state is not record.state:
            return self.get(record.action_id)
        amended = replace(record, **changes)
        self._records[record.action_id] = amended
        return amended

    def _wrote(self, row: JournalRow) -> None:
        self.head = (row.seq, row.hash)

    def _remember(self, record: ActionRecord, left: ActionState | None) -> None:
        self._records[record.action_id] = record
        self.counts[record.state] = self.counts.get(record.state, 0) + 1
        if left is not None:
            self.counts[left] = max(0, self.counts.get(left, 0) - 1)
        if record.state.terminal:
            self.ended.append(record.action_id)
        self._forget()

    def _forget(self) -> None:
        surplus = len(self._records) - 2 * REMEMBERED
        if surplus > 0:
            old = [key for key, record in self._records.items() if record.state.terminal][: surplus + REMEMBERED // 2]
            for key in old:
                if self._records[key].state is not ActionState.KEPT_ON_PROBATION and not self.at_work(self._records[key]):
                    del self._records[key]

    async def _tell(self, record: ActionRecord) -> None:
        words = f"Action {record.state.value.replace('_', ' ')}"
        asked_for = record.state is ActionState.ROLLED_BACK and (record.interrupted or record.actor != OURSELVES)
        line = words if asked_for else _LOG_LINES.get(record.state, words)
        level = self._log.warning if record.status is ActionStatus.FAILED else self._log.info
        level(line, action_id=record.action_id, action=record.description, state=record.state.value, reason=record.reason,
              actor=record.actor)  # fmt: skip
        event = _TELL.get(record.state)
        if event:
            await self.tell(event, f"{record.state.value}: {record.description}", record.reason)

    async def tell(self, event: str, title: str, body: str) -> None:
        """Let people know."""
        try:
            if self._notifier is not None:
                await self._notifier.notify(event, title, body)
        except Exception:  # a message that cannot be delivered changes nothing about what happened
            self._log.exception("Notification failed", notify=event, title=title)


def _not_after(record: ActionRecord, now: float) -> ActionRecord:
    times = {name: getattr(record, name) for name in ("since", "executed_at", "ended_at")}
    return replace(record, **{name: min(at, now) for name, at in times.items() if at is not None})
