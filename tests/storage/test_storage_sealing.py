"""kill -9 while samples are written, sealed, put together, rolled up and taken over: what was acknowledged is there."""

import random
import sqlite3
import subprocess
import sys
from contextlib import closing

import numpy as np
import pytest

from trimtab.domain.errors import StoreError
from trimtab.domain.metrics import Aggregate, Reading, Series
from trimtab.storage import metrics_sql as sql
from trimtab.storage import takeover
from trimtab.storage.database import Database, Schema
from trimtab.storage.metrics import SqliteMetricStore
from trimtab.testing.records import run

DAY = 86_400.0
SERIES = tuple(Series.named(f"s{number}_count", "shop") for number in range(140))
VERSION_2 = Schema(sql.SCHEMA.application_id, 2, (*sql.SCHEMA.statements[:2], sql.SCHEMA.migrations[1][0]))

WRITER = """
import asyncio, sys
import numpy as np
from trimtab.domain.metrics import Series
from trimtab.storage import metrics, sealing, takeover
from trimtab.storage.metrics import SqliteMetricStore

metrics.SEAL_SECONDS = sealing.GRACE = 0.0  # everything is always due
takeover.PIECE = 1000
SERIES = tuple(Series.named(f"s{number}_count", "shop") for number in range(140))

async def main(path, first):
    store = SqliteMetricStore(path)
    for tick in range(first, first + 100_000):
        await store.write_columns(SERIES, 4000.0 * tick, np.full(140, float(tick)))
        print(tick, flush=True)
        if tick % 5 == 4:
            await store.tidy(4000.0 * tick)
            print("tidied", flush=True)

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


def killed_writer(path, first, rng):
    """Start a writer and kill it at some moment; returns the ticks that it acknowledged."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(first)], stdout=subprocess.PIPE, text=True) as child:
        seen = [child.stdout.readline() for _ in range(rng.randint(1, 25))]
        try:
            child.wait(rng.random() * 0.05)
        except subprocess.TimeoutExpired:
            child.kill()
        seen += child.stdout.read().splitlines(keepends=True)
    assert child.returncode == -9
    return [int(line) for line in seen if line.endswith("\n") and line.strip().isdigit()]


def by_version_2(path, days=2.0):
    """What version 2 wrote: samples every 1,000 s of 140 series, the last of them still in `recent`."""
    database = Database(path, VERSION_2, synchronous="NORMAL")
    times = np.arange(-days * DAY, 0.0, 1000.0).tolist()
    with database.transaction() as connection:
        for number, series in enumerate(SERIES, 1):
            about = (number, series.metric_id, series.name, series.element, "custom", "count", "", "[]", "[]")
            connection.execute("INSERT INTO series VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", about)
            connection.executemany("INSERT INTO samples VALUES (?, ?, ?)", [(number, at, at + number) for at in times[:-1]])
            connection.execute("INSERT INTO recent VALUES (?, ?, ?)", (number, times[-1], times[-1] + number))
    database.close()
    return times


def everything(store):
    found = run(store.read([series.metric_id for series in SERIES], -1e9, 1e12))
    return {metric_id: dict(zip(one.times.tolist(), one.values.tolist(), strict=True)) for metric_id, one in found.items()}


def test_every_acknowledged_tick_survives_a_kill(tmp_path):
    """The first of the kills fall into the takeover of a version 2 file."""
    rng = random.Random(11)
    path = tmp_path / "m.db"
    times = by_version_2(path)
    acknowledged = []
    for _ in range(4):
        acknowledged += killed_writer(path, max(acknowledged, default=-1) + 2, rng)
    store = SqliteMetricStore(path)
    for tidied in (False, True):
        if tidied:
            run(store.tidy(1e9))
        for number, series in enumerate(SERIES, 1):
            samples = everything(store)[series.metric_id] if number in (1, 128, 129, 140) else None
            if samples is not None:
                assert all(samples[4000.0 * tick] == tick for tick in acknowledged)
                assert all(samples[at] == at + number for at in times)
                assert len(samples) <= len(acknowledged) + len(times) + 4  # one tick that it could not speak of any more
                days = run(store.downsampled(series.metric_id, -1e9, 1e9, DAY, Aggregate.COUNT))
                assert sum(figure for _, figure in days) == len(samples)
    assert len(acknowledged) > 20
    assert store._database.rows("SELECT count(*) FROM damaged") == [(0,)]
    assert store._database.rows("SELECT count(*) FROM blocks WHERE level = 0") == [(0,)]


def test_samples_of_version_2_are_there_at_once_and_taken_over_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(takeover, "PIECE", 2000)
    path = tmp_path / "m.db"
    times = by_version_2(path)
    store = SqliteMetricStore(path)
    with closing(sqlite3.connect(tmp_path / "m.db.v2.bak")) as backup:
        assert backup.execute("SELECT count(*) FROM samples").fetchone() == (140 * (len(times) - 1),)
        assert backup.execute("PRAGMA user_version").fetchone() == (2,)
    run(store.write([Reading(SERIES[0], 5.0, times[3]), Reading(SERIES[0], 6.0, 1.0)]))  # the later one counts
    expected = {series.metric_id: {at: at + number for at in times} for number, series in enumerate(SERIES, 1)}
    expected[SERIES[0].metric_id] |= {times[3]: 5.0, 1.0: 6.0}
    assert everything(store) == expected
    pieces = 0
    while store._takeover.step(store._shelves):
        pieces += 1
        if pieces % 7 == 0:
            assert everything(store) == expected
            run(store.close())
            store = SqliteMetricStore(path)  # as after a restart in between
    assert pieces > 8
    run(store.tidy(10 * DAY))
    assert everything(store) == expected
    with pytest.raises(StoreError, match=r"written by a newer trimtab.*version 3, this one reads 2.*left as it is"):
        Database(path, VERSION_2, synchronous="NORMAL")


def test_old_samples_of_version_2_are_forgotten_where_they_lie(tmp_path):
    times = by_version_2(tmp_path / "m.db")
    store = SqliteMetricStore(tmp_path / "m.db")
    assert run(store.prune(-DAY)) == 140 * sum(at < -DAY for at in times)
    assert set(everything(store)[SERIES[9].metric_id]) == {at for at in times if at >= -DAY}


def spoil(store, table, column, where):
    """Change one byte of a blob behind SQLite's back, as a failing disk would."""
    rowid, blob = store._database.rows(f"SELECT rowid, {column} FROM {table} WHERE {where}")[0]
    broken = bytearray(blob)
    broken[len(broken) // 2] ^= 0x10
    store._database.rows(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", bytes(broken), rowid)


@pytest.mark.parametrize(
    ("table", "column", "where", "tidy", "says", "lost"),
    [
        ("hot", "numbers", "number = 3", 0.0, "the samples of one write", {2}),
        ("blocks", "body", "level = 0 AND shelf = 0", 100.0, "the samples of series 1 to 512 on 1970-01-01", set(range(22))),
        ("blocks", "body", "level = 1 AND shelf = 0 AND day = 0", 9 * DAY, "series 1 to 32 on 1970-01-01", set(range(22))),
    ],
    ids=["a write", "a part", "a day"],
)
@pytest.mark.parametrize("found_by", ["reading", "tidying", "pruning"])
def test_what_is_damaged_is_set_aside_and_the_rest_stays(tmp_path, table, column, where, tidy, says, lost, found_by):
    said = []
    store = SqliteMetricStore(tmp_path / "m.db", say=said.append)
    for tick in range(30):
        run(store.write_columns(SERIES, 4000.0 * tick, np.full(140, float(tick))))
    if tidy:
        run(store.tidy(tidy))
    spoil(store, table, column, where)
    if found_by == "tidying":
        run(store.write([Reading(SERIES[0], 9.0, 1.0)]))  # so that the day is put together anew
        store._sealed_at = -1e9
        run(store.tidy(9 * DAY))
    elif found_by == "pruning":
        run(store.prune(4000.0))
    found = everything(store)
    found[SERIES[0].metric_id].pop(1.0, None)
    left = {4000.0 * tick for tick in range(found_by == "pruning", 30)}
    assert set(found[SERIES[0].metric_id]) == left - {4000.0 * tick for tick in lost}
    assert set(found[SERIES[139].metric_id]) == left - ({4000.0 * tick for tick in lost} if "level = 1" not in where else set())
    assert len(said) == 1 and says in said[0] and "set aside" in said[0]
    assert store._database.rows("SELECT count(*) FROM damaged") == [(1,)]
    run(store.write([Reading(SERIES[0], 1.0, 0.5)]))
    assert len(said) == 1
