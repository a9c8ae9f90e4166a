"""What only the SQLite metric store does: one transaction a write, ranges by the key, pruning in bounded batches."""

from dataclasses import replace

import pytest

from trimtab.domain.metrics import Reading, Series
from trimtab.storage import metrics as module
from trimtab.storage.metrics import SqliteMetricStore
from trimtab.testing.stores import run

A, B = Series.named("a_count", "shop"), Series.named("b_count", "shop")


@pytest.mark.parametrize("batch", [1, 7, 10, 1000])
def test_pruning_goes_by_batches(tmp_path, monkeypatch, batch):
    monkeypatch.setattr(module, "PRUNE_BATCH", batch)
    store = SqliteMetricStore(tmp_path / "m.db")
    run(store.write([Reading(series, 1.0, float(at)) for series in (A, B) for at in range(20)]))
    deleted = []
    store._database.connection.set_trace_callback(lambda sql: deleted.append(sql) if sql.startswith(module.DELETE_BEFORE[:20]) else None)
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
