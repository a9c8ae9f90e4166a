"""The demo's service: a small shop catalogue over HTTP, in a process of its own, that has no idea of trimtab.

`python -m trimtab.demo.workload --port 0 --workers 1` prints `{"port": …}` and serves until its standard input ends (so that it
never outlives whoever started it), a signal, or `--duration` seconds.

What is real: the HTTP, the queue, the worker threads, an SQLite lookup and hashing in each request, every lever. What stands for
something else: the wait of about 11 ms in each request is a sleep, where a shop would wait for a disk or another service; thus
two processor cores are enough to run the demo.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import logging
import random
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trimtab.demo.pool import QueueFull, WorkerPool

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

BACKEND_SECONDS = 0.011  # the wait of one request
PAGE_SECONDS = 0.008  # the wait of each page fetched ahead
QUEUE_LIMIT = 64
ROWS = 2000
LOG_LEVELS = ("debug", "info", "warning")
# From 1 ms to about 10 s, each bound 12 % above the last: a quantile read off them is at most 12 % off.
BUCKETS = tuple(0.001 * 1.12**n for n in range(82))
_LIMITS = {"workers": (1, 16), "prefetch_pages": (0, 24)}


class Rejected(ValueError):
    """A lever was asked for what it cannot hold."""


@dataclass
class Shop:
    """The service's state: its settings, its workers and its catalogue."""

    pool: WorkerPool
    prefetch_pages: int = 0
    log_level: str = "warning"
    random: random.Random = field(default_factory=lambda: random.Random(7))
    _local: threading.local = field(default_factory=threading.local)

    def levers(self) -> dict[str, int | str]:
        """What each lever holds."""
        return {"workers": self.pool.workers, "prefetch_pages": self.prefetch_pages, "log_level": self.log_level}

    def pull(self, name: str, value: object) -> None:
        """Set a lever, at once. Raises `Rejected` for what it cannot hold."""
        if name == "log_level":
            if value not in LOG_LEVELS:
                raise Rejected(f"log_level is one of {', '.join(LOG_LEVELS)}, got {value!r}")
            self.log_level = str(value)
            logging.getLogger("shop").setLevel(self.log_level.upper())
            return
        low, high = _LIMITS[name]
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise Rejected(f"{name} is a whole number from {low} to {high}, got {value!r}")
        if name == "workers":
            self.pool.resize(value)
        else:
            self.prefetch_pages = value

    def look_up(self) -> str:
        """One request's work: wait for the backend, fetch pages ahead, read a row, hash it."""
        item = self.random.randrange(ROWS)
        time.sleep(BACKEND_SECONDS * self.random.uniform(0.8, 1.2) + PAGE_SECONDS * self.prefetch_pages)
        row = self._catalogue().execute("SELECT name FROM items WHERE id = ?", (item,)).fetchone()
        digest = hashlib.sha256(f"{row[0]}/{item}".encode() * 16).hexdigest()
        logging.getLogger("shop").debug("looked up %s: %s", item, digest)
        return digest

    def _catalogue(self) -> sqlite3.Connection:
        if not hasattr(self._local, "connection"):  # one connection a thread, as SQLite asks
            self._local.connection = sqlite3.connect(":memory:")
            self._local.connection.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT)")
            self._local.connection.executemany("INSERT INTO items VALUES (?, ?)", ((i, f"item {i}") for i in range(ROWS)))
        connection: sqlite3.Connection = self._local.connection
        return connection


def application(shop: Shop) -> Starlette:
    """The HTTP face: `/item`, `/metrics`, and `/levers/{name}` to read and set."""
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse, PlainTextResponse
    from starlette.routing import Route

    registry = CollectorRegistry()
    seconds = Histogram("http_request_duration_seconds", "Time to answer", buckets=BUCKETS, registry=registry)
    requests = Counter("http_requests_total", "Requests", registry=registry)
    errors = Counter("http_errors_total", "Requests answered with 5xx", registry=registry)
    Gauge("shop_queue_length", "Requests waiting", registry=registry).set_function(lambda: shop.pool.queued)

    async def item(request: Request) -> Response:
        started = time.perf_counter()
        requests.inc()
        try:
            digest = await asyncio.wrap_future(shop.pool.submit(shop.look_up))
        except QueueFull:
            errors.inc()
            return PlainTextResponse("busy", status_code=503)
        seconds.observe(time.perf_counter() - started)
        return PlainTextResponse(str(digest))

    async def metrics(request: Request) -> Response:
        return PlainTextResponse(generate_latest(registry))

    async def lever(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in shop.levers():
            return JSONResponse({"error": f"no lever {name}"}, status_code=404)
        if request.method == "PUT":
            try:
                shop.pull(name, (await request.json())["value"])
            except (Rejected, KeyError, TypeError, json.JSONDecodeError) as error:
                return JSONResponse({"error": str(error)}, status_code=422)
        return JSONResponse({"value": shop.levers()[name]})

    routes = [
        Route("/item", item),
        Route("/metrics", metrics),
        Route("/levers/{name}", lever, methods=["GET", "PUT"]),
    ]
    return Starlette(routes=routes)


async def serve(shop: Shop, port: int, duration: float) -> None:
    """Serve on loopback until `duration` seconds are over, standard input ends, or a signal comes."""
    import uvicorn

    listener = socket.create_server(("127.0.0.1", port))
    config = uvicorn.Config(
        application(shop), log_level="critical", access_log=False, lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)  # noqa: T201 (its one line for whoever started it)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.should_exit = True

    loop.call_later(duration, stop)
    end_with_stdin(lambda: loop.call_soon_threadsafe(stop))
    await server.serve(sockets=[listener])


def end_with_stdin(stop: Callable[[], object]) -> None:
    """Call `stop` when standard input ends: whoever started this process has gone, however it went."""

    def wait() -> None:
        sys.stdin.buffer.read()
        stop()

    threading.Thread(target=wait, daemon=True).start()


def main(arguments: list[str] | None = None) -> None:
    """The service's command line."""
    parser = argparse.ArgumentParser(prog="trimtab.demo.workload", description="A small HTTP service with too few workers.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--queue-limit", type=int, default=QUEUE_LIMIT)
    parser.add_argument("--duration", type=float, default=600.0, help="seconds to live at most")
    options = parser.parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(message)s")
    shop = Shop(WorkerPool(options.workers, options.queue_limit))
    shop.pull("log_level", "warning")
    try:
        asyncio.run(serve(shop, options.port, options.duration))
    finally:
        shop.pool.close()


if __name__ == "__main__":
    main()
