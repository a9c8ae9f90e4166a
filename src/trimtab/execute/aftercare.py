"""Look again after a rollback: reading back the lever proves that it was restored, not that the service recovered.

Called once a turn by the agent. When an undone change has settled, the journal notes how its goal and guards stand; a guard that
is still broken is told to people, since nothing that trimtab undid explains it any more.
"""

from __future__ import annotations

from trimtab.domain.actions import ActionRecord
from trimtab.domain.actions import ActionState as S
from trimtab.domain.words import of_metric
from trimtab.execute.book import Book
from trimtab.execute.observer import Evidence


class Aftercare:
    """Remembers which undone changes still have to be looked at; in memory, since a restart makes them old news."""

    def __init__(self, book: Book, evidence: Evidence) -> None:
        self._book = book
        self._evidence = evidence
        self._due: dict[str, float] = {}  # action id → when it has settled

    def undone(self, record: ActionRecord) -> None:
        """Look at `record` again once its lever has had time to settle."""
        if record.state in (S.ROLLED_BACK, S.STEPPED_BACK) and not record.simulated:
            self._due[record.action_id] = record.since + record.action.settle_seconds

    async def look(self, now: float) -> None:
        """Note how things stand for every undone change that has settled."""
        for action_id in [key for key, due in self._due.items() if due <= now]:
            del self._due[action_id]
            record = self._book.get(action_id)
            guards = self._evidence.guards(record.action.locks)
            broken = [state for state in guards if state.breached]
            sentence = self._sentence(record, [state.guard.metric_name for state in broken])
            await self._book.note("checked", sentence, now, action_id=action_id)
            if broken:
                await self._book.tell("failed", f"still broken after a rollback: {record.description}", sentence)

    def _sentence(self, record: ActionRecord, broken: list[str]) -> str:
        goal = self._evidence.goal(record.action.goal_id)
        if goal is None or not goal.trust.ok or goal.current is None:
            where = f"{record.action.metric_name} cannot be read"
        else:
            standing = "met" if goal.achieved else "missed"
            where = f"{record.action.metric_name} is at {of_metric(record.action.metric_name, goal.current)}, its goal {standing}"
        held = f"still broken: {', '.join(broken)}" if broken else "every guard holds"
        return f"after the rollback {where}; {held}"
