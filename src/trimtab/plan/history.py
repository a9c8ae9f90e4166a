"""What the records say of each lever: when it was last moved, what failed, what did harm. Read by the guards and by the search.

Records come from the journal, so everything here survives a restart. Pure; built anew from each situation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from trimtab.domain.actions import OURSELVES, ActionRecord, ActionState, ActionStatus, OptimizationAction
from trimtab.domain.situation import Situation
from trimtab.domain.verdicts import VerdictStatus
from trimtab.plan.settings import BACKOFF_CAP, PROMISING, RECENT_FOR, UNSAFE_FOR


@dataclass(frozen=True, slots=True)
class History:
    """The records of a situation, by lever and newest first."""

    now: float
    by_lever: dict[str, tuple[ActionRecord, ...]]
    active: tuple[ActionRecord, ...]  # in flight or scheduled: they hold their locks and count as concurrent

    @classmethod
    def of(cls, situation: Situation) -> History:
        """The history that a situation carries."""
        by_lever: dict[str, list[ActionRecord]] = {}
        for record in reversed(situation.records):
            by_lever.setdefault(record.action.lever_id, []).append(record)
        active = tuple(r for r in situation.records if r.state is ActionState.SCHEDULED or r.state.in_flight)
        return cls(situation.now, {lever_id: tuple(records) for lever_id, records in by_lever.items()}, active)

    def of_lever(self, lever_id: str) -> tuple[ActionRecord, ...]:
        """The lever's records, newest first."""
        return self.by_lever.get(lever_id, ())

    def last_moved(self, lever_id: str) -> float | None:
        """When the lever was last moved by us, or would have been in simulation; moves that were undone count."""
        return max((at for record in self.of_lever(lever_id) if (at := moved_at(record)) is not None), default=None)

    def last_failure(self, action: OptimizationAction) -> tuple[float | None, int]:
        """When the same move last failed, and how often in a row it has."""
        at, run = None, 0
        for record in self.of_lever(action.lever_id):
            if not same_move(record.action, action):
                continue
            if improved(record):
                break
            if failed(record):
                run += 1
                at = moved_at(record) if at is None else at
        return at, run

    def trials(self, lever_id: str, goal_id: str) -> Iterator[ActionRecord]:
        """What was lately tried on the lever for the goal, newest first."""
        for record in self.of_lever(lever_id):
            if record.action.goal_id == goal_id and tried(record) and self.now - record.since < RECENT_FOR:
                yield record

    def unsafe(self, lever_id: str) -> Iterator[ActionRecord]:
        """Trials on the lever that did harm within the last day, whichever goal they were for."""
        return (r for r in self.of_lever(lever_id) if harmed(r) and self.now - r.since < UNSAFE_FOR)


def moved_at(record: ActionRecord) -> float | None:
    """When the lever was last moved by the action, undoing included; None where it was not.

    A simulated move counts: it must not repeat faster than a real one.
    """
    if record.executed_at is not None:
        undone = record.state in (ActionState.ROLLED_BACK, ActionState.STEPPED_BACK) and record.ended_at is not None
        return record.ended_at if undone else record.executed_at
    return record.since if record.state is ActionState.SIMULATED else None


def tried(record: ActionRecord) -> bool:
    """Whether a trial ended that says something about the lever: it was moved, and no foreign hand spoilt it.

    A simulated one says that the lever has had its turn: simulation goes on to the next, as reality would.
    """
    if record.executed_at is None or not record.state.terminal:
        return False
    untouched = record.state is ActionState.FAILED and not record.acknowledged
    return not untouched and record.state is not ActionState.YIELDED


def improved(record: ActionRecord) -> bool:
    """Whether the change was credited and still stands."""
    return record.success is True


def failed(record: ActionRecord) -> bool:
    """Whether the move was started and came to nothing: undone, stepped back, or never arrived."""
    if record.executed_at is None or record.simulated:
        return False
    return record.state.status is ActionStatus.FAILED or record.state is ActionState.STEPPED_BACK


def harmed(record: ActionRecord) -> bool:
    """Whether the trial breached a guard or made its metric worse: from the moment it is known, before the undo has ended."""
    if record.simulated:
        return False
    return record.guard_breached is not None or (record.verdict is not None and record.verdict.status is VerdictStatus.WORSE)


def promising(record: ActionRecord) -> bool:
    """Whether a trial was undone unproven although it seemed to help: worth trying again, now that its level is known better."""
    verdict = record.verdict
    if harmed(record) or verdict is None or verdict.conclusive or verdict.futile or verdict.effect is None:
        return False
    width = (verdict.high or 0.0) - (verdict.low or 0.0)
    above_noise = verdict.effect >= max(PROMISING, 0.25 * width)  # half of the interval's half-width
    return record.state in (ActionState.ROLLED_BACK, ActionState.STEPPED_BACK) and above_noise


def refused_by_a_person(record: ActionRecord) -> bool:
    """Whether a person said no to this action, before it was tried or by taking it back; a pause that undoes is no such no."""
    return record.state in (ActionState.REJECTED, ActionState.ROLLED_BACK) and record.actor != OURSELVES


def same_move(a: OptimizationAction, b: OptimizationAction) -> bool:
    """Whether two actions move one lever the same way: in one direction, or to one setting where there is no scale."""
    return a.lever_id == b.lever_id and a.way == b.way and (a.way != 0 or a.to_value == b.to_value)


def remaining(since: float | None, length: float, now: float) -> float:
    """Seconds left of a wait of `length` that began at `since`; never more than `length`, even where the clock was set back.

    >>> remaining(100.0, 60.0, now=140.0), remaining(100.0, 60.0, now=-900.0), remaining(None, 60.0, now=0.0)
    (20.0, 60.0, 0.0)
    """
    if since is None:
        return 0.0
    return max(0.0, min(length, since + length - now))


def backoff(failures: int) -> float:
    """How often a cool-down is stretched after so many failures in a row.

    >>> [backoff(n) for n in (0, 1, 2, 3, 4, 9)]
    [1.0, 1.0, 2.0, 4.0, 8.0, 8.0]
    """
    return min(BACKOFF_CAP, 2.0 ** max(0, failures - 1))
