"""What only the SQLite metric store does: one row a write, sealing by the piece, roll-ups that answer as the samples would."""

import asyncio
import itertools
from dataclasses import replace

import numpy as np
import pytest

from trimtab.domain.metrics import Aggregate, Reading, Series
from trimtab.storage import metrics as module
from trimtab.storage import metrics_sql as sql
from trimtab.storage import ranges, sealing, shelves
from trimtab.storage.memory import MemoryMetricStore
from trimtab.storage.metrics import Retention, SqliteMetricStore
from trimtab.testing.records import run

DAY = 86_400.0
A, B = Series.named("a_count", "shop"), Series.named("b_count", "shop")
MANY = tuple(Series.named(f"gauge_{number}_ratio", "shop") for number in range(150))  # more than a shelf


@pytest.fixture
def store(tmp_path):
    return SqliteMetricStore(tmp_path / "m.db")


def rows(store, table):
    return store._database.rows(f"SELECT count(*) FROM {table}")[0][0]


def levels(store):
    return dict(store._database.rows("SELECT level, count(*) FROM blocks GROUP BY level"))


def ticks(store, *, days=1.0, start=0.0, step=30.0, series=MANY, seed=1):
    """Write a stretch of ticks of all series; returns the matrix that was written."""
    rng = np.random.default_rng(seed)
    times = start + np.arange(int(days * DAY / step)) * step
    values = np.round(rng.normal(50.0, 1.0, (times.size, len(series))), 2)

    async def write():
        for at, row in zip(times.tolist(), values, strict=True):
            await store.write_columns(series, at, row)

    run(write())
    return times, values


def test_a_write_is_one_transaction_and_one_row(store):
    statements = []
    store._database.connection.set_trace_callback(statements.append)
    run(store.write([Reading(series, 1.0, float(at)) for series in (A, B) for at in range(20)]))
    assert [sql for sql in statements if sql.startswith(("BEGIN", "COMMIT"))] == ["BEGIN IMMEDIATE", "COMMIT"]
    assert rows(store, "hot") == 1


def test_a_series_is_described_once_until_it_changes(store):
    described = []
    store._database.connection.set_trace_callback(
        lambda text: described.append(text) if text.startswith("INSERT INTO series") else None
    )
    for start in range(0, 30, 10):
        run(store.write([Reading(A, 1.0, float(at)) for at in range(start, start + 10)]))
    both = (A, B)
    for at in range(3):
        run(store.write_columns(both, 50.0 + at, np.zeros(2)))
    assert len(described) == 2
    run(store.write([Reading(replace(A, source="elsewhere"), 1.0, 99.0)]))
    assert store._database.rows("SELECT count(*), max(source) FROM series") == [(2, "elsewhere")]
    run(store.write_columns(both, 100.0, np.zeros(2)))
    assert store._database.rows("SELECT max(source) FROM series") == [("",)], "as last described"


def test_the_levels_of_rest(store):
    times, values = ticks(store, days=1.02)
    assert levels(store) == {} and rows(store, "hot") == times.size == 2937
    run(store.tidy(times[-1]))
    assert rows(store, "hot") == 0 and set(levels(store)) == {0}, "the day has not been over for an hour"
    run(store.tidy(times[-1] + sealing.GRACE))
    assert levels(store) == {0: levels(store)[0], 1: 30, 2: 5, 3: 5}, "a day has six slices of each 32 series"
    assert {day for (day,) in store._database.rows("SELECT day FROM blocks WHERE level = 0")} == {1}
    found = run(store.read([one.metric_id for one in MANY], 0.0, 2 * DAY))
    for column, series in enumerate(MANY):
        assert np.array_equal(found[series.metric_id].times, times)
        assert np.array_equal(found[series.metric_id].values, values[:, column])
    bytes_, samples = store._database.rows("SELECT sum(length(body)), sum(samples) FROM blocks WHERE level = 1")[0]
    assert bytes_ / samples < 1.4


def test_nothing_is_done_before_it_is_due(store):
    ticks(store, days=0.01)
    run(store.tidy(0.01 * DAY))
    run(store.write([Reading(A, 1.0, 0.02 * DAY)]))
    run(store.tidy(0.02 * DAY))
    assert rows(store, "hot") == 1, "sealed less than an hour ago"
    run(store.tidy(0.02 * DAY + 3600.0))
    assert rows(store, "hot") == 0


def test_whoever_writes_much_seals_by_writing(store, monkeypatch):
    monkeypatch.setattr(module, "HOT_MOST", 5000)
    monkeypatch.setattr(sealing, "SEAL_SAMPLES", 1500)
    times, values = ticks(store, days=0.05)
    assert 0 < store._database.rows(sql.COUNT_HOT)[0][0] <= 5000 + 1500
    found = run(store.read([MANY[3].metric_id], 0.0, DAY))[MANY[3].metric_id]
    assert np.array_equal(found.values, values[:, 3]) and found.times.size == times.size


def test_a_step_of_tidying_is_bounded(store, monkeypatch):
    ticks(store, days=0.5)
    monkeypatch.setattr(sealing, "SEAL_SAMPLES", 15_000)
    steps = []

    async def others():
        while True:
            steps.append(rows(store, "hot"))
            await asyncio.sleep(0)

    async def both():
        beside = asyncio.create_task(others())
        await store.tidy(DAY)
        beside.cancel()

    run(both())
    assert max(np.diff(steps) * -1) <= sealing.SEAL_SLACK * 15_000 / len(MANY) + 1


def test_a_late_sample_reopens_its_day(store):
    ticks(store)
    run(store.tidy(1.5 * DAY))
    run(store.write([Reading(MANY[0], 1e6, 600.0), Reading(MANY[0], -1e6, 601.0)]))  # one replaces another, one is new
    for tidied in (False, True):
        if tidied:
            run(store.tidy(2.5 * DAY))
            assert 0 not in levels(store)
        samples = dict(run(store.query(MANY[0].metric_id, 590.0, 610.0)))
        assert samples == {600.0: 1e6, 601.0: -1e6}
        hour = run(store.downsampled(MANY[0].metric_id, 0.0, 3599.0, 3600.0, Aggregate.COUNT))
        assert hour == [(0.0, 121.0)]
        for aggregate, figure in ((Aggregate.MAX, 1e6), (Aggregate.MIN, -1e6)):
            assert run(store.downsampled(MANY[0].metric_id, 0.0, 3599.0, 3600.0, aggregate)) == [(0.0, figure)]


def test_roll_ups_answer_as_the_samples_would(store):
    memory = MemoryMetricStore()
    for one in (store, memory):
        ticks(one, days=2.2, series=MANY[:3], step=45.0, start=-0.1 * DAY)
    run(store.tidy(2.3 * DAY))
    for step, aggregate in itertools.product([60.0, 300.0, 900.0, 3600.0, 7200.0, 5400.0], Aggregate):
        asked = (MANY[1].metric_id, 1000.0, 2.05 * DAY, step, aggregate)
        mine, theirs = np.array(run(store.downsampled(*asked))), np.array(run(memory.downsampled(*asked)))
        assert mine.shape == theirs.shape and np.allclose(mine, theirs, rtol=1e-12, atol=0.0)


def test_roll_ups_outlive_the_samples_and_are_forgotten_in_turn(tmp_path):
    store = SqliteMetricStore(tmp_path / "m.db", retention=Retention(five_minutes=3 * DAY, hours=5 * DAY))
    _, values = ticks(store, days=2.0, series=MANY[:3])
    run(store.tidy(2.5 * DAY))
    mine = MANY[2].metric_id
    before = {step: run(store.downsampled(mine, 0.0, 2 * DAY - 1, step, Aggregate.MEAN)) for step in (300.0, 3600.0)}
    assert run(store.prune(DAY)) == 3 * 2880
    assert run(store.query(mine, 0.0, DAY - 1)) == []
    for step, figures in before.items():
        assert run(store.downsampled(mine, 0.0, 2 * DAY - 1, step, Aggregate.MEAN)) == figures
    minutes = run(store.downsampled(mine, 0.0, DAY - 1, 60.0, Aggregate.SUM))
    assert len(minutes) == 288, "there is nothing finer any more"
    assert sum(figure for _, figure in minutes) == pytest.approx(values[:2880, 2].sum())
    run(store.tidy(4.5 * DAY))
    assert len(run(store.downsampled(mine, 0.0, DAY - 1, 300.0, Aggregate.SUM))) == 24
    run(store.tidy(6.5 * DAY))
    assert run(store.downsampled(mine, 0.0, DAY - 1, 300.0, Aggregate.SUM)) == []
    run(store.write([Reading(MANY[2], 7.0, 100.0)]))  # late beyond all measure: there, and no roll-up of what was
    run(store.tidy(8.5 * DAY))
    assert run(store.query(mine, 0.0, DAY - 1)) == [(100.0, 7.0)]


@pytest.mark.parametrize("tidied", [False, True])
def test_pruning_in_the_middle_of_a_row(store, tidied):
    """Exact, wherever the samples lie, and at no other's cost."""
    times, values = ticks(store, days=1.5, series=MANY[:40])
    run(store.write([Reading(MANY[0], 1.0, 5.0), Reading(MANY[1], 2.0, 1.2 * DAY + 1)]))
    if tidied:
        run(store.tidy(3 * DAY))
    cut = 1.2 * DAY
    assert run(store.prune(cut)) == 40 * int((times < cut).sum()) + 1
    assert run(store.prune(cut)) == 0
    found = run(store.read([one.metric_id for one in MANY[:40]], -1e9, 1e9))
    assert np.array_equal(found[MANY[7].metric_id].values, values[times >= cut, 7])
    assert found[MANY[1].metric_id].times.size == int((times >= cut).sum()) + 1


def writes(rng, kind, now):
    """Some ticks of one sensor, or a heap of samples of a few series on two shelves."""
    if kind == 3:
        every = MANY[: int(rng.choice([80, len(MANY)]))]
        for at in now - np.array([9000.0, 3600.0, 90.0, 60.0, 30.0]):
            yield every, at, np.round(rng.normal(0, 10, len(every)), 1)
        return
    some, count = [*MANY[:10], *MANY[123:133]], int(rng.integers(1, 40))
    chosen = [some[number] for number in rng.integers(0, len(some), count)]
    at = now - np.round(rng.exponential(20_000.0, count if kind < 6 else 1), int(rng.integers(0, 8)))
    values = rng.choice([rng.normal(0, 1e3, count), np.round(rng.normal(0, 1e3, count), 1), np.zeros(count) - 0.0])
    values[rng.random(count) < 0.02] = rng.choice([np.nan, np.inf, 1e300, -1e-300])
    yield chosen, at, values


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_it_answers_as_a_dictionary_would(tmp_path, seed, monkeypatch):
    """Writes of every kind, late and doubled, tidying, pruning, reopening: beside a store that is nothing but a dictionary."""
    for each in (shelves, sealing, ranges):
        monkeypatch.setattr(each, "WIDTH", (64, 32, 32, 32))
    rng = np.random.default_rng(seed)
    store, memory = SqliteMetricStore(tmp_path / "m.db"), MemoryMetricStore()
    now = float(rng.integers(-2, 3)) * DAY
    run(store.write_columns(MANY, now, np.zeros(len(MANY))))
    run(memory.write_columns(MANY, now, np.zeros(len(MANY))))
    for _ in range(40):
        now += float(rng.exponential(6000.0))
        kind = rng.integers(0, 10)
        if kind == 0:
            run(store.tidy(now))
        elif kind == 1:
            for one in (store, memory):
                run(one.prune(now - 3 * DAY))
        elif kind == 2:
            run(store.close())
            store = SqliteMetricStore(tmp_path / "m.db")
        else:
            for one, written in itertools.product((store, memory), list(writes(rng, kind, now))):
                run(one.write_columns(*written))
    run(store.tidy(now))
    ids = [series.metric_id for series in MANY]
    for start, end in ((-1e300, 1e300), (now - 1.5 * DAY, now - 0.5 * DAY)):
        mine, theirs = run(store.read(ids, start, end)), run(memory.read(ids, start, end))
        assert mine.keys() == theirs.keys()
        for metric_id, samples in theirs.items():
            assert np.array_equal(mine[metric_id].times, samples.times)
            assert np.array_equal(mine[metric_id].values.view(np.int64), samples.values.view(np.int64))


def test_extremes_are_kept(store):
    odd = [(-1e300, 5.0), (-DAY, 1e308), (0.5, -0.0), (1e11, 2.0**63), (1e300, 5e-324)]
    run(store.write([Reading(A, value, at) for at, value in odd]))
    for _ in range(2):
        assert [(at, str(value)) for at, value in run(store.query(A.metric_id, -1e301, 1e301))] == [(at, str(v)) for at, v in odd]
        run(store.tidy(1e12))


def test_reads_go_by_the_key(store):
    for query, values in ((sql.SELECT_BLOCKS, (1, 0, 0, 9, 9, 0)), (sql.SOURCES, (0, 0, 0)), (sql.DAYS_OF_SHELF, (1, 0, 0, 9))):
        plan = " / ".join(str(row[3]) for row in store._database.rows(f"EXPLAIN QUERY PLAN {query}", *values))
        assert "SEARCH blocks USING" in plan and "SCAN" not in plan and "B-TREE" not in plan
