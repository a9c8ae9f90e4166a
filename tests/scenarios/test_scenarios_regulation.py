"""A day in the life of a policy: load rises and falls, guards break, other hands write, people pause, the process dies."""

from __future__ import annotations

import asyncio

import numpy as np

from trimtab.assembly.wiring import Stores, assemble
from trimtab.config import load
from trimtab.domain.actions import ActionState as S
from trimtab.domain.regulation import Move
from trimtab.loop.clocks import VirtualClock
from trimtab.storage.memory import MemoryJournal, MemoryMetricStore
from trimtab.systems.registry import registry

START = 1_000_000.0
YAML = """
version: 1
monitoring: {{interval_seconds: 10, analysis_interval_seconds: 10, optimization_interval_seconds: 60,
              execution_interval_seconds: 10}}
corrective_action_cooldown_seconds: 300
safety: {{simulation_mode: {simulate}}}
api: {{enabled: false}}
{more}
elements:
  - name: web
    sensors: [{{type: plant}}]
    levers:
      - {{name: servers, type: plant, mode: {mode}, bounds: [1, 8], settle_seconds: 20, risk_level: 0.2, autonomy: {autonomy}}}
      - {{name: cache, type: plant, bounds: [1, 9], settle_seconds: 20}}
    guards: [{{metric_name: web_error_ratio, max: 0.01}}]
goals: [{{metric_name: web_p95_seconds, target_value: 0.5, direction: minimize}}]
"""


class Web:
    """Servers of ten requests a second; `load` of seconds since the start. Errors where `spoils` says so of servers."""

    def __init__(self, load=lambda s: 15.0, spoils=lambda servers: False, seed=0):
        self.levers, self.load, self.spoils = {"servers": 2, "cache": 5}, load, spoils
        self.rng, self.sets, self.began = np.random.default_rng(seed), [], None

    def get(self, lever):
        return self.levers[lever]

    def set(self, lever, value):
        self.sets.append((lever, value))
        self.levers[lever] = value

    def step(self, now, dt):
        self.began = now if self.began is None else self.began
        rate = self.load(now - self.began)
        used = rate / (10.0 * self.levers["servers"])
        p95 = 0.1 * max(1.0, used) ** 3 * (1 + self.rng.normal(0, 0.05)) / max(0.2, 1.0 - 0.5 * used)
        errors = 0.05 if self.spoils(self.levers["servers"]) else 0.001
        return {"web_p95_seconds": p95, "web_requests_per_second": rate, "web_error_ratio": errors}


class Following:
    """One server for each eight requests a second."""

    def next(self, view):
        rate = view.metrics["web_requests_per_second"][1][-1]
        state = view.levers["web/servers"]
        wanted = min(8, max(1, int(-(-rate // 8))))
        why = f"{rate:.0f} requests a second"
        return [] if wanted == state.value else [Move("web/servers", state.value, wanted, view.now, why)]


class Stage:
    def __init__(self, folder, web, stores=None, start=START, policy=Following, pause_file=None, **about):
        path = folder / "trimtab.yaml"
        path.write_text(YAML.format(**{"simulate": "false", "autonomy": "act", "more": "", "mode": "regulated", **about}))
        types = registry(plug_ins=())
        settings = load(path, environ={}, sensors=types.sensor_options, levers=types.lever_options)
        self.web, self.clock = web, VirtualClock(start)
        self.stores = stores or Stores(MemoryJournal(), MemoryMetricStore(), pause_file=pause_file)
        self.agent = assemble(settings, clock=self.clock, stores=self.stores, plants={"web": web})
        for regulator in self.agent.regulation.regulators.values():
            regulator.policies = lambda name: policy()

    def play(self, seconds, then=None):
        async def whole():
            async with self.agent.running():
                await self.go(seconds)
                if then is not None:
                    await then(self)

        asyncio.run(whole())
        return self

    def die_after(self, seconds):
        """Nothing is closed and nothing is undone: the process is gone."""

        async def whole():
            await self.agent.open()
            await self.go(seconds)

        asyncio.run(whole())
        return self

    async def go(self, seconds):
        until = self.clock.now() + seconds
        while self.clock.now() < until:
            due = await self.agent.turn(self.clock.now())
            self.clock.advance_to(min(until, max(due, self.clock.now() + 0.01)))

    def again(self, folder, **about):
        """The next start on the same stores."""
        return Stage(folder, self.web, self.stores, self.clock.now() + 5.0, **about)

    @property
    def policy(self):
        return self.agent.regulation.standing()[0]

    @property
    def record(self):
        return next(r for r in reversed(self.agent.book.records) if r.action.lever == "regulation")

    def rows(self, *kinds):
        return list(reversed(asyncio.run(self.stores.journal.notes(kinds, 1000))))

    @property
    def set_points(self):
        return [value for lever, value in self.web.sets if lever == "servers"]


def hill(seconds):
    return 15.0 if seconds < 1000 or seconds > 4000 else 45.0


def test_servers_follow_load_up_and_down_under_one_action(tmp_path):
    stage = Stage(tmp_path, Web(hill)).play(7000)
    assert stage.set_points == [6, 2]
    policies = [record for record in stage.agent.book.records if record.action.lever == "regulation"]
    assert [record.state for record in policies] == [S.KEPT]
    moves = stage.rows("move")
    assert [(row.data["from"], row.data["to"]) for row in moves] == [(2, 6), (6, 2)]
    assert {row.action_id for row in moves} == {policies[0].action_id}
    assert "45 requests a second" in moves[0].reason
    assert stage.policy["moves"] == 2 and stage.policy["set_points"] == {"web/servers": 2}
    assert asyncio.run(stage.stores.journal.verify()) > 0
