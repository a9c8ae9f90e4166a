"""Black boxes with levers, a goal and a guard, for the bench of the search: shipped plants, the demo's workload, made-up ones.

Each says what is true at a setting, without noise; the bench adds the noise. Development looked at the worlds of `NAMED` and at
`drawn` ones of even numbers; the figure that counts is from `drawn` ones of odd numbers, whose shape nobody has looked at.

The demo's workload is that of `trimtab.demo` in virtual time: its pool of workers with a queue of 64 as an M/M/c/K queue with the
demo's own service times and levers, its batches of the model with the demo's own call and linger times.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import exp, log

import numpy as np

from trimtab.demo.parts.items import AHEAD_SECONDS, DOWNSTREAM_SECONDS, QUEUE_LIMIT
from trimtab.demo.parts.scoring import CALL_SECONDS, LINGER_SECONDS
from trimtab.demo.parts.scoring import QUEUE_LIMIT as SCORING_QUEUE
from trimtab.demo.setup import MOST_ERRORS
from trimtab.domain.direction import Direction
from trimtab.domain.goals import Goal, Guard
from trimtab.domain.levers import ABSENT, DONE, LeverKind, LeverSpec, LeverValue
from trimtab.plants import BatchPipeline, CachePlant, CliffPlant, DatabasePlant, ServicePlant, WebCluster
from trimtab.plants.loads import Constant

Values = Mapping[str, LeverValue]
Truth = Callable[[Values], tuple[float, float]]  # the goal's and the guard's metric at a setting
LOW, HIGH = Direction.MINIMIZE, Direction.MAXIMIZE


@dataclass(frozen=True)
class World:
    """One black box. `truth` is noise-free."""

    name: str
    levers: tuple[LeverSpec, ...]
    goal: Goal
    guard: Guard
    start: Values
    truth: Truth
    known_best: float | None = None  # the goal's best value within the guard, where it is known

    def holds(self, setting: Values) -> bool:
        """Whether the guard truly holds."""
        return not self.guard.breached_by(self.truth(setting)[1])

    def gain(self, setting: Values) -> float:
        """The share of the best gain that a setting truly has: 0 at the start, 1 at the best that keeps the guard."""
        first, best = self.truth(self.start)[0], self.optimum
        return (self.truth(setting)[0] - first) / (best - first) if self.holds(setting) else 0.0

    @property
    def optimum(self) -> float:
        """The goal's best value among settings that keep the guard."""
        return self.known_best if self.known_best is not None else _optimum(self)


@cache
def _optimum_of(name: str) -> float:
    world = _KNOWN[name]
    best = None
    for values in itertools.product(*(_all_values(lever) for lever in world.levers)):
        goal, guard = world.truth(dict(zip((lever.name for lever in world.levers), values, strict=True)))
        if not world.guard.breached_by(guard) and (best is None or world.goal.direction.sign * (goal - best) > 0.0):
            best = goal
    assert best is not None
    return best


_KNOWN: dict[str, World] = {}


def _optimum(world: World) -> float:
    _KNOWN[world.name] = world
    return _optimum_of(world.name)


def _all_values(lever: LeverSpec, most: int = 60) -> Sequence[LeverValue]:
    if lever.kind is LeverKind.BOOLEAN:
        return (False, True)
    if lever.kind is LeverKind.CHOICE:
        return lever.choices
    assert lever.bounds is not None
    low, high = lever.bounds
    count = round((high - low) / lever.step) + 1
    if count <= 2 * most:
        numbers = [low + k * lever.step for k in range(count)]
    else:
        numbers = sorted({*np.linspace(low, high, most), *(np.geomspace(max(low, lever.step), high, most))})
    return [round(x) for x in numbers] if lever.kind is LeverKind.INTEGER else [float(x) for x in numbers]


def of_plant(make: Callable[[], object], goal: str, guard: str, steps: int = 3, dt: float = 600.0) -> Truth:
    """What a plant without noise says after it has settled."""
    known: dict[tuple[LeverValue, ...], tuple[float, float]] = {}

    def truth(setting: Values) -> tuple[float, float]:
        key = tuple(setting.values())
        if key not in known:
            plant = make()
            for lever, value in setting.items():
                plant.set(lever, value)  # type: ignore[attr-defined]
            for step in range(steps):
                metrics = plant.step((step + 1) * dt, dt)  # type: ignore[attr-defined]
            known[key] = (float(metrics[goal]), float(metrics[guard]))
        return known[key]

    return truth


def whole(name: str, low: float, high: float, step: float = 1.0) -> LeverSpec:
    return LeverSpec(name, "it", bounds=(low, high), step=step)


def real(name: str, low: float, high: float) -> LeverSpec:
    return LeverSpec(name, "it", LeverKind.FLOAT, (low, high), (high - low) / 100.0)


def choice(name: str, *choices: str) -> LeverSpec:
    return LeverSpec(name, "it", LeverKind.CHOICE, choices=choices)


def flag(name: str) -> LeverSpec:
    return LeverSpec(name, "it", LeverKind.BOOLEAN)


def number(setting: Values, name: str) -> float:
    value = setting[name]
    assert not isinstance(value, str)
    return float(value)


def shipped() -> list[World]:
    """The plants of `trimtab.plants`."""
    return [
        World("service",
              (whole("workers", 1, 16), whole("batch", 1, 32), choice("log_level", "debug", "info", "warning", "error")),
              Goal("shop_p95_seconds", 0.0, LOW), Guard("shop_error_ratio", max=0.01),
              {"workers": 4, "batch": 4, "log_level": "info"},
              of_plant(lambda: ServicePlant(noise=0.0), "shop_p95_seconds", "shop_error_ratio")),
        World("cache", (whole("entries", 1, 7999),), Goal("cache_latency_seconds", 0.0, LOW),
              Guard("cache_memory_usage_percent", max=85.0), {"entries": 200},
              of_plant(lambda: CachePlant(noise=0.0, keys=8_000), "cache_latency_seconds", "cache_memory_usage_percent", 1)),
        World("batches", (whole("batch_size", 1, 128), whole("consumers", 1, 8)),
              Goal("pipeline_throughput_per_second", 0.0, HIGH),
              Guard("pipeline_error_ratio", max=0.01), {"batch_size": 1, "consumers": 2},
              of_plant(lambda: BatchPipeline(noise=0.0), "pipeline_throughput_per_second", "pipeline_error_ratio")),
        World("cliff", (whole("pressure", 1, 32),), Goal("cliff_latency_seconds", 0.0, LOW), Guard("cliff_error_ratio", max=0.01),
              {"pressure": 2}, of_plant(lambda: CliffPlant(noise=0.0), "cliff_latency_seconds", "cliff_error_ratio")),
        World("database",
              (choice("index_customer", ABSENT, DONE), choice("index_note", ABSENT, DONE), whole("connections", 1, 64)),
              Goal("database_query_seconds", 0.0, LOW), Guard("database_write_seconds", max=0.0065),
              {"index_customer": ABSENT, "index_note": ABSENT, "connections": 8},
              of_plant(lambda: DatabasePlant(noise=0.0), "database_query_seconds", "database_write_seconds")),
        World("web_cluster", (whole("servers", 1, 3), real("dimmer", 0.0, 1.0)), Goal("cluster_utility", 0.0, HIGH),
              Guard("cluster_response_seconds", max=0.75), {"servers": 2, "dimmer": 0.2},
              of_plant(lambda: WebCluster(np.random.default_rng(3), load=Constant(40.0), boot_delay=0.0), "cluster_utility",
                       "cluster_response_seconds", 1, 900.0)),
    ]  # fmt: skip


def _blocked(rate: float, service: float, servers: int, places: int) -> tuple[float, float]:
    """95th percentile of the response time (s), roughly, and share refused, of an M/M/c/K queue."""
    load, weight = rate * service, 1.0
    weights = [weight]
    for n in range(1, servers + places + 1):
        weight *= load / min(n, servers)
        weights.append(weight)
    total = sum(weights)
    waiting = sum((n - servers) * w for n, w in enumerate(weights) if n > servers) / total
    refused = weights[-1] / total
    wait = waiting / max(rate * (1.0 - refused), 1e-9)
    return 1.2 * service + 3.0 * wait, refused


def demo() -> list[World]:
    """The demo's workload in virtual time."""

    def items(setting: Values) -> tuple[float, float]:
        service = 3.0 * DOWNSTREAM_SECONDS + AHEAD_SECONDS * number(setting, "fetch_ahead")
        service += {"debug": 0.001, "info": 0.0, "warning": 0.0}[str(setting["log_level"])]
        p95, refused = _blocked(60.0, service, int(number(setting, "workers")), QUEUE_LIMIT)
        return p95, 0.0005 + refused

    def scoring(setting: Values) -> tuple[float, float]:
        size = int(number(setting, "batch_size"))
        call = CALL_SECONDS * (1.0 + 0.01 * size)
        p95, refused = _blocked(48.0, call / size, 1, SCORING_QUEUE)
        return p95 + call + min(LINGER_SECONDS, (size - 1) / 48.0), 0.0005 + refused

    levers = (whole("workers", 1, 64), choice("log_level", "debug", "info", "warning"), whole("fetch_ahead", 0, 64))
    guard = Guard("items_error_ratio", max=MOST_ERRORS)
    return [
        World("demo: items", levers, Goal("items_p95_seconds", 0.2, LOW), guard,
              {"workers": 4, "log_level": "info", "fetch_ahead": 0}, items),
        World("demo: scoring", (whole("batch_size", 1, 256),), Goal("scoring_p95_seconds", 0.25, LOW),
              Guard("scoring_error_ratio", max=MOST_ERRORS), {"batch_size": 1}, scoring),
    ]  # fmt: skip


def made_up() -> list[World]:
    """Interactions, a plateau, two hills, choices, four levers: shapes that trip a search."""

    def ridge(setting: Values) -> tuple[float, float]:
        a, b = number(setting, "threads") / 32.0, number(setting, "pool") / 64.0
        return 0.05 + 0.6 * (a - b) ** 2 + 0.4 * (0.75 - 0.5 * (a + b)) ** 2, 40.0 + 55.0 * (0.5 * a + 0.5 * b) ** 2

    def plateau(setting: Values) -> tuple[float, float]:
        x = number(setting, "buffer")
        return 100.0 + 150.0 / (1.0 + exp(-(log(x) - log(200.0)) / 0.25)), 0.002 + 0.02 * max(0.0, x / 3000.0 - 1.0)

    def hills(setting: Values) -> tuple[float, float]:
        x = number(setting, "delay")
        return 10.0 + 12.0 * exp(-(((x - 25.0) / 8.0) ** 2)) + 30.0 * exp(-(((x - 65.0) / 12.0) ** 2)), 0.2 + 0.008 * x

    def choices(setting: Values) -> tuple[float, float]:
        size = log(number(setting, "size")) / log(4096.0)
        best = {"lru": 0.4, "lfu": 0.7, "fifo": 0.3}[str(setting["policy"])]
        base = {"lru": 0.30, "lfu": 0.22, "fifo": 0.4}[str(setting["policy"])] * (0.8 if setting["compress"] else 1.0)
        return base * (0.4 + 2.5 * (size - best) ** 2), 30.0 * exp(1.2 * size) * (1.3 if setting["compress"] else 1.0)

    def four(setting: Values) -> tuple[float, float]:
        a, b = number(setting, "a"), number(setting, "b") / 20.0
        c = number(setting, "c") / 50.0
        mode = {"x": 1.0, "y": 0.8, "z": 1.1}[str(setting["mode"])]
        return mode * (0.1 + 0.5 * (a - 0.7) ** 2 + 0.4 * (b - 0.6) ** 2 + 0.3 * (c - a) ** 2), 0.3 + 0.3 * a + 0.25 * b + 0.3 * c

    return [
        World("ridge", (whole("threads", 1, 32), whole("pool", 1, 64)),
              Goal("p95_seconds", 0.0, LOW), Guard("cpu_percent", max=75.0),
              {"threads": 4, "pool": 40}, ridge),
        World("plateau", (whole("buffer", 16, 4096),),
              Goal("rate", 0.0, HIGH), Guard("error_ratio", max=0.01), {"buffer": 32}, plateau),
        World("two hills", (whole("delay", 0, 100),),
              Goal("rate", 0.0, HIGH), Guard("used_ratio", max=0.9), {"delay": 15}, hills),
        World("choices", (choice("policy", "fifo", "lru", "lfu"), whole("size", 1, 4096), flag("compress")),
              Goal("seconds", 0.0, LOW), Guard("memory_percent", max=85.0),
              {"policy": "fifo", "size": 8, "compress": False}, choices),
        World("four levers", (real("a", 0.0, 1.0), whole("b", 0, 20), whole("c", 0, 50), choice("mode", "x", "y", "z")),
              Goal("seconds", 0.0, LOW), Guard("used_ratio", max=0.92), {"a": 0.1, "b": 2, "c": 5, "mode": "x"}, four),
    ]  # fmt: skip


def drawn(seed: int) -> World:
    """A world drawn at random: one to three numeric levers, perhaps a choice, a guard that rises smoothly or at a cliff."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 4))
    levers: list[LeverSpec] = []
    proportional = []
    for k in range(count):
        if rng.random() < 0.4:
            levers.append(whole(f"n{k}", 1, int(rng.integers(200, 20_000))))
            proportional.append(True)
        else:
            levers.append(whole(f"n{k}", 0, int(rng.integers(12, 60))) if rng.random() < 0.6 else real(f"n{k}", 0.0, 1.0))
            proportional.append(False)
    peak, width = rng.uniform(0.35, 0.95, count), rng.uniform(0.25, 0.7, count)
    origin = rng.uniform(0.05, 0.3, count)
    tilt, depth = rng.uniform(-0.8, 0.8), rng.uniform(0.7, 2.0)
    options = {"p": 0.0, "q": float(rng.uniform(-0.4, 0.4)), "r": float(rng.uniform(-0.4, 0.4))} if rng.random() < 0.4 else {}
    if options:
        levers.append(choice("way", *options))
    kind, steep = str(rng.choice(["smooth", "hinge", "cliff"])), rng.uniform(0.8, 1.6)
    weights = rng.uniform(0.2, 1.0, count)
    edge = rng.uniform(0.55, 0.85)
    direction = LOW if rng.random() < 0.6 else HIGH

    def places(setting: Values) -> np.ndarray:
        found = []
        for k in range(count):
            low, high = levers[k].bounds or (0.0, 1.0)
            x = number(setting, f"n{k}")
            found.append(log(x / low) / log(high / low) if proportional[k] else (x - low) / (high - low))
        return np.array(found)

    def truth(setting: Values) -> tuple[float, float]:
        u = places(setting)
        off = (u - peak) / width
        miss = float(off @ off) / count + (tilt * float(off[0] * off[1]) / count if count > 1 else 0.0)
        score = depth * exp(-miss) + options.get(str(setting.get("way")), 0.0)
        used = float(weights @ u / weights.sum())
        guard = {
            "smooth": 0.3 * exp(steep * used / edge * log(1.0 / 0.3) / steep),
            "hinge": 0.1 + steep * 6.0 * max(0.0, used - edge + 0.15),
            "cliff": 0.1 if used < edge else 3.0,
        }[kind]
        return (exp(-score) if direction is LOW else 20.0 * exp(score)), guard

    def value(k: int) -> LeverValue:
        low, high = levers[k].bounds or (0.0, 1.0)
        x = low * (high / low) ** origin[k] if proportional[k] else low + origin[k] * (high - low)
        return round(x) if levers[k].kind is LeverKind.INTEGER else round(float(x), 2)

    start: dict[str, LeverValue] = {f"n{k}": value(k) for k in range(count)} | ({"way": "p"} if options else {})
    return World(f"drawn {seed}", tuple(levers), Goal("value", 0.0, direction), Guard("used", max=1.0), start, truth)


def named() -> list[World]:
    """All worlds with a name."""
    return [*shipped(), *demo(), *made_up()]
