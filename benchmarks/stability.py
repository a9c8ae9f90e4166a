"""Whether the whole agent leaves well alone: square-wave load, a second hand on the lever, a restart, days without a fault.

    python benchmarks/stability.py            10 days a control, two seeds
    python benchmarks/stability.py --short    1 day, one seed

Every run is the assembled agent in virtual time against a plant, with the default periods. A reversal is a change of a tuned
set-point that was kept, in the other direction than the one kept before it, or the stepping back of a kept one; trials that were
undone are apart. The second controller writes the lever every quarter of an hour, and in the middle of a trial of ours.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import structlog

from trimtab.assembly.simulation import MONDAY, simulate
from trimtab.assembly.wiring import Stores, assemble
from trimtab.config import Settings, load
from trimtab.domain.actions import ActionRecord, ActionState
from trimtab.domain.ports import Plant
from trimtab.loop.clocks import VirtualClock
from trimtab.plants import PLANTS, BatchPipeline, CachePlant, CliffPlant, DatabasePlant, NoisyNoop, ServicePlant, WebCluster
from trimtab.plants.loads import Constant, Square
from trimtab.storage.memory import MemoryJournal, MemoryMetricStore
from trimtab.systems.registry import registry

DAY = 86_400.0
MOST_REVERSALS, MOST_TRIED, EXECUTION_SECONDS, COOLDOWN = 2.0, 1, 10.0, 300.0
CONFIG = """
version: 1
api: {{enabled: false}}
elements:
  - name: plant
    sensors: [{{type: plant}}]
    levers:
{levers}
{guards}
goals:
{goals}
"""


@dataclass(frozen=True)
class Case:
    """One plant with its configuration."""

    make: Callable[[np.random.Generator], Plant]
    levers: tuple[str, ...]
    goals: tuple[str, ...]
    guards: tuple[str, ...] = ()


SERVICE_LEVERS = (
    "{name: workers, type: plant, kind: integer, bounds: [1, 16]}",
    "{name: batch, type: plant, kind: integer, bounds: [1, 32]}",
    "{name: log_level, type: plant, kind: choice, choices: [debug, info, warning, error]}",
)
PIPELINE_LEVERS = (
    "{name: batch_size, type: plant, kind: integer, bounds: [1, 128]}",
    "{name: consumers, type: plant, kind: integer, bounds: [1, 8]}",
)
INDEX = "kind: choice, choices: [absent, done]"
CONTROLS: Mapping[str, Case] = {
    "noop": Case(
        lambda rng: NoisyNoop(rng),
        ("{name: dial, type: plant, kind: integer, bounds: [0, 10]}",),
        ("{metric_name: noop_latency_seconds, target_value: 0.35, direction: minimize}",),
    ),
    "service": Case(
        lambda rng: ServicePlant(rng, rho=0.5),
        SERVICE_LEVERS,
        ("{metric_name: shop_p95_seconds, target_value: 0.55, direction: minimize}",),
        ("{metric_name: shop_error_ratio, max: 0.01}",),
    ),
    "cache": Case(
        lambda rng: CachePlant(rng, keys=4000, rho=0.5),
        ("{name: entries, type: plant, kind: integer, bounds: [1, 3999]}",),
        ("{metric_name: cache_latency_seconds, target_value: 0.036, direction: minimize}",),
        ("{metric_name: cache_memory_usage_percent, max: 90}",),
    ),
    "batches": Case(
        lambda rng: BatchPipeline(rng, load=Constant(100.0), batch_size=16, consumers=2, rho=0.5),
        PIPELINE_LEVERS,
        ("{metric_name: pipeline_latency_seconds, target_value: 0.2, direction: minimize}",),
        ("{metric_name: pipeline_error_ratio, max: 0.01}",),
    ),
    "cliff": Case(
        lambda rng: CliffPlant(rng, pressure=6.0, rho=0.5),
        ("{name: pressure, type: plant, kind: integer, bounds: [1, 32]}",),
        ("{metric_name: cliff_latency_seconds, target_value: 0.2, direction: minimize}",),
        ("{metric_name: cliff_error_ratio, max: 0.01}",),
    ),
    "database": Case(
        lambda rng: DatabasePlant(rng, rho=0.5),
        (
            f"{{name: index_customer, type: plant, {INDEX}}}",
            f"{{name: index_note, type: plant, {INDEX}}}",
            "{name: connections, type: plant, kind: integer, bounds: [1, 64]}",
        ),
        ("{metric_name: database_query_seconds, target_value: 0.27, direction: minimize}",),
        ("{metric_name: database_write_seconds, max: 0.02}",),
    ),
    "web_cluster": Case(
        lambda rng: WebCluster(rng, load=Constant(22.0)),
        (
            "{name: servers, type: plant, kind: integer, bounds: [1, 3]}",
            "{name: dimmer, type: plant, kind: float, bounds: [0, 1], step: 0.05}",
        ),
        ("{metric_name: cluster_response_seconds, target_value: 0.75, direction: minimize}",),
    ),
}


assert CONTROLS.keys() == PLANTS.keys()  # every shipped plant has its days without a fault


def square(period: float) -> Case:
    """A pipeline whose load doubles and falls back, around what its setting can carry."""
    return Case(
        lambda rng: BatchPipeline(rng, load=Square(50.0, 110.0, period=period), batch_size=4, consumers=1, rho=0.3),
        PIPELINE_LEVERS,
        ("{metric_name: pipeline_latency_seconds, target_value: 0.3, direction: minimize}",),
        ("{metric_name: pipeline_error_ratio, max: 0.01}",),
    )


def settings_of(case: Case) -> Settings:
    """The configuration of a case, by the very loader of `trimtab run`."""
    listed = {name: "\n".join(f"      - {item}" for item in getattr(case, name)) for name in ("levers", "guards")}
    goals = "\n".join(f"  - {goal}" for goal in case.goals)
    guards = f"    guards:\n{listed['guards']}" if case.guards else ""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trimtab.yaml"
        path.write_text(CONFIG.format(levers=listed["levers"], guards=guards, goals=goals))
        types = registry(plug_ins=())
        return load(path, environ={}, sensors=types.sensor_options, levers=types.lever_options)


def tried(records: Sequence[ActionRecord]) -> int:
    """How many effects were begun."""
    return sum(record.executed_at is not None for record in records)


def kept(records: Sequence[ActionRecord]) -> int:
    """How many changes were ever kept, stepped back later or not."""
    standing = (ActionState.KEPT, ActionState.KEPT_ON_PROBATION, ActionState.STEPPED_BACK)
    return sum(record.state in standing for record in records)


def reversals(records: Sequence[ActionRecord]) -> int:
    """Kept changes of one lever that took back the direction of the kept change before, or were stepped back themselves."""
    last: dict[str, ActionRecord] = {}
    count = 0
    for record in records:
        if record.state is ActionState.STEPPED_BACK:
            count += 1
        if record.state not in (ActionState.KEPT, ActionState.KEPT_ON_PROBATION):
            continue
        before = last.get(record.action.lever_id)
        back = before is not None and (
            before.action.way * record.action.way < 0
            or (not record.action.way and record.action.to_value == before.action.from_value)
        )
        count += back
        last[record.action.lever_id] = record
    return count


class Contested:
    """A plant with a second controller: it wants `value` of a lever, every quarter of an hour and whenever `soon` has passed."""

    def __init__(self, inner: Plant, lever: str, value: float) -> None:
        self.get, self._inner, self._lever, self._value = inner.get, inner, lever, value
        self._due = self._now = 0.0
        self._ours_at: float | None = None
        self.writes: list[float] = []

    def set(self, lever: str, value: float | str) -> None:
        """Ours: the other hand answers 45 s later."""
        self._inner.set(lever, value)
        if lever == self._lever:
            self._ours_at = self._now

    def step(self, now: float, dt: float) -> Mapping[str, float]:
        """The inner plant's step, after what the other hand does."""
        self._now = now
        answer = self._ours_at is not None and now - self._ours_at >= 45.0
        if (answer or now >= self._due) and self._inner.get(self._lever) != self._value:
            self._inner.set(self._lever, self._value)
            self.writes.append(now)
        if answer or now >= self._due:
            self._ours_at, self._due = None, now + 900.0
        return self._inner.step(now, dt)


def control(name: str, seed: int, days: float) -> dict[str, float]:
    case = CONTROLS[name]
    result = asyncio.run(simulate(settings_of(case), case.make(np.random.default_rng(seed)), days * DAY))
    return {"tried": tried(result.records), "kept": kept(result.records), "days": days}


def waves(period: float, seed: int, days: float) -> dict[str, float]:
    case = square(period)
    result = asyncio.run(simulate(settings_of(case), case.make(np.random.default_rng(seed)), days * DAY))
    return {"tried": tried(result.records), "kept": kept(result.records), "a day": reversals(result.records) / days}


def contested(seed: int, days: float) -> dict[str, float]:
    """A service with too few workers whose number somebody else holds: how soon foreign writes are yielded to."""
    case = CONTROLS["service"]
    case = Case(
        case.make, SERVICE_LEVERS[:1], ("{metric_name: shop_p95_seconds, target_value: 0.33, direction: minimize}",), case.guards
    )
    plant = Contested(ServicePlant(np.random.default_rng(seed), rho=0.3), "workers", 4)
    result = asyncio.run(simulate(settings_of(case), plant, days * DAY))
    waits, soonest = [], []
    for record in result.records:
        foreign = [at for at in plant.writes if record.executed_at is not None and at >= record.executed_at]
        if record.state is ActionState.YIELDED and foreign:
            waits.append(record.since - foreign[0])
            later = [r.executed_at for r in result.records if r.executed_at is not None and r.executed_at > record.since]
            soonest += [min(later) - foreign[0]] if later else []
    return {
        "tried": tried(result.records),
        "yielded": len(waits),
        "longest": max(waits, default=float("nan")),
        "soonest": min(soonest, default=float("inf")),
        "a day": reversals(result.records) / days,
        "over": sum(record.state is ActionState.ROLLBACK_FAILED for record in result.records),
    }


def restarted(seed: int) -> dict[str, float]:
    """The agent ends after its first move and is started anew on the same stores: seconds until the lever moves again."""
    return asyncio.run(_restarted(seed))


async def _restarted(seed: int) -> dict[str, float]:
    case = CONTROLS["noop"]
    case = Case(case.make, case.levers, ("{metric_name: noop_latency_seconds, target_value: 0.05, direction: minimize}",))
    settings, stores, clock = settings_of(case), Stores(MemoryJournal(), MemoryMetricStore()), VirtualClock(MONDAY)
    plant = case.make(np.random.default_rng(seed))
    moves: list[float] = []
    ended: list[float] = []
    for _ in range(2):
        agent = assemble(settings, clock=clock, stores=stores, plants={"plant": plant}, serve=False)
        until = clock.now() + 2 * 3600.0
        async with agent.running():
            while (now := clock.now()) < until:
                due = await agent.turn(now)
                clock.advance_to(min(until, max(due, now + 0.01)))
                over = [r for r in agent.book.records if r.executed_at is not None and r.state.terminal]
                if not ended and over:
                    ended.append(over[-1].ended_at or over[-1].since)
                    break
                if ended:
                    moves = [r.executed_at for r in agent.book.records if r.executed_at is not None and r.executed_at > ended[0]]
                    if moves:
                        break
    return {"after": moves[0] - ended[0] if moves and ended else float("nan")}


def run(task: tuple[str, tuple[object, ...]]) -> dict[str, float]:
    began = time.perf_counter()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    found = {"control": control, "waves": waves, "contested": contested, "restarted": restarted}[task[0]](*task[1])  # type: ignore[operator]
    return {**found, "took": time.perf_counter() - began}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--days", type=float, default=10.0)
    parser.add_argument("--short", action="store_true", help="one day, one seed")
    parser.add_argument("--jobs", type=int, default=2)
    about = parser.parse_args()
    days, seeds = (1.0, 1) if about.short else (about.days, about.seeds)
    drawn = range(about.seed, about.seed + seeds)
    tasks: list[tuple[str, tuple[object, ...]]] = [
        ("waves", (period, seed, min(days, 3.0))) for period in (1200.0, 7200.0, 28_800.0) for seed in drawn
    ]
    tasks += [("contested", (seed, min(days, 1.0))) for seed in drawn] + [("restarted", (seed,)) for seed in drawn]
    tasks += [("control", (name, seed, days)) for name in CONTROLS for seed in drawn]
    missed = []
    with ProcessPoolExecutor(about.jobs) as pool:
        for task, found in zip(tasks, pool.map(run, tasks), strict=True):
            bar, ok = judged(task[0], found)
            figures = ", ".join(f"{name} {value:g}" for name, value in found.items() if name != "took")
            print(
                f"{task[0]:10} {task[1]!s:24} {figures:64} {bar:44} {'ok' if ok else 'MISSED'}  ({found['took']:.0f} s)",
                flush=True,
            )
            if not ok:
                missed.append(f"{task[0]} {task[1]}")
    print("\n" + ("every bar is reached" if not missed else "missed: " + "; ".join(missed)))
    return 1 if missed else 0


def judged(kind: str, found: Mapping[str, float]) -> tuple[str, bool]:
    """The bar in words, and whether it is reached."""
    if kind == "waves":
        return f"reversals a day at most {MOST_REVERSALS:g}", found["a day"] <= MOST_REVERSALS
    if kind == "contested":
        ok = found["yielded"] > 0 and found["longest"] <= EXECUTION_SECONDS and found["soonest"] >= COOLDOWN
        return f"yielded within {EXECUTION_SECONDS:g} s, then a cool-down", ok and found["a day"] <= MOST_REVERSALS
    if kind == "restarted":
        return f"not before the cool-down of {COOLDOWN:g} s is over", found["after"] >= COOLDOWN
    return f"kept 0, tried at most {MOST_TRIED}", found["kept"] == 0 and found["tried"] <= MOST_TRIED


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.exit(main())
