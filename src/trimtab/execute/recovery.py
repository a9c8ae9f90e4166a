"""Start and stop: what to make of actions that an earlier run left behind, and how to leave none behind.

An effect that was under way when the agent ended has a gap in its measurements: nothing can prove it any more. It is looked for
(never sent again) and, where our value is found, taken back; what had not started is void. All of it ends within 30 s.
"""

from __future__ import annotations

import asyncio

from trimtab.domain.actions import OURSELVES
from trimtab.domain.actions import ActionState as S
from trimtab.domain.errors import Conflict
from trimtab.execute.executor import Executor
from trimtab.execute.kin import STANDING

STOP_SECONDS = 4.0  # to take back what is under way at a clean stop; the rest is found at the next start


async def recover(executor: Executor, now: float, *, simulated: bool = False) -> None:
    """Bring every action that an earlier run left unfinished onto its way to an end.

    Raises `Conflict` where this run is to be a simulation and real effects are unfinished: simulated levers could not undo them.
    """
    _refuse_to_pretend(executor, simulated)
    for record in executor.book.records:
        if record.state in (S.PROPOSED, S.SCHEDULED):
            await executor.book.move(record, S.EXPIRED, "the agent ended before it started; proposed anew if still needed", now)
        elif record.state in (S.APPLYING, S.SETTLING, S.VERIFYING):
            reason = f"the agent ended while {record.action.lever_id} was {record.state.value}: looking what it holds"
            await executor.book.move(record, S.PROBING, reason, now, interrupted=True)
        elif record.state in (S.PROBING, S.ROLLING_BACK):
            executor.book.amend(record, since=now, interrupted=True)
    await _freeze_again(executor)
    await _recall_again(executor)


def _refuse_to_pretend(executor: Executor, simulated: bool) -> None:
    real = [record.action_id for record in executor.book.under_way() if not record.simulated]
    if simulated and real:
        raise Conflict(
            f"real changes are unfinished: {', '.join(real)}",
            remedy="Run once with safety.simulation_mode: false, so that they are undone, and then simulate",
        )


async def _freeze_again(executor: Executor) -> None:
    """Freeze what a failed rollback left behind and nobody has mended since."""
    notes = await executor.book.journal.notes(["frozen"], 1000)
    noted = [record for row in notes if (record := await executor.book.journal.get(row.action_id)) is not None]
    for record in (*noted, *executor.book.records):
        if record.state is S.ROLLBACK_FAILED:
            executor.levers.freeze(record.action.lever_id, record.reason)


async def _recall_again(executor: Executor) -> None:
    """Take back what a person asked to be taken back just before the agent ended."""
    standing = {record.action_id: record for record in executor.book.in_state(*STANDING, S.ROLLBACK_FAILED)}
    for row in await executor.book.journal.notes(["recalled"], 1000):
        record = standing.get(row.action_id)
        if record is not None and row.at >= record.since:
            executor.recall(row.action_id, row.reason, row.actor)


async def wind_down(executor: Executor) -> tuple[str, ...]:
    """Take back whatever is under way, within `STOP_SECONDS` of real time; returns the ids of actions left for the next start."""
    executor.paused = True
    clock = asyncio.get_running_loop().time
    deadline = clock() + STOP_SECONDS
    while (under_way := executor.book.under_way()) and clock() < deadline:
        for record in under_way:
            executor.recall(record.action_id, "the agent stops before the change was proven", OURSELVES)
        work = [asyncio.ensure_future(executor.advance(record.action_id)) for record in under_way]
        _, late = await asyncio.wait(work, timeout=max(0.0, deadline - clock()))
        for task in late:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        if executor.book.under_way():
            await asyncio.sleep(0.2)
    return tuple(record.action_id for record in executor.book.under_way())
