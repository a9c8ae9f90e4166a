"""Numbers out of, and settings in, a real SQLite database that another process writes to meanwhile."""

from __future__ import annotations

import asyncio
import math
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.config import load
from trimtab.domain.errors import ConfigError, LeverError, Permanent, Retryable, SensorError
from trimtab.domain.levers import LeverKind, LeverSpec, LeverValue
from trimtab.domain.ports import Lever, Sensor
from trimtab.systems.sqlite import LEVERS, SENSORS
from trimtab.testing.levers import LeverConformance
from trimtab.testing.sensors import SensorConformance

NOW = 1_700_000_000.0
SPECS = {
    LeverKind.INTEGER: LeverSpec("batch", "shop", LeverKind.INTEGER, (1, 64)),
    LeverKind.FLOAT: LeverSpec("batch", "shop", LeverKind.FLOAT, (0.0, 1.0), step=0.05),
    LeverKind.CHOICE: LeverSpec("batch", "shop", LeverKind.CHOICE, choices=("small", "large")),
    LeverKind.BOOLEAN: LeverSpec("batch", "shop", LeverKind.BOOLEAN),
}
READ = "SELECT value FROM settings WHERE key = 'batch'"
WRITE = "UPDATE settings SET value = :value WHERE key = 'batch'"


def database(folder: Path, found: object = 8, *, affinity: str = "") -> Path:
    path = folder / "shop.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = wal")
        db.execute(f"CREATE TABLE settings (key TEXT PRIMARY KEY, value {affinity})")
        db.executemany("INSERT INTO settings VALUES (?, ?)", [("batch", found), ("other", "untouched"), ("name", "o'ne")])
    return path


def sql(path: Path, statement: str, *values: object) -> list[Any]:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        return db.execute(statement, values).fetchall()


def sensor(path: Path, queries: dict[str, str], **more: object) -> Sensor:
    kind = SENSORS["sqlite"]
    options = kind.options.model_validate({"type": "sqlite", "database": path, "queries": queries, **more})
    return kind.build(options, "shop", None)  # type: ignore[arg-type]


def lever(path: Path, spec: LeverSpec = SPECS[LeverKind.INTEGER], **more: object) -> Lever:
    kind = LEVERS["sqlite"]
    shape = {"kind": spec.kind, "bounds": spec.bounds, "step": spec.step, "choices": spec.choices}
    keys = {"type": "sqlite", "name": spec.name, "database": path, "read": READ, "write": WRITE, **shape, **more}
    return kind.build(kind.options.model_validate(keys), spec, None)  # type: ignore[arg-type]


def values(read: Sensor) -> dict[str, float]:
    return {reading.series.name: reading.value for reading in asyncio.run(_awaited(read.read(NOW)))}


async def _awaited(call: Awaitable[Any]) -> Any:
    return await call


def refusal(call: Awaitable[Any]) -> LeverError:
    with pytest.raises(LeverError) as caught:
        asyncio.run(_awaited(call))
    return caught.value


@contextmanager
def writer(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A program that writes to the database with hardly a pause."""
    source = (
        f"import sqlite3, time\ndb = sqlite3.connect({str(path)!r}, isolation_level=None, timeout=20)\n"
        "db.execute('CREATE TABLE IF NOT EXISTS log (x)')\nprint('ready', flush=True)\n"
        "while True:\n    db.execute('BEGIN IMMEDIATE')\n    db.execute('INSERT INTO log VALUES (1)')\n"
        "    db.execute('COMMIT')\n    time.sleep(0.0005)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline().strip() == "ready"
        yield process
    finally:
        process.kill()
        process.communicate()


class TestSensorLaws(SensorConformance):
    @pytest.fixture(autouse=True)
    def _database(self, tmp_path: Path) -> None:
        self.path = database(tmp_path)

    async def make(self) -> Sensor:
        return sensor(self.path, {"shop_batch": READ, "shop_settings_count": "SELECT count(*) FROM settings"}, name="shop")

    async def make_silent(self) -> Sensor:
        return sensor(self.path.with_name("none.db"), {"shop_batch": READ})


class _LeverLaws(LeverConformance):
    kind: LeverKind
    found: object
    affinity = ""

    @pytest.fixture(autouse=True)
    def _database(self, tmp_path: Path) -> None:
        self.path = database(tmp_path, self.found, affinity=self.affinity)

    async def make(self) -> Lever:
        return lever(self.path, SPECS[self.kind])

    async def make_unreachable(self) -> Lever:
        return lever(self.path.with_name("none.db"), SPECS[self.kind])


class TestInteger(_LeverLaws):
    kind, found, values = LeverKind.INTEGER, 99, (2, 5)


class TestIntegerInAText(_LeverLaws):
    kind, found, values, affinity = LeverKind.INTEGER, "8", (2, 5), "TEXT"


class TestFloat(_LeverLaws):
    kind, found, values = LeverKind.FLOAT, 0.3, (0.25, 0.75)


class TestChoice(_LeverLaws):
    kind, found, values = LeverKind.CHOICE, "small", ("large", "small")


class TestBoolean(_LeverLaws):
    kind, found, values = LeverKind.BOOLEAN, 0, (True, False)


class TestBooleanInDigits(_LeverLaws):
    kind, found, values, affinity = LeverKind.BOOLEAN, "1", (False, True), "TEXT"


class TestBooleanInWords(_LeverLaws):
    kind, found, values = LeverKind.BOOLEAN, "On", (False, True)


def test_queries_and_sizes_are_read(tmp_path: Path) -> None:
    path = database(tmp_path)
    sql(path, "INSERT INTO settings VALUES ('big', zeroblob(200000))")
    sql(path, "DELETE FROM settings WHERE key = 'big'")
    with closing(sqlite3.connect(path)) as held:  # the write-ahead log lives as long as somebody has the database open
        held.execute("INSERT INTO settings VALUES ('x', 1)")
        held.commit()
        found = values(sensor(path, {"batch": READ, "nothing": "SELECT max(value) FROM settings WHERE key = 'none'"}))
    assert found["batch"] == 8.0 and math.isnan(found["nothing"])
    assert found["sqlite_size_bytes"] > found["sqlite_free_bytes"] >= 190_000
    assert found["sqlite_wal_bytes"] > 0
    assert sql(path, "PRAGMA journal_mode") == [("wal",)]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT 1, 2", "query bad yields 2 columns"),
        ("SELECT key FROM settings", "query bad yields several rows"),
        ("SELECT 1 WHERE 0", "query bad yields no row"),
        ("SELECT 'many'", "query bad yields 'many', which is no number"),
        ("SELECT x'00'", "which is no number"),
        ("SELECT valu FROM settings", "query bad: "),
        ("SELECT 1; DELETE FROM settings", "query bad: "),
        ("WITH t AS (SELECT 1) DELETE FROM settings", "query bad: "),
        ("WITH t AS (SELECT 1) UPDATE settings SET value = 9", "query bad: "),
    ],
)
def test_what_is_no_number_is_an_error_that_names_the_query(tmp_path: Path, query: str, words: str) -> None:
    path = database(tmp_path)
    before = sql(path, "SELECT * FROM settings")
    with pytest.raises(SensorError) as caught:
        values(sensor(path, {"good": READ, "bad": query}))
    assert words in str(caught.value)
    assert sql(path, "SELECT * FROM settings") == before


def test_a_slow_query_is_broken_off(tmp_path: Path) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    slow = sensor(database(tmp_path), {"endless": endless}, timeout_seconds=0.1)
    for _ in range(2):  # the first has really ended: nothing is still busy
        with pytest.raises(SensorError) as caught:
            values(slow)
        assert "query endless was broken off after 0.1 s" in str(caught.value)


def test_a_program_that_writes_all_the_time_disturbs_neither_sensor_nor_lever(tmp_path: Path) -> None:
    path = database(tmp_path)
    watching, moving = sensor(path, {"rows": "SELECT count(*) FROM log"}), lever(path)
    with writer(path) as process:

        async def story() -> list[float]:
            counts: list[float] = []
            while len(counts) < 5 or (counts[-1] == counts[0] and len(counts) < 500):  # it waits for its turn, as we do
                value = 1 + len(counts) % 5
                await moving.set(value)
                assert await moving.read() == value
                counts.append((await watching.read(NOW))[0].value)
            return counts

        counts = asyncio.run(story())
        assert process.poll() is None
    assert counts == sorted(counts) and counts[-1] > counts[0]
    assert sql(path, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"write": "UPDATE settings SET value = :value"}, "would change 3 rows"),
        ({"write": "UPDATE settings SET value = :value WHERE key = 'bach'"}, "would change 0 rows"),
        ({"write": "UPDATE settings SET value = :value WHERE key = 'batch'; DELETE FROM settings"}, "one statement"),
        ({"write": "UPDATE setting SET value = :value"}, "no such table"),
        ({"write": "UPDATE settings SET value = :value WHERE key = :key"}, "SQLite refuses"),
        ({"read": "SELECT value FROM settings"}, "several rows"),
        ({"read": "SELECT value FROM settings WHERE key = 'bach'"}, "no row"),
        ({"read": "SELECT key, value FROM settings"}, "2 columns"),
    ],
)
def test_a_statement_that_does_not_mean_one_row_changes_nothing(tmp_path: Path, more: dict[str, str], words: str) -> None:
    path = database(tmp_path)
    before = sql(path, "SELECT * FROM settings")
    error = refusal(lever(path, **more).set(4))
    assert isinstance(error, Permanent) and words in str(error)
    assert sql(path, "SELECT * FROM settings") == before


def test_a_row_that_is_returned_counts_as_one(tmp_path: Path) -> None:
    path = database(tmp_path)
    asyncio.run(_awaited(lever(path, write=f"{WRITE} RETURNING value").set(4)))
    assert sql(path, READ) == [(4,)]


@pytest.mark.parametrize("found", [None, "many", 2.5, b"8"])
def test_a_row_that_holds_no_value_of_the_kind_is_permanent(tmp_path: Path, found: object) -> None:
    assert isinstance(refusal(lever(database(tmp_path, found)).read()), Permanent)


def test_a_locked_database_is_retryable_and_a_reader_is_not_locked_out(tmp_path: Path) -> None:
    path = database(tmp_path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE settings SET value = 7")
        error = refusal(lever(path, timeout_seconds=0.1).set(4))
        assert isinstance(error, Retryable) and "locked" in str(error)
        assert values(sensor(path, {"batch": READ}))["batch"] == 8.0
        db.execute("ROLLBACK")
    assert sql(path, READ) == [(8,)]


@pytest.mark.parametrize("kind", ["sensor", "lever"])
def test_a_database_that_is_not_there_is_never_created(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "none.db"
    with pytest.raises((SensorError, LeverError)) as caught:
        asyncio.run(_awaited(sensor(path, {}).read(NOW) if kind == "sensor" else lever(path).set(4)))
    assert "there is no database" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("found", "spec", "value", "written"),
    [
        ("off", SPECS[LeverKind.BOOLEAN], True, "on"),
        ("FALSE", SPECS[LeverKind.BOOLEAN], True, "TRUE"),
        (1, SPECS[LeverKind.BOOLEAN], False, 0),
        ("8", SPECS[LeverKind.INTEGER], 4, "4"),
        (8, SPECS[LeverKind.INTEGER], 4, 4),
        (0.5, SPECS[LeverKind.FLOAT], 1.0, 1.0),
        ("0.5", SPECS[LeverKind.FLOAT], 0.25, "0.25"),
    ],
)
def test_a_value_is_written_in_the_type_that_it_had(
    tmp_path: Path, found: object, spec: LeverSpec, value: LeverValue, written: object
) -> None:
    path = database(tmp_path, found)
    asyncio.run(_awaited(lever(path, spec).set(value)))
    assert sql(path, f"SELECT value, typeof(value) FROM ({READ})") == sql(path, "SELECT ?1, typeof(?1)", written)


CHOICE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)


@settings(max_examples=40, deadline=None)
@given(choice=CHOICE)
def test_whatever_is_set_is_bound_and_never_read_as_sql(tmp_path_factory: pytest.TempPathFactory, choice: str) -> None:
    path = database(tmp_path_factory.mktemp("bound"), "small")
    moved = lever(path, LeverSpec("batch", "shop", LeverKind.CHOICE, choices=("small", choice)), choices=("small", choice + "x"))

    async def story() -> None:
        await moved.set(choice)
        assert await moved.read() == choice

    asyncio.run(story())
    assert sql(path, "SELECT value FROM settings WHERE key <> 'batch' ORDER BY key") == [("o'ne",), ("untouched",)]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (f'read: "{READ}", write: "DELETE FROM settings WHERE value = :value"', "write changes a row that is there"),
        (f'read: "{READ}", write: "UPDATE settings SET value = 5"', "where the value goes"),
        (f'read: "DELETE FROM settings", write: "{WRITE}"', "a query starts with SELECT"),
        (f'write: "{WRITE}"', "read"),
    ],
)
def test_mistakes_in_the_configuration_are_told(tmp_path: Path, keys: str, words: str) -> None:
    file = tmp_path / "trimtab.yaml"
    written = f"{{type: sqlite, name: batch, bounds: [1, 64], database: shop.db, {keys}}}"
    file.write_text(f"version: 1\nelements:\n  - name: shop\n    levers:\n      - {written}\n")
    with pytest.raises(ConfigError) as caught:
        load(file, environ={}, levers={"sqlite": LEVERS["sqlite"].options})
    assert words in str(caught.value)
