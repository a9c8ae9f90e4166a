"""Start and stop: what to make of actions that an earlier run left behind, and how to leave none behind.

An effect that was under way when the agent ended has a gap in its measurements: nothing can prove it any more. It is looked for
(never sent again) and, where our value is found, taken back; what had not started is void. All of it ends within 30 s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from trimtab.domain.actions import ActionState as S
from trimtab.execute.executor import Executor

STOP_SECONDS = 4.0  # to take back what is under way at a clean stop; the rest is found at the next start


async def recover(executor: Executor, now: float) -> int:
    """Bring every action that an earlier run left unfinished onto its way to an end; returns how many there were."""
    left = 0
    for record in executor.book.records:
        if record.state in (S.PROPOSED, S.SCHEDULED):
            await executor.book.move(record, S.EXPIRED, "the agent ended before it started; proposed anew if still needed", now)
        elif record.state in (S.APPLYING, S.SETTLING, S.VERIFYING):
            reason = f"the agent ended while {record.action.lever_id} was {record.state.value}: looking what it holds"
            await executor.book.move(record, S.PROBING, reason, now, interrupted=True)
        elif record.state in (S.PROBING, S.ROLLING_BACK):
            executor.book.amend(record, since=now, interrupted=True)
        else:
            continue
        left += 1
    await _thaw_known(executor)
    return left


async def _thaw_known(executor: Executor) -> None:
    """Freeze again what a failed rollback froze, unless it was thawed since."""
    settled: set[str] = set()
    for row in await executor.book.journal.notes(["frozen", "unfrozen"], 1000):  # newest first
        lever_id = str(row.data.get("lever"))
        if lever_id not in settled and row.kind == "frozen":
            executor.levers.freeze(lever_id, row.reason)
        settled.add(lever_id)


async def wind_down(executor: Executor, sleep: Callable[[float], Awaitable[None]], now: Callable[[], float]) -> tuple[str, ...]:
    """Take back whatever is under way; returns the ids of actions that could not be brought to an end in time."""
    executor.paused = True
    deadline = now() + STOP_SECONDS
    while under_way := executor.book.under_way():
        for record in under_way:
            executor.recall(record.action_id, "the agent stops before the change was proven", "trimtab")
        await asyncio.gather(*(executor.advance(record.action_id) for record in under_way))
        if not executor.book.under_way() or now() >= deadline:
            break
        await sleep(0.2)
    return tuple(record.action_id for record in executor.book.under_way())
