"""A service for crash tests: four levers, one of each kind, that log every request to change them and answer as slowly as told.

`python benchmarks/services/fragile.py` prints {"public": port, "private": port}. Public: `GET /stats` (a wait and an error
ratio that depend on the levers) and `/levers/{kind}`; with --socket the same through
`trimtab.sdk`. How the first PUT goes wrong is told on the command line. Private: `GET /log` yields every PUT with the
instants at which it came, took effect and was answered.

A lever at its `better` value halves the wait, at its `worse` value doubles it, at its `breaking` value fails a tenth of the
requests; at its `idle` value nothing happens.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import threading
import time
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from services.serving import serve
from trimtab.sdk import App

START = {"integer": 2, "float": 0.5, "choice": "plain", "boolean": False}
VALUES = {  # what each scenario asks for; a boolean has but one other value, so its meaning is told by --meaning
    "integer": {"better": 4, "worse": 1, "breaking": 8, "idle": 3},
    "float": {"better": 1.5, "worse": 0.25, "breaking": 4.0, "idle": 0.75},
    "choice": {"better": "quick", "worse": "slow", "breaking": "wild", "idle": "other"},
    "boolean": {"better": True, "worse": True, "breaking": True, "idle": True},
}
FOREIGN = {"integer": 5, "float": 2.25, "choice": "foreign", "boolean": False}
NOISE = 0.03


class Fragile:
    """The service's state. `behaviour` says how PUTs go: seconds before the effect, seconds before the answer, lost, foreign."""

    def __init__(self, meaning: str, behaviour: dict[str, float]) -> None:
        self.values: dict[str, object] = dict(START)
        self.meaning = meaning  # of the boolean lever being on
        self.behaviour = behaviour
        self.log: list[dict[str, object]] = []
        self.rng = random.Random(5)

    def meanings(self) -> list[str]:
        """What the present values mean, apart from the start's."""
        found = [
            name for kind, value in self.values.items() if kind != "boolean" for name, v in VALUES[kind].items() if v == value
        ]
        return [*found, self.meaning] if self.values["boolean"] else found

    def stats(self) -> dict[str, float]:
        """The metrics now."""
        meanings = self.meanings()
        wait = 0.1 * 0.5 ** meanings.count("better") * 2.0 ** meanings.count("worse")
        errors = 0.1 if "breaking" in meanings else 0.002
        return {"wait": wait * (1 + self.rng.gauss(0, NOISE)), "errors": errors * (1 + self.rng.gauss(0, NOISE))}

    def put(self, kind: str, value: object) -> None:
        """Take a value, in a thread of the caller's, as badly as told: only the first that is not the start's goes wrong."""
        entry: dict[str, object] = {"lever": kind, "value": value, "came": time.time(), "took_effect": None, "answered": None}
        self.log.append(entry)
        behaviour, first = self.behaviour, value != START[kind] and sum(e["value"] != START[kind] for e in self.log) == 1
        if first:
            time.sleep(behaviour.get("before", 0.0))
        if not (first and behaviour.get("lost")):
            entry["changed"] = self.values[kind] != value
            self.values[kind] = value
            entry["took_effect"] = time.time()
        if first and behaviour.get("foreign"):
            threading.Timer(behaviour["foreign"], self.values.__setitem__, (kind, FOREIGN[kind])).start()
        if first:
            time.sleep(behaviour.get("after", 0.0))
        entry["answered"] = time.time()


def public(service: Fragile) -> Starlette:
    """What the agent sees."""

    async def stats(request: Request) -> Response:
        return JSONResponse(service.stats())

    async def lever(request: Request) -> Response:
        kind = request.path_params["kind"]
        if request.method == "PUT":
            await run_in_threadpool(service.put, kind, (await request.json())["value"])
        return JSONResponse({"value": service.values[kind]})

    return Starlette(routes=[Route("/stats", stats), Route("/levers/{kind}", lever, methods=["GET", "PUT"])])


def private(service: Fragile) -> Starlette:
    """What only the harness sees."""

    async def log(request: Request) -> Response:
        return JSONResponse({"values": service.values, "log": service.log})

    return Starlette(routes=[Route("/log", log)])


def exposed(service: Fragile) -> App:
    """The same levers and metrics as a Python program shows them by `trimtab.sdk`."""
    app = App()
    app.sensor("fragile_wait_seconds")(lambda: service.stats()["wait"])
    app.sensor("fragile_error_ratio")(lambda: service.stats()["errors"])
    for kind in START:
        app.lever(
            kind, kind=kind, read=lambda kind=kind: service.values[kind], set=lambda value, kind=kind: service.put(kind, value)
        )
    return app


def main() -> None:
    """The service's command line."""
    parser = argparse.ArgumentParser(description="A service that answers as slowly as told.")
    parser.add_argument("--meaning", default="better", choices=("better", "worse", "breaking", "idle"))
    parser.add_argument("--duration", type=float, default=300.0)
    parser.add_argument("--socket", default="", help="also expose levers and metrics by trimtab.sdk there")
    for name in ("before", "after", "lost", "foreign"):
        parser.add_argument(f"--{name}", type=float, default=0.0)
    options = parser.parse_args()
    behaviour = {name: getattr(options, name) for name in ("before", "after", "lost", "foreign")}
    service = Fragile(options.meaning, behaviour)
    if options.socket:
        exposed(service).expose(options.socket)
    asyncio.run(serve({"public": public(service), "private": private(service)}, options.duration))


if __name__ == "__main__":
    main()
