"""A service that the agent does not know: real HTTP in a process of its own, its behaviour drawn from a seed.

`python benchmarks/services/unknown.py --seed 3` prints {"public": port, "private": port}. On the public port it shows what any
service would: metrics, computed from its levers, and the levers. On the private port the harness injects the fault
(`POST /fault`) and reads the truth (`GET /truth`): level and guard without noise, and every PUT that came.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import sys
import time
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from services.drawing import Drawn, draw
from services.serving import serve

TICK = 0.25  # seconds of the service's own time step
REQUESTS_A_TICK = 60
SIGMA = 0.5  # of the logarithm of request durations
BUCKETS = tuple(0.001 * 1.1**n for n in range(130))  # 1 ms to about 220 s, 10 % apart
LAST = 1.6449  # standard normal quantile of 0.95


class Unknown:
    """The service's state: what its levers hold, its demand, and where its level is on the way to."""

    def __init__(self, drawn: Drawn) -> None:
        self.drawn = drawn
        self.rng = random.Random(drawn.seed + 1)
        self.values: dict[str, float | str] = {lever.name: lever.start for lever in drawn.levers}
        self.demand = 1.0
        self.strain = self.wanted_strain()  # 1.0 when healthy, follows what is wanted with the drawn lag
        self.errors = drawn.guard_base
        self.shock = self.guard_shock = 0.0  # AR(1), standard normal
        self.puts: list[dict[str, object]] = []
        self.level = self.error_level = 0.0
        registry = CollectorRegistry()
        self.registry = registry
        self.seconds = Histogram("request_seconds", "Time to answer", buckets=BUCKETS, registry=registry)
        self.requests = Counter("requests", "Requests", registry=registry)
        self.failed = Counter("request_errors", "Failed requests", registry=registry)
        self.tick()

    def position(self, role: str) -> float:
        """Where the lever of a role stands, 1.0 at its start."""
        lever = self.drawn.lever(role)
        return lever.position(self.values[lever.name])

    def wanted_strain(self) -> float:
        """The level relative to healthy that the present levers and demand lead to."""
        drawn, load = self.drawn, self.demand / self.position("helps")
        harm = self.position("harms")
        ease = drawn.gain * min(1.0, max(0.0, harm - 1.0) / max(drawn.lever("harms").point - 1.0, 1e-9))
        base = 0.9 + 0.1 * min(load, 1.0) ** 2  # a little is gained by spare capacity too
        return base * (1.0 + drawn.slope * max(0.0, load - 1.0)) * (1.0 - ease)

    def wanted_errors(self) -> float:
        """The error ratio that the present levers lead to."""
        return self.drawn.harm if self.position("harms") > self.drawn.lever("harms").point else self.drawn.guard_base

    def true_level(self, strain: float) -> float:
        """The metric without noise."""
        return self.drawn.healthy / strain if self.drawn.maximize else self.drawn.healthy * strain

    def tick(self) -> None:
        """Let one time step pass."""
        drawn = self.drawn
        pull = 1.0 if drawn.lag <= 0 else 1.0 - math.exp(-TICK / drawn.lag)
        self.strain += (self.wanted_strain() - self.strain) * pull
        self.errors += (self.wanted_errors() - self.errors) * pull
        rho = drawn.rho ** (TICK / drawn.interval) if drawn.rho > 0 else 0.0
        self.shock = rho * self.shock + math.sqrt(1 - rho * rho) * self.rng.gauss(0, 1)
        self.guard_shock = rho * self.guard_shock + math.sqrt(1 - rho * rho) * self.rng.gauss(0, 1)
        self.level = self.true_level(self.strain) * math.exp(drawn.noise * self.shock)
        self.error_level = min(1.0, self.errors * math.exp(drawn.guard_noise * self.guard_shock))
        if drawn.histogram:
            median = self.level / math.exp(LAST * SIGMA)
            for _ in range(REQUESTS_A_TICK):
                self.seconds.observe(median * math.exp(SIGMA * self.rng.gauss(0, 1)))
        self.requests.inc(REQUESTS_A_TICK)
        self.failed.inc(REQUESTS_A_TICK * self.error_level)

    def put(self, name: str, value: object) -> None:
        """Set a lever. Raises `ValueError` for what it cannot hold."""
        lever = next(lever for lever in self.drawn.levers if lever.name == name)
        if lever.kind == "choice":
            if value not in lever.choices:
                raise ValueError(f"one of {lever.choices}")
        elif isinstance(value, bool) or not isinstance(value, int | float) or not lever.bounds[0] <= value <= lever.bounds[1]:
            raise ValueError(f"a number from {lever.bounds[0]} to {lever.bounds[1]}")
        elif lever.kind == "integer" and value != int(value):
            raise ValueError("a whole number")
        self.puts.append({"at": time.time(), "lever": name, "role": lever.role, "from": self.values[name], "to": value})
        self.values[name] = value  # type: ignore[assignment]

    def truth(self) -> dict[str, object]:
        """Everything, without noise."""
        drawn, level = self.drawn, self.true_level(self.strain)
        return {
            "level": level,
            "target": drawn.target,
            "goal_met": level >= drawn.target if drawn.maximize else level <= drawn.target,
            "errors": self.errors,
            "guard_max": drawn.guard_max,
            "guard_held": self.errors <= drawn.guard_max and self.wanted_errors() <= drawn.guard_max,
            "demand": self.demand,
            "values": self.values,
            "positions": {role: self.position(role) for role in ("helps", "nothing", "harms")},
            "puts": self.puts,
        }


def public(service: Unknown) -> Starlette:
    """What the agent may see."""

    async def metrics(request: Request) -> Response:
        return PlainTextResponse(generate_latest(service.registry))

    async def stats(request: Request) -> Response:
        return JSONResponse({"now": {"main": service.level, "errors": service.error_level}})

    async def lever(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in service.values:
            return JSONResponse({"error": "no such lever"}, status_code=404)
        if request.method == "PUT":
            try:
                service.put(name, (await request.json())["value"])
            except (ValueError, KeyError, TypeError) as error:
                return JSONResponse({"error": str(error)}, status_code=422)
        return JSONResponse({"value": service.values[name]})

    return Starlette(
        routes=[Route("/metrics", metrics), Route("/stats", stats), Route("/levers/{name}", lever, methods=["GET", "PUT"])]
    )


def private(service: Unknown) -> Starlette:
    """What only the harness may see."""

    async def fault(request: Request) -> Response:
        service.demand = service.drawn.fault
        return JSONResponse(service.truth())

    async def truth(request: Request) -> Response:
        return JSONResponse(service.truth())

    return Starlette(routes=[Route("/fault", fault, methods=["POST"]), Route("/truth", truth)])


async def run(seed: int, duration: float) -> None:
    """Serve until `duration` (seconds) is over or standard input ends."""
    service = Unknown(draw(seed))

    async def live() -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += TICK
            await asyncio.sleep(max(0.0, due - loop.time()))
            service.tick()

    living = asyncio.create_task(live())
    await serve({"public": public(service), "private": private(service)}, duration)
    living.cancel()


def main() -> None:
    """The service's command line."""
    parser = argparse.ArgumentParser(description="A service drawn from a seed.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--duration", type=float, default=900.0)
    options = parser.parse_args()
    asyncio.run(run(options.seed, options.duration))


if __name__ == "__main__":
    main()
