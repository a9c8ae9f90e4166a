"""A pruned journal hides nothing: who cuts off more, or says that more was given up, is found. Older files are taken over."""

import asyncio
import sqlite3
from contextlib import closing

import pytest

from trimtab.domain.actions import ActionState
from trimtab.domain.errors import JournalCorrupt, StoreError
from trimtab.domain.metrics import Reading, Series
from trimtab.storage import database, journal_sql
from trimtab.storage import journal as module
from trimtab.storage.database import Database, Schema
from trimtab.storage.journal import SqliteJournal
from trimtab.storage.metrics import SqliteMetricStore
from trimtab.testing.records import run, write_life

KEY = b"k" * 32
VERSION_1 = Schema(journal_sql.SCHEMA.application_id, 1, journal_sql.SCHEMA.statements)


@pytest.fixture(params=[None, KEY], ids=["no key", "key"])
def key(request):
    return request.param


def pruned(path, key=None):
    """Rows 1–4 given up, 5–8 left, 9 says so."""
    journal = SqliteJournal(path, key=key)
    for number in range(4):
        run(write_life(journal, f"a{number}", ActionState.IGNORED, at=100.0 * number))
    assert run(journal.prune(150.0, at=1000.0)) == 4
    return journal


ATTACKS = {
    "more cut off": ("DELETE FROM journal WHERE seq <= 6; DELETE FROM actions WHERE seq <= 6", "row 5 .*missing"),
    "one row cut off": ("DELETE FROM journal WHERE seq = 5", "row 5 .*missing"),
    "the checkpoint adjusted": (
        "UPDATE journal SET data = json_set(data, '$.checkpoint.seq', 6, '$.checkpoint.hash', "
        "(SELECT hash FROM journal WHERE seq = 6), '$.checkpoint.begun', 3, '$.checkpoint.forgotten', 3) WHERE seq = 9;"
        "DELETE FROM journal WHERE seq <= 6; DELETE FROM actions WHERE seq <= 6",
        "row 9 .*altered",
    ),
    "the checkpoint removed": ("DELETE FROM journal WHERE seq = 9", "row 1 .*missing"),
    "no checkpoint in it": ("UPDATE journal SET data = '{}' WHERE seq = 9", "row 9 .*says that rows were given up"),
    "an action forgotten": ("DELETE FROM actions WHERE action_id = 'a3'", "began 4 actions .*gave up 2.* 1 is stored|began 4"),
    "an action brought back": (
        "INSERT INTO actions SELECT NULL, 'a0', 2, state, type, 0, 0, since, record FROM actions WHERE seq = 6",
        "row 2 .*was given up, yet",
    ),
    "a row brought back": ("INSERT INTO journal SELECT 4, at, kind, action_id, from_state, to_state, actor, reason, data, "
                           "previous, hash FROM journal WHERE seq = 5; DELETE FROM journal WHERE seq = 5", "row 5 .*missing"),
}  # fmt: skip


@pytest.mark.parametrize(("attack", "named"), ATTACKS.values(), ids=ATTACKS.keys())
def test_a_cut_by_a_stranger_is_found(tmp_path, key, attack, named):
    journal = pruned(tmp_path / "j.db", key)
    assert run(journal.verify()) == 5
    with closing(sqlite3.connect(tmp_path / "j.db")) as eve:
        eve.executescript(attack)
    with pytest.raises(JournalCorrupt, match=named):
        run(journal.verify())


@pytest.mark.parametrize("batch", [1, 3, 200])
def test_pruning_goes_by_batches_and_is_whole_after_each(tmp_path, monkeypatch, batch):
    """An action may be cut in two by a batch; what is left of it is in order."""
    monkeypatch.setattr(module, "PRUNE_BATCH", batch)
    journal = SqliteJournal(tmp_path / "j.db")
    for number in range(4):
        run(write_life(journal, f"a{number}", ActionState.SCHEDULED, ActionState.EXPIRED, at=100.0 * number))
    while journal._prune_batch(250.0, 1000.0):
        run(journal.verify())
    assert [record.action_id for record in run(journal.recent(9))] == ["a3"]


def test_damage_is_not_swept_away(tmp_path):
    journal = SqliteJournal(tmp_path / "j.db")
    run(write_life(journal, "a", ActionState.IGNORED))
    with closing(sqlite3.connect(tmp_path / "j.db")) as eve:
        eve.executescript("UPDATE journal SET reason = 'nothing to see' WHERE seq = 2")
    with pytest.raises(JournalCorrupt, match="row 2"):
        run(journal.prune(1e6, at=2e6))
    assert len(run(journal.history("a"))) == 2


def test_verifying_while_it_is_pruned_reports_no_damage(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 2)
    monkeypatch.setattr(module, "PRUNE_BATCH", 3)
    journal, other = SqliteJournal(tmp_path / "j.db"), SqliteJournal(tmp_path / "j.db")
    for number in range(20):
        run(write_life(journal, f"a{number}", ActionState.IGNORED, at=float(number)))

    async def both():
        return await asyncio.gather(journal.verify(), other.prune(1e6, at=2e6))

    checked, removed = run(both())
    assert (removed, checked > 0) == (40, True)
    assert run(journal.verify()) == 1 + (40 - 1) // 3  # only the rows that say so are left


def test_the_space_is_given_back(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "SLACK_PAGES", 4)
    journal = SqliteJournal(tmp_path / "j.db")
    journal._database.connection.execute("PRAGMA synchronous=OFF")
    for number in range(400):
        run(write_life(journal, f"a{number}", ActionState.IGNORED, at=float(number)))
    run(journal.close())
    size = (tmp_path / "j.db").stat().st_size
    journal = SqliteJournal(tmp_path / "j.db")
    run(journal.prune(1e6, at=2e6))
    run(journal.close())
    assert (tmp_path / "j.db").stat().st_size < size / 4


def by_version_1(path):
    """A journal as the first version wrote it: version 1, and a file that can only grow."""
    with closing(sqlite3.connect(path)) as old:
        old.execute("PRAGMA journal_mode=WAL")
        for statement in VERSION_1.statements:
            old.execute(statement)
        old.execute(f"PRAGMA application_id={VERSION_1.application_id}")
        old.execute("PRAGMA user_version=1")
        old.commit()


def test_a_journal_of_the_first_version_is_taken_over_after_a_backup(tmp_path):
    by_version_1(tmp_path / "j.db")
    old = Database(tmp_path / "j.db", VERSION_1, synchronous="FULL")
    (mode,) = old.rows("PRAGMA auto_vacuum")[0]
    old.close()
    journal = SqliteJournal(tmp_path / "j.db")
    run(write_life(journal, "a", ActionState.IGNORED))
    assert journal._database.rows("PRAGMA auto_vacuum") == [(2,)] and mode in (0, 2)
    assert (tmp_path / "j.db.v1.bak").exists()
    assert run(journal.verify()) == 2
    run(journal.close())
    before = (tmp_path / "j.db").read_bytes()
    with pytest.raises(StoreError, match=r"written by a newer trimtab.*version 2, this one reads 1.*left as it is"):
        Database(tmp_path / "j.db", VERSION_1, synchronous="FULL")
    assert (tmp_path / "j.db").read_bytes() == before


def test_metrics_of_an_earlier_version_shrink_too(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "SLACK_PAGES", 4)
    monkeypatch.setattr(database, "_let_shrink", lambda connection: None)
    with closing(sqlite3.connect(tmp_path / "m.db")) as old:
        old.execute("CREATE TABLE x (y)")  # from now on the file's mode is fixed: never shrink
        old.execute("DROP TABLE x")
        old.commit()
    store = SqliteMetricStore(tmp_path / "m.db")
    series = Series.named("queue_length", "shop")
    run(store.write([Reading(series, at % 7 + 0.123456789 * at, float(at)) for at in range(60_000)]))
    assert store._database.rows("PRAGMA auto_vacuum") == [(0,)]
    run(store.close())
    monkeypatch.undo()
    monkeypatch.setattr(database, "SLACK_PAGES", 4)
    store = SqliteMetricStore(tmp_path / "m.db")
    assert store._database.rows("PRAGMA auto_vacuum") == [(2,)]
    size = (tmp_path / "m.db").stat().st_size
    run(store.prune(59_000.0))
    kept = list(run(store.query(series.metric_id, 0.0, 1e9)))
    run(store.close())
    assert len(kept) == 1000 and kept[0][0] == 59_000.0
    assert (tmp_path / "m.db").stat().st_size < size / 4


@pytest.mark.parametrize("lost", ["the -wal file", "an older copy"])
def test_acknowledged_rows_that_are_gone_are_missed(tmp_path, lost):
    """After a kill the last rows are in the -wal file; who removes it leaves a file that looks whole, and is not."""
    journal = SqliteJournal(tmp_path / "j.db")
    run(write_life(journal, "a", ActionState.IGNORED))
    journal._database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    older = (tmp_path / "j.db").read_bytes()
    run(write_life(journal, "b", ActionState.SCHEDULED))
    with open(tmp_path / "j.db", "rb") as file:  # what a killed process leaves: the file, and its log
        left = file.read()
    if lost == "an older copy":
        run(journal.close())
        left = older
    whole = tmp_path / "whole"
    whole.mkdir()
    (whole / "j.db").write_bytes(left)
    (whole / "j.head").write_bytes((tmp_path / "j.head").read_bytes())
    journal = SqliteJournal(whole / "j.db")
    with pytest.raises(JournalCorrupt, match=r"rows 3 to 4 are gone.*-wal.*remove j\.head"):
        journal.examine()
    with pytest.raises(JournalCorrupt, match="rows 3 to 4"):
        run(journal.verify())
    (whole / "j.head").unlink()
    journal.examine()
    assert run(journal.verify()) == 2


@pytest.mark.parametrize("garbled", [b"", b"x", b"\xff\xff", b"12"], ids=repr)
def test_a_mark_that_cannot_be_read_marks_nothing(tmp_path, garbled):
    journal = pruned(tmp_path / "j.db")
    (tmp_path / "j.head").write_bytes(garbled)
    journal.examine()
    assert run(journal.verify()) == 5
