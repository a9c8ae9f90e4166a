"""Index and statistics as jobs on real SQLite databases, with other programs at work on them meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from trimtab.config import load
from trimtab.domain.errors import ConfigError, LeverError, Permanent, Retryable
from trimtab.domain.ports import Job
from trimtab.systems.net import Net
from trimtab.systems.sqlite import JOBS
from trimtab.systems.sqlite.claim import held, take
from trimtab.systems.sqlite.connection import quoted
from trimtab.systems.sqlite.effect import name_of
from trimtab.systems.sqlite.indexes import IndexEffect
from trimtab.systems.sqlite.shapes import indexes_of
from trimtab.testing.jobs import JobConformance

KEY = "shop/by_customer"
INDEX: dict[str, Any] = {"table": "orders", "columns": ("customer_id", "created_at")}


@pytest.fixture(autouse=True)
def _temporary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder for what the job keeps beside the database, for other programs too."""
    folder = str(tmp_path_factory.mktemp("temporary"))
    monkeypatch.setenv("TMPDIR", folder)
    monkeypatch.setattr("tempfile.tempdir", folder)


def database(folder: Path, rows: int = 200, *, journal: str = "wal") -> Path:
    path = folder / "shop.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(f"PRAGMA journal_mode = {journal}")
        db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INT, created_at REAL, state TEXT COLLATE NOCASE)")
        db.execute("CREATE VIEW recent AS SELECT * FROM orders")
        db.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            "INSERT INTO orders SELECT i, i % 97, i * 0.5, CASE i % 3 WHEN 0 THEN 'open' ELSE 'done' END FROM n",
            (rows,),
        )
    return path


def job(path: Path, *, analyze: bool = False, **index: Any) -> Job:
    kind = JOBS["sqlite"]
    effect: dict[str, Any] = {"analyze": True} if analyze else {"index": INDEX | index}
    options = kind.options.model_validate({"type": "sqlite", "name": "by_customer", "database": path, **effect})
    return kind.build(options, "shop", None)  # type: ignore[arg-type]


def sql(path: Path, statement: str, *values: object) -> list[Any]:
    with closing(sqlite3.connect(path, isolation_level=None, timeout=20.0)) as db:
        return db.execute(statement, values).fetchall()


def index_names(path: Path) -> set[str]:
    return {name for (name,) in sql(path, "SELECT name FROM sqlite_master WHERE type = 'index'")}


async def settled(job: Job, key: str = KEY) -> str:  # a build of SQLite's own, so the wall clock it is
    for _ in range(3000):
        if (answer := await job.probe(key)) != "running":
            break
        await asyncio.sleep(0.01)
    return answer


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def told() -> None:
        await story()

    asyncio.run(told())


async def refusal(attempt: Awaitable[object]) -> LeverError:
    with pytest.raises(LeverError) as caught:
        await attempt
    return caught.value


@contextmanager
def other_program(path: Path, source: str) -> Iterator[subprocess.Popen[str]]:
    """A process of its own on the database; `source` may use `db`, and prints `ready` when it is."""
    head = f"import sqlite3, sys, time\ndb = sqlite3.connect({str(path)!r}, isolation_level=None, timeout=20)\n"
    process = subprocess.Popen([sys.executable, "-c", head + source], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline().strip() == "ready"
        yield process
    finally:
        process.kill()
        process.communicate()


class _Laws(JobConformance):
    analyze: bool

    @pytest.fixture(autouse=True)
    def _database(self, tmp_path: Path) -> None:
        self.path = database(tmp_path)

    async def make(self) -> Job:
        self.job = job(self.path, analyze=self.analyze)
        return self.job

    async def effects(self) -> int:
        with closing(sqlite3.connect(self.path, isolation_level=None, timeout=20.0)) as db:
            db.execute("BEGIN IMMEDIATE")  # whoever builds has ended by then
            return int(db.execute("SELECT count(*) FROM sqlite_master WHERE name LIKE 'trimtab!_%' ESCAPE '!'").fetchone()[0])

    async def release(self) -> None:
        await self.job.close()
        await self.job.close()


class TestIndexLaws(_Laws):
    analyze = False


class TestStatisticsLaws(_Laws):
    analyze = True


@pytest.mark.parametrize("journal", ["wal", "delete"])
@pytest.mark.parametrize(
    ("index", "query", "used"),
    [
        pytest.param({}, "SELECT * FROM orders WHERE customer_id = 5 AND created_at > 9", True, id="two columns"),
        pytest.param({"columns": ["id"], "unique": True}, "SELECT * FROM orders WHERE customer_id = 5", False, id="unique"),
        pytest.param(
            {"columns": ["customer_id"], "where": "state = 'open' -- only these"},
            "SELECT * FROM orders WHERE customer_id = 5 AND state = 'open'",
            True,
            id="partial",
        ),
        pytest.param({"table": "ORDERS", "columns": ["State"]}, "SELECT * FROM orders WHERE state = 'OPEN'", True, id="nocase"),
    ],
)
def test_an_index_is_built_found_after_a_restart_and_dropped(
    tmp_path: Path, journal: str, index: dict[str, Any], query: str, used: bool
) -> None:
    path = database(tmp_path, journal=journal)
    before = sql(path, "SELECT * FROM sqlite_master")

    async def story() -> None:
        first = job(path, **index)
        assert await first.probe(KEY) == "absent"
        await first.start(KEY)
        assert await settled(first) == "done"
        await first.close()
        again = job(path, **index)
        assert await again.probe(KEY) == "done"
        assert (name_of(KEY) in str(sql(path, f"EXPLAIN QUERY PLAN {query}"))) == used
        await again.start(KEY)
        await again.undo(KEY)
        assert await again.probe(KEY) == "absent"

    run(story)
    assert sql(path, "SELECT * FROM sqlite_master") == before
    assert sql(path, "PRAGMA journal_mode") == [(journal,)]


@pytest.mark.parametrize(
    ("statement", "index", "counts"),
    [
        ("CREATE INDEX theirs ON orders (customer_id, created_at)", {}, True),
        ('CREATE INDEX theirs ON Orders ([CUSTOMER_ID], "created_at")', {}, True),
        ("CREATE UNIQUE INDEX theirs ON orders (id)", {"columns": ["id"]}, True),
        ("CREATE INDEX theirs ON orders (id)", {"columns": ["id"], "unique": True}, False),
        ("CREATE INDEX theirs ON orders (customer_id)", {}, False),
        ("CREATE INDEX theirs ON orders (created_at, customer_id)", {}, False),
        ("CREATE INDEX theirs ON orders (customer_id, created_at, id)", {}, False),
        ("CREATE INDEX theirs ON orders (customer_id, created_at DESC)", {}, False),
        ("CREATE INDEX theirs ON orders (customer_id, abs(created_at))", {}, False),
        ("CREATE INDEX theirs ON orders (state COLLATE BINARY)", {"columns": ["state"]}, False),
        ("CREATE INDEX theirs ON orders (state)", {"columns": ["state"]}, True),
        ("CREATE INDEX theirs ON orders (customer_id, created_at) WHERE id > 5", {}, False),
        ("CREATE INDEX theirs ON orders (id) WHERE  STATE='open' /* x */", {"columns": ["id"], "where": "state = 'open'"}, True),
        ("CREATE INDEX theirs ON orders (id) WHERE state = 'Open'", {"columns": ["id"], "where": "state = 'open'"}, False),
        ("CREATE INDEX theirs ON orders (id)", {"columns": ["id"], "where": "state = 'open'"}, False),
    ],
)
def test_an_index_of_others_that_serves_as_well_counts_and_is_never_dropped(
    tmp_path: Path, statement: str, index: dict[str, Any], counts: bool
) -> None:
    path = database(tmp_path)
    sql(path, statement)

    async def story() -> None:
        ours = job(path, **index)
        assert await ours.probe(KEY) == ("done" if counts else "absent")
        await ours.start(KEY)
        assert await settled(ours) == "done"
        assert (name_of(KEY) in index_names(path)) != counts
        if counts:
            error = await refusal(ours.undo(KEY))
            assert isinstance(error, Permanent) and "theirs" in str(error)
        else:
            await ours.undo(KEY)
        assert index_names(path) == {"theirs"}

    run(story)


@pytest.mark.parametrize(
    "theirs",
    [
        f"CREATE INDEX {name_of(KEY)} ON orders (state)",
        f"CREATE UNIQUE INDEX {name_of(KEY)} ON orders (customer_id, created_at, id)",
        f"CREATE UNIQUE INDEX {name_of(KEY)} ON orders (customer_id, created_at)",
        f"CREATE TABLE {name_of(KEY)} (x)",
    ],
)
def test_what_has_our_name_and_another_shape_is_broken_and_left_alone(tmp_path: Path, theirs: str) -> None:
    path = database(tmp_path)
    sql(path, theirs)
    before = sql(path, "SELECT * FROM sqlite_master")

    async def story() -> None:
        ours = job(path)
        assert await ours.probe(KEY) == "broken"
        for attempt in (ours.start, ours.undo):
            error = await refusal(attempt(KEY))
            assert isinstance(error, Permanent) and name_of(KEY) in str(error)

    run(story)
    assert sql(path, "SELECT * FROM sqlite_master") == before


@pytest.mark.parametrize(
    ("index", "words"),
    [
        ({"table": "order"}, "Did you mean orders?"),
        ({"table": "zzz"}, "There is: orders"),
        ({"columns": ["customer"]}, "Did you mean customer_id?"),
        ({"columns": ["id", "zzz"]}, "There is: created_at, customer_id, id, state"),
        ({"table": "recent"}, "is a view"),
        ({"table": "sqlite_master"}, "no table 'sqlite_master'"),
        ({"columns": ['id") --']}, "no column"),
    ],
)
def test_unknown_tables_and_columns_are_refused_with_the_nearest_name(tmp_path: Path, index: dict[str, Any], words: str) -> None:
    path = database(tmp_path)

    async def story() -> None:
        ours = job(path, **index)
        for attempt in (ours.probe, ours.start):
            error = await refusal(attempt(KEY))
            assert isinstance(error, Permanent) and words in str(error)
        await ours.undo(KEY)

    run(story)
    assert index_names(path) == set()


def test_odd_names_are_quoted(tmp_path: Path) -> None:
    path = database(tmp_path)
    table, column = 'a "b"; DROP TABLE orders', "größe [x]'`"
    sql(path, f"CREATE TABLE {quoted(table)} ({quoted(column)})")

    async def story() -> None:
        ours = job(path, table=table, columns=[column])
        await ours.start('we"ird/kéy;')
        assert await settled(ours, 'we"ird/kéy;') == "done"
        await ours.undo('we"ird/kéy;')

    run(story)
    assert index_names(path) == set()
    assert sql(path, "SELECT count(*) FROM orders") == [(200,)]


@pytest.mark.parametrize("where", ["1; DROP TABLE orders", "1); DROP TABLE orders; --", "nosuch = 1", "random() > 0", "("])
def test_a_predicate_that_is_none_is_refused_before_anything_begins(tmp_path: Path, where: str) -> None:
    path = database(tmp_path)

    async def story() -> None:
        ours = job(path, where=where)
        for attempt in (ours.probe, ours.start):
            error = await refusal(attempt(KEY))
            assert isinstance(error, Permanent) and "SQLite refuses" in str(error)
        await ours.undo(KEY)

    run(story)
    assert index_names(path) == set()
    assert sql(path, "SELECT count(*) FROM orders") == [(200,)]


def test_a_build_that_fails_is_broken_until_it_is_undone_or_started_again(tmp_path: Path) -> None:
    path = database(tmp_path)

    async def story() -> None:
        ours = job(path, columns=["customer_id"], unique=True)
        await ours.start(KEY)
        assert await settled(ours) == "broken"
        assert index_names(path) == set()
        sql(path, "DELETE FROM orders WHERE id > 50")
        await ours.start(KEY)
        assert await settled(ours) == "done"

    run(story)


def test_a_locked_database_is_retryable_and_nothing_begins(tmp_path: Path) -> None:
    path = database(tmp_path)

    async def story() -> None:
        ours = job(path)
        with closing(sqlite3.connect(path, isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            error = await refusal(ours.start(KEY))
            assert isinstance(error, Retryable) and "locked" in str(error)
            assert await ours.probe(KEY) == "absent"
        await ours.start(KEY)
        assert await settled(ours) == "done"

    run(story)


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "there is no database"), (b"no database, but long enough for one" * 40, "not a database"), ("folder", "no file")],
    ids=["missing", "garbage", "folder"],
)
def test_what_is_no_database_is_refused_and_not_created(tmp_path: Path, content: bytes | str | None, words: str) -> None:
    path = tmp_path / "shop.db"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        path.mkdir()

    async def story() -> None:
        ours = job(path)
        for attempt in (ours.probe, ours.start, ours.undo):
            error = await refusal(attempt(KEY))
            assert isinstance(error, Permanent) and words in str(error)

    run(story)
    assert path.exists() == (content is not None)


THEIRS = "CREATE INDEX theirs ON orders (customer_id, created_at)"


@pytest.mark.parametrize("after", ["same process", "restart"])
@pytest.mark.parametrize(
    ("meanwhile", "left"), [(THEIRS, {"theirs"}), ("DROP TABLE orders", set())], ids=["twin by another hand", "table dropped"]
)
def test_what_was_taken_back_reads_absent_whatever_others_have_done(
    tmp_path: Path, after: str, meanwhile: str, left: set[str]
) -> None:
    path = database(tmp_path)

    async def story() -> None:
        ours = job(path)
        await ours.start(KEY)
        assert await settled(ours) == "done"
        sql(path, meanwhile)
        if not left:  # ours went with its table
            assert await (ours if after == "same process" else job(path)).probe(KEY) == "absent"
        await ours.undo(KEY)
        assert index_names(path) == left
        ours = ours if after == "same process" else job(path)
        assert await ours.probe(KEY) == "absent"
        await ours.undo(KEY)
        assert await ours.probe(KEY) == "absent" and index_names(path) == left
        assert isinstance(await refusal(ours.start(KEY)), Permanent), "there is nothing to build, or nothing to build it on"

    run(story)


def test_what_was_taken_back_is_done_again_once_the_twin_is_gone_and_not_before(tmp_path: Path) -> None:
    path = database(tmp_path)

    async def story() -> None:
        ours = job(path)
        await ours.start(KEY)
        assert await settled(ours) == "done"
        sql(path, THEIRS)
        await ours.undo(KEY)
        error = await refusal(ours.start(KEY))
        assert isinstance(error, Permanent) and "theirs" in str(error)
        assert await ours.probe(KEY) == "absent" and index_names(path) == {"theirs"}
        assert await ours.probe("shop/other") == "done", "a job that was never run need not be"
        sql(path, "DROP INDEX theirs")
        await ours.start(KEY)
        assert await settled(ours) == "done" and index_names(path) == {name_of(KEY)}
        sql(path, f"DROP INDEX {quoted(name_of(KEY))}")
        sql(path, THEIRS)
        assert await ours.probe(KEY) == "done", "what was begun anew is not what was taken back"

    run(story)


def test_an_undo_that_fails_is_no_undo(tmp_path: Path) -> None:
    path = database(tmp_path)

    async def story() -> None:
        ours = job(path)
        await ours.start(KEY)
        assert await settled(ours) == "done"
        with closing(sqlite3.connect(path, isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            assert isinstance(await refusal(ours.undo(KEY)), Retryable)
        assert await ours.probe(KEY) == "done"

    run(story)


def test_where_no_mark_can_be_kept_this_process_still_knows_what_it_took_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    path = database(tmp_path)

    async def story() -> None:
        ours = job(path)
        await ours.start(KEY)
        assert await settled(ours) == "done"
        sql(path, THEIRS)
        await ours.undo(KEY)
        assert await ours.probe(KEY) == "absent"
        assert await job(path).probe(KEY) == "done", "forgotten with the process, like a job that was never run"

    run(story)


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_a_large_build_leaves_readers_alone_and_returns_at_once(tmp_path: Path, journal: str) -> None:
    path = database(tmp_path, 300_000, journal=journal)
    reader = (
        "print('ready', flush=True)\n"
        "slowest = count = 0\n"
        "import threading\n"
        "stop = []\n"
        "threading.Thread(target=lambda: stop.append(sys.stdin.readline()), daemon=True).start()\n"
        "while not stop:\n"
        "    at = time.perf_counter()\n"
        "    assert db.execute('SELECT created_at FROM orders WHERE id = 4711').fetchone() == (2355.5,)\n"
        "    slowest, count = max(slowest, time.perf_counter() - at), count + 1\n"
        "    time.sleep(0.001)\n"
        "print(count, slowest, flush=True)\n"
    )
    with other_program(path, reader) as process:

        async def story() -> None:
            ours = job(path)
            began = time.perf_counter()
            await ours.start(KEY)
            returned = time.perf_counter() - began
            assert await settled(ours) == "done"
            assert returned < time.perf_counter() - began
            await ours.undo(KEY)

        run(story)
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write("stop\n")
        process.stdin.flush()
        count, slowest = process.stdout.readline().split()
    assert int(count) > 10 and float(slowest) < 1.0


def test_undo_breaks_a_running_build_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, real = database(tmp_path), IndexEffect.make

    def without_end(effect: IndexEffect, db: sqlite3.Connection, key: str) -> None:
        real(effect, db, key)
        db.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n").fetchone()

    monkeypatch.setattr(IndexEffect, "make", without_end)

    async def story() -> None:
        ours = job(path)
        await ours.start(KEY)
        assert await ours.probe(KEY) == "running"
        await ours.start(KEY)
        await ours.undo(KEY)
        assert await ours.probe(KEY) == "absent"
        await ours.start(KEY)
        await ours.close()
        assert await ours.probe(KEY) == "absent"

    run(story)
    assert sql(path, "PRAGMA integrity_check") == [("ok",)]


BUILDER = """
import asyncio
from trimtab.systems.sqlite import indexes
real = indexes.IndexEffect.make
def made_and_not_committed(effect, db, key):
    db.execute("PRAGMA cache_size = -16")  # so that most of it is on disk before it is committed
    real(effect, db, key)
    print("ready", flush=True)
    sys.stdin.read()
indexes.IndexEffect.make = made_and_not_committed
from pathlib import Path
from trimtab.systems.sqlite import JOBS
async def build():
    kind = JOBS["sqlite"]
    index = {{"table": "orders", "columns": ["customer_id", "created_at"]}}
    options = kind.options.model_validate({{"type": "sqlite", "name": "x", "database": {path!r}, "index": index}})
    await kind.build(options, "shop", None).start({key!r})
    await asyncio.sleep(60)
asyncio.run(build())
"""


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_a_build_of_another_process_is_seen_and_kill_9_leaves_nothing_behind(tmp_path: Path, journal: str) -> None:
    """Killed when all is built and nothing committed."""
    path = database(tmp_path, 20_000, journal=journal)
    size = path.stat().st_size
    builder = BUILDER.format(path=str(path), key=KEY)
    with other_program(path, builder) as process:

        async def while_it_builds() -> None:
            ours = job(path)
            assert await ours.probe(KEY) == "running"
            await ours.start(KEY)
            assert isinstance(await refusal(ours.undo(KEY)), Retryable)

        run(while_it_builds)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        grown = path.stat().st_size > size or Path(f"{path}-wal").stat().st_size > 100_000
        assert grown, "what was not committed has reached the disk"

        async def afterwards() -> None:
            ours = job(path)
            assert await ours.probe(KEY) == "absent"
            await ours.start(KEY)
            assert await settled(ours) == "done"

        run(afterwards)
    assert sql(path, "PRAGMA integrity_check") == [("ok",)]


def test_a_probe_after_kill_9_in_a_commit_lets_sqlite_roll_back(tmp_path: Path) -> None:
    path = database(tmp_path, journal="delete")
    hot = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('PRAGMA cache_size = 1'); db.execute('BEGIN');"
        "db.execute('CREATE TABLE pad AS SELECT id, zeroblob(2000) FROM orders'); print('ready', flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", hot, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline()
        process.kill()
    assert Path(f"{path}-journal").read_bytes()[:4] != bytes(4)  # pages that were not committed lie in the database

    async def afterwards() -> None:
        assert await job(path).probe(KEY) == "absent"

    run(afterwards)
    assert index_names(path) == set()


def test_a_claim_is_held_by_one_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = tmp_path / "shop.db"
    assert not held(path, "x")
    mine = take(path, "x")
    assert mine is not None and held(path, "x") and not held(path, "y")
    assert take(path, "x") is None
    mine.release()
    mine.release()
    assert not held(path, "x")
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def stats(path: Path) -> list[list[Any]]:
    tables = "SELECT name FROM sqlite_master WHERE name LIKE 'sqlite!_stat%' ESCAPE '!' ORDER BY name"
    names = [name for (name,) in sql(path, tables)]
    return [[name, sql(path, f"SELECT * FROM {name} ORDER BY rowid")] for name in names]


@pytest.mark.parametrize("analyzed", [False, True], ids=["never analyzed", "analyzed before"])
def test_statistics_are_gathered_and_the_earlier_ones_restored(tmp_path: Path, analyzed: bool) -> None:
    path = database(tmp_path)
    sql(path, "CREATE INDEX by_state ON orders (state)")
    if analyzed:
        sql(path, "ANALYZE")
        sql(path, "INSERT INTO sqlite_stat1 VALUES ('orders', 'by_state', '7 7'), (NULL, NULL, x'00ff')")
        sql(path, "DELETE FROM orders WHERE id > 100")
    before = stats(path)

    async def story() -> None:
        ours = job(path, analyze=True)
        await ours.start(KEY)
        assert await settled(ours) == "done"
        assert stats(path) != before
        again = job(path, analyze=True)
        assert await again.probe(KEY) == "done"
        await again.undo(KEY)
        assert await again.probe(KEY) == "absent"

    run(story)
    assert stats(path) == before


def test_statistics_of_another_hand_are_left_alone(tmp_path: Path) -> None:
    path = database(tmp_path)
    sql(path, "CREATE INDEX by_state ON orders (state)")

    async def story() -> None:
        ours = job(path, analyze=True)
        await ours.start(KEY)
        assert await settled(ours) == "done"
        sql(path, "DELETE FROM orders WHERE id > 20")
        sql(path, "ANALYZE")
        theirs = stats(path)
        error = await refusal(ours.undo(KEY))
        assert isinstance(error, Permanent) and "another hand" in str(error)
        assert stats(path) == theirs

    run(story)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("database: shop.db", "one effect"),
        ("database: shop.db, analyze: true, index: {table: orders, columns: [id]}", "one effect"),
        ("database: shop.db, index: {table: orders, columns: []}", "columns"),
        ("database: shop.db, index: {table: orders, column: [id]}", "column"),
        ("analyze: true", "database"),
    ],
)
def test_mistakes_in_the_configuration_are_told(tmp_path: Path, keys: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(tmp_path, keys)
    assert words in str(caught.value)


def configured(tmp_path: Path, keys: str) -> Any:
    file = tmp_path / "trimtab.yaml"
    file.write_text(f"version: 1\nelements:\n  - name: shop\n    jobs:\n      - {{type: sqlite, name: by_customer, {keys}}}\n")
    return load(file, environ={}, jobs={"sqlite": JOBS["sqlite"].options}).elements[0].jobs[0]


def test_the_database_is_found_from_the_folder_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    path = database(tmp_path / "data")
    options = configured(tmp_path, 'database: data/shop.db, index: {table: orders, columns: [state], where: "id > 3"}')

    async def story() -> None:
        async with Net() as net:
            built = JOBS["sqlite"].build(options, "shop", net)
            await built.start(KEY)
            assert await settled(built) == "done"

    run(story)
    with closing(sqlite3.connect(path)) as db:
        assert [found.where for found in indexes_of(db, "orders")] == [("id", ">", "3")]
