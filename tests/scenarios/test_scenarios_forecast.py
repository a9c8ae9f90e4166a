"""Days behind it, and days ahead: what a running agent tells of a disk that fills, a load that swings, and servers that cost."""

from __future__ import annotations

import asyncio
import math

import numpy as np
import pytest

from trimtab.assembly.wiring import Stores, assemble
from trimtab.config import load
from trimtab.domain.errors import NotFound
from trimtab.domain.lever_series import LEVER_SERIES
from trimtab.domain.metrics import Reading, Series
from trimtab.loop.clocks import VirtualClock
from trimtab.storage.memory import MemoryJournal, MemoryMetricStore
from trimtab.systems.registry import registry

DAY, STEP = 86_400.0, 300.0
NOW = 1_767_571_200.0 + 10 * DAY
YAML = """
version: 1
monitoring: {interval_seconds: 300, analysis_interval_seconds: 300}
api: {enabled: false}
elements:
  - name: web
    sensors: [{type: plant}]
    levers:
      - {name: servers, type: plant, mode: regulated, bounds: [1, 3], cost_per_second: 0.002, autonomy: ask,
         moves: {web_p95_seconds: down}}
    guards: [{metric_name: disk_usage_percent, max: 90}]
goals: [{metric_name: web_p95_seconds, target_value: 0.2, direction: minimize}]
"""


class Web:
    """A disk that gains 5 % a day, a daily load, two servers."""

    silent = False

    def get(self, lever):
        return 2

    def set(self, lever, value):
        raise AssertionError("nobody approved")

    def step(self, now, dt):
        if self.silent:
            raise RuntimeError("HTTP 500")
        return {name: value(now) for name, value in METRICS.items()}


def noise(now):
    return math.sin(now * now % 1e5)


METRICS = {
    "disk_usage_percent": lambda now: 75.0 + 5.0 * (now - NOW) / DAY + 0.2 * noise(now),
    "requests_per_second": lambda now: 20.0 + 8.0 * math.sin(2 * math.pi * now / DAY) + 0.5 * noise(now + 7),
    "web_p95_seconds": lambda now: 0.1 + 0.005 * noise(now + 3),
}


@pytest.fixture
def agent(tmp_path):
    path = tmp_path / "trimtab.yaml"
    path.write_text(YAML)
    types = registry(plug_ins=())
    settings = load(path, environ={}, sensors=types.sensor_options, levers=types.lever_options)
    store, web = MemoryMetricStore(), Web()
    past = NOW - STEP * np.arange(10 * 288, 0, -1)
    store.take(Reading(Series.named(name, "web"), value(at), at) for name, value in METRICS.items() for at in past.tolist())
    store.take(Reading(Series.named(LEVER_SERIES, "web", {"lever": "servers"}), 2.0, at) for at in past.tolist())
    agent = assemble(settings, clock=VirtualClock(NOW), stores=Stores(MemoryJournal(), store), plants={"web": web})
    agent.web = web
    return agent


def play(agent, seconds, then=None):
    async def story():
        async with agent.running():
            until = agent.clock.now() + seconds
            while agent.clock.now() < until:
                due = await agent.turn(agent.clock.now())
                agent.clock.advance_to(min(until, max(due, agent.clock.now() + 0.01)))
            return await then(agent) if then is not None else None

    return asyncio.run(story())


def test_it_tells_of_disk_load_and_cost(agent):
    told = {one.subject.about: one for one in play(agent, 2 * 3600.0 + 600.0, lambda agent: agent.forecast(DAY))}
    assert set(told) == {"goal", "guard", "load", "cost"}
    disk = told["guard"]
    assert "; 90 % in 2.9 days (90 %: 2.9 days to 2.9 days)" in disk.sentence
    assert disk.reached.earliest <= NOW + 3 * DAY <= disk.reached.latest + 600.0
    assert told["load"].sentence.startswith("requests_per_second: ") and len(told["load"].course) == 24
    hour = [(one.at % DAY) / 3600.0 for one in told["load"].course]
    assert abs(hour[int(np.argmax([one.mean for one in told["load"].course]))] - 6.0) <= 1.5, "the peak is where it was"
    assert told["cost"].sentence.startswith("spend: 346 expected in the next 24.0 h (90 %: 346 to 346)")


def test_days_ahead_show_in_the_status_at_the_second_hour(agent):
    play(agent, 2 * 3600.0 + 600.0)
    (ahead,) = agent.get_status()["ahead"]
    assert "will cross its guard of 90 % in 2.9 days" in ahead


def test_what_stopped_arriving_is_not_foretold(agent):
    async def later(agent):
        agent.web.silent = True
        agent.clock.advance_to(agent.clock.now() + 1800.0)
        for _ in range(4):
            await agent.turn(agent.clock.now())
            agent.clock.advance_to(agent.clock.now() + 300.0)
        return await agent.forecast(DAY)

    for one in play(agent, 1200.0, later):
        if one.subject.about != "cost":
            assert one.course == () and "nothing is foretold" in one.sentence and one.hold


def test_one_metric_by_its_name_and_none_by_no_name(agent):
    async def ask(agent):
        with pytest.raises(NotFound, match="no series is called 'nobody'"):
            await agent.forecast(DAY, "nobody")
        return await agent.forecast(DAY, "disk_usage_percent"), await agent.forecast(DAY, "spend")

    (disk,), (spend,) = play(agent, 1200.0, ask)
    assert (disk.subject.about, disk.subject.limit, spend.subject.about) == ("series", 100.0, "cost")
    assert "100 % in 5.0 days" in disk.sentence
