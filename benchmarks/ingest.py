"""What is pushed: how fast it is decoded, whether anything is lost, and what any bytes can do.

  decoder     samples a second of one core, from known series as Prometheus sends them; beside it the plain way, every message
              parsed and every label made text                                                          bar 300,000
  malformed   bodies that are damaged in ten ways, sent to a real server: each answered 4xx, memory stays   bar 10,000
  overload    ten times more than the store takes: what is shed is the least wanted, and every sample is accounted for
  prometheus  a real Prometheus scrapes 50,000 samples a second and writes them to a real `trimtab run`: compared with
              Prometheus' own store, sample counts and sums of values by name                            bar: nothing lost

Usage: python benchmarks/ingest.py [--short] [--only decoder,malformed,overload,prometheus] [--seconds 60] [--rate 50000]
       [--seed N]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gzip
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from api.fake_agent import FakeAgent
from monitor import pushing as p
from services.child import HERE, child, drain, end, first_line, free_port
from trimtab.api import Server
from trimtab.loop.delivery import Delivery
from trimtab.loop.inbox import Inbox, Overloaded
from trimtab.monitor.ingest import Catalog, RemoteWriteDecoder
from trimtab.storage.memory import MemoryMetricStore

DECODER_BAR = 300_000
OVERLOAD = 10  # times what the store takes
GROWTH_BAR = 20.0  # MB, of a server after all malformed bodies: about two bodies' worth
NOW = 1_790_000_000_000
LATER = NOW / 1000 + 86_400.0  # what the agent takes for now: no sample is ahead of it
PACKED = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}


def body(series: int, round_: int, seed: int = 0) -> bytes:
    """One push of so many series, a sample each, with the labels that a real exporter's have."""
    rng = random.Random(seed + round_)
    return b"".join(
        p.series(
            {
                "__name__": "http_request_duration_seconds_bucket",
                "handler": f"/api/v{i % 7}/items",
                "instance": f"10.0.{i // 250 % 250}.{i % 250}:9100",
                "job": "checkout",
                "le": str(2 ** (i % 10)),
                "pod": f"web-{i}",
            },
            (rng.random(), NOW + 1000 * round_),
        )
        for i in range(series)
    )


def decoder(seed: int, rounds: int) -> list[str]:
    """Processor time of both ways on the same bodies, in turns."""
    bodies = [body(2000, i, seed) for i in range(rounds)]
    ours = RemoteWriteDecoder(Catalog())
    ours.decode(bodies[0])
    spent = {"trimtab": 0.0, "plain": 0.0}
    plain = _plain()
    for one in bodies:
        for who, decode in (("trimtab", ours.decode), ("plain", plain)):
            began = time.process_time()
            decode(one)
            spent[who] += time.process_time() - began
    rates = {who: 2000 * rounds / seconds for who, seconds in spent.items()}
    print(f"decoder     {rates['trimtab']:12,.0f} samples/s a core (bar {DECODER_BAR:,}); the plain way {rates['plain']:,.0f}")
    return [f"decoder {rates['trimtab']:,.0f}/s"] if rates["trimtab"] < DECODER_BAR else []


def _plain() -> Any:
    """Every label of every sample as text, in a dictionary: what one writes first."""
    from trimtab.monitor.ingest import wire

    messages = wire._classes(
        "bench.plain",
        {
            "WriteRequest": (("timeseries", 1, "TimeSeries", True),),
            "TimeSeries": (("labels", 1, "Label", True), ("samples", 2, "Sample", True)),
            "Sample": (("value", 1, "double", False), ("timestamp", 2, "int64", False)),
            "Label": (("name", 1, "string", False), ("value", 2, "string", False)),
        },
    )

    def decode(one: bytes) -> list[tuple[tuple[tuple[str, str], ...], float, float]]:
        request = messages["WriteRequest"].FromString(one)
        return [
            (tuple(sorted((label.name, label.value) for label in each.labels)), sample.timestamp / 1000.0, sample.value)
            for each in request.timeseries
            for sample in each.samples
        ]

    return decode


# -- malformed


def damaged(seed: int, count: int) -> Iterator[tuple[str, dict[str, str], bytes]]:
    """Bodies of which none is right: path, headers, body."""
    import cramjam

    def pack(raw: bytes) -> bytes:
        return bytes(cramjam.snappy.compress_raw(raw))

    rng = random.Random(seed)
    whole = body(50, 0, seed)
    nameless = p.series({"job": "x"}, (1.0, NOW))
    for i in range(count):
        junk = rng.randbytes(rng.randrange(1, 400))
        cut = whole[: rng.randrange(1, len(whole) - 1)]
        cases = (
            ("/api/v1/write", PACKED, b"\xff\xff\xff\xff\xff" + junk),  # claims more than is taken
            ("/api/v1/write", PACKED, p.varint(2**31) + junk),
            ("/api/v1/write", PACKED, pack(whole)[:-1]),
            ("/api/v1/write", PACKED, pack(p.block(1, p.block(1, b"\xff\xfe" + junk)))),
            ("/api/v1/write", PACKED, pack(nameless + cut[:0])),
            ("/api/v1/write", PACKED, pack(b"\x0a\xff\xff\xff\x7f" + junk)),
            ("/api/v1/write", PACKED | {"Content-Type": "application/json"}, pack(whole)),
            ("/api/v1/write", PACKED | {"Content-Encoding": "br"}, junk),
            ("/v1/metrics", PACKED | {"Content-Encoding": "gzip"}, gzip.compress(b"\x0a\xff\xff\xff\x7f" + junk)),
            ("/v1/metrics", PACKED | {"Content-Encoding": "gzip"}, gzip.compress(whole)[:-9]),
        )
        yield cases[i % len(cases)]


def malformed(seed: int, count: int) -> list[str]:
    """Send them all to a server in this process; look at its answers and at its memory."""
    inbox = Inbox(MemoryMetricStore(), Delivery([], ()), lambda: 0.0, lambda: LATER)
    answers: dict[int, int] = {}
    with _serving(inbox) as url, httpx.Client(base_url=url, trust_env=False, timeout=30.0) as client:
        memory, start = psutil.Process(), 0.0
        for i, (path, headers, content) in enumerate(damaged(seed, count)):
            if i == count // 5:
                start = memory.memory_info().rss / 1e6
            status = client.post(path, headers=headers, content=content).status_code
            answers[status] = answers.get(status, 0) + 1
        grown = memory.memory_info().rss / 1e6 - start
        good = client.post("/api/v1/write", headers=PACKED, content=_snappy(body(10, 0, seed))).status_code
    wrong = sum(n for status, n in answers.items() if not 400 <= status < 500)
    print(
        f"malformed   {count:12,} bodies: {answers}; memory {grown:+.1f} MB (bar {GROWTH_BAR:g}); a good one after that: {good}"
    )
    missed = [f"{wrong} malformed bodies not answered 4xx"] if wrong or good != 204 else []
    return missed + ([f"memory grew by {grown:.1f} MB"] if grown > GROWTH_BAR else [])


def _snappy(raw: bytes) -> bytes:
    import cramjam

    return bytes(cramjam.snappy.compress_raw(raw))


@contextlib.contextmanager
def _serving(inbox: Inbox) -> Iterator[str]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = Server(FakeAgent(), tokens=None, port=0, version="0", intake=inbox)
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    try:
        yield server.url
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)


# -- overload


class _SlowStore(MemoryMetricStore):
    """Takes as many samples a second of its own time as it is told, and counts them."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate, self.written = rate, 0

    async def write_columns(self, series: Sequence[Any], times: Any, values: Any) -> None:
        await asyncio.sleep(len(values) / self.rate)
        self.written += len(values)


class _Ear:
    element, match, sources = "checkout", {"job": "checkout"}, frozenset[str]()

    def hear(self, series: Any, timestamp: float, value: float) -> None:
        """Nothing is done with it."""


def overload(seed: int, seconds: float) -> list[str]:
    """Ten times what the store takes, in three priorities; what is needed is a twentieth of it."""
    store, mixed = _SlowStore(20_000.0), _mixed(0)
    inbox = Inbox(store, Delivery([_Ear()], {"needed_seconds"}), time.monotonic, lambda: LATER, most_waiting=20_000)

    async def go() -> tuple[int, int]:
        sent = put_off = 0
        tasks: set[asyncio.Task[bool]] = set()
        began = time.monotonic()
        while (elapsed := time.monotonic() - began) < seconds:
            while sent < OVERLOAD * store.rate * elapsed:
                tasks.add(asyncio.create_task(_try(inbox, mixed)))
                sent += 2000
                await asyncio.sleep(0)
            await asyncio.sleep(0.005)
        for task in tasks:
            put_off += 0 if await task else 2000
        return sent, put_off

    sent, put_off = asyncio.run(go())
    tally = inbox.tally
    shed = sum(tally.shed.values())
    accounted = tally.accepted + shed + put_off
    print(
        f"overload    {sent:12,} samples, {sent / store.rate / seconds:.1f} x what the store takes: {tally.accepted:,} written, "
        f"{put_off:,} put off, shed {tally.shed}"
    )
    missed = [] if accounted == sent and store.written == tally.accepted else [f"{sent - accounted:,} samples unaccounted for"]
    return missed + (["what is needed was shed before the rest"] if tally.shed["needed"] > 0 or not shed else [])


async def _try(inbox: Inbox, raw: bytes) -> bool:
    try:
        await inbox.take("remote write", "", raw)
    except Overloaded:
        return False
    return True


def _mixed(round_: int) -> bytes:
    parts = (("needed_seconds", "checkout", 100), ("disk_bytes", "checkout", 500), ("other", "else", 1400))
    return b"".join(
        p.series({"__name__": name, "job": job, "i": str(i)}, (1.0, NOW + 1000 * round_))
        for name, job, n in parts
        for i in range(n)
    )


# -- a real Prometheus


def prometheus(seed: int, rate: int, seconds: float) -> list[str]:
    """Compare what Prometheus holds of the target with what the agent's store holds of it."""
    program = shutil.which("prometheus")
    if program is None:
        print("prometheus  SKIPPED: no prometheus on this machine (Debian: apt-get install prometheus)")
        return ["no prometheus"] if os.environ.get("TRIMTAB_REQUIRE_SERVICES") == "1" else []
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
        folder = Path(scratch)
        exporter = stack.enter_context(
            child([str(HERE / "exporter.py"), "--gauges", str(rate * 2 // 3)], folder / "exporter.log")
        )
        target, api, web = first_line(exporter)["port"], free_port(), free_port()
        (folder / "trimtab.yaml").write_text(json.dumps(_agent(folder, api)))
        agent = stack.enter_context(
            child(["-m", "trimtab", "run", "--config", str(folder / "trimtab.yaml")], folder / "agent.log")
        )
        drain(agent)
        _until(lambda: httpx.get(f"http://127.0.0.1:{api}/healthz", trust_env=False).status_code == 200, 60.0)
        (folder / "prometheus.yml").write_text(json.dumps(_prometheus(target, api)))
        where = [f"--web.listen-address=127.0.0.1:{web}", f"--storage.tsdb.path={folder / 'tsdb'}"]
        log = stack.enter_context(open(folder / "prometheus.log", "w"))
        server = subprocess.Popen([program, f"--config.file={folder / 'prometheus.yml'}", *where], stdout=log, stderr=log)
        stack.callback(end, server)
        _until(lambda: _query(web, 'up{job="load"}') == 1.0, 60.0)
        began, cpu = time.monotonic(), psutil.Process(agent.pid).cpu_times()
        time.sleep(seconds)
        used = psutil.Process(agent.pid).cpu_times()
        share = (used.user + used.system - cpu.user - cpu.system) / (time.monotonic() - began)
        end(exporter)
        time.sleep(2.0)
        _until(lambda: _own(web, "prometheus_remote_storage_samples_pending") == 0.0, 60.0)
        time.sleep(2.0)
        theirs = _theirs(web)
        failed = _own(web, "prometheus_remote_storage_samples_failed_total")
        grown = psutil.Process(agent.pid).memory_info().rss / 1e6
        end(agent)
        ours = _ours(folder / "data" / "metrics.db")
    total = sum(count for count, _ in theirs.values())
    lost = {name: (theirs[name], ours.get(name)) for name in theirs if not _same(theirs[name], ours.get(name))}
    print(
        f"prometheus  {total:12,.0f} samples of {len(theirs)} metrics in {seconds:.0f} s ({total / seconds:,.0f}/s): "
        f"{len(lost)} metrics differ, failed {failed:g}; "
        f"agent {100 * share:.0f} % of a core, {grown:.0f} MB"
    )
    for name, (wanted, found) in list(lost.items())[:5]:
        print(f"            {name}: Prometheus {wanted}, trimtab {found}")
    slow = total / seconds < 0.9 * rate
    return ([f"{len(lost)} metrics differ"] if lost else []) + ([f"only {total / seconds:,.0f}/s came"] if slow else [])


def _same(wanted: tuple[float, float], found: tuple[float, float] | None) -> bool:
    return found is not None and wanted[0] == found[0] and abs(wanted[1] - found[1]) <= 1e-9 * abs(wanted[1]) + 1e-6


def _agent(folder: Path, api: int) -> dict[str, Any]:
    sensor = {"type": "pushed", "match": {"job": "checkout"}, "metrics": ["queue_length"]}
    goal = {"metric_name": "queue_length", "target_value": 100.0, "direction": "minimize"}
    return {
        "version": 1,
        "storage": {"path": str(folder / "data")},
        "api": {"port": api},
        "elements": [{"name": "shop", "sensors": [sensor]}],
        "goals": [goal],
    }


def _prometheus(target: int, api: int) -> dict[str, Any]:
    job = {"job_name": "load", "scrape_interval": "1s", "scrape_timeout": "1s", "honor_labels": True}
    return {
        "scrape_configs": [
            job | {"static_configs": [{"targets": [f"127.0.0.1:{target}"]}]},
        ],
        "remote_write": [
            {
                "url": f"http://127.0.0.1:{api}/api/v1/write",
                "write_relabel_configs": [{"source_labels": ["job"], "regex": "checkout", "action": "keep"}],
            }
        ],
    }


def _query(web: int, text: str) -> float | None:
    try:
        got = httpx.get(f"http://127.0.0.1:{web}/api/v1/query", params={"query": text}, trust_env=False, timeout=60.0)
        answer = got.raise_for_status().json()
    except httpx.HTTPError:
        return None
    found = answer["data"]["result"]
    return float(found[0]["value"][1]) if found else None


def _own(web: int, name: str) -> float:
    """The sum of one of Prometheus' own metrics."""
    page = httpx.get(f"http://127.0.0.1:{web}/metrics", trust_env=False, timeout=10.0).text
    return sum(float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith(name + "{"))


def _theirs(web: int) -> dict[str, tuple[float, float]]:
    """Name → samples and their sum, as Prometheus holds them."""
    where = f"http://127.0.0.1:{web}/api/v1/label/__name__/values"
    names = httpx.get(where, params={"match[]": '{job="checkout"}'}, trust_env=False, timeout=60.0).json()["data"]
    return {
        name: (
            _query(web, f'sum(count_over_time({name}{{job="checkout"}}[1h]))') or 0.0,
            _query(web, f'sum(sum_over_time({name}{{job="checkout"}}[1h]))') or 0.0,
        )
        for name in names
    }


def _ours(path: Path) -> dict[str, tuple[float, float]]:
    """Name → samples and their sum, as the agent's store holds them."""
    from trimtab.storage.metrics import SqliteMetricStore

    async def read() -> dict[str, tuple[float, float]]:
        store = SqliteMetricStore(path)
        found: dict[str, tuple[float, float]] = {}
        known = {series.metric_id: series.name for series in await store.series()}
        everything = await store.read(list(known), 0.0, 1e11)  # one by one it takes minutes
        for metric_id, samples in everything.items():
            count, total = found.get(known[metric_id], (0.0, 0.0))
            found[known[metric_id]] = (count + samples.times.size, total + math.fsum(samples.values))
        await store.close()
        return found

    return asyncio.run(read())


def _until(ready: Any, seconds: float) -> None:
    end_at = time.monotonic() + seconds
    while time.monotonic() < end_at:
        with contextlib.suppress(httpx.HTTPError):
            if ready():
                return
        time.sleep(0.25)
    raise TimeoutError("it did not come about in time")


def main() -> int:
    """Run what is asked for; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--only", default="decoder,malformed,overload,prometheus")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    short, chosen = given.short, given.only.split(",")
    missed: list[str] = []
    if "decoder" in chosen:
        missed += decoder(given.seed, 20 if short else 100)
    if "malformed" in chosen:
        missed += malformed(given.seed, 500 if short else 10_000)
    if "overload" in chosen:
        missed += overload(given.seed, 3.0 if short else 15.0)
    if "prometheus" in chosen:
        missed += prometheus(given.seed, 5_000 if short else given.rate, 10.0 if short else given.seconds)
    for each in missed:
        print("MISSED:", each)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
