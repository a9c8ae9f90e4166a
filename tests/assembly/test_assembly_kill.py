"""The kill switch under load: an assembled agent on the wall clock with twenty elements that it never stops trying to help."""

from __future__ import annotations

import asyncio

import pytest

from trimtab.assembly.wiring import Stores, assemble
from trimtab.config import load
from trimtab.domain.actions import ActionState as S
from trimtab.storage.memory import MemoryJournal, MemoryMetricStore
from trimtab.systems.registry import registry

ELEMENTS = 20
ELEMENT = """
  - name: e{n}
    sensors: [{{type: plant}}]
    levers: [{{name: l{n}, type: plant, bounds: [1, 16], settle_seconds: 0.2, risk_level: 0.1}}]
"""
GOAL = "  - {{metric_name: e{n}_p95_seconds, target_value: 0.2, direction: minimize}}\n"
HEAD = """
monitoring: {interval_seconds: 0.1, analysis_interval_seconds: 0.1, optimization_interval_seconds: 0.2,
             execution_interval_seconds: 0.1}
corrective_action_cooldown_seconds: 0
max_concurrent_actions: 20
decision: {verify_seconds: 0.2}
safety: {storm_halt: {harmful_actions: 1000}}
api: {enabled: false}
"""


class Deaf:
    """A plant whose goal is missed whatever is set: every trial ends inconclusive, and the next one begins."""

    def __init__(self, number):
        self.number, self.value, self.count = number, 8, 0

    def get(self, lever):
        return self.value

    def set(self, lever, value):
        self.value = value

    def step(self, now, dt):
        self.count += 1
        return {f"e{self.number}_p95_seconds": 1.0 + 0.01 * (self.count * 7 % 5)}


@pytest.mark.parametrize("switch", ["call", "file", "undo"])
def test_the_last_change_is_intended_within_a_second_of_the_switch(tmp_path, switch):
    numbers = range(ELEMENTS)
    path = tmp_path / "trimtab.yaml"
    elements, goals = ("".join(each.format(n=n) for n in numbers) for each in (ELEMENT, GOAL))
    path.write_text(f"{HEAD}elements:{elements}goals:\n{goals}")
    types = registry(plug_ins=())
    settings = load(path, environ={}, sensors=types.sensor_options, levers=types.lever_options)
    stores = Stores(MemoryJournal(), MemoryMetricStore(), pause_file=tmp_path / "PAUSE")
    agent = assemble(settings, stores=stores, plants={f"e{n}": Deaf(n) for n in numbers})

    def intents():
        return sorted(record.executed_at for record in agent.book.records if record.executed_at is not None)

    async def story():
        running = asyncio.ensure_future(agent.run())
        while len(intents()) < ELEMENTS + 5:  # more than once round
            await asyncio.sleep(0.02)
            assert not running.done()
        thrown = agent.now()
        if switch == "file":
            (tmp_path / "PAUSE").touch()
        else:
            await agent.pause("ann", undo=switch == "undo")
        if switch == "undo":
            assert agent.book.under_way() == ()
            assert agent.now() - thrown <= 1.0
        await asyncio.sleep(1.3)
        assert intents()[-1] - thrown <= 1.0
        assert agent.state == "paused"
        assert agent.book.in_state(S.APPLYING) == ()
        agent.stop()
        await asyncio.wait_for(running, 10.0)

    asyncio.run(asyncio.wait_for(story(), 40.0))
