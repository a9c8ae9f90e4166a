"""The part of bad_data.py that goes over real HTTP: a scripted server, the http_json and prometheus sensors, the wall clock.

One server answers for every case under a path of its own; several agents run in one event loop, at two reads a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import random
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from bad_data import violations
from bad_worlds import FOR_EVER, GOAL, GUARD, LIMITS, STATE_OF, Case, Shop, Tape
from trimtab.assembly.wiring import Stores, assemble
from trimtab.config import load
from trimtab.storage.memory import MemoryJournal, MemoryMetricStore
from trimtab.systems.registry import registry

KINDS = ("HTTP 500", "hang", "truncated", "null", "NaN", "zero on error", "empty")
INTERVAL, TIMEOUT = 0.5, 1.0  # seconds
SLACK = 0.75  # seconds: other cases run beside this one
ON_THE_WAY = 0.4  # seconds within which an answer that was sent has surely arrived
TOO_LATE = 0.3  # seconds: a case whose loop was held up for so long proves nothing about the agent
AT_ONCE = 4

YAML = """
version: 1
monitoring:
  interval_seconds: {interval}
  analysis_interval_seconds: {interval}
  optimization_interval_seconds: 1
  execution_interval_seconds: 0.5
corrective_action_cooldown_seconds: 1
decision: {{verify_seconds: 4}}
api: {{enabled: false}}
elements:
  - name: shop
    sensors:
      - {goal}
      - {guard}
    levers:
      - {{name: workers, type: http, url: "{url}/workers", kind: integer, bounds: [1, 16], settle_seconds: 1}}
      - {{name: log_level, type: http, url: "{url}/log_level", kind: choice, choices: [debug, info, error], settle_seconds: 1}}
    guards: [{{metric_name: shop_error_ratio, max: 0.01}}]
goals: [{{metric_name: shop_p95_seconds, target_value: 0.2, direction: minimize}}]
"""


class Service:
    """One case's shop behind HTTP; `left` bad answers are still to be given."""

    def __init__(self, case: Case, seed: int) -> None:
        self.case, self.rng, self.tape, self.left = case, random.Random(f"{seed}/{case.number}/http"), Tape(INTERVAL), 0
        self.shop = Shop(self.rng)
        self.shop.tape = self.tape
        self.by_prometheus = self.rng.choice((GOAL, GUARD))
        self.lock = threading.Lock()

    def measure(self, metric: str) -> tuple[float, bool]:
        """The true value now, and whether it is to be spoiled."""
        with self.lock:
            now = time.time()
            value = float(self.shop.step(now, 0.0)[metric])
            bad = metric in self.case.metrics and self.left > 0
            if bad:
                self.left -= metric == self.case.metrics[-1]
                delay = TIMEOUT if self.case.kind == "hang" else 0.0
                self.tape.reads[metric].append((now + delay, False))
            else:
                self.tape.reads[metric].append((now, True))
                self.tape.sent[metric].add((0.0, value))
            return value, bad


def _page(metric: str, value: float, prometheus: bool) -> bytes:
    return f"# TYPE {metric} gauge\n{metric} {value!r}\n".encode() if prometheus else json.dumps({"now": value}).encode()


def _spoiled(kind: str, metric: str, value: float, prometheus: bool) -> tuple[int, bytes]:
    whole = _page(metric, value, prometheus)
    if kind == "HTTP 500":
        return 500, b"internal server error"
    if kind == "truncated":
        return 200, whole[: len(whole) - (4 if not prometheus else len(f"{value!r}") + 2)]
    if kind == "null":
        return 200, f"{metric} null\n".encode() if prometheus else b'{"now": null}'
    if kind == "NaN":
        return 200, _page(metric, math.nan, prometheus)
    return (200, _page(metric, 0.0, prometheus)) if kind == "zero on error" else (200, b"")


@contextlib.contextmanager
def serving(services: Mapping[int, Service]) -> Iterator[str]:
    """All services at one address until the block ends."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            service, what = self._whose()
            if what in service.shop.levers:
                return self._answer(200, json.dumps({"value": service.shop.get(what)}).encode())
            value, bad = service.measure(what)
            prometheus = what == service.by_prometheus
            if not bad:
                return self._answer(200, _page(what, value, prometheus))
            if service.case.kind == "hang":
                over.wait(TIMEOUT + 1.0)
                return None
            return self._answer(*_spoiled(service.case.kind, what, value, prometheus))

        def do_PUT(self) -> None:
            service, lever = self._whose()
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with service.lock:
                service.shop.at = time.time()
                service.shop.set(lever, body["value"])
            self._answer(200, json.dumps(body).encode())

        def _whose(self) -> tuple[Service, str]:
            _, number, what = self.path.split("/")
            return services[int(number)], what

        def _answer(self, status: int, body: bytes) -> None:
            with contextlib.suppress(OSError):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    class Server(ThreadingHTTPServer):
        daemon_threads, block_on_close, request_queue_size = True, False, 128

        def handle_error(self, *_: Any) -> None:  # a client that gave up is part of the script
            return

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            over.set()
            server.shutdown()
            thread.join()


def draw(number: int, seed: int) -> Case:
    """Case `number` over HTTP."""
    rng = random.Random(f"{seed}/{number}/http case")
    moment = rng.choices(("healthy", "fault", "settling", "verifying"), (2, 2, 1, 1))[0]
    cycles = rng.choice((1, 2, 5, 9, FOR_EVER))
    metrics = rng.choice(((GOAL,), (GUARD,)))
    return Case(number, KINDS[number % len(KINDS)], metrics, moment, cycles, rng.choice(("same", "better", "worse")), INTERVAL)


def _settings(service: Service, base: str) -> Any:
    url, types = f"{base}/{service.case.number}", registry(plug_ins=())
    about = {
        metric: f'{{type: prometheus, url: "{url}/{metric}", metrics: [{metric}], timeout_seconds: {TIMEOUT}}}'
        if metric == service.by_prometheus
        else f'{{type: http_json, url: "{url}/{metric}", metrics: {{{metric}: now}}, timeout_seconds: {TIMEOUT}}}'
        for metric in (GOAL, GUARD)
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trimtab.yaml"
        path.write_text(YAML.format(interval=INTERVAL, goal=about[GOAL], guard=about[GUARD], url=url))
        return load(path, environ={}, sensors=types.sensor_options, levers=types.lever_options)


async def _play(service: Service, base: str) -> bool:
    """Run the agent by the wall clock; False where the moment never came, or the machine was too busy to tell."""
    case, tape, journal = service.case, service.tape, MemoryJournal()
    agent = assemble(_settings(service, base), stores=Stores(journal, MemoryMetricStore()))
    running = asyncio.create_task(agent.run())
    lags = [0.0]
    watching = asyncio.create_task(_watch(agent, tape, lags))
    try:
        if not await _reach(service, agent):
            return False
        service.shop.turn_for(case.truth, case.metrics)
        service.left = case.cycles
        while service.left > 0 and case.cycles < FOR_EVER:  # noqa: ASYNC110 - the server's threads know no event of this loop
            await asyncio.sleep(0.05)
        await asyncio.sleep(8.0)
        tape.records = agent.book.records
        tape.rows = [row for record in tape.records for row in await journal.history(record.action_id)]
        tape.missed = service.shop.p95() > 1.3 * LIMITS[GOAL]
        for metric in (GOAL, GUARD):
            tape.kept[metric] = [(0.0, value) for value in agent.monitor.window(f"shop/{metric}").v.tolist()]
        return max(lags) < TOO_LATE
    finally:
        watching.cancel()
        service.shop.tape = None  # what the agent takes back when it stops is another matter
        agent.stop()
        await running


async def _reach(service: Service, agent: Any) -> bool:
    case, rng = service.case, service.rng
    await asyncio.sleep(rng.uniform(5.0, 6.0))
    if case.moment == "healthy":
        return True
    service.shop.load = rng.uniform(4.5, 9.0)
    if case.moment == "fault":
        await asyncio.sleep(rng.uniform(0.0, 0.8))
        return True
    for _ in range(400):
        await asyncio.sleep(0.02)
        if agent.book.in_state(STATE_OF[case.moment]):
            return True
    return False


async def _watch(agent: Any, tape: Tape, lags: list[float]) -> None:
    while True:
        status = agent.get_status()
        tape.looks.append((before := time.time(), status["state"], tuple(status["holds"])))
        await asyncio.sleep(0.02)
        lags.append(time.time() - before - 0.02)


def run(cases: int, seed: int) -> list[tuple[Case, set[str]]]:
    """Play up to `cases` cases, fewer where the machine is too busy; each with the laws that the agent broke."""
    return asyncio.run(_run(cases, seed))


async def _run(cases: int, seed: int) -> list[tuple[Case, set[str]]]:
    services = {number: Service(draw(number, seed), seed) for number in range(cases + cases // 2 + 2)}
    played: list[tuple[Case, set[str]]] = []
    waiting = iter(services.values())

    async def worker(base: str) -> None:
        while len(played) < cases and (service := next(waiting, None)) is not None:
            if await _play(service, base):
                played.append((service.case, set(violations(service.case, service.tape, SLACK, ON_THE_WAY))))

    with serving(services) as base:
        await asyncio.gather(*(worker(base) for _ in range(min(AT_ONCE, cases))))
    return played[:cases]
