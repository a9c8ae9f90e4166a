"""The demo's service: a small shop over HTTP, in a process of its own, that has no idea of trimtab.

`python -m trimtab.demo.workload --folder DIR` prints `{"port": …}` and serves until its standard input ends (so that it never
outlives whoever started it; then it removes the folder, too), a signal, or `--duration` seconds. Each line of its standard input
is a change of the world around it: `{"import_orders": 400000}` or `{"downstream_seconds": 0.06}`. Settings are read and set at
`/levers/{name}`.

What is real: the HTTP, the database and its scans, the cache and the rendering, the model, the workers, the queues, every lever.
What stands for something else: the wait of /item for a service downstream is a sleep.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import shutil
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.demo.parts.items import Items
from trimtab.demo.parts.orders import Orders
from trimtab.demo.parts.pages import START_PAGES, Pages
from trimtab.demo.parts.pool import QueueFull
from trimtab.demo.parts.scoring import Scoring

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

DATABASE = "shop.db"  # in the folder
CATALOGUE = "catalogue.db"
LOG_LEVELS = ("debug", "info", "warning")
# From 1 ms to about 10 s, each bound 15 % above the last: a quantile read off them is at most 15 % off.
BUCKETS = tuple(0.001 * 1.15**n for n in range(67))
LIMITS = {"cache_pages": (16, 4096), "batch_size": (1, 256), "workers": (1, 64), "fetch_ahead": (0, 64)}
SWITCH_SECONDS = 0.0005  # between threads: the interpreter's 5 ms would be seen in every answer


class Rejected(ValueError):
    """A lever was asked for what it cannot hold."""


@dataclass
class Shop:
    """The service's parts and settings."""

    orders: Orders
    pages: Pages
    scoring: Scoring
    items: Items
    log_level: str = "warning"

    @classmethod
    def open(cls, folder: Path) -> Shop:
        """With its databases in `folder`, and the first pages in its cache, as a service has that was there yesterday."""
        shop = cls(Orders(folder / DATABASE), Pages(folder / CATALOGUE), Scoring(), Items())
        for number in range(START_PAGES // 2):
            shop.pages.make(number)
        return shop

    def levers(self) -> dict[str, int | str]:
        """What each lever holds."""
        return {
            "cache_pages": self.pages.capacity,
            "batch_size": self.scoring.batch_size,
            "workers": self.items.pool.workers,
            "fetch_ahead": self.items.ahead,
            "log_level": self.log_level,
        }

    def pull(self, name: str, value: object) -> None:
        """Set a lever, at once. Raises `Rejected` for what it cannot hold."""
        if name == "log_level":
            if value not in LOG_LEVELS:
                raise Rejected(f"log_level is one of {', '.join(LOG_LEVELS)}, got {value!r}")
            self.log_level = str(value)
            logging.getLogger("shop").setLevel(self.log_level.upper())
            return
        low, high = LIMITS[name]
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise Rejected(f"{name} is a whole number from {low} to {high}, got {value!r}")
        if name == "cache_pages":
            self.pages.resize(value)
        elif name == "batch_size":
            self.scoring.batch_size = value
        elif name == "workers":
            self.items.pool.resize(value)
        else:
            self.items.ahead = value

    def hear(self, world: Mapping[str, float]) -> None:
        """Let the world change."""
        if "import_orders" in world:
            threading.Thread(target=self.orders.grow, args=(int(world["import_orders"]),), daemon=True).start()
        if "downstream_seconds" in world:
            self.items.downstream_seconds = world["downstream_seconds"]

    def close(self) -> None:
        """Let every thread go."""
        for part in (self.orders, self.pages, self.scoring, self.items):
            part.close()


class Meter:
    """What one part says of itself on the metrics page: requests, errors, and how long answers took."""

    def __init__(self, part: str, registry: CollectorRegistry) -> None:
        from prometheus_client import Counter, Histogram

        self._requests = Counter(f"{part}_requests_total", "Requests", registry=registry)
        self._errors = Counter(f"{part}_errors_total", "Requests refused", registry=registry)
        self._seconds = Histogram(f"{part}_seconds", "Time to answer", buckets=BUCKETS, registry=registry)

    async def answer(self, ask: Callable[[], bytes | Future[object]]) -> Response:
        """Answer a request by what `ask` returns or promises, and count it."""
        from starlette.responses import PlainTextResponse, Response

        started = time.perf_counter()
        self._requests.inc()
        try:
            found = ask()
            answer = found if isinstance(found, bytes) else await asyncio.wrap_future(found)
        except QueueFull:
            self._errors.inc()
            return PlainTextResponse("busy", status_code=503)
        self._seconds.observe(time.perf_counter() - started)
        return Response(answer) if isinstance(answer, bytes) else PlainTextResponse(str(answer))


def application(shop: Shop) -> Starlette:
    """The HTTP face: the four parts, `/metrics`, and `/levers/{name}` to read and set."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.core import CounterMetricFamily
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse, PlainTextResponse
    from starlette.routing import Route

    registry = CollectorRegistry()

    class Hits:
        def collect(self) -> list[CounterMetricFamily]:
            return [CounterMetricFamily("pages_hits", "Pages found in the cache", value=shop.pages.hits)]

    registry.register(Hits())

    def part(name: str, work: Callable[[int], bytes | Future[object]]) -> Callable[[Request], Awaitable[Response]]:
        meter = Meter(name, registry)

        async def endpoint(request: Request) -> Response:
            number = int(request.query_params.get("n", "0"))
            return await meter.answer(lambda: work(number))

        return endpoint

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
        Route("/orders", part("orders", shop.orders.account)),
        Route("/page", part("pages", shop.pages.get)),
        Route("/score", part("scoring", shop.scoring.score)),
        Route("/item", part("items", shop.items.stock)),
        Route("/metrics", metrics),
        Route("/levers/{name}", lever, methods=["GET", "PUT"]),
    ]
    return Starlette(routes=routes)


async def serve(shop: Shop, port: int, duration: float, orphaned: Callable[[], object]) -> None:
    """Serve on loopback until `duration` seconds are over, standard input ends (then `orphaned` is called), or a signal comes."""
    import uvicorn

    listener = socket.create_server(("127.0.0.1", port))
    config = uvicorn.Config(
        application(shop),
        log_level="critical",
        access_log=False,
        lifespan="off",
        timeout_keep_alive=60,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)  # noqa: T201 (its one line for whoever started it)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.should_exit = True

    def end() -> None:
        orphaned()
        loop.call_soon_threadsafe(stop)

    loop.call_later(duration, stop)
    follow_stdin(shop.hear, end)
    await server.serve(sockets=[listener])


def follow_stdin(hear: Callable[[dict[str, float]], object], end: Callable[[], object]) -> None:
    """Call `hear` with each line of JSON on standard input, and `end` when it ends: whoever started this process has gone."""

    def follow() -> None:
        for line in sys.stdin:
            hear(json.loads(line))
        end()

    threading.Thread(target=follow, daemon=True).start()


def main(arguments: list[str] | None = None) -> None:
    """The service's command line."""
    parser = argparse.ArgumentParser(prog="trimtab.demo.workload", description="A small shop over HTTP.")
    parser.add_argument("--folder", type=Path, required=True, help="for its databases; removed when standard input ends")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--duration", type=float, default=600.0, help="seconds to live at most")
    options = parser.parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(message)s")
    sys.setswitchinterval(SWITCH_SECONDS)
    shop = Shop.open(options.folder)
    shop.pull("log_level", "warning")
    try:
        asyncio.run(serve(shop, options.port, options.duration, lambda: shutil.rmtree(options.folder, ignore_errors=True)))
    finally:
        shop.close()


if __name__ == "__main__":
    main()
