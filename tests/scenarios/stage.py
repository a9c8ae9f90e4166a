"""The stage for scenarios: the assembled agent on a virtual clock, a plant with a fault, stores in memory."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import numpy as np

from trimtab.assembly.wiring import Stores, assemble
from trimtab.config import load
from trimtab.loop.clocks import VirtualClock
from trimtab.storage.memory import MemoryJournal, MemoryMetricStore
from trimtab.systems.registry import registry

YAML = """
version: 1
monitoring:
  interval_seconds: {interval}
  analysis_interval_seconds: {interval}
  optimization_interval_seconds: 5
  execution_interval_seconds: 1
corrective_action_cooldown_seconds: {cooldown}
safety: {{simulation_mode: {simulate}, enable_automatic_actions: {automatic}}}
api: {{enabled: false}}
elements:
  - name: shop
    sensors: [{{type: plant, step_seconds: {step}}}]
    levers:
      - name: workers
        type: plant
        bounds: [1, 16]
        settle_seconds: 5
        risk_level: {risk}
        priority: {priority}
      - {{name: log_level, type: plant, kind: choice, choices: [debug, info, error], settle_seconds: 5}}
      - {{name: batch, type: plant, kind: integer, bounds: [1, 32], settle_seconds: 5}}
    guards: [{{metric_name: shop_error_ratio, max: 0.01}}]
goals: [{{metric_name: shop_p95_seconds, target_value: 0.2, direction: minimize}}]
"""


class Levered:
    """A plant's levers: every value that was ever set is in `sets`; `began` is when its first step was."""

    def __init__(self, seed, **levers):
        self.levers, self.sets, self.began = levers, [], None
        self.rng = np.random.default_rng(seed)

    def get(self, lever):
        return self.levers[lever]

    def set(self, lever, value):
        self.sets.append((lever, value))
        self.levers[lever] = value

    def since(self, now):
        """Seconds since the first step."""
        self.began = now if self.began is None else self.began
        return now - self.began


class Shop(Levered):
    """`workers` helps, `log_level` does nothing, `batch` breaks the error guard beyond 8.

    From `fault_at` (s) on the load is `surge` fold.
    """

    def __init__(self, seed=0, fault_at=math.inf, surge=3.0, noise=0.08, workers=2):
        super().__init__(seed, workers=workers, log_level="info", batch=4)
        self.fault_at, self.surge, self.noise = fault_at, surge, noise
        self.spoil, self.dead = None, False

    def step(self, now, dt):
        since = self.since(now)
        if self.dead:
            raise RuntimeError("HTTP 500")
        load = 2.0 * (self.surge if since >= self.fault_at else 1.0)
        p95 = 0.1 * max(1.0, load / self.levers["workers"]) ** 1.5 * (1 + self.rng.normal(0, self.noise))
        over = max(0, self.levers["batch"] - 8)
        metrics = {"shop_p95_seconds": p95, "shop_error_ratio": abs(self.rng.normal(0.002, 0.0005)) + 0.02 * over}
        return {**metrics, **(self.spoil or {})}


class Stage:
    """One agent and its shop; `play(seconds)` lets virtual time pass."""

    def __init__(self, folder: Path, shop=None, stores=None, start=1_000_000.0, **about):
        defaults = {
            "interval": 1,
            "cooldown": 5,
            "simulate": "false",
            "automatic": "true",
            "risk": 0.3,
            "priority": "medium",
            "step": "null",
        }
        path = folder / "trimtab.yaml"
        path.write_text(YAML.format(**{**defaults, **about}))
        types = registry(plug_ins=())
        settings = load(path, environ={}, sensors=types.sensor_options, levers=types.lever_options)
        self.shop, self.clock = shop or Shop(), VirtualClock(start)
        self.stores = stores or Stores(MemoryJournal(), MemoryMetricStore())
        self.agent = assemble(settings, clock=self.clock, stores=self.stores, plants={"shop": self.shop})
        self.seen = []  # (seconds, state of agent) after every turn

    def play(self, seconds, then=None):
        return asyncio.run(self._play(seconds, then))

    async def _play(self, seconds, then):
        async with self.agent.running():
            await self.go(seconds)
            return await then(self) if then is not None else None

    async def go(self, seconds):
        until = self.clock.now() + seconds
        while self.clock.now() < until:
            due = await self.agent.turn(self.clock.now())
            self.seen.append((self.clock.now(), self.agent.state))
            self.clock.advance_to(min(until, max(due, self.clock.now() + 0.01)))

    def path(self, action_id):
        return [row.to_state.value for row in asyncio.run(self.stores.journal.history(action_id)) if row.to_state]

    @property
    def records(self):
        return self.agent.book.records
