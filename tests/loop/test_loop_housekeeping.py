"""What is old is forgotten in time, what cannot be tidied up disturbs nobody, and a journal that does not hold is told of."""

import asyncio

import pytest

from trimtab.domain.actions import ActionState as S
from trimtab.domain.errors import JournalCorrupt, StoreError
from trimtab.domain.metrics import Reading, Series
from trimtab.execute.book import Book
from trimtab.loop.housekeeping import Housekeeping
from trimtab.storage.memory import MemoryJournal, MemoryMetricStore
from trimtab.testing.records import write_life

DAY = 86_400.0
SERIES = Series.named("queue_length", "shop")


class Home:
    """A book of two actions, one old and one young, samples of each time, and what was told."""

    def __init__(self):
        self.journal, self.store, self.alarms = MemoryJournal(), MemoryMetricStore(), []
        self.book = Book(self.journal)
        self.keeping = Housekeeping(
            self.store, self.book, keep_samples=30 * DAY, keep_journal=400 * DAY, alarm=lambda *told: self.alarms.append(told),
            started_at=500 * DAY, in_turn=True)  # fmt: skip

    async def open(self):
        await write_life(self.journal, "old", S.SCHEDULED, S.EXPIRED, at=1.0 * DAY)
        await write_life(self.journal, "young", S.SCHEDULED, S.EXPIRED, at=499.0 * DAY)
        await self.store.write([Reading(SERIES, 1.0, at * DAY) for at in (1.0, 499.0)])
        await self.book.open(500 * DAY)
        return self

    async def samples(self):
        return [at / DAY for at, _ in await self.store.query(SERIES.metric_id, 0.0, 1e12)]


def test_it_is_done_soon_after_the_start_and_the_book_forgets_with_the_journal():
    async def story():
        home = await Home().open()
        await home.keeping.look(500 * DAY + 1)
        assert await home.samples() == [1.0, 499.0], "there is more urgent work at the start"
        await home.keeping.look(500 * DAY + 600)
        assert await home.samples() == [499.0]
        assert [record.action_id for record in home.book.records] == ["young"]
        assert home.book.counts == {S.EXPIRED: 1}
        assert home.book.head == await home.journal.head()
        assert [row.kind for row in await home.journal.notes(["pruned"])] == ["pruned"]
        await home.journal.verify()

    asyncio.run(story())


def test_samples_go_every_hour_and_rows_every_day():
    async def story():
        home, done = await Home().open(), []

        async def prune(before, **_):
            done.append("rows" if _ else "samples")
            return 0

        home.store.prune = home.journal.prune = prune
        for hour in range(49):
            await home.keeping.look(500 * DAY + 600 + 3600.0 * hour)
        return done

    done = asyncio.run(story())
    assert (done.count("samples"), done.count("rows")) == (49, 3)


def failing(error):
    async def fail(*_, **__):
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "alarms"),
    [(StoreError("the disk is full"), 0), (JournalCorrupt("row 3 was altered"), 1)],
    ids=["a full disk", "a journal that does not hold"],
)
@pytest.mark.parametrize("what", ["verify", "prune"])
def test_only_a_journal_that_does_not_hold_is_a_reason_to_stand_still(what, error, alarms):
    async def story():
        home = await Home().open()
        setattr(home.journal, what, failing(error))
        home.keeping.begin()
        await home.keeping.look(500 * DAY + 600)
        await home.keeping.close()
        return home

    home = asyncio.run(story())
    assert [source for source, _ in home.alarms] == ["journal chain"] * alarms
    assert all("row 3" in reason and reason.startswith("HOLD: ") for _, reason in home.alarms)


def test_samples_that_cannot_be_removed_do_not_keep_the_rows():
    async def story():
        home = await Home().open()
        home.store.prune = failing(StoreError("another program holds it locked"))
        await home.keeping.look(500 * DAY + 600)
        return home

    home = asyncio.run(story())
    assert [record.action_id for record in home.book.records] == ["young"] and home.alarms == []
