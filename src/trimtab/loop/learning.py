"""The agent's memory of what came of its actions: beliefs that outlive a restart, and rows of the journal that were given up.

Called by the agent when actions have ended. Two kinds of rows keep the memory, both ordinary notes, so that an older version
passes over them and a newer one goes on from them: `learned`, one for each outcome, with the outcome in it; and now and then
`beliefs`, with the outcomes that all beliefs rest on. A start takes the latest `beliefs`, and tells it what was learned since.
"""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.domain.actions import ActionRecord, JournalRow, Outcome
from trimtab.execute.book import Book
from trimtab.learn import Beliefs
from trimtab.learn.memory import outcome_from, outcome_to, recall, remember

KEPT_EVERY = 200  # outcomes: a start has at most so many rows to read
LOOK_BACK = 10_000  # rows of what was learned before there was a `beliefs` row
AHEAD_SECONDS = 2 * 86_400.0  # before the journal gives up the row with the beliefs, it is written anew


class Learning:
    """What is believed, and how it is kept."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self.beliefs = Beliefs()
        self._kept_at: float | None = None
        self._unkept = 0  # outcomes that no `beliefs` row has

    async def open(self) -> None:
        """Remember what earlier runs learned; what has ended since the last of them noted it counts too."""
        kept = next(iter(await self._book.journal.notes(["beliefs"], 1)), None)
        self.beliefs = recall(kept.data) if kept is not None else Beliefs()
        self._kept_at = kept.at if kept is not None else None
        before = self.beliefs.trials
        rows = [row for row in await self._book.journal.notes(["learned"], LOOK_BACK) if kept is None or row.seq > kept.seq]
        outcomes = [outcome for row in rows if (outcome := await self._outcome_of(row)) is not None]
        self.beliefs = self.beliefs.with_outcomes([*outcomes, *self._in_memory()])
        self._unkept = self.beliefs.trials - before

    async def look(self, now: float) -> bool:
        """Let what ended change what is believed, and note the belief before and after; returns whether anything ended."""
        ended, self._book.ended = self._book.ended, []
        for action_id in ended:
            record = self._book.get(action_id)
            if record.outcome is not None:
                await self._learn(record, record.outcome, now)
        if self._unkept >= KEPT_EVERY:
            await self.keep(now)
        return bool(ended)

    async def before_pruning(self, before: float, now: float) -> None:
        """Write down what the journal is about to give up: the beliefs row, or outcomes that none has yet."""
        if self._unkept or (self._kept_at is not None and self._kept_at < before + AHEAD_SECONDS):
            await self.keep(now)

    async def keep(self, now: float) -> None:
        """Write all that beliefs rest on into one row."""
        reason = f"what {self.beliefs.trials} outcomes taught, so that it outlives their rows"
        await self._book.note("beliefs", reason, now, data=remember(self.beliefs))
        self._kept_at, self._unkept = now, 0

    async def _learn(self, record: ActionRecord, outcome: Outcome, now: float) -> None:
        before = self.beliefs.of(record.action)
        self.beliefs = self.beliefs.updated(outcome)
        self._unkept += 1
        after = self.beliefs.of(record.action)
        where = f" at {record.action.context.words}" if record.action.context.words else ""
        reason = (
            f"P(success) {before.p_success:.2f} → {after.p_success:.2f}, P(harm) {before.p_harm:.2f} → {after.p_harm:.2f}, "
            f"improvement {before.improvement:.1%} → {after.improvement:.1%}{where} ({after.basis})"
        )
        data = {"before": before.numbers(), "after": after.numbers(), "outcome": outcome_to(outcome)}
        await self._book.note("learned", reason, now, action_id=record.action_id, data=data)

    async def _outcome_of(self, row: JournalRow) -> Outcome | None:
        if "outcome" in row.data:
            return outcome_from(row.data["outcome"])
        record = await self._book.journal.get(row.action_id)  # written by an earlier version
        return record.outcome if record is not None else None

    def _in_memory(self) -> Iterator[Outcome]:
        return (record.outcome for record in self._book.records if record.outcome is not None)
