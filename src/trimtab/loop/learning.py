"""The agent's memory of what came of its actions: beliefs that outlive a restart, and rows of the journal that were given up.

Called by the agent when actions have ended. Two kinds of rows keep the memory, both ordinary notes, so that an older version
passes over them and a newer one goes on from them: `learned`, one for each outcome, with the outcome in it; and now and then
`beliefs`, with the outcomes that all beliefs rest on. A start takes the latest `beliefs`, and tells it what was learned since.
"""

from __future__ import annotations

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

    async def open(self, now: float) -> None:
        """Remember what earlier runs learned; what has ended since the last of them noted it is learned now."""
        kept = next(iter(await self._book.journal.notes(["beliefs"], 1)), None)
        self.beliefs = recall(kept.data) if kept is not None else Beliefs()
        self._kept_at = kept.at if kept is not None else None
        before = self.beliefs.trials
        rows = [row for row in await self._book.journal.notes(["learned"], LOOK_BACK) if kept is None or row.seq > kept.seq]
        outcomes = [outcome for row in rows if (outcome := await self._outcome_of(row)) is not None]
        self.beliefs = self.beliefs.with_outcomes(outcomes)
        self._unkept = self.beliefs.trials - before
        for record in sorted(self._book.records, key=lambda record: record.since):
            await self._learn(record, now)

    async def look(self, now: float) -> bool:
        """Let what ended change what is believed, and note the belief before and after; returns whether anything ended.

        Where the journal cannot be written, what is left is learned the next time.
        """
        ended = self._book.ended
        anything = bool(ended)
        while ended:
            await self._learn(self._book.get(ended[0]), now)
            ended.pop(0)
        if self._unkept >= KEPT_EVERY:
            await self.keep(now)
        return anything

    async def before_pruning(self, before: float, now: float) -> None:
        """Write down what the journal is about to give up: the beliefs row, or outcomes that none has yet."""
        if self._unkept or (self._kept_at is not None and self._kept_at < before + AHEAD_SECONDS):
            await self.keep(now)

    async def keep(self, now: float) -> None:
        """Write all that beliefs rest on into one row."""
        reason = f"what {self.beliefs.trials} outcomes taught, so that it outlives their rows"
        await self._book.note("beliefs", reason, now, data=remember(self.beliefs))
        self._kept_at, self._unkept = now, 0

    async def _learn(self, record: ActionRecord, now: float) -> None:
        if (outcome := record.outcome) is None or (learned := self.beliefs.updated(outcome)) is self.beliefs:
            return
        before, after = self.beliefs.of(record.action), learned.of(record.action)
        where = f" at {record.action.context.words}" if record.action.context.words else ""
        reason = (
            f"P(success) {before.p_success:.2f} → {after.p_success:.2f}, P(harm) {before.p_harm:.2f} → {after.p_harm:.2f}, "
            f"improvement {before.improvement:.1%} → {after.improvement:.1%}{where} ({after.basis})"
        )
        data = {"before": before.numbers(), "after": after.numbers(), "outcome": outcome_to(outcome)}
        await self._book.note("learned", reason, now, action_id=record.action_id, data=data)
        self.beliefs = learned
        self._unkept += 1

    async def _outcome_of(self, row: JournalRow) -> Outcome | None:
        if "outcome" in row.data:
            return outcome_from(row.data["outcome"])
        record = await self._book.journal.get(row.action_id)  # written by an earlier version
        return record.outcome if record is not None else None
