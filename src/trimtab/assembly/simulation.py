"""The very same agent in virtual time, against a plant: what would it do? Called by `trimtab simulate`, and by tests and benches.

The turn, the rooms and the rules are those of `trimtab run`; only the clock, the stores and the far side of levers and sensors
differ. Every number comes from the plant and a seed, so that the same call tells the same story. Levers and sensors of real
systems in the configuration are refused: a simulation never touches anything.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trimtab.agent import AutonomousAgent
from trimtab.assembly.wiring import Stores, assemble
from trimtab.config import Settings
from trimtab.domain.actions import ActionRecord, JournalRow
from trimtab.domain.errors import ConfigError
from trimtab.domain.goals import GoalState
from trimtab.domain.ports import Plant
from trimtab.loop.clocks import VirtualClock
from trimtab.plants import PLANTS
from trimtab.storage.memory import MemoryJournal, MemoryMetricStore

MONDAY = 1_767_571_200.0  # 2026-01-05 00:00 UTC: a simulation begins with a week, so that daily shapes are easy to read
LEAST_STEP = 0.01  # seconds of virtual time between two turns


@dataclass(slots=True)
class Totals:
    """What a plant said over the whole run."""

    steps: int = 0
    last: dict[str, float] = field(default_factory=dict)
    sums: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Simulation:
    """What became of a run, as it stood at its end and before anything unproven was taken back."""

    seconds: float
    turns: int
    records: tuple[ActionRecord, ...]  # oldest first
    goals: tuple[GoalState, ...]
    missed_seconds: Mapping[str, float]  # goal id → how long it counted as missed
    totals: Totals
    held: Mapping[str, tuple[float, str]] = field(default_factory=dict)  # goal id → how long nothing rested on it, and why last
    rows: Mapping[str, Sequence[JournalRow]] = field(default_factory=dict)  # action id → its life
    moves: Mapping[str, int] = field(default_factory=dict)  # regulated lever id → how often its policy moved it
    regulation: Sequence[Mapping[str, Any]] = ()  # how each policy stood, see `Regulator.standing`


class Counted:
    """A plant that is counted: what it says goes on unchanged."""

    def __init__(self, inner: Plant, totals: Totals) -> None:
        self.get, self.set = inner.get, inner.set
        self._inner, self._totals = inner, totals

    def step(self, now: float, dt: float) -> Mapping[str, float]:
        """The inner plant's step, added up."""
        metrics = self._inner.step(now, dt)
        self._totals.steps += 1
        self._totals.last = {name: float(value) for name, value in metrics.items()}
        for name, value in self._totals.last.items():
            self._totals.sums[name] = self._totals.sums.get(name, 0.0) + value
        return metrics


async def simulate(
    settings: Settings,
    plant: Plant,
    seconds: float,
    *,
    start: float = MONDAY,
    progress: Callable[[float], None] = lambda done: None,
) -> Simulation:
    """Let the agent that `settings` describe run `plant` for `seconds` of virtual time from `start` (Unix seconds).

    `progress` is told the share that is done. Raises `ConfigError` where the configuration speaks of anything real.
    """
    refuse_real_systems(settings)
    totals, clock = Totals(), VirtualClock(start)
    stores = Stores(MemoryJournal(), MemoryMetricStore())
    agent = assemble(settings, clock=clock, stores=stores, plants={"plant": Counted(plant, totals)}, serve=False)
    return await live_through(agent, clock, stores, seconds, totals, progress)


async def live_through(
    agent: AutonomousAgent,
    clock: VirtualClock,
    stores: Stores,
    seconds: float,
    totals: Totals,
    progress: Callable[[float], None] = lambda done: None,
) -> Simulation:
    """Turn the loop of an agent in virtual time for `seconds` from now, and tell what became of it."""
    missed: dict[str, float] = {}
    held: dict[str, tuple[float, str]] = {}
    turns, start = 0, clock.now()
    until = start + seconds
    async with agent.running():
        while (now := clock.now()) < until:
            due = await agent.turn(now)
            clock.advance_to(min(until, max(due, now + LEAST_STEP)))
            turns += 1
            for goal_id in agent.evidence.missed():
                missed[goal_id] = missed.get(goal_id, 0.0) + clock.now() - now
            for state in agent.goal_states():
                if not state.trust.ok:
                    before, _ = held.get(state.goal.goal_id, (0.0, ""))
                    held[state.goal.goal_id] = before + clock.now() - now, state.trust.reason
            progress((clock.now() - start) / seconds)
        records = agent.book.records
        rows = {record.action_id: await stores.journal.history(record.action_id) for record in records}
        regulation = agent.regulation
        return Simulation(
            seconds,
            turns,
            records,
            tuple(agent.goal_states()),
            missed,
            totals,
            held,
            rows,
            regulation.moves(),
            regulation.standing(),
        )


def refuse_real_systems(settings: Settings) -> None:
    """Raise `ConfigError` naming every sensor, lever and job that is not a plant's."""
    real = [
        f"{element.name}: {noun} of type {item.type}"
        for element in settings.elements
        for noun, items in (("sensor", element.sensors), ("lever", element.levers), ("job", element.jobs))
        for item in items
        if item.type != "plant"
    ]
    if real:
        raise ConfigError(
            f"a simulation touches nothing real, but the configuration has {len(real)} such parts",
            problems=tuple(real),
            remedy="Give each the type plant in a copy of the file, or run `trimtab run` with safety.simulation_mode: true",
        )


def plant_of(wanted: str, seed: int) -> Plant:
    """The plant called `wanted`: a shipped one by its name, or anybody's as `module:Class`.

    A class is given a random generator seeded with `seed` where it has a parameter `rng`, and the seed itself where it has
    `seed`. Raises `ConfigError` where it cannot be had.
    """
    make = PLANTS.get(wanted) or _imported(wanted)
    about: dict[str, Any] = {}
    try:
        parameters = inspect.signature(make).parameters
    except (TypeError, ValueError):
        parameters = {}  # type: ignore[assignment]
    if "rng" in parameters:
        about["rng"] = np.random.default_rng(seed)
    elif "seed" in parameters:
        about["seed"] = seed
    try:
        plant = make(**about)
    except Exception as error:  # somebody else's code
        raise ConfigError(f"the plant {wanted} cannot be made: {type(error).__name__}: {error}") from error
    lacking = [method for method in ("get", "set", "step") if not callable(getattr(plant, method, None))]
    if lacking:
        raise ConfigError(f"{wanted} is no plant: it lacks {', '.join(lacking)}", remedy="See Plant in trimtab.domain.ports")
    return plant


def _imported(wanted: str) -> Callable[..., Plant]:
    module, _, name = wanted.partition(":")
    if not name:
        known = ", ".join(sorted(PLANTS))
        raise ConfigError(f"no plant is called {wanted!r}", remedy=f"Shipped are {known}; one of yours is module:Class")
    if "" not in sys.path:
        sys.path.insert(0, "")  # a module in the folder where the command was started
    try:
        found = getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise ConfigError(f"the module {module} cannot be imported: {error}", remedy="Start it where the module lies") from error
    except AttributeError:
        raise ConfigError(f"the module {module} has no {name}") from None
    except Exception as error:  # somebody else's code
        raise ConfigError(f"the module {module} breaks: {type(error).__name__}: {error}") from error
    if not callable(found):
        raise ConfigError(f"{wanted} is no class")
    plant: Callable[..., Plant] = found
    return plant
