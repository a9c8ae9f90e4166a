"""What people ask of actions: approve, reject, take back, try. Each answers with the action as it stands, or refuses in words.

An approval is bound to the plan's hash and to the value that the lever read when it was planned: a changed state voids it. Asking
twice does nothing twice, because each request is a transition and the table allows it once.
"""

from __future__ import annotations

from collections.abc import Sequence

from trimtab.domain.actions import ActionRecord, OptimizationAction, unique
from trimtab.domain.actions import ActionState as S
from trimtab.domain.errors import Conflict, LeverError
from trimtab.domain.goals import GoalState
from trimtab.domain.levers import LeverValue, Reversibility
from trimtab.domain.regulation import HOLD
from trimtab.domain.words import setting
from trimtab.execute.executor import Executor


async def approve(executor: Executor, action_id: str, now: float, *, actor: str, plan_hash: str | None = None) -> ActionRecord:
    """Let an action that awaits approval be carried out. Raises `NotFound`, `Conflict`."""
    record = _awaiting(executor, action_id, plan_hash)
    if record.expires_at is not None and now > record.expires_at:
        await executor.book.move(record, S.EXPIRED, "nobody approved it in time", now)
        raise Conflict(f"the approval of {action_id} has expired", remedy="it will be proposed anew if it is still needed")
    await _refuse_stale(executor, record, now)
    # The lever was read in between: somebody else may have answered meanwhile.
    record = _awaiting(executor, action_id)
    return await executor.book.move(
        record, S.SCHEDULED, f"approved by {actor}", now, actor=actor, approved_by=actor, requested=True
    )


async def reject(executor: Executor, action_id: str, now: float, *, actor: str, plan_hash: str | None = None) -> ActionRecord:
    """Decline an action that awaits approval. Raises `NotFound`, `Conflict`."""
    record = _awaiting(executor, action_id, plan_hash)
    return await executor.book.move(record, S.REJECTED, f"rejected by {actor}", now, actor=actor)


async def roll_back(executor: Executor, action_id: str, now: float, *, actor: str, because: str = "") -> ActionRecord:
    """Take back an action, whether under way or kept; one that is about to start is rejected. Raises `NotFound`, `Conflict`.

    `because` is the reason where it is not `actor`'s opinion of this very change.
    """
    record = executor.book.get(action_id)
    if record.state is S.AWAITING_APPROVAL:
        raise Conflict(f"{action_id} awaits an answer", remedy=f"`trimtab reject {action_id}` declines it")
    if record.state is S.SCHEDULED:
        return await executor.book.move(record, S.REJECTED, because or f"withdrawn by {actor}", now, actor=actor)
    undoable = record.state.in_flight or record.state in (S.KEPT, S.KEPT_ON_PROBATION, S.ROLLBACK_FAILED)
    if not undoable or record.state is S.ROLLING_BACK:
        raise Conflict(f"{action_id} is {record.state.value}: there is nothing to take back")
    if record.action.reversibility is Reversibility.IRREVERSIBLE:
        raise Conflict(f"{action_id} cannot be taken back: it is declared irreversible", remedy="undo it by hand at its target")
    later = [r for r in executor.book.records if r.action.lever_id == record.action.lever_id and r.executed_at is not None]
    if later and later[-1].action_id != action_id and later[-1].state in (S.KEPT, S.KEPT_ON_PROBATION):
        raise Conflict(f"{later[-1].action_id} has moved {record.action.lever_id} since", remedy="take that one back first")
    reason = because or f"taken back by {actor}"
    await executor.book.note("recalled", reason, now, actor=actor, action_id=action_id)  # a restart must not forget it
    executor.recall(action_id, reason, actor)
    return record


def requested_action(
    executor: Executor, goals: Sequence[GoalState], lever_id: str, value: LeverValue, reason: str, now: float
) -> OptimizationAction:
    """The action that sets `lever_id` to `value` because a person wants to try it, judged by the first goal of its element.

    Raises `NotFound` for an unknown lever, `Conflict` where the value is not allowed or no goal could judge it.
    """
    spec = executor.levers.lever(lever_id).spec
    state = executor.levers.states[lever_id]
    policy = next(
        (s for s in executor.levers.states.values() if lever_id in s.spec.governs and s.value not in (None, HOLD)), None
    )
    if policy is not None:
        raise Conflict(
            f"{lever_id} is moved by the {policy.value} policy of {spec.element}",
            remedy=f"set {policy.spec.lever_id} to {HOLD} first, or take the policy back",
        )
    if not spec.allows(value):
        raise Conflict(f"{lever_id} cannot be set to {setting(value)}", remedy=f"it takes {spec.domain_in_words}")
    if state.value is None:
        raise Conflict(f"{lever_id} has not been read yet", remedy="try again once it answers")
    if spec.same(state.value, value):
        raise Conflict(f"{lever_id} is at {setting(value)} already")
    judged_by = next((g for g in goals if g.element == spec.element), None) or next(iter(goals), None)
    if judged_by is None:
        raise Conflict("there is no goal to judge the change by", remedy="add one under goals: in the configuration")
    action = OptimizationAction.on(
        spec,
        state.value,
        value,
        goal=judged_by,
        action_type=f"{spec.name}_requested",
        description=f"set {lever_id} from {setting(state.value)} to {setting(value)}: {reason}",
        trigger=reason,
        now=now,
    )
    return unique([action], (record.action_id for record in executor.book.records))[0]


def _awaiting(executor: Executor, action_id: str, plan_hash: str | None = None) -> ActionRecord:
    """The action, which awaits an answer; where a `plan_hash` is given, to the very plan that it is of."""
    record = executor.book.get(action_id)
    if record.state is not S.AWAITING_APPROVAL:
        raise Conflict(f"{action_id} is {record.state.value}: it does not await approval")
    if plan_hash is not None and plan_hash != record.action.plan_hash:
        raise Conflict(
            f"the plan of {action_id} has the hash {record.action.plan_hash}, not {plan_hash}", remedy="look at it again"
        )
    return record


async def _refuse_stale(executor: Executor, record: ActionRecord, now: float) -> None:
    action = record.action
    try:
        value = await executor.levers.look(action.lever_id, now)
    except LeverError as error:
        raise Conflict(f"{action.lever_id} cannot be read, so that the plan cannot be checked: {error.message}") from error
    if not executor.levers.states[action.lever_id].spec.same(value, action.from_value):
        stale = f"the plan is stale: {action.lever_id} reads {setting(value)}, it was planned at {setting(action.from_value)}"
        record = _awaiting(executor, action.action_id)
        await executor.book.move(record, S.EXPIRED, stale, now)
        raise Conflict(stale, remedy="it will be proposed anew if it is still needed")
