"""How fast the metric store takes samples in, how small they rest, and how soon a range is read: `make bench-metric-store`.

Writes ticks of many series, one every 30 s, through `write_columns`, tidying as the agent would; then measures the file and the
reads, each of them in a fresh process with the file's pages dropped from the cache where the system allows it. The gauges are
printed as exporters print them; the mix is in the table, every kind also by itself, and those that are no gauges beside it.
In the same run DuckDB, which gets the same samples, and Prometheus' TSDB (`promtool`), where they are there.

  bar   at least 1.5 million samples/s written, at most 1.8 bytes a sample on the mix of gauges,
        1 h of 1,000 series in at most 5 ms: the newest one, hot or half sealed, and past ones, before and after their day is
        closed (nine of them, spread over the day); 30 days of one series in at most 150 ms from a fresh process
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from trimtab.domain.metrics import Reading, Series
from trimtab.storage import sealing
from trimtab.storage.backup import copy_database
from trimtab.storage.metrics import SqliteMetricStore
from trimtab.storage.section import Section, encode

SPEED, BYTES, HOUR_MS, MONTH_MS = 1.5e6, 1.8, 5.0, 150.0
DAY, STEP = 86_400.0, 30.0
BACK = 2.3 * 3600.0  # seconds between the past hours that are asked for
MIX = {"cpu %, 1 decimal": 20, "cpu %, 2 decimals": 15, "memory in pages": 15, "latency s, 3 decimals": 10,
       "latency s, 6 decimals": 10, "queue length": 10, "connections": 10, "constant": 10}  # per cent  # fmt: skip
BESIDE = ("counter", "byte counter", "ratio n/m, full float", "rate, full float")

READER = """
import asyncio, sys, time
import numpy, zstandard
from trimtab.storage.metrics import SqliteMetricStore
path, what, start, end, back = sys.argv[1], sys.argv[2].split("|"), *map(float, sys.argv[3:6])
async def main():
    began = time.perf_counter()
    store = SqliteMetricStore(path)
    found = await store.read(what, start, end)
    cold = time.perf_counter() - began
    took, used = [], []
    for turn in range(9):
        began, busy = time.perf_counter(), time.thread_time()
        found = await store.read(what, start - back * turn, end - back * turn)
        took.append(time.perf_counter() - began)
        used.append(time.thread_time() - busy)
    print(1000 * cold, 1000 * sorted(took)[4], 1000 * sorted(used)[4], sum(one.times.size for one in found.values()))
asyncio.run(main())
"""


def gauges(kind: str, rows: int, times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """`rows` series of a kind, (rows, n)."""
    day = np.sin(2 * np.pi * (times / DAY + rng.random((rows, 1))))

    def noise(rho: float, scale: float) -> np.ndarray:
        steps = rng.normal(0.0, scale * np.sqrt(1 - rho * rho), (rows, times.size))
        for at in range(1, times.size):
            steps[:, at] += rho * steps[:, at - 1]
        return steps

    load = np.exp(np.log(300.0) + 0.8 * day)
    if kind.startswith("cpu"):
        return np.clip(np.round(40 + 15 * day + noise(0.7, 5.0), 1 if "1 dec" in kind else 2), 0.0, 100.0)
    if kind.startswith("latency"):
        return np.round(np.exp(-3 + 0.3 * day + noise(0.5, 0.2)), 3 if "3 dec" in kind else 6)
    makers = {
        "memory in pages": lambda: np.round((4e9 + 2e8 * day + noise(0.95, 2e7)) / 4096) * 4096,
        "queue length": lambda: rng.poisson(np.exp(1.5 + 0.8 * day)) * 1.0,
        "connections": lambda: np.round(120 + 40 * day + noise(0.9, 6.0)),
        "constant": lambda: np.repeat(rng.integers(1, 1_000_000, (rows, 1)) * 1.0, times.size, axis=1),
        "counter": lambda: np.cumsum(rng.poisson(load), axis=1) * 1.0,
        "byte counter": lambda: np.cumsum(rng.poisson(load) * rng.integers(500, 900, load.shape), axis=1) * 1.0,
        "ratio n/m, full float": lambda: rng.binomial(300, 0.02, load.shape) / (rng.poisson(300, load.shape) + 1),
        "rate, full float": lambda: rng.poisson(load) / (STEP + rng.normal(0.0, 0.01, load.shape)),
    }
    return np.asarray(makers[kind]())


def mixed(series: int, times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The mix, (n, series): neighbours are of different kinds, as an exporter's are."""
    rows = [gauges(kind, series * share // 100, times, rng) for kind, share in MIX.items()]
    return np.concatenate(rows)[rng.permutation(series)].T.copy()


def main() -> int:
    """Write, measure, print; 1 where a bar was missed."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--short", action="store_true")
    given = arguments.parse_args()
    rng, missed = np.random.default_rng(given.seed), []
    days, month = (1, 30) if given.short else (4, 30)
    with tempfile.TemporaryDirectory(prefix="trimtab-metric-store-") as made:
        folder = Path(made)
        times = 1_763_600_000.0 // DAY * DAY + np.arange(int(days * DAY / STEP)) * STEP
        times += np.round(rng.random(times.size) * 0.01, 6)  # the loop is some milliseconds late
        values = mixed(1000, times, rng)
        known = tuple(Series.named(f"gauge_{number}", "shop") for number in range(1000))
        path = folder / "metrics.db"
        figures = asyncio.run(written(path, known, times, values))
        missed += told(
            "written in ticks of 1,000, durable against a kill", figures["taken in"] / 1e6, "M samples/s", SPEED / 1e6, least=True
        )
        told("… all of it sealed, closed and rolled up, included", figures["all"] / 1e6, "M samples/s")
        told("… as readings, `write`", figures["readings"] / 1e6, "M samples/s")
        told("longest single step of tidying", figures["step"], "ms of CPU")
        missed += told(f"at rest, {days} d of the mix, parts and days", figures["bytes"], "bytes/sample", BYTES)
        told("… the roll-ups besides", figures["rolled"], "bytes/sample")
        told("… the file, everything included", path.stat().st_size / values.size, "bytes/sample")
        every, last = [one.metric_id for one in known], times[-1]
        for what, name, back in (
            ("1 h of 1,000 series, the newest, half hot", "newest.db", 0.0),
            ("1 h of 1,000 series, all hot", "hot.db", 0.0),
            ("1 h of 1,000 series, of a day not closed", "open.db", BACK),
            ("1 h of 1,000 series, of a day closed", "metrics.db", BACK),
        ):
            _, warm, used, _ = read(path.with_name(name), every, last - 3600.0, last, back)
            missed += told(f"{what} ({used:.1f} ms of CPU)", warm, "ms", HOUR_MS)
        cold, warm, _, count = read(asyncio.run(a_month(folder / "month.db", month, rng)), ["shop/gauge_7"], 0.0, 1e12)
        missed += told(f"{month} days of one series ({count:,.0f} samples), fresh process", cold, "ms", MONTH_MS)
        told("… the same again", warm, "ms")
        print()
        for kind in (*MIX, *BESIDE):
            part = gauges(kind, 32, times[:2880], rng)
            print(f"  {kind:28} {len(encode(Section(times[:2880], np.arange(32), part))) / part.size:6.2f} bytes/sample"
                  f"{f'   {MIX[kind]} % of the mix' if kind in MIX else ''}")  # fmt: skip
        print()
        duckdb_beside(folder, times, values)
        prometheus_beside(folder, times[:2880], values[:2880])
    print("\n" + ("missed: " + "; ".join(missed) if missed else "every bar is met"))
    return 1 if missed else 0


def told(what: str, figure: float, unit: str, bar: float | None = None, *, least: bool = False) -> list[str]:
    """Print a figure, with its bar where there is one; returns what was missed."""
    ok = bar is None or (figure >= bar if least else figure <= bar)
    print(f"{what:62} {figure:9.2f} {unit:14} {'' if bar is None else f'bar {bar:g}'}{'' if ok else '   MISSED'}")
    return [] if ok else [what]


async def written(path: Path, known: tuple[Series, ...], times: np.ndarray, values: np.ndarray) -> dict[str, float]:
    """Write every tick, tidying once a virtual hour; returns rates and sizes."""
    store = SqliteMetricStore(path)
    took, steps, began, tidied = 0.0, [0.0], time.perf_counter(), times[0]
    for at, row in zip(times.tolist(), values, strict=True):
        start = time.perf_counter()
        await store.write_columns(known, at, row)
        took += time.perf_counter() - start
        if at - tidied >= 3600.0:
            tidied = at
            steps += pieces(store, at)
    store._sealed_at = -1.0
    steps += pieces(store, float(times[-1]))
    paused = time.perf_counter()
    copy_database(path, path.with_name("open.db"))  # the last day has not been closed yet
    for name, hot in (("newest.db", 60), ("hot.db", 121)):
        await unsealed(path.with_name(name), known, times[-240:], values[-240:], hot)
    paused = time.perf_counter() - paused
    steps += pieces(store, float(times[-1]) + DAY)
    everything = time.perf_counter() - began - paused
    await store.prune(0.0)
    rows = dict(store._database.rows("SELECT level > 1, sum(length(body)) FROM blocks GROUP BY 1"))
    readings = [
        [Reading(one, float(value), times[-1] + tick) for one, value in zip(known, values[0], strict=True)]
        for tick in range(1, 60)
    ]
    start = time.perf_counter()
    other = SqliteMetricStore(path.with_name("readings.db"))
    for each in readings:
        await other.write(each)
    plain = time.perf_counter() - start
    await other.close()
    await store.close()
    return {"taken in": values.size / took, "all": values.size / everything, "readings": 59_000 / plain,
            "step": 1000 * max(steps), "bytes": rows[0] / values.size, "rolled": rows[1] / values.size}  # fmt: skip


async def unsealed(path: Path, known: tuple[Series, ...], times: np.ndarray, values: np.ndarray, hot: int) -> None:
    """Write ticks of which the last `hot` stay as they were written, and the others are sealed."""
    store = SqliteMetricStore(path)
    for number, (at, row) in enumerate(zip(times.tolist(), values, strict=True)):
        if number == times.size - hot:
            pieces(store, at)
        await store.write_columns(known, at, row)
    await store.close()


def pieces(store: SqliteMetricStore, now: float) -> list[float]:
    """Tidy; returns how long each step took."""
    took, began = [], time.process_time()
    for _ in store._steps(now):
        took.append(time.process_time() - began)
        began = time.process_time()
    return took


async def a_month(path: Path, days: int, rng: np.random.Generator) -> Path:
    """A month of 32 series, closed day by day."""
    store = SqliteMetricStore(path)
    known = tuple(Series.named(f"gauge_{number}", "shop") for number in range(32))
    times = 1_763_600_000.0 // DAY * DAY + np.arange(int(days * DAY / STEP)) * STEP
    values = gauges("cpu %, 2 decimals", 32, times, rng).T.copy()
    for number, (at, row) in enumerate(zip(times.tolist(), values, strict=True)):
        await store.write_columns(known, at, row)
        if number % 2880 == 0:
            await store.tidy(at)
    await store.tidy(float(times[-1]) + sealing.GRACE + DAY)
    await store.close()
    return path


def read(path: Path, metric_ids: list[str], start: float, end: float, back: float = 0.0) -> tuple[float, float, float, float]:
    """(first answer with opening the file, median of nine further ones, in CPU, samples), in ms; the best of three processes.

    Each of the nine begins `back` seconds before the one before it.
    """
    command = [sys.executable, "-c", READER, str(path), "|".join(metric_ids), str(start), str(end), str(back)]
    answers = []
    for _ in range(3):
        drop_pages(path)
        answers.append(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    first, further, used, count = zip(*(map(float, each) for each in answers), strict=True)
    return min(first), min(further), min(used), count[0]


def drop_pages(path: Path) -> None:
    """Ask the system to forget the file's pages: a hint, which some file systems do not take."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def duckdb_beside(folder: Path, times: np.ndarray, values: np.ndarray) -> None:
    """The same samples in a table of DuckDB, sorted by series and time, which is its best case."""
    try:
        import duckdb
    except ImportError:
        print("DuckDB is ABSENT: no figures beside ours (make .venv/.bench)")
        return
    database = duckdb.connect(str(folder / "peer.duckdb"))
    count = values.shape[1]
    columns = {"s": np.repeat(np.arange(count, dtype=np.int32), times.size), "t": np.tile(times, count), "v": values.T.ravel()}
    database.register("given", columns)
    began = time.perf_counter()
    database.execute("CREATE TABLE samples AS SELECT s, t, v FROM given")
    database.execute("CHECKPOINT")
    took, size = time.perf_counter() - began, (folder / "peer.duckdb").stat().st_size
    hours = []
    for _ in range(5):
        began = time.perf_counter()
        database.execute("SELECT s, t, v FROM samples WHERE t >= ?", [times[-1] - 3600.0]).fetchnumpy()
        hours.append(1000 * (time.perf_counter() - began))
    print(f"DuckDB, one bulk load: {values.size / took / 1e6:.1f} M samples/s, {size / values.size:.2f} bytes/sample, "
          f"1 h of {count:,} series {statistics.median(hours):.1f} ms")  # fmt: skip


def prometheus_beside(folder: Path, times: np.ndarray, values: np.ndarray) -> None:
    """A day of 200 of the series through `promtool`, whose times have milliseconds."""
    promtool = shutil.which("promtool")
    if promtool is None:
        print("Prometheus (promtool) is ABSENT: no figures beside ours (Debian: apt-get install prometheus)")
        return
    some = values[:, :200]
    text = folder / "samples.om"
    with open(text, "w", encoding="utf-8") as file:
        file.write("# TYPE gauge gauge\n")
        for number in range(some.shape[1]):
            file.writelines(
                f'gauge{{n="{number}"}} {value!r} {at:.3f}\n'
                for at, value in zip(times.tolist(), some[:, number].tolist(), strict=True)
            )
        file.write("# EOF\n")
    began = time.perf_counter()
    made = subprocess.run(
        [promtool, "tsdb", "create-blocks-from", "openmetrics", str(text), str(folder / "tsdb")], capture_output=True, text=True
    )
    if made.returncode:
        print(f"Prometheus: promtool failed: {made.stderr.strip()[:200]}")
        return
    size = sum(file.stat().st_size for file in (folder / "tsdb").rglob("*") if file.is_file())
    chunks = sum(file.stat().st_size for file in (folder / "tsdb").rglob("chunks/*"))
    print(f"Prometheus' TSDB, by promtool from text: {some.size / (time.perf_counter() - began) / 1e6:.2f} M samples/s, "
          f"{size / some.size:.2f} bytes/sample ({chunks / some.size:.2f} in its chunks)")  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
