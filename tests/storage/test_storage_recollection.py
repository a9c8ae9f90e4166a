"""The copy of a journal that a preview decides on: all that a start would find, and the original untouched."""

from __future__ import annotations

from pathlib import Path

from trimtab.domain.actions import ActionState, pause_in_force
from trimtab.storage.journal import SqliteJournal
from trimtab.storage.memory import MemoryJournal
from trimtab.storage.reader import JournalReader
from trimtab.storage.recollection import recollect
from trimtab.testing.records import run, write_life

RECENT = 2


async def _copied(path: Path) -> tuple[SqliteJournal, MemoryJournal]:
    journal = SqliteJournal(path)
    await write_life(journal, "stuck", ActionState.ROLLBACK_FAILED, at=1.0)
    await write_life(journal, "waits", ActionState.AWAITING_APPROVAL, at=2.0)
    for number in range(4):
        await write_life(journal, f"over-{number}", ActionState.REJECTED, at=10.0 + number)
    await journal.note("frozen", "look at it", at=20.0, action_id="stuck", data={"lever": "shop/workers"})
    for kind, actor in (("paused", "eve"), ("resumed", "eve"), ("paused", "ann"), ("storm", "trimtab")):
        await journal.note(kind, f"{kind} by {actor}", at=21.0, actor=actor, data={"until": 99.0})
    reader = JournalReader(path)
    try:
        return journal, await recollect(reader, RECENT)
    finally:
        await reader.close()


def test_a_start_finds_in_the_copy_what_it_finds_in_the_journal(tmp_path: Path) -> None:
    async def compare() -> None:
        journal, copy = await _copied(tmp_path / "journal.db")
        head = await journal.head()
        assert list(await copy.unfinished()) == list(await journal.unfinished())
        assert list(await copy.recent(RECENT)) == list(await journal.recent(RECENT))
        assert await copy.get("stuck") == await journal.get("stuck")  # older than what is recent, and still frozen
        assert await copy.get("over-0") is None
        for kind in ("frozen", "paused", "resumed", "storm"):
            told = [[(row.reason, row.actor, row.at, row.action_id, dict(row.data)) for row in await j.notes([kind], 9)]
                    for j in (journal, copy)]  # fmt: skip
            assert told[0] == told[1] != []
        pause = pause_in_force(await copy.notes(["paused", "resumed"], 9))
        assert pause is not None and pause.actor == "ann"
        await copy.note("resumed", "in the copy only", at=30.0)
        assert await journal.head() == head
        await journal.close()

    run(compare())
