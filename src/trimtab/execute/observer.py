"""The eyes of the executor: everything that is seen of one action at one moment, as the value that `trial` decides on.

Looks at the lever, asks for evidence, judges. What cannot be seen is said so, and never taken for good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from trimtab.domain.actions import ActionRecord
from trimtab.domain.actions import ActionState as S
from trimtab.domain.errors import LeverError
from trimtab.domain.goals import Goal, GoalState, GuardState
from trimtab.domain.ports import Clock
from trimtab.domain.verdicts import Verdict, VerdictStatus
from trimtab.domain.words import setting
from trimtab.execute.book import Book
from trimtab.execute.controls import Control, Controls
from trimtab.execute.kin import disturbances, first_later, is_suspect, kin_of, successor_of, undisturbed
from trimtab.execute.levers import LeverBook
from trimtab.execute.switchback import ALPHA, may_switch, verdict_on
from trimtab.execute.trial import Seen, TrialRules

Array = NDArray[np.float64]


class Evidence(Protocol):
    """What the executor may know of the world; the agent answers from its last analysis."""

    def goal(self, goal_id: str) -> GoalState | None:
        """How a goal stands."""
        ...

    def guards(self, elements: frozenset[str]) -> Sequence[GuardState]:
        """How the guards of these elements stand."""
        ...

    def critical(self, goal_id: str) -> bool:
        """Whether a goal is missed so badly that it cannot wait."""
        ...

    def missed(self) -> Mapping[str, str]:
        """Goal id → sentence, of every goal that is missed now."""
        ...

    def met(self) -> tuple[str, ...]:
        """The ids of the goals that are met now."""
        ...

    def samples(self, goal_id: str) -> tuple[Array, Array]:
        """Times (n,) and values (n,) of a goal's metric."""
        ...

    def controls(self, goal_id: str, locks: frozenset[str]) -> Mapping[str, Control]:
        """Name → what an action that holds `locks` cannot have touched, on the goal's samples."""
        ...

    def goals(self, elements: frozenset[str]) -> Sequence[GoalState]:
        """How the goals of these elements stand."""
        ...

    def metrics(self, element: str) -> Mapping[str, tuple[Array, Array]]:
        """Times (n,) and values (n,) of each metric of an element that can be trusted, by name; several series are averaged."""
        ...


class Regulation(Protocol):
    """What the executor may know of the policies at work; see `regulation`."""

    def in_force(self, record: ActionRecord) -> bool:
        """Whether the policy that this action started is at work."""
        ...

    def blameless(self, record: ActionRecord, guards: Sequence[GuardState]) -> frozenset[str]:
        """The ids of the guards that the policy which this action started cannot have broken."""
        ...

    def moved_since(self, locks: frozenset[str], moment: float) -> str | None:
        """A lever of one of these names that a policy has moved since."""
        ...

    def in_hand(self, record: ActionRecord) -> bool:
        """Whether what is seen is the policy's doing: it has moved something, and left nothing to another hand."""
        ...

    def load_risen(self, record: ActionRecord) -> bool:
        """Whether load has since been beyond all that it was before the policy was put to work."""
        ...

    def could_worsen(self, record: ActionRecord, goal: Goal) -> bool:
        """Whether anything that the policy did may have made this goal's metric worse."""
        ...


class Observer:
    """Looks at actions; keeps the latest verdict of each, and judges anew only where there are new samples."""

    def __init__(self, book: Book, levers: LeverBook, evidence: Evidence, clock: Clock, rules: TrialRules) -> None:
        self.evidence = evidence
        self._book, self._levers, self._clock, self._rules = book, levers, clock, rules
        self.regulation: Regulation | None = None  # None: nothing is regulated
        self._controls = Controls()
        self._judged: dict[str, tuple[float, Verdict | None]] = {}  # action id → (time of the newest sample judged, verdict)

    async def see(self, record: ActionRecord, recall: str | None) -> Seen:
        """All that is seen of `record` now; `recall` is why it is to be taken back, if it is."""
        action, value, unreadable = record.action, None, None
        if record.state is not S.KEPT:
            try:
                value = await self._levers.look(action.lever_id, self._clock.now())
            except LeverError as error:
                unreadable = error.message
        now, kin = self._clock.now(), kin_of(record, self._book.records)
        disturbed = self._disturbed(record)
        successor = successor_of(record, kin)
        governs = bool(self._levers.states[action.lever_id].spec.governs)
        guards = tuple(self.guards(record))
        return Seen(
            now=now,
            spec=self._levers.states[action.lever_id].spec,
            value=value,
            unreadable=unreadable,
            goal=self.evidence.goal(action.goal_id),
            guards=guards,
            goals_missed=self.evidence.missed(),
            verdict=None if disturbed or not self._in_hand(record) else self._verdict(record, kin),
            recall=recall,
            critical=self.evidence.critical(action.goal_id),
            quiet=not any(other.state.in_flight for other in kin),
            suspect=not any(other.state.in_flight for other in kin) if governs else is_suspect(record, kin, now),
            successor=successor.action_id if successor is not None else None,
            disturbed=disturbed,
            blameless=self.regulation.blameless(record, guards) if governs and self.regulation is not None else frozenset(),
        )

    def guards(self, record: ActionRecord) -> Sequence[GuardState]:
        """The guards that an action must not breach."""
        return self.evidence.guards(record.action.locks)

    def forget(self, action_id: str) -> None:
        """Drop what is kept of an action that has ended."""
        self._judged.pop(action_id, None)
        self._controls.forget(action_id)

    def _disturbed(self, record: ActionRecord) -> str | None:
        """Whose hand moved another lever of the same things since the action began: then nothing can be told apart."""
        since = record.executed_at
        governed = self._levers.states[record.action.lever_id].spec.governs  # these are left to the other hand, one by one
        for lever_id, state in self._levers.states.items():
            sibling = lever_id not in (record.action.lever_id, *governed) and bool(state.spec.locks & record.action.locks)
            if sibling and since is not None and state.moved_by_others_at is not None and state.moved_by_others_at > since:
                return f"another hand moved {lever_id} to {setting(state.value)} meanwhile, so that nothing can be told apart"
        if self.regulation is None or governed or since is None:
            return None
        moved = self.regulation.moved_since(record.action.locks, since)
        return f"load had to be followed with {moved} meanwhile, so that nothing can be told apart" if moved else None

    def _in_hand(self, record: ActionRecord) -> bool:
        """Whether there is an effect to judge. A policy that has moved nothing has none yet."""
        governs = bool(self._levers.states[record.action.lever_id].spec.governs)
        return not governs or self.regulation is None or self.regulation.in_hand(record)

    def _verdict(self, record: ActionRecord, kin: Sequence[ActionRecord]) -> Verdict | None:
        goal = self.evidence.goal(record.action.goal_id)
        if record.state not in (S.VERIFYING, S.KEPT_ON_PROBATION) or goal is None or record.executed_at is None:
            return None
        if record.switches and record.state is not S.VERIFYING:
            return record.verdict  # by blocks that are over; what the past says of a lever that went back and forth is void
        t, y = self.evidence.samples(record.action.goal_id)
        keep = undisturbed(t, disturbances(kin)) & (t < first_later(record, kin))
        t, y = t[keep], y[keep]
        newest = float(t[-1]) if t.size else 0.0
        judged = self._judged.get(record.action_id)
        if judged is None or judged[0] != newest:
            judged = self._judged[record.action_id] = (newest, self._judge(record, goal, (t, y), keep, kin))
        verdict, governs = judged[1], bool(self._levers.states[record.action.lever_id].spec.governs)
        return harm_of_policy(record, verdict, goal, self.regulation) if governs and verdict is not None else verdict

    def _judge(
        self,
        record: ActionRecord,
        goal: GoalState,
        samples: tuple[Array, Array],  # without those from the midst of other trials, up to the first later one
        kept: NDArray[np.bool_],
        kin: Sequence[ActionRecord],
    ) -> Verdict | None:
        from trimtab.verify import judge  # loaded with the first trial: an agent that only watches does without

        moved = {other.executed_at for other in kin} | {other.ended_at for other in kin if other.rollback_reason is not None}
        may = may_switch(record, self._levers.states[record.action.lever_id].spec)
        try:
            if record.switches:
                now, every = self._clock.now(), self._rules.sample_seconds
                return verdict_on(record, samples, goal, now, every, self._rules.min_effect)
            return judge(
                samples,
                applied_at=record.executed_at or record.since,
                goal=goal.goal,
                controls=self._beside(record, samples, kept),
                settle_seconds=record.effective_at - (record.executed_at or record.since) + record.action.settle_seconds,
                alpha=ALPHA if may else 2.0 * ALPHA,
                min_effect=self._rules.min_effect,
                changes=tuple(sorted(at for at in moved if at is not None)),
            )
        except Exception:  # no verdict is an honest answer; a trial that can never end is not
            structlog.get_logger("trimtab").exception("Judging failed", action_id=record.action_id)
            return None

    def _beside(self, record: ActionRecord, samples: tuple[Array, Array], kept: NDArray[np.bool_]) -> Mapping[str, Array]:
        """The controls' values on those samples of the goal that are `kept`."""
        found = self.evidence.controls(record.action.goal_id, record.action.locks)
        offered = {name: replace(control, values=control.values[kept]) for name, control in found.items()}
        if self.regulation is not None:  # what a policy moves meanwhile is no control
            since = record.executed_at or record.since
            offered = {name: one for name, one in offered.items() if not self.regulation.moved_since(one.ties, since)}
        return self._controls.beside(record, samples, offered, self._book.records, self._levers.states)


def harm_of_policy(record: ActionRecord, verdict: Verdict, goal: GoalState, regulation: Regulation | None) -> Verdict:
    """Worse is no harm while the goal is met, where load rose past what was before, or where every move was one of help."""
    if verdict.status is not VerdictStatus.WORSE:
        return verdict
    if goal.achieved:
        why = "but the goal is met: what was not needed was given back"
    elif goal.achieved is None:
        why = "but whether the goal is missed cannot be told now"
    elif regulation is not None and not regulation.could_worsen(record, goal.goal):
        why = "but every move was one that helps: the load has risen"
    elif regulation is not None and regulation.load_risen(record):
        why = "but load has been beyond all that it was before, so that nothing tells what would have been without the policy"
    else:
        return verdict
    return replace(verdict, status=VerdictStatus.INCONCLUSIVE, reason=f"{verdict.reason}; {why}")
