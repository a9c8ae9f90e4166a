"""Looking at stores without touching them: nothing is written, nothing is made, whoever is at work beside."""

from __future__ import annotations

import asyncio
import shutil

import pytest

from trimtab.domain.errors import JournalCorrupt, StoreError
from trimtab.domain.metrics import Reading, Series
from trimtab.storage.folder import DataFolder
from trimtab.storage.journal import SqliteJournal
from trimtab.storage.metrics import SqliteMetricStore
from trimtab.storage.reader import JournalReader, Older, check_metrics


async def notes(journal, count):
    for number in range(count):
        await journal.note("note", f"row {number}", at=float(number))


def a_journal(folder, rows=5, *, close=True):
    journal = SqliteJournal(folder / "journal.db")
    asyncio.run(notes(journal, rows))
    if close:
        asyncio.run(journal.close())
    return journal


def listing(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if not path.name.endswith("-shm")}


def verified(folder, told=None):
    reader = JournalReader(folder / "journal.db", told=told)
    try:
        return asyncio.run(reader.verify())
    finally:
        asyncio.run(reader.close())


def test_a_closed_journal_is_read_and_nothing_is_made_beside_it(tmp_path):
    a_journal(tmp_path)
    before, heard = listing(tmp_path), []
    assert verified(tmp_path, heard.append) == 5
    assert listing(tmp_path) == before and heard == [5]


def test_what_is_told_is_how_many_rows_hold_also_where_the_first_ones_were_given_up(tmp_path):
    journal, heard = a_journal(tmp_path, rows=250, close=False), []
    assert asyncio.run(journal.prune(100.0, at=300.0)) == 100
    asyncio.run(journal.close())
    assert verified(tmp_path, heard.append) == heard[-1] == 151


def test_a_journal_at_work_is_read_with_what_was_just_written(tmp_path):
    journal = a_journal(tmp_path, close=False)
    try:
        assert verified(tmp_path) == 5
        asyncio.run(notes(journal, 3))
        assert verified(tmp_path) == 8
    finally:
        asyncio.run(journal.close())


def test_what_a_killed_agent_left_is_read_and_left_as_it_is(tmp_path):
    (tmp_path / "at work").mkdir()
    left = tmp_path / "left"
    journal = a_journal(tmp_path / "at work", close=False)
    shutil.copytree(tmp_path / "at work", left)  # as a kill leaves it: a log that nobody has put into the file
    asyncio.run(journal.close())
    before = listing(left)
    assert verified(left) == 5
    assert listing(left) == before and "journal.db-wal" in before


def test_it_cannot_be_written_to(tmp_path):
    a_journal(tmp_path)
    reader = JournalReader(tmp_path / "journal.db")
    with pytest.raises(StoreError):
        asyncio.run(reader.note("note", "no", at=1.0))
    asyncio.run(reader.close())


def test_a_row_that_was_altered_is_named(tmp_path):
    import sqlite3

    a_journal(tmp_path)
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        connection.execute("UPDATE journal SET reason = 'forged' WHERE seq = 3")
    connection.close()
    with pytest.raises(JournalCorrupt, match="row 3"):
        verified(tmp_path)


def test_a_file_of_an_earlier_version_is_sound_and_left_for_the_agent_to_bring_up_to_date(tmp_path):
    import sqlite3

    a_journal(tmp_path)
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        connection.execute("PRAGMA user_version = 0")
    connection.close()
    before = listing(tmp_path)
    with pytest.raises(Older, match="an older trimtab"):
        verified(tmp_path)
    assert listing(tmp_path) == before


def test_what_is_not_there_is_said_and_not_made(tmp_path):
    with pytest.raises(StoreError, match="there is no"):
        JournalReader(tmp_path / "journal.db")
    with pytest.raises(StoreError, match="there is no"):
        check_metrics(tmp_path / "metrics.db")
    assert list(tmp_path.iterdir()) == []


def test_a_sound_metric_store_and_a_damaged_one(tmp_path):
    path = tmp_path / "metrics.db"
    store = SqliteMetricStore(path)
    asyncio.run(store.write([Reading(Series.named(f"s{n}", "shop"), 1.0, float(t)) for n in range(50) for t in range(40)]))
    asyncio.run(store.close())
    assert check_metrics(path) == 50
    raw = bytearray(path.read_bytes())
    raw[8192:20480] = b"\xff" * 12288
    path.write_bytes(raw)
    with pytest.raises(StoreError, match="damaged"):
        check_metrics(path)


def test_a_flipped_bit_in_the_samples_is_named_and_changes_nothing(tmp_path):
    path = tmp_path / "metrics.db"
    store = SqliteMetricStore(path)
    asyncio.run(store.write([Reading(Series.named("a_count", "shop"), 1.0, float(t)) for t in range(40)]))
    asyncio.run(store.tidy(100.0))
    store._database.rows("UPDATE blocks SET checksum = checksum + 1")
    asyncio.run(store.close())
    before = listing(tmp_path)
    with pytest.raises(StoreError, match=r"the samples of series 1 to 512 on 1970-01-01.*the rest is sound"):
        check_metrics(path)
    assert listing(tmp_path) == before


def test_a_folder_has_one_identity_that_stays_and_is_only_made_on_request(tmp_path):
    folder = DataFolder(tmp_path / "data")
    assert folder.identity() == "" and not folder.identity_path.exists()
    mine = folder.identity(create=True)
    assert len(mine) == 64 and DataFolder(tmp_path / "data").identity() == folder.identity(create=True) == mine
    assert DataFolder(tmp_path / "other").identity(create=True) != mine
    assert folder.identity_path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("word", "mode"), [("0123456789abcdef", 0o600), ("0" * 64, 0o640), ("", 0o600)])
def test_an_identity_that_others_know_is_replaced(tmp_path, word, mode):
    folder = DataFolder(tmp_path / "data")
    folder.identity_path.write_text(word + "\n")
    folder.identity_path.chmod(mode)
    assert folder.identity() == "" and folder.identity_path.read_text().strip() == word  # who only looks changes nothing
    assert folder.identity(create=True) not in ("", word) and folder.identity() == folder.identity(create=True)
    assert folder.identity_path.stat().st_mode & 0o777 == 0o600
