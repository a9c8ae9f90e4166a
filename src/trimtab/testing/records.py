"""Records and short lives of actions for tests of whatever stores or shows them. Used by the conformance suites beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from trimtab.domain.actions import ActionRecord, ActionState, OptimizationAction
from trimtab.domain.levers import ActionPriority, LeverValue, Reversibility
from trimtab.domain.ports import Journal

T = TypeVar("T")


def a_record(
    action_id: str, state: ActionState = ActionState.PROPOSED, *, at: float = 100.0, to_value: LeverValue = 4
) -> ActionRecord:
    """A plausible record for tests: `action_id`, created and moved to `state` at `at`."""
    action = OptimizationAction(
        action_id=action_id,
        action_type="workers_increase",
        description="raise workers",
        element="shop",
        lever="workers",
        from_value=2,
        to_value=to_value,
        metric_name="shop_p95_seconds",
        goal_id="goal:shop:shop_p95_seconds",
        trigger="p95 is twice its target",
        trigger_metric_id="shop/shop_p95_seconds",
        expected_improvement=0.2,
        success_probability=0.5,
        risk_level=0.3,
        priority=ActionPriority.HIGH,
        reversibility=Reversibility.REVERSIBLE,
        settle_seconds=20.0,
        created_at=at,
        locks=frozenset({"shop", "shop/workers"}),
    )
    return ActionRecord(action, state, since=at, reason=f"it is {state}")


def moved(record: ActionRecord, state: ActionState, **changes: Any) -> ActionRecord:
    """`record` one second later in `state`."""
    return replace(record, **{"state": state, "since": record.since + 1.0, "reason": f"now {state}", **changes})


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run one call of a store to its end.

    Without the signal handler of `asyncio.run`, which in Python 3.11 spells out the whole result each time it is taken away.
    """
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


async def write_life(journal: Journal, action_id: str, *states: ActionState, at: float = 100.0) -> ActionRecord:
    """Take a new action through `states` after proposed; returns where it ended."""
    record = a_record(action_id, at=at)
    await journal.record(record, None)
    for state in states:
        following = moved(record, state)
        await journal.record(following, record.state)
        record = following
    return record
