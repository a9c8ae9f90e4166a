"""What only the SQLite journal does: tampering is found and named, two writers are kept apart, queries go by an index."""

import asyncio
import sqlite3
from contextlib import closing

import pytest

from trimtab.domain.actions import ActionState
from trimtab.domain.errors import Conflict, JournalCorrupt, StoreError
from trimtab.storage import journal as module
from trimtab.storage import journal_sql as sql
from trimtab.storage.journal import SqliteJournal
from trimtab.testing.records import a_record, moved, run, write_life

KEY = b"k" * 32


@pytest.fixture(params=[None, KEY], ids=["no key", "key"])
def key(request):
    return request.param


@pytest.fixture(params=[module.BATCH, 2], ids=["one batch", "batches of two"])
def _batch(request, monkeypatch):
    monkeypatch.setattr(module, "BATCH", request.param)


def written(path, key=None):
    """Three actions and a note: rows 1–4 are a, 5 a note, 6–7 b, 8 c."""
    journal = SqliteJournal(path, key=key)
    run(write_life(journal, "a", ActionState.SCHEDULED, ActionState.APPLYING, ActionState.SETTLING))
    run(journal.note("paused", "by hand", at=200.0))
    run(write_life(journal, "b", ActionState.IGNORED))
    run(write_life(journal, "c"))
    return journal


TAMPERINGS = {
    "a reason altered": ("UPDATE journal SET reason = 'nothing to see' WHERE seq = 3", "row 3 .*altered"),
    "a time altered": ("UPDATE journal SET at = at + 1 WHERE seq = 2", "row 2 .*altered"),
    "a time removed": ("UPDATE journal SET at = NULL WHERE seq = 2", "row 2 .*altered"),
    "data altered": ("UPDATE journal SET data = replace(data, 'workers', 'walkers') WHERE seq = 1", "row 1 .*altered"),
    "data torn": ("UPDATE journal SET data = substr(data, 1, 20) WHERE seq = 4", "row 4 .*cannot be read"),
    "data turned to bytes": ("UPDATE journal SET data = x'00ff' WHERE seq = 4", "row 4 .*cannot be read"),
    "text no longer UTF-8": ("UPDATE journal SET reason = CAST(x'c3' AS TEXT) WHERE seq = 4", "row 4 .*altered"),
    "a state that is none": ("UPDATE journal SET to_state = 'happy' WHERE seq = 6", "row 6 .*cannot be read"),
    "a note altered": ("UPDATE journal SET actor = 'eve' WHERE kind = 'paused'", "row 5 .*altered"),
    "the first row deleted": ("DELETE FROM journal WHERE seq = 1", "row 1 .*missing"),
    "a middle row deleted": ("DELETE FROM journal WHERE seq = 3", "row 3 .*missing"),
    "a gap closed": (
        "DELETE FROM journal WHERE seq = 5; UPDATE journal SET seq = seq - 1 WHERE seq > 5",
        "row 5 .*does not follow",
    ),
    "the tail deleted": ("DELETE FROM journal WHERE seq > 6", "row 7 .*missing"),
    "the tail deleted, the head adjusted": (
        "DELETE FROM journal WHERE seq > 6; UPDATE head SET seq = 6, hash = (SELECT hash FROM journal WHERE seq = 6)",
        "row 7 .*missing",
    ),
    "everything deleted": ("DELETE FROM journal", "row 1 .*missing"),
    "two rows swapped": (
        "UPDATE journal SET seq = 99 WHERE seq = 3; UPDATE journal SET seq = 3 WHERE seq = 4; "
        "UPDATE journal SET seq = 4 WHERE seq = 99",
        "row 3 .*does not follow",
    ),
    "a row added": (
        "INSERT INTO journal SELECT 9, at, kind, action_id, from_state, to_state, actor, reason, data, hash, previous "
        "FROM journal WHERE seq = 8",
        "row 9 .*altered",
    ),
    "the stored record altered": (
        "UPDATE actions SET record = replace(record, '2', '3') WHERE action_id = 'a'",
        "row 4 .*disagree",
    ),
    "the stored state altered": ("UPDATE actions SET state = 'kept' WHERE action_id = 'a'", "row 4 .*disagree"),
    "an action forgotten": ("DELETE FROM actions WHERE action_id = 'b'", "began 3 actions .* 2"),
}


@pytest.mark.usefixtures("_batch")
@pytest.mark.parametrize(("attack", "named"), TAMPERINGS.values(), ids=TAMPERINGS.keys())
def test_tampering_is_found_and_named(tmp_path, key, attack, named):
    journal = written(tmp_path / "j.db", key)
    assert run(journal.verify()) == 8
    with closing(sqlite3.connect(tmp_path / "j.db")) as eve:
        eve.executescript(attack)
    with pytest.raises(JournalCorrupt, match=named):
        run(journal.verify())


def test_a_forger_without_the_key_is_found(tmp_path):
    """Who may write to the file can rewrite a chain without a key, but not one with a key."""
    sealed, forged = written(tmp_path / "sealed.db", KEY), written(tmp_path / "forged.db", b"guess")
    assert run(forged.verify()) == 8
    run(forged.close())
    with closing(sqlite3.connect(tmp_path / "sealed.db")) as eve:
        eve.execute("ATTACH ? AS other", (str(tmp_path / "forged.db"),))
        for table in ("journal", "actions", "head"):
            eve.execute(f"DELETE FROM main.{table}")
            eve.execute(f"INSERT INTO main.{table} SELECT * FROM other.{table}")
        eve.commit()
    with pytest.raises(JournalCorrupt, match=r"row 1 .*another key"):
        run(sealed.verify())


@pytest.mark.parametrize(
    ("wrote", "reads"), [(KEY, b"other"), (KEY, None), (None, KEY)], ids=["other key", "no key", "key on plain"]
)
def test_a_wrong_key_is_found_and_spoils_nothing(tmp_path, wrote, reads):
    run(written(tmp_path / "j.db", wrote).close())
    wrong = SqliteJournal(tmp_path / "j.db", key=reads)
    with pytest.raises(JournalCorrupt, match=r"row 1 .*another key"):
        run(wrong.verify())
    with pytest.raises(JournalCorrupt, match=r"row 8 .*another key"):
        run(wrong.note("note", "with the wrong key", at=1.0))
    assert run(SqliteJournal(tmp_path / "j.db", key=wrote).verify()) == 8


def test_nothing_is_built_on_a_tail_that_was_cut_off(tmp_path):
    journal = written(tmp_path / "j.db")
    with closing(sqlite3.connect(tmp_path / "j.db")) as eve:
        eve.executescript("DELETE FROM journal WHERE seq = 8")
    with pytest.raises(JournalCorrupt, match="row 8"):
        run(journal.record(a_record("d"), None))
    assert run(journal.get("d")) is None


@pytest.mark.parametrize("column", ["state", "record"])
@pytest.mark.parametrize("value", ["happy", "", "{", "5", b"\xff"], ids=repr)
def test_a_spoiled_projection_is_an_error_of_the_store_and_nothing_else(tmp_path, column, value):
    journal = written(tmp_path / "j.db")
    with closing(sqlite3.connect(tmp_path / "j.db")) as eve:
        eve.execute(f"UPDATE actions SET {column} = ? WHERE action_id = 'c'", (value,))
        eve.commit()
    asked = journal.counts() if column == "state" else journal.recent(10)
    with pytest.raises(StoreError):
        run(asked)
    with pytest.raises(StoreError):
        run(journal.record(moved(a_record("c"), ActionState.SCHEDULED), ActionState.PROPOSED))
    with pytest.raises(JournalCorrupt, match=r"row 8 .*disagree"):
        run(journal.verify())


def test_of_two_writers_only_one_moves_an_action(tmp_path):
    one, two = SqliteJournal(tmp_path / "j.db"), SqliteJournal(tmp_path / "j.db")
    first = a_record("a")
    run(one.record(first, None))
    run(two.record(moved(first, ActionState.SCHEDULED), ActionState.PROPOSED))
    with pytest.raises(Conflict, match="a is scheduled, not proposed"):
        run(one.record(moved(first, ActionState.IGNORED), ActionState.PROPOSED))
    run(one.note("note", "goes on after the refusal", at=1.0))
    assert run(two.verify()) == 3


@pytest.mark.parametrize("same", [True, False], ids=["same journal", "two processes' worth"])
def test_verifying_while_another_writes_reports_no_damage(tmp_path, monkeypatch, same):
    monkeypatch.setattr(module, "BATCH", 2)
    writer = written(tmp_path / "j.db")
    reader = writer if same else SqliteJournal(tmp_path / "j.db")

    async def write():
        for number in range(10):
            await write_life(writer, f"d{number}", ActionState.IGNORED)
            if number < 5:  # then stand back, or verify() would never come to an end
                await asyncio.sleep(0)
        return (await writer.head())[0]

    async def both():
        return await asyncio.gather(reader.verify(), write())

    length, end = run(both())
    assert 8 < length <= end == 28


def test_a_damaged_page_is_named_by_the_first_row_that_cannot_be_read(tmp_path):
    path = tmp_path / "j.db"
    journal = SqliteJournal(path)
    for number in range(60):
        run(journal.note("note", f"{number} " + "x" * 200, at=1.0))
    run(journal.close())
    raw = bytearray(path.read_bytes())
    at = raw.index(b"30 xxx") // 4096 * 4096
    raw[at : at + 4096] = b"\xff" * 4096
    path.write_bytes(raw)
    with pytest.raises(JournalCorrupt, match=r"row \d+ .*cannot be read .*malformed"):
        run(SqliteJournal(path).verify())


QUERIES = {
    "recent": (sql.SELECT_RECENT, (10,), "actions_by_age"),
    "unfinished": (sql.SELECT_UNFINISHED, sql.UNFINISHED, "actions_by_state"),
    "counts": (sql.SELECT_COUNTS, (), "COVERING INDEX actions_by_state"),
    "get": (sql.SELECT_ACTION, ("a",), "sqlite_autoindex_actions_1"),
    "history": (sql.SELECT_HISTORY, ("a",), "journal_of_action"),
    "notes": (sql.SELECT_NOTES, ("paused", 10), "journal_by_kind"),
    "verify": (sql.SELECT_BATCH, (0, 10), "PRIMARY KEY"),
    "checkpoint": (sql.SELECT_PRUNED, (), "journal_by_kind"),
    "pause in force": (sql.SELECT_PAUSE_IN_FORCE, (), "journal_by_kind"),
    "what may be given up": (sql.SELECT_STAYING, (0, 10, 5.0, 5.0, *sql.STAYING), "PRIMARY KEY"),
    "verify, projection": (sql.SELECT_STANDING, (0, 10), "sqlite_autoindex_actions_2"),
}


@pytest.mark.parametrize(("query", "values", "index"), QUERIES.values(), ids=QUERIES.keys())
def test_queries_go_by_an_index(tmp_path, query, values, index):
    """No walk over a table, no sorting of more than what is asked for."""
    database = SqliteJournal(tmp_path / "j.db")._database
    plan = " / ".join(str(row[3]) for row in database.rows(f"EXPLAIN QUERY PLAN {query}", *values))
    assert index in plan
    assert "SCAN actions USING INDEX actions_by_age" in plan or "SCAN" not in plan.replace(
        "SCAN actions USING COVERING INDEX", ""
    )
    assert "TEMP B-TREE" not in plan or index == "actions_by_state"


def test_recent_does_work_in_proportion_to_what_is_asked_for(tmp_path):
    """Steps of SQLite's machine: as many with 3,000 actions as with 30."""
    journal = SqliteJournal(tmp_path / "j.db")
    connection = journal._database.connection
    connection.execute("PRAGMA synchronous=OFF")

    def steps():
        ticks = []
        connection.set_progress_handler(lambda: ticks.append(1) and None, 1)
        run(journal.recent(10))
        run(journal.unfinished())
        connection.set_progress_handler(None, 0)
        return len(ticks)

    for number in range(30):
        run(write_life(journal, f"a{number}", ActionState.IGNORED, at=float(number)))
    few = steps()
    columns = "state, type, executed_at, since, record"
    connection.execute(
        f"""WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
        INSERT INTO actions (action_id, seq, created_at, {columns}) SELECT 'b' || i, 1000 + i, -i, {columns} FROM n, actions
        WHERE action_id = 'a1'"""
    )
    assert steps() <= 1.2 * few
