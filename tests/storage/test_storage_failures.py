"""A store that cannot be used says so in a sentence with a remedy, loses nothing, and works again once it can."""

import os
import sqlite3
from contextlib import closing, contextmanager

import pytest

from trimtab.domain.actions import ActionState
from trimtab.domain.errors import StoreError
from trimtab.domain.metrics import Reading, Series
from trimtab.storage import database
from trimtab.storage.database import Database, Schema
from trimtab.storage.journal import SqliteJournal
from trimtab.storage.metrics import SqliteMetricStore
from trimtab.testing.records import a_record, run, write_life

SERIES = Series.named("queue_length", "shop")


@pytest.fixture(params=[SqliteJournal, SqliteMetricStore], ids=["journal", "metrics"])
def store(request):
    return request.param


@contextmanager
def unprivileged():
    """Root may write anywhere: step down while a test looks at rights."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def foreign(path):
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE theirs (x)")


def newer(path):
    with closing(sqlite3.connect(path)) as other:
        (owner,) = other.execute("PRAGMA application_id").fetchone()
        assert owner
        other.execute("PRAGMA user_version = 99")


def no_database(path):
    path.write_bytes(b"timestamp,value\n" * 100)


def damaged(path):
    raw = bytearray(path.read_bytes())
    raw[100:] = b"\xff" * (len(raw) - 100)
    path.write_bytes(raw)


def a_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (foreign, "something else.*another path"),
        (newer, "written by a newer trimtab; .*version 99.*newer trimtab again"),
        (no_database, "not a database.*last backup"),
        (damaged, "damaged.*last backup"),
        (a_folder, "cannot be opened"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_file_that_cannot_be_used_is_refused_untouched(tmp_path, store, spoil, says):
    path = tmp_path / "store.db"
    if spoil is not foreign:
        run(store(path).close())
    spoil(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StoreError, match=says) as caught:
        store(path)
    assert str(path) in str(caught.value) and caught.value.remedy
    assert before is None or path.read_bytes() == before


def test_a_journal_is_not_opened_as_metrics(tmp_path):
    run(SqliteJournal(tmp_path / "j.db").close())
    with pytest.raises(StoreError, match="something else"):
        SqliteMetricStore(tmp_path / "j.db")


def test_a_folder_without_the_right_to_write_is_refused(tmp_path, store):
    tmp_path.chmod(0o500)
    with unprivileged(), pytest.raises(StoreError, match="Name a folder that this user may write to"):
        store(tmp_path / "store.db")


def test_a_missing_folder_is_named(tmp_path, store):
    with pytest.raises(StoreError, match=r"No such file or directory.*Name a folder"):
        store(tmp_path / "nowhere" / "store.db")


def test_files_are_for_the_owner_only(tmp_path, store):
    mask = os.umask(0)
    try:
        opened = store(tmp_path / "store.db")
        assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
        run(opened.close())
    finally:
        os.umask(mask)


@pytest.mark.parametrize(
    ("kind", "synchronous"), [(SqliteJournal, 2), (SqliteMetricStore, 1)], ids=["journal FULL", "metrics NORMAL"]
)
def test_what_is_promised_of_a_power_cut_is_what_is_set(tmp_path, kind, synchronous):
    database = kind(tmp_path / "store.db")._database
    assert database.rows("PRAGMA synchronous") == [(synchronous,)]
    assert database.rows("PRAGMA journal_mode") == [("wal",)]


def test_a_full_disk_loses_nothing_and_writing_goes_on_later(tmp_path):
    journal = SqliteJournal(tmp_path / "j.db")
    connection = journal._database.connection
    run(write_life(journal, "first", ActionState.SCHEDULED))
    connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0]}")
    written = 0

    def fill():
        nonlocal written
        for written in range(1000):
            run(journal.record(a_record(f"a{written}"), None))

    with pytest.raises(StoreError, match=r"disk is full.*Free some space"):
        fill()
    assert not connection.in_transaction
    assert run(journal.verify()) == 2 + written
    assert run(journal.get(f"a{written}")) is None
    with pytest.raises(StoreError, match="disk is full"):
        run(journal.note("note", "x" * 100_000, at=1.0))
    connection.execute("PRAGMA max_page_count = 1000000")
    run(journal.record(a_record(f"a{written}"), None))
    assert run(journal.verify()) == 3 + written


def test_a_full_disk_does_not_leave_samples_under_a_wrong_series(tmp_path):
    """A series whose first write was rolled back has no id: one remembered from then would be another's."""
    store = SqliteMetricStore(tmp_path / "m.db")
    connection = store._database.connection
    connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0]}")
    with pytest.raises(StoreError, match="disk is full"):
        run(store.write([Reading(SERIES, 1.0, float(at)) for at in range(10_000)]))
    connection.execute("PRAGMA max_page_count = 1000000")
    other = Series.named("queue_length", "cart")
    run(store.write([Reading(other, 7.0, 1.0)]))
    run(store.write([Reading(SERIES, 5.0, 1.0)]))
    assert run(store.query(other.metric_id, 0.0, 9.0)) == [(1.0, 7.0)]
    assert run(store.query(SERIES.metric_id, 0.0, 9.0)) == [(1.0, 5.0)]


def test_a_locked_file_is_an_error_until_it_is_free(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.01)
    journal = SqliteJournal(tmp_path / "j.db")
    with closing(sqlite3.connect(tmp_path / "j.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"locked\. Close that program"):
            run(journal.record(a_record("a"), None))
        assert run(journal.get("a")) is None
        other.execute("ROLLBACK")
    run(journal.record(a_record("a"), None))
    assert run(journal.verify()) == 1


def test_after_close_it_says_that_it_is_closed(tmp_path, store):
    opened = store(tmp_path / "store.db")
    run(opened.close())
    run(opened.close())
    with pytest.raises(StoreError, match="closed"):
        run(opened.head() if store is SqliteJournal else opened.series())


OLD = Schema(7, 1, ("CREATE TABLE t (x)", "INSERT INTO t VALUES (1)"))


def test_an_older_file_is_migrated_after_a_backup(tmp_path):
    Database(tmp_path / "s.db", OLD, synchronous="FULL").close()
    steps = {1: ("ALTER TABLE t ADD COLUMN y DEFAULT 5",), 2: ("UPDATE t SET x = x + 10",)}
    new = Database(tmp_path / "s.db", Schema(7, 3, ("CREATE TABLE t (x, y)",), steps), synchronous="FULL")
    assert new.rows("SELECT x, y FROM t") == [(11, 5)]
    assert new.rows("PRAGMA user_version") == [(3,)]
    with closing(sqlite3.connect(f"file:{tmp_path}/s.db.v1.bak?mode=ro", uri=True)) as backup:
        assert backup.execute("SELECT * FROM t").fetchall() == [(1,)]
        assert backup.execute("PRAGMA user_version").fetchone() == (1,)


def test_a_migration_that_fails_changes_nothing(tmp_path):
    Database(tmp_path / "s.db", OLD, synchronous="FULL").close()
    steps = {1: ("UPDATE t SET x = 2", "UPDATE missing SET x = 3")}
    with pytest.raises(StoreError, match="no such table"):
        Database(tmp_path / "s.db", Schema(7, 2, (), steps), synchronous="FULL")
    assert Database(tmp_path / "s.db", OLD, synchronous="FULL").rows("SELECT x FROM t") == [(1,)]
