"""Cases of bad data for bad_data.py: a small shop, the wires that spoil what it says, and the whole agent on a virtual clock.

A case says what goes wrong, with which metric, at which moment of the loop, for how long, and what the truth does meanwhile. Its
`Tape` is all that the checker gets to see: what was delivered, what the agent showed, did and wrote down.
"""

from __future__ import annotations

import math
import random
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from trimtab.agent import AutonomousAgent
from trimtab.assembly.wiring import Stores, assemble
from trimtab.config import load
from trimtab.domain.actions import ActionRecord, JournalRow
from trimtab.domain.actions import ActionState as S
from trimtab.domain.errors import SensorError
from trimtab.domain.metrics import Reading
from trimtab.loop.clocks import VirtualClock
from trimtab.storage.memory import MemoryJournal, MemoryMetricStore
from trimtab.systems.registry import registry

GOAL, GUARD = "shop_p95_seconds", "shop_error_ratio"
LIMITS = {GOAL: 0.2, GUARD: 0.01}
FOR_EVER = 10**6  # cycles
START = 1_000_000.0  # Unix seconds
SETTLE = 5.0  # seconds


@dataclass(frozen=True)
class Case:
    """One thing that goes wrong. `cycles` counts reads; `truth` is what really happens behind the bad data."""

    number: int
    kind: str
    metrics: tuple[str, ...]
    moment: str
    cycles: int
    truth: str  # same | better | worse
    interval: float = 1.0


@dataclass
class Tape:
    """What is known of one case from outside."""

    interval: float
    reads: dict[str, list[tuple[float, bool]]] = field(default_factory=lambda: {GOAL: [], GUARD: []})  # (time, good), in order
    sent: dict[str, set[tuple[float, float]]] = field(default_factory=lambda: {GOAL: set(), GUARD: set()})  # good (time, value)
    looks: list[tuple[float, str, tuple[str, ...]]] = field(default_factory=list)  # (time, state, holds)
    sets: list[tuple[float, str, object, object]] = field(default_factory=list)  # (time, lever, before, after)
    rows: Sequence[JournalRow] = ()
    records: Sequence[ActionRecord] = ()
    kept: dict[str, list[tuple[float, float]]] = field(default_factory=dict)  # metric → samples in the agent's memory
    levers: Mapping[str, object] = field(default_factory=dict)
    missed: bool = False  # the goal, in truth, at the end
    stale_after: float | None = None  # seconds; where old samples are the fault: how old one may be by the documentation


class Shop:
    """`workers` helps, `log_level` does nothing, `batch` breaks the guard beyond 8. Implements `Plant`, a step an instant."""

    def __init__(self, rng: random.Random) -> None:
        self.levers: dict[str, object] = {"workers": 2, "log_level": "info", "batch": 4}
        self.rng, self.load, self.trouble = rng, 2.0, 0.0
        self.at, self.now = -math.inf, {GOAL: 0.1, GUARD: 0.002}
        self.tape: Tape | None = None

    def get(self, lever: str) -> float | str:
        return self.levers[lever]  # type: ignore[return-value]

    def set(self, lever: str, value: float | str) -> None:
        if self.tape is not None:
            self.tape.sets.append((self.at, lever, self.levers[lever], value))
        self.levers[lever] = value

    def p95(self) -> float:
        return 0.1 * max(1.0, self.load / float(self.levers["workers"])) ** 1.5  # type: ignore[arg-type]

    def step(self, now: float, dt: float) -> Mapping[str, float]:
        if now > self.at:
            over = 0.02 * max(0, int(self.levers["batch"]) - 8)  # type: ignore[call-overload]
            noise = 1 + self.rng.gauss(0, 0.08)
            self.now = {GOAL: self.p95() * noise, GUARD: abs(self.rng.gauss(0.002, 0.0002)) + over + self.trouble}
            self.at = now
        return self.now

    def turn_for(self, truth: str, metrics: Sequence[str]) -> None:
        """What really happens while the data are bad."""
        if truth == "better":
            self.load, self.trouble = 2.0, 0.0
        elif truth == "worse":
            self.load *= 2.5
            self.trouble = 0.03 if GUARD in metrics else 0.0


class Side:
    """One metric of the shop as a plant of its own, so that each comes over a wire of its own."""

    def __init__(self, shop: Shop, metric: str) -> None:
        self.shop, self.metric = shop, metric
        self.get, self.set = shop.get, shop.set

    def step(self, now: float, dt: float) -> Mapping[str, float]:
        return {self.metric: self.shop.step(now, dt)[self.metric]}


class Wire:
    """Between a sensor and the monitor: passes readings on, or spoils them while `bad`."""

    def __init__(self, sensor: object, metric: str, case: Case, tape: Tape, rng: random.Random) -> None:
        self._read = sensor.read  # type: ignore[attr-defined]
        self.metric, self.case, self.tape, self.rng = metric, case, tape, rng
        self.bad, self.first_bad = False, math.inf
        self.past: list[Reading] = []
        self.jump = rng.choice((6.0, 20.0, 300.0, 3600.0, 86_400.0)) * case.interval
        sensor.read = self.read  # type: ignore[attr-defined]

    async def read(self, now: float) -> Sequence[Reading]:
        (true,) = await self._read(now)
        self.bad = self.bad and now < self.first_bad + self.case.cycles * self.case.interval - 1e-6
        self.tape.reads[self.metric].append((now, not self.bad))
        if self.bad:
            self.first_bad = min(self.first_bad, now)
            return KINDS[self.case.kind](self, true)
        self.tape.sent[self.metric].add((true.timestamp, true.value))
        self.past.append(true)
        return [true]


def _value(value: object) -> Callable[[Wire, Reading], Sequence[Reading]]:
    return lambda wire, true: [replace(true, value=value)]  # type: ignore[arg-type]


def _raise(error: Exception) -> Callable[[Wire, Reading], Sequence[Reading]]:
    def broken(wire: Wire, true: Reading) -> Sequence[Reading]:
        raise error

    return broken


def _late(wire: Wire, true: Reading) -> Sequence[Reading]:
    """Really measured, but at least ten cycles ago."""
    old = [past for past in wire.past if past.timestamp <= true.timestamp - 10 * wire.case.interval]
    return old[-1:] or [replace(true, timestamp=true.timestamp - 10 * wire.case.interval)]


KINDS: Mapping[str, Callable[[Wire, Reading], Sequence[Reading]]] = {
    "null": _value(None),
    "NaN": _value(math.nan),
    "+inf": _value(math.inf),
    "-inf": _value(-math.inf),
    "text": _value("n/a"),
    "zero on error": _value(0.0),
    "stale": lambda wire, true: wire.past[-1:] or [replace(true, timestamp=true.timestamp - 60.0)],
    "clock back": lambda wire, true: [replace(true, timestamp=true.timestamp - wire.jump)],
    "clock ahead": lambda wire, true: [replace(true, timestamp=true.timestamp + wire.jump)],
    "late": _late,
    "HTTP 500": _raise(SensorError("HTTP 500 from http://127.0.0.1/stats")),
    "time-out": _raise(TimeoutError()),
    "sensor bug": _raise(ZeroDivisionError("division by zero")),
    "absent": lambda wire, true: [],
}
MOMENTS = ("healthy", "fault", "settling", "verifying", "probation", "start")
STATE_OF = {"settling": S.SETTLING, "verifying": S.VERIFYING, "probation": S.KEPT_ON_PROBATION}


def draw(number: int, seed: int) -> Case:
    """Case `number` of `seed`: kinds and moments by turns, the rest at random."""
    rng = random.Random(f"{seed}/{number}")
    kinds = list(KINDS)
    kind = kinds[number % len(kinds)]
    moment = rng.choices(MOMENTS, (4, 5, 4, 5, 3, 1))[0]
    if moment == "start" and kind in ("zero on error", "late", "clock back", "stale"):
        moment = "healthy"  # all of these are measured against a past
    metrics = rng.choices(((GOAL,), (GUARD,), (GOAL, GUARD)), (5, 4, 2))[0]
    cycles = rng.choice((1, 1, 2, 4, 8, 15, 30, FOR_EVER, FOR_EVER))
    if kind == "stale":
        cycles = max(cycles, 8)
    return Case(number, kind, metrics, moment, cycles, rng.choice(("same", "better", "worse")), rng.choice((1.0, 1.0, 1.0, 2.0)))


YAML = """
version: 1
monitoring:
  interval_seconds: {interval}
  analysis_interval_seconds: {interval}
  optimization_interval_seconds: 5
  execution_interval_seconds: 1
corrective_action_cooldown_seconds: 5
{more}
api: {{enabled: false}}
elements:
  - name: shop
    sensors: [{{type: plant, name: latency, plant: latency}}, {{type: plant, name: errors, plant: errors}}]
    levers:
      - {{name: workers, type: plant, kind: integer, bounds: [1, 16], settle_seconds: {settle}, {hopes}}}
      - {{name: log_level, type: plant, kind: choice, choices: [debug, info, error], settle_seconds: {settle}, {hopes}}}
      - {{name: batch, type: plant, kind: integer, bounds: [1, 32], settle_seconds: {settle}, {hopes}}}
    guards: [{{metric_name: shop_error_ratio, max: 0.01}}]
goals: [{{metric_name: shop_p95_seconds, target_value: 0.2, direction: minimize}}]
"""


class Scene:
    """One case played: the assembled agent on a virtual clock. `reached` is false where the moment never came."""

    def __init__(self, case: Case, seed: int) -> None:
        self.case, self.rng = case, random.Random(f"{seed}/{case.number}/scene")
        self.shop, self.clock, self.tape = Shop(self.rng), VirtualClock(START), Tape(case.interval)
        self.shop.tape = self.tape
        if case.kind == "stale":
            self.tape.stale_after = 2.5 * case.interval + 1.0  # docs: 2.5 intervals of the sensor and a second
        self.journal = MemoryJournal()
        self.agent = self._assemble()
        named = {sensor.name: sensor for sensor in self.agent.parts.sensors}
        sides = ((GOAL, "latency"), (GUARD, "errors"))
        self.wires = [Wire(named[name], metric, case, self.tape, self.rng) for metric, name in sides if metric in case.metrics]
        for metric, name in sides:
            if metric not in case.metrics:
                Wire(named[name], metric, case, self.tape, self.rng)

    def _assemble(self) -> AutonomousAgent:
        types = registry(plug_ins=())
        proud = self.case.moment == "probation"  # so high a bar that what is credited is kept on probation only
        more = "thresholds: {min_improvement_threshold: 0.7}" if proud else ""
        hopes = "expected_improvement: 1.0, success_probability: 0.9" if proud else "expected_improvement: 0.1"
        text = YAML.format(interval=self.case.interval, settle=SETTLE * self.case.interval, more=more, hopes=hopes)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "trimtab.yaml"
            path.write_text(text)
            settings = load(path, environ={}, sensors=types.sensor_options, levers=types.lever_options)
        plants = {"shop": self.shop, "latency": Side(self.shop, GOAL), "errors": Side(self.shop, GUARD)}
        return assemble(settings, clock=self.clock, stores=Stores(self.journal, MemoryMetricStore()), plants=plants)

    async def play(self) -> bool:
        """Wait for the moment, spoil the data, look on, and note how everything stands. False where the moment never came."""
        case, step = self.case, self.case.interval
        async with self.agent.running():
            if not await self._reach():
                return False
            self.shop.turn_for(case.truth, case.metrics)
            for wire in self.wires:
                wire.bad = True
            if case.cycles < FOR_EVER:
                await self._go(case.cycles * step + 60.0 * step)
            else:
                await self._go(65.0 * step)
            await self._note()
        return True

    async def _reach(self) -> bool:
        case, rng, step = self.case, self.rng, self.case.interval
        if case.moment == "start":
            self.shop.load = 6.0
            return True
        await self._go(rng.uniform(15.0, 40.0) * step)
        if case.moment == "healthy":
            return True
        self.shop.load = rng.uniform(4.6, 5.4) if case.moment == "probation" else rng.uniform(4.5, 9.0)
        if case.moment == "fault":
            await self._go(rng.uniform(0.0, 3.0) * step)
            return True
        skip, calm = rng.choice((0, 0, 1, 2)), case.moment == "probation"
        for _ in range(400):
            await self._go(0.5)
            reached = [r for r in self.agent.book.records if r.state is STATE_OF[case.moment]]
            if reached and (calm or sum(record.executed_at is not None for record in self.agent.book.records) > skip):
                await self._go(rng.uniform(0.0, 60.0 if calm else 3.0) * step)
                return any(record.state is STATE_OF[case.moment] for record in self.agent.book.records)
        return False

    async def _go(self, seconds: float) -> None:
        until = self.clock.now() + seconds
        while self.clock.now() < until:
            now = self.clock.now()
            due = await self.agent.turn(now)
            status = self.agent.get_status()
            self.tape.looks.append((now, status["state"], tuple(status["holds"])))
            self.clock.advance_to(min(until, max(due, now + 0.01)))

    async def _note(self) -> None:
        tape = self.tape
        tape.records = self.agent.book.records
        tape.rows = [row for record in tape.records for row in await self.journal.history(record.action_id)]
        tape.levers, tape.missed = dict(self.shop.levers), self.shop.p95() > 1.3 * LIMITS[GOAL]
        for metric in (GOAL, GUARD):
            known = any(series.name == metric for series in self.agent.monitor.series())
            window = self.agent.monitor.window(f"shop/{metric}") if known else None
            tape.kept[metric] = list(zip(window.t.tolist(), window.v.tolist(), strict=True)) if window else []
