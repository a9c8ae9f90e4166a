"""What the agent does for its own stores beside the loop: forget what is old, and make sure that the journal still holds.

Looked after once a turn. Runs beside the turns, in small pieces: a store with a year in it must not keep a pause waiting. What
cannot be tidied up is said and tried again; a journal that does not hold stops whatever is new.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from trimtab.domain.errors import JournalCorrupt, StoreError
from trimtab.domain.ports import MetricStore
from trimtab.execute.book import Book
from trimtab.loop.crew import Crew

FIRST_SECONDS = 300.0  # after the start, when there is more urgent work
SAMPLES_SECONDS = 3600.0
TIDY_SECONDS = 60.0  # how often the metric store may look whether something is due
DAY = 86_400.0  # samples are forgotten by whole days (UTC), as they are stored
CHECK_REST = 0.03  # seconds after each few milliseconds of checking: a tenth of a core, for a minute a year's journal
JOURNAL_SECONDS = 86_400.0


class Housekeeping:
    """Prunes samples once an hour, the journal once a day, and lets the metric store tidy up.

    `alarm(source, reason)` is told of a journal that does not hold.

    `keep_samples` and `keep_journal` say for how long, in seconds. `first(before, now)` is awaited before older rows go.
    """

    def __init__(
        self,
        store: MetricStore,
        book: Book,
        *,
        keep_samples: float,
        keep_journal: float,
        alarm: Callable[[str, str], object],
        first: Callable[[float, float], Awaitable[None]] | None = None,
        started_at: float,
        in_turn: bool = False,
    ) -> None:
        self._store, self._book, self._alarm = store, book, alarm
        self._first = first
        self._keep_samples, self._keep_journal = keep_samples, keep_journal
        self._crew = Crew(None if in_turn else 0.0)  # in virtual time it is done when the turn is
        self._samples_at = self._journal_at = self._tidy_at = started_at + FIRST_SECONDS
        self._log = structlog.get_logger("trimtab")

    def begin(self) -> None:
        """Check the whole journal, once, beside the first turns: a start cannot wait for a year of rows."""
        self._crew.start("check the journal", self._check())

    async def look(self, now: float) -> None:
        """Begin what is due."""
        if now >= self._samples_at:
            self._samples_at = now + SAMPLES_SECONDS
            self._crew.start("forget old samples", self._forget_samples(now))
        if now >= self._tidy_at:
            self._tidy_at = now + TIDY_SECONDS
            self._crew.start("tidy the metric store", self._tidy(now))
        if now >= self._journal_at:
            self._journal_at = now + JOURNAL_SECONDS
            self._crew.start("prune the journal", self._prune_journal(now))
        await self._crew.settle()

    async def close(self) -> None:
        """Leave what is under way for another time; each piece of it is whole."""
        await self._crew.dismiss()

    async def _check(self) -> None:
        try:
            await self._book.journal.verify(rest=CHECK_REST)
        except JournalCorrupt as error:
            self._raise_alarm(error)
        except StoreError as error:
            self._log.warning("The journal could not be checked", reason=str(error))

    async def _tidy(self, now: float) -> None:
        try:
            await self._store.tidy(now)
        except StoreError as error:
            self._log.warning("The metric store could not be tidied up", reason=str(error))

    async def _forget_samples(self, now: float) -> None:
        try:
            await self._store.prune((now - self._keep_samples) // DAY * DAY)
        except StoreError as error:
            self._log.warning("Old samples could not be removed", reason=str(error))

    async def _prune_journal(self, now: float) -> None:
        try:
            if self._first is not None:
                await self._first(now - self._keep_journal, now)
            removed = await self._book.prune(now - self._keep_journal, now)
        except JournalCorrupt as error:
            self._raise_alarm(error)
        except StoreError as error:
            self._log.warning("Old rows of the journal could not be removed", reason=str(error))
        else:
            if removed:
                self._log.info("Journal pruned", rows=removed)

    def _raise_alarm(self, error: JournalCorrupt) -> None:
        self._alarm("journal chain", f"HOLD: the journal does not hold: {error}")
