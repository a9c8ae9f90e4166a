"""What is learned outlives restarts, pruning, crashes between the end and the note, and versions that know less."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from trimtab.domain.actions import ActionRecord
from trimtab.domain.actions import ActionState as S
from trimtab.domain.contexts import Context
from trimtab.domain.errors import StoreError
from trimtab.domain.metrics import Series
from trimtab.domain.verdicts import Verdict, VerdictStatus
from trimtab.execute.book import Book
from trimtab.learn import Beliefs
from trimtab.loop import learning as module
from trimtab.loop.learning import Learning
from trimtab.loop.loads import load_levels
from trimtab.storage.memory import MemoryJournal
from trimtab.storage.recollection import recollect
from trimtab.testing.records import a_record

BUSY = Context(load="high", miss="far")


async def ends(book: Book, n: int, *, improved: bool = True, at: float | None = None) -> ActionRecord:
    """One more action with an outcome, entered into the book."""
    at = float(1000 * (n + 1)) if at is None else at
    record = a_record(f"a{n}", at=at)
    record = await book.propose(replace(record.action, context=BUSY), None, at)
    for state in (S.SCHEDULED, S.APPLYING, S.SETTLING, S.VERIFYING):
        record = await book.move(record, state, "on", at)
    status = VerdictStatus.IMPROVED if improved else VerdictStatus.INCONCLUSIVE
    verdict = Verdict(status, 0.3 if improved else None, None, None, "test", "because")
    if improved:
        return await book.move(record, S.KEPT, "good", at, verdict=verdict)
    record = await book.move(record, S.ROLLING_BACK, "no use", at, verdict=verdict)
    return await book.move(record, S.ROLLED_BACK, "no use", at)


async def opened(journal: MemoryJournal, now: float = 1e6) -> tuple[Book, Learning]:
    book = Book(journal)
    await book.open(now)
    learning = Learning(book)
    await learning.open(now)
    return book, learning


async def learned(count: int, journal: MemoryJournal | None = None) -> tuple[MemoryJournal, Book, Learning]:
    journal = journal or MemoryJournal()
    book, learning = await opened(journal, 0.0)
    for n in range(count):
        await ends(book, n, improved=n % 3 > 0)
        assert await learning.look(1000.0 * (n + 1))
    return journal, book, learning


def run(work):
    return asyncio.run(work)


def test_an_outcome_is_noted_with_belief_before_and_after_its_context_and_where_strength_comes_from():
    async def story():
        journal, _, learning = await learned(2)
        (row, _) = await journal.notes(["learned"])
        assert row.action_id == "a1" and row.data["after"]["trials"] == 2.0
        assert row.data["outcome"]["context"] == {"load": "high", "miss": "far"}
        assert "P(success)" in row.reason and "at load high, miss far" in row.reason and "2 of its own" in row.reason
        assert learning.beliefs.trials == 2
        assert not await learning.look(9e9)  # nothing has ended since

    run(story())


@pytest.mark.parametrize("every", [200, 3])
def test_a_restart_believes_what_was_believed(every, monkeypatch):
    monkeypatch.setattr(module, "KEPT_EVERY", every)

    async def story():
        journal, _, before = await learned(8)
        _, after = await opened(journal)
        assert after.beliefs == before.beliefs
        assert len(await journal.notes(["beliefs"])) == 8 // every

    run(story())


def test_what_ended_but_was_not_noted_before_a_crash_counts_once():
    async def story():
        journal, book, learning = await learned(3)
        await ends(book, 7)
        again_book, again = await opened(journal)
        assert again.beliefs.trials == learning.beliefs.trials + 1
        assert (await opened(journal))[1].beliefs == again.beliefs
        again_book.ended = ["a7"]
        await again.look(2e6)
        assert again.beliefs.trials == 4

    run(story())


def test_what_ended_but_was_not_noted_before_a_crash_is_explained_after_it():
    async def story():
        journal, book, _ = await learned(3)
        await ends(book, 7)
        await opened(journal)
        await opened(journal)
        assert [row.action_id for row in await journal.notes(["learned"])] == ["a7", "a2", "a1", "a0"]

    run(story())


def test_harm_that_shows_after_a_change_was_kept_takes_the_place_of_its_success():
    async def story():
        journal, book, learning = await learned(3)
        action = book.get("a2").action
        hopeful = learning.beliefs.of(action)
        record = await book.move(book.get("a2"), S.ROLLING_BACK, "the guard broke", 5e3, guard_breached="errors")
        await book.move(record, S.ROLLED_BACK, "the guard broke", 5e3)
        await learning.look(5e3)
        sober = learning.beliefs.of(action)
        assert (sober.trials, sober.successes) == (3, hopeful.successes - 1)
        assert sober.p_success < hopeful.p_success and sober.p_harm > hopeful.p_harm
        assert len([row for row in await journal.history("a2") if row.kind == "learned"]) == 2
        assert (await opened(journal))[1].beliefs == learning.beliefs

    run(story())


def test_a_person_who_takes_a_success_back_changes_nothing_that_is_believed():
    async def story():
        journal, book, learning = await learned(3)
        before = learning.beliefs
        record = await book.move(book.get("a2"), S.ROLLING_BACK, "asked for", 5e3, actor="ann")
        await book.move(record, S.ROLLED_BACK, "asked for", 5e3, actor="ann")
        await learning.look(5e3)
        assert learning.beliefs is before and len(await journal.notes(["learned"])) == 3
        assert (await opened(journal))[1].beliefs == before

    run(story())


def test_what_cannot_be_noted_is_learned_once_it_can():
    async def story():
        journal, book, learning = await learned(1)
        for n in (4, 5):
            await ends(book, n)
        note, full = journal.note, StoreError("no space left on the disk")

        async def refuse(*args, **kwargs):
            raise full

        journal.note = refuse
        with pytest.raises(StoreError):
            await learning.look(6e3)
        assert learning.beliefs.trials == 1
        journal.note = note
        assert await learning.look(7e3)
        assert learning.beliefs.trials == 3 and len(await journal.notes(["learned"])) == 3

    run(story())


def test_beliefs_outlive_the_rows_that_they_came_from():
    async def story():
        journal, book, learning = await learned(6)
        for day in range(3):
            now = 10 * 86_400.0 * (day + 1)
            await learning.before_pruning(now - 86_400.0, now)
            assert await book.prune(now - 86_400.0, now) > 0
        assert await journal.get("a0") is None and not await journal.notes(["learned"])
        assert (await opened(journal))[1].beliefs == learning.beliefs

    run(story())


def test_nothing_is_written_before_pruning_where_nothing_would_be_lost():
    async def story():
        journal, _, learning = await learned(0)
        await learning.before_pruning(0.0, 1.0)
        assert not await journal.notes(["beliefs"])

    run(story())


def test_a_journal_of_an_earlier_version_is_read():
    """Its rows of what was learned hold no outcome; the records of its actions do, and know no context."""

    async def story():
        journal = MemoryJournal()
        book = Book(journal)
        for n in range(4):
            await ends(book, n)
            await journal.note("learned", "P(success) …", at=1.0, action_id=f"a{n}", data={"before": {}, "after": {}})
        await journal.note("learned", "of an action that was given up", at=1.0, action_id="gone")
        module_book = Book(journal)  # nothing in memory: as if hundreds of others had come since
        learning = Learning(module_book)
        await learning.open(1e6)
        assert learning.beliefs.trials == 4

    run(story())


def test_a_preview_believes_what_the_agent_would():
    async def story():
        journal, _, learning = await learned(5)
        await learning.keep(1e6)
        copy = await recollect(journal, recent=1)
        assert (await opened(copy))[1].beliefs == learning.beliefs

    run(story())


def test_what_was_only_simulated_is_never_learned():
    async def story():
        journal = MemoryJournal()
        book, learning = await opened(journal)
        record = await book.propose(a_record("s1").action, None, 1.0, simulated=True)
        record = await book.move(record, S.SCHEDULED, "go", 1.0)
        record = await book.move(record, S.APPLYING, "go", 1.0)
        record = await book.move(record, S.SETTLING, "go", 1.0)
        await book.move(record, S.SIMULATED, "as if", 1.0)
        assert await learning.look(2.0)
        assert learning.beliefs == Beliefs() and not await journal.notes(["learned"])

    run(story())


class Rates:
    """A monitor with one series of each name."""

    def __init__(self, **values: list[float]) -> None:
        self._values = {Series.named(name, "shop").metric_id: (Series.named(name, "shop"), each) for name, each in values.items()}

    def series(self):
        return [series for series, _ in self._values.values()]

    def window(self, metric_id):
        series, values = self._values[metric_id]
        return type("Window", (), {"series": series, "v": np.array(values, dtype=float)})


@pytest.mark.parametrize(
    ("values", "level"),
    [
        ([*range(100), *[99.0] * 5], "high"),
        ([*range(100), *[50.0] * 5], "usual"),
        ([*range(100), *[1.0] * 5], "low"),
        ([5.0] * 10, None),
    ],
    ids=["high", "usual", "low", "too-short"],
)
def test_load_is_told_against_what_was_usual(values, level):
    found = load_levels(Rates(shop_requests_per_second=values, shop_p95_seconds=[1.0] * 200), ["shop", "other"])
    assert found == ({"shop": level} if level else {})


def test_an_element_without_a_load_has_none():
    assert load_levels(Rates(shop_p95_seconds=[1.0] * 200, gc_pauses_per_second=[1.0] * 200), ["shop"]) == {}
