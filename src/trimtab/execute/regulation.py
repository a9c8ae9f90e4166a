"""All policies at work: which they are after a start, one turn of each, and what the executor asks of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import structlog

from trimtab.domain.actions import ActionRecord
from trimtab.domain.actions import ActionState as S
from trimtab.domain.goals import Goal, GuardState
from trimtab.domain.regulation import HOLD, REGULATION, Policy
from trimtab.execute.executor import Executor
from trimtab.execute.policy_lever import PolicyLever

if TYPE_CHECKING:
    from trimtab.execute.regulator import Regulator

TOLD = 5  # of the latest moves, in the status
LAG_SAMPLES = 5  # a guard is a mean over so many: it shows late what a move did


class Regulations:
    """The regulators by the id of their policy's lever. Answers `observer.Regulation` for the executor."""

    def __init__(
        self,
        executor: Executor,
        levers: Sequence[PolicyLever] = (),
        policies: Callable[[str], Policy] | None = None,
        *,
        sample_seconds: float = 30.0,
    ) -> None:
        self._executor = executor
        self.regulators = _regulators(executor, levers, policies, LAG_SAMPLES * sample_seconds) if levers else {}
        executor.regulated(self)
        executor.book.at_work = self.in_force

    async def open(self, now: float) -> None:
        """After a start, before anything is recovered: which policies are in force, and which are so no longer."""
        for regulator in self.regulators.values():
            await regulator.open(now)
        await self._say_orphans(now)

    async def _say_orphans(self, now: float) -> None:
        """A policy whose element is no longer regulated is let go; its levers stay where they are, for whoever has them now."""
        for record in self._executor.book.in_state(S.KEPT_ON_PROBATION, S.KEPT):
            action = record.action
            if action.lever != REGULATION or action.to_value == HOLD or action.lever_id in self.regulators:
                continue
            why = f"{action.element} is no longer regulated by this configuration: {action.to_value} is let go, its levers stay"
            if record.state is S.KEPT_ON_PROBATION:
                await self._executor.book.move(record, S.YIELDED, why, now)
            elif not any(row.kind == "let_go" for row in await self._executor.book.journal.history(record.action_id)):
                await self._executor.book.note("let_go", why, now, action_id=record.action_id)
                structlog.get_logger("trimtab").warning("Policy let go", reason=why, action_id=record.action_id)

    def standing(self) -> list[dict[str, Any]]:
        """Each policy, its set-points and its last moves, newest first; times in Unix seconds."""
        return [self._standing(regulator) for regulator in self.regulators.values()]

    def _standing(self, regulator: Regulator) -> dict[str, Any]:
        record, states, spec = regulator.in_force(), self._executor.levers.states, regulator.spec
        moves = regulator.moves_of(record)[-TOLD:] if record is not None else ()
        return {
            "element": spec.element,
            "policy": regulator.lever.value,
            "action_id": record.action_id if record is not None else None,
            "set_points": {lever_id: states[lever_id].value for lever_id in spec.governs},
            "left_to_others": {lever_id: states[lever_id].left_until for lever_id in regulator.left()},
            "holding": regulator.holding,
            "moves": regulator.moves_made,
            "last_moves": [
                {"lever": move.lever_id, "from": move.from_value, "to": move.to_value, "at": move.at, "reason": move.reason}
                for move in reversed(moves)
            ],
        }

    def moves(self) -> dict[str, int]:
        """How often each regulated lever was moved in this process."""
        counts = [regulator.moved for regulator in self.regulators.values()]
        return {lever_id: count for each in counts for lever_id, count in each.items()}

    def in_force(self, record: ActionRecord) -> bool:
        """Whether the policy that this action started is at work."""
        regulator = self.regulators.get(record.action.lever_id)
        at_work = regulator.in_force() if regulator is not None else None
        return at_work is not None and at_work.action_id == record.action_id

    def blameless(self, record: ActionRecord, guards: Sequence[GuardState]) -> frozenset[str]:
        """The guards that the policy which this action started cannot have broken."""
        regulator = self.regulators.get(record.action.lever_id)
        return regulator.blameless(record, guards) if regulator is not None else frozenset()

    def moved_since(self, locks: frozenset[str], moment: float) -> str | None:
        """A lever of one of these names that a policy has moved since."""
        near = (regulator for regulator in self.regulators.values() if regulator.spec.locks & locks)
        return next((moved for regulator in near if (moved := regulator.moved_since(moment)) is not None), None)

    def in_hand(self, record: ActionRecord) -> bool:
        """Whether what is seen is the policy's doing: it has moved something, and left nothing to another hand."""
        regulator = self.regulators.get(record.action.lever_id)
        return regulator is not None and bool(regulator.moves_of(record)) and not regulator.left()

    def load_risen(self, record: ActionRecord) -> bool:
        """Whether load went beyond all that it was before the policy, so that nothing tells what would have been without it."""
        regulator = self.regulators.get(record.action.lever_id)
        return regulator is not None and regulator.load_risen(record)

    def could_worsen(self, record: ActionRecord, goal: Goal) -> bool:
        """Whether anything that the policy did may have made this goal's metric worse."""
        regulator = self.regulators.get(record.action.lever_id)
        return regulator is not None and regulator.could_worsen(record, goal)


def _regulators(
    executor: Executor, levers: Sequence[PolicyLever], policies: Callable[[str], Policy] | None, lag: float
) -> dict[str, Regulator]:
    """One for each lever. All that policies need is loaded where there is one: 1.5 MB."""
    from trimtab.execute.regulator import Regulator
    from trimtab.plan.regulation import policy_of

    return {lever.spec.lever_id: Regulator(executor, lever, policies or policy_of, lag=lag) for lever in levers}
