"""Which actions touch the same thing, and when our own changes disturbed it: what the records say, without a look.

Pure. Read by `observer` and `executor`, and by the agent, which lets a trial wait until the last one has settled. Without this
the recovery from one trial's harm would be credited to the trial that follows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from trimtab.domain.actions import ActionRecord, OptimizationAction
from trimtab.domain.actions import ActionState as S

Span = tuple[float, float]  # Unix seconds, from and to
STANDING = (S.KEPT, S.KEPT_ON_PROBATION)


def kin_of(record: ActionRecord, records: Iterable[ActionRecord]) -> list[ActionRecord]:
    """Other actions that hold, or once held, something that `record` holds; oldest first."""
    mine = record.action.held
    return [other for other in records if other.action_id != record.action_id and other.action.held & mine]


def holder_of(action: OptimizationAction, under_way: Iterable[ActionRecord]) -> ActionRecord | None:
    """An action under way that holds something that `action` needs."""
    others = (record for record in under_way if record.action_id != action.action_id)
    return next((record for record in others if record.action.held & action.held), None)


def successor_of(record: ActionRecord, kin: Iterable[ActionRecord]) -> ActionRecord | None:
    """A later change of the same lever that was kept, and so built on `record`."""
    since = record.executed_at or record.since
    later = (other for other in kin if other.action.lever_id == record.action.lever_id and other.state in STANDING)
    return next((other for other in later if (other.executed_at or 0.0) > since), None)


def first_later(record: ActionRecord, kin: Iterable[ActionRecord]) -> float:
    """When the first kin was moved after `record` was: from then on its own effect can no longer be told apart."""
    since = record.executed_at or record.since
    moved = (other.executed_at for other in kin if other.executed_at is not None and other.state is not S.FAILED)
    return min((at for at in moved if at > since), default=float("inf"))


def is_suspect(record: ActionRecord, kin: Sequence[ActionRecord], now: float) -> bool:
    """Whether a guard that breaks now is to be blamed on `record`, which was kept.

    Not while a trial is under way on the same things, nor before the undoing of one has settled; and only the latest change.
    """
    if any(other.state.in_flight for other in kin) or any(start <= now < end for start, end in disturbances(kin)):
        return False
    later = (other for other in kin if other.state in STANDING and (other.executed_at or 0.0) > (record.executed_at or 0.0))
    return next(later, None) is None


def disturbances(records: Iterable[ActionRecord]) -> tuple[Span, ...]:
    """From when to when these actions kept what they touch from being at rest, oldest first."""
    spans = (disturbance(record) for record in records)
    return tuple(sorted(span for span in spans if span is not None))


def disturbance(record: ActionRecord) -> Span | None:
    """The span of one action: until a kept change has settled, or until its undoing has.

    None where the lever was never moved, or where moving it had no effect: then undoing it has none either.
    """
    if record.executed_at is None or record.simulated or record.state is S.FAILED:
        return None
    settle = record.action.settle_seconds
    if record.rollback_reason is None or record.ended_at is None:
        return (record.executed_at, max(record.effective_at, record.last_set_at) + settle)
    if record.verdict is not None and record.verdict.futile and record.guard_breached is None:
        return None
    return (record.executed_at, record.ended_at + settle)


def undisturbed(t: NDArray[np.float64], spans: Iterable[Span]) -> NDArray[np.bool_]:
    """Which of the times `t` (n,) lie outside of all spans.

    >>> undisturbed(np.array([1.0, 2.0, 3.0]), [(1.5, 2.5)]).tolist()
    [True, False, True]
    """
    keep = np.ones(t.size, dtype=bool)
    for start, end in spans:
        keep &= (t < start) | (t >= end)
    return keep
