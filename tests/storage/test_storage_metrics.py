"""What only the SQLite metric store does: one transaction a write, ranges by the key, pruning in bounded batches."""

from dataclasses import replace

import pytest

from trimtab.domain.metrics import Reading, Series
from trimtab.storage import metrics as module
from trimtab.storage.metrics import SqliteMetricStore
from trimtab.testing.records import run

A, B = Series.named("a_count", "shop"), Series.named("b_count", "shop")


@pytest.mark.parametrize("batch", [1, 7, 10, 1000])
def test_pruning_goes_by_batches(tmp_path, monkeypatch, batch):
    monkeypatch.setattr(module, "PRUNE_BATCH", batch)
    store = SqliteMetricStore(tmp_path / "m.db")
    run(store.write([Reading(series, 1.0, float(at)) for series in (A, B) for at in range(20)]))
    deleted = []
    store._database.connection.set_trace_callback(
        lambda sql: deleted.append(sql) if sql.startswith(module.DELETE_BEFORE[:20]) else None
    )
    assert run(store.prune(10.0)) == 20
    assert len(deleted) == 2 * -(-10 // batch)
    assert [at for at, _ in run(store.query(A.metric_id, 0.0, 99.0))] == [float(at) for at in range(10, 20)]


def test_a_write_is_one_transaction(tmp_path):
    store = SqliteMetricStore(tmp_path / "m.db")
    statements = []
    store._database.connection.set_trace_callback(statements.append)
    run(store.write([Reading(series, 1.0, float(at)) for series in (A, B) for at in range(20)]))
    assert [sql for sql in statements if sql.startswith(("BEGIN", "COMMIT"))] == ["BEGIN IMMEDIATE", "COMMIT"]


@pytest.mark.parametrize(
    ("sql", "values"),
    [(module.SELECT_RANGE, ("shop/a_count", 0, 9)), (module.SELECT_CUT, (1, 9, 5)), (module.DELETE_BEFORE, (1, 9))],
    ids=["range", "cut", "delete"],
)
def test_queries_go_by_the_key(tmp_path, sql, values):
    database = SqliteMetricStore(tmp_path / "m.db")._database
    plan = " / ".join(str(row[3]) for row in database.rows(f"EXPLAIN QUERY PLAN {sql}", *values))
    assert "SEARCH samples USING PRIMARY KEY (series=? AND timestamp" in plan
    assert "SCAN" not in plan and "B-TREE" not in plan


def test_a_series_is_described_once_until_it_changes(tmp_path):
    store = SqliteMetricStore(tmp_path / "m.db")
    described = []
    store._database.connection.set_trace_callback(
        lambda text: described.append(text) if text.startswith("INSERT INTO series") else None
    )
    for start in range(0, 30, 10):
        run(store.write([Reading(A, 1.0, float(at)) for at in range(start, start + 10)]))
    assert len(described) == 1
    run(store.write([Reading(replace(A, source="elsewhere"), 1.0, 99.0)]))
    assert len(described) == 2
    assert store._database.rows("SELECT count(*), max(source) FROM series") == [(1, "elsewhere")]


@pytest.mark.parametrize("fold_at", [1, 7, 10_000])
def test_recent_and_folded_samples_read_as_one(tmp_path, monkeypatch, fold_at):
    monkeypatch.setattr(module, "FOLD_AT", fold_at)
    store = SqliteMetricStore(tmp_path / "m.db")
    for at in (5, 1, 3, 2, 4, 3, 5, 1):
        run(store.write([Reading(A, float(at * 10 + store._recent % 2), float(at)), Reading(B, 0.5, float(at))]))
    last = [at for at, _ in run(store.query(A.metric_id, 0.0, 99.0))]
    assert last == [1.0, 2.0, 3.0, 4.0, 5.0]
    run(store.write([Reading(A, 7.0, 3.0)]))  # the same moment again: the later one counts, wherever the earlier one is
    assert dict(run(store.query(A.metric_id, 0.0, 99.0)))[3.0] == 7.0
    before = run(store.query(A.metric_id, 0.0, 99.0))
    run(store.close())
    again = SqliteMetricStore(tmp_path / "m.db")
    assert run(again.query(A.metric_id, 0.0, 99.0)) == before
    assert run(again.prune(3.0)) == 4
    assert [at for at, _ in run(again.query(B.metric_id, 0.0, 99.0))] == [3.0, 4.0, 5.0]


def test_ticks_are_appended_and_folded_by_the_thousand(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FOLD_AT", 100)
    store = SqliteMetricStore(tmp_path / "m.db")
    counts = []
    for tick in range(40):
        run(store.write([Reading(Series.named("a_count", "shop", {"i": str(i)}), 1.0, float(tick)) for i in range(10)]))
        counts.append(store._database.rows("SELECT count(*) FROM recent")[0][0])
    assert max(counts) == 90 and counts.count(0) == 4
    assert store._database.rows("SELECT count(*) FROM samples") == [(400,)]


def test_a_file_of_the_first_version_is_brought_up_to_date(tmp_path):
    import sqlite3

    store = SqliteMetricStore(tmp_path / "m.db")
    run(store.write([Reading(A, 1.0, 1.0)]))
    run(store.prune(0.0))
    run(store.close())
    with sqlite3.connect(tmp_path / "m.db") as connection:
        connection.execute("DROP TABLE recent")
        connection.execute("PRAGMA user_version=1")
    again = SqliteMetricStore(tmp_path / "m.db")
    run(again.write([Reading(A, 2.0, 2.0)]))
    assert run(again.query(A.metric_id, 0.0, 9.0)) == [(1.0, 1.0), (2.0, 2.0)]
