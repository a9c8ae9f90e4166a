"""What was learned of an action is told where it is explained: of a lever, of a job and of a policy, by command and by REST."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import numpy as np
import pytest

from trimtab.api.app import create_app
from trimtab.assembly.wiring import assemble
from trimtab.cli.reading import explain
from trimtab.config import load
from trimtab.domain.regulation import Move
from trimtab.loop.clocks import VirtualClock
from trimtab.systems.registry import registry

YAML = """
version: 1
monitoring: {{interval_seconds: 2, analysis_interval_seconds: 2, optimization_interval_seconds: 5, execution_interval_seconds: 2}}
decision: {{verify_seconds: 60}}
corrective_action_cooldown_seconds: 5
storage: {{path: {folder}/data}}
api: {{enabled: false}}
elements:
  - name: shop
    sensors: [{{type: plant}}]
    {change}
goals: [{{metric_name: shop_p95_seconds, target_value: 0.2, direction: minimize}}]
"""
SAFE = "settle_seconds: 4, risk_level: 0.2, reversibility: reversible, moves: {shop_p95_seconds: down}"
CHANGES = {
    "lever": f"levers: [{{name: workers, type: plant, bounds: [2, 16], {SAFE}}}]",
    "job": f"""jobs: [{{name: index, type: command, start: [touch, index], undo: [rm, index], {SAFE},
           probe: [sh, -c, "if test -e index; then echo done; else echo absent; fi"]}}]""",
    "policy": f"levers: [{{name: workers, type: plant, mode: regulated, bounds: [2, 16], {SAFE}}}]",
}


class Shop:
    """Slow from the twentieth step on, until it has eight workers or an index."""

    def __init__(self, folder: Path) -> None:
        self.workers, self.index, self.steps, self.rng = 2, folder / "index", 0, np.random.default_rng(0)

    def get(self, lever):
        return self.workers

    def set(self, lever, value):
        self.workers = value

    def step(self, now, dt):
        self.steps += 1
        slow = self.steps > 20 and self.workers < 8 and not self.index.exists()
        return {"shop_p95_seconds": (0.5 if slow else 0.1) * (1 + self.rng.normal(0, 0.05)), "shop_requests_per_second": 20.0}


class Eight:
    """A policy that wants eight workers."""

    def next(self, view):
        state = view.levers["shop/workers"]
        return [] if state.value == 8 else [Move("shop/workers", state.value, 8, view.now, "eight serve")]


@pytest.mark.parametrize("kind", CHANGES)
def test_the_belief_before_and_after_an_outcome_is_told_by_command_and_by_rest(kind, tmp_path, capsys):
    path, types = tmp_path / "trimtab.yaml", registry(plug_ins=())
    path.write_text(YAML.format(folder=tmp_path, change=CHANGES[kind]))
    settings = load(path, environ={}, sensors=types.sensor_options, levers=types.lever_options, jobs=types.job_options)
    agent = assemble(settings, clock=VirtualClock(1_000_000.0), plants={"shop": Shop(tmp_path)})
    for regulator in agent.regulation.regulators.values():
        regulator.policies = lambda name: Eight()

    async def life():
        async with agent.running():
            now = agent.clock.now()
            while now < 1_000_300.0 and not await agent.parts.executor.book.journal.notes(["learned"]):
                due = await agent.turn(now)
                agent.clock.advance_to(now := max(due, now + 0.01))
            (row, *_) = await agent.book.journal.notes(["learned"])
            app = create_app(agent, tokens=None, allowed_hosts=[], version="1")
            transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return row, (await client.get(f"/agent/actions/{row.action_id}")).json()

    row, told = asyncio.run(life())
    before, after = row.data["before"], row.data["after"]
    assert after["trials"] == 1.0 and after["p_success"] != before["p_success"]
    assert (told["belief_before"], told["belief_after"], told["learned"]) == (before, after, row.reason)
    assert told["context"]["hour"]

    capsys.readouterr()
    assert explain(path, row.action_id, True) == 0
    assert json.loads(capsys.readouterr().out) == told
    assert explain(path, row.action_id, False) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert f"P(success) {before['p_success']:.2f} → {after['p_success']:.2f}" in text.replace("│ ", "")
