"""A metric that creeps towards its goal: acted on before the goal is missed, unless that is switched off."""

from __future__ import annotations

import pytest

from scenarios import stage as staging
from scenarios.stage import YAML, Shop, Stage

AHEAD = YAML.replace("        settle_seconds: 5\n", "        settle_seconds: 5\n        moves: {{shop_p95_seconds: down}}\n", 1)


class Creeping(Shop):
    """Latency grows steadily, by as much as one worker more takes away in an hour."""

    def step(self, now, dt):
        metrics = super().step(now, dt)
        creep = 0.05 * self.since(now) / 3600.0
        p95 = (0.10 + creep) * 2.0 / self.levers["workers"] * (1 + self.rng.normal(0, 0.01))
        return {**metrics, "shop_p95_seconds": p95}


@pytest.mark.parametrize(("ahead", "early"), [("true", True), ("false", False)])
def test_it_acts_before_the_goal_is_missed(tmp_path, monkeypatch, ahead, early):
    monkeypatch.setattr(staging, "YAML", AHEAD + f"decision: {{{{look_ahead: {ahead}}}}}\n")
    shop = Creeping(3)
    stage = Stage(tmp_path, shop, interval=20)
    stage.play(1.9 * 3600.0)  # the goal would be missed after two hours
    moved = [record for record in stage.records if record.executed_at is not None]
    assert bool(moved) is early
    if early:
        assert "will cross its goal" in moved[0].action.trigger
        assert stage.agent.goal_states()[0].achieved
        assert shop.levers["workers"] > 2
