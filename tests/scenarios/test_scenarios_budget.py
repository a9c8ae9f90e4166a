"""The agent's own budget, on a virtual clock with a processor that is told what it has used."""

from __future__ import annotations

import pytest

from scenarios.stage import Shop, Stage
from trimtab.assembly.wiring import Stores, assemble
from trimtab.config import Settings
from trimtab.domain.actions import ActionState as S
from trimtab.domain.direction import Direction
from trimtab.domain.goals import Goal, GoalState
from trimtab.domain.metrics import Health, Trust
from trimtab.loop.pace import Pace
from trimtab.loop.throttle import Throttle
from trimtab.storage.memory import MemoryJournal, MemoryMetricStore


class Processor:
    """Uses `busy(now)` per cent of a core at full pace, and less the more rarely the shop is read."""

    def __init__(self, stage, busy):
        self.stage, self.busy, self.used, self.at = stage, busy, 0.0, stage.clock.now()
        self.began = self.at

    def __call__(self):
        now = self.stage.clock.now()
        self.used += (now - self.at) * self.busy(now - self.began) / 100.0 / self.stage.agent.throttle.factor_of("shop")
        self.at = now
        return self.used


def paced(tmp_path, busy, shop=None, budget=2.0, **about):
    """A stage whose agent has a budget; the times of the shop's reads are in `stage.reads`."""
    stage = Stage(tmp_path, shop or Shop(), **about)
    parts = stage.agent.parts
    sensor = parts.sensors[0]
    stage.reads, read = [], sensor.read
    sensor.read = lambda now: stage.reads.append(now) or read(now)
    stage.agent.throttle = Throttle(Pace(budget), Processor(stage, busy), parts.selfwatch, parts.attention)
    return stage


def spacing(stage, last=10):
    """Seconds between the last reads."""
    times = stage.reads[-last - 1 :]
    return (times[-1] - times[0]) / (len(times) - 1)


def test_over_its_budget_it_looks_less_often_says_so_and_goes_on_as_before_when_there_is_room(tmp_path):
    stage = paced(tmp_path, lambda seconds: 6.0 if seconds < 900.0 else 0.5)

    async def after(_):
        said, told = stage.agent.get_status()["pace"], stage.agent.get_status()["attention"]
        slow, stretched = spacing(stage), stage.agent.parts.selfwatch.stretch
        assert not [hold for hold in stage.agent.holds if "stale" in hold or "old" in hold]
        await stage.go(900.0)
        return said, slow, stretched, told

    said, slow, stretched, told = stage.play(800.0, after)
    assert said == f"intervals lengthened {stretched:g} ×: CPU 6 % over the budget of 2 % of a core"
    assert len(told) == 1 and "instead of 1 s: its g" in told[0], told  # goal, or guard
    assert 3.0 <= stretched <= 4.0 and slow == pytest.approx(stretched, abs=0.3)
    assert stage.agent.get_status()["pace"] is None and spacing(stage) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("busy", [1.5, 6.0], ids=["within", "over"])
def test_nothing_is_called_stale_for_being_read_less_often(tmp_path, busy):
    stage = paced(tmp_path, lambda _: busy)
    stage.play(1200.0)
    assert (stage.agent.throttle.sentence is None) == (busy < 2.0)
    settled = [state for at, state in stage.seen if at > stage.seen[0][0] + 30.0]
    assert set(settled) == {"running"}


def test_what_is_urgent_goes_first_and_a_trial_is_never_starved(tmp_path):
    """Paced to a fifth when the fault comes: from the first symptom on the shop is read as configured, until all is proven."""
    stage = paced(tmp_path, lambda _: 9.0, Shop(0, fault_at=600.0))
    stage.play(590.0 + 300.0)
    kept = [record for record in stage.records if record.state in (S.KEPT, S.KEPT_ON_PROBATION)]
    assert kept and {record.action.lever for record in kept} == {"workers"}
    assert stage.agent.goal_states()[0].achieved
    record = kept[0]
    during = [at for at in stage.reads if record.executed_at <= at <= record.since]
    assert len(during) >= 0.9 * (record.since - record.executed_at)  # a read a second, as configured
    before = [at for at in stage.reads if stage.reads[0] + 400.0 <= at < stage.reads[0] + 590.0]
    assert len(before) < 190 / 3.5


def test_in_virtual_time_it_has_neither_pace_nor_goals_of_its_own(tmp_path):
    stage = Stage(tmp_path)
    stage.play(60.0)
    assert [state.goal.metric_name for state in stage.agent.goal_states()] == ["shop_p95_seconds"]
    assert stage.agent.throttle.sentence is None and stage.agent.parts.pace is None


@pytest.mark.parametrize("achieved", [False, None], ids=["missed", "unknown"])
def test_a_goal_of_its_own_holds_nobody_up(tmp_path, achieved):
    """The agent costs too much, or does not know what it costs: the shop is mended as ever."""

    class Own:
        def look(self, view, now):
            goal = Goal("trimtab_cpu_usage_percent", 2.0, Direction.MINIMIZE, element="trimtab")
            trust = Trust(Health.MISSING, "has not been read yet") if achieved is None else Trust(Health.OK)
            return (GoalState(goal, "trimtab", 40.0, 40.0, achieved, 0.05, 19.0, trust),)

    stage = Stage(tmp_path, Shop(0, fault_at=60.0))
    stage.agent.parts.own_goals = Own()
    stage.play(180.0)
    shops, own = stage.agent.goal_states()
    assert shops.achieved and own.achieved is achieved
    assert [goal["element"] for goal in stage.agent.get_status()["goals"]] == ["shop", "trimtab"]
    assert stage.seen[-1][1] == "running" and "trimtab" not in str(stage.agent.holds) + stage.agent.plan.sentence
    kept = [record for record in stage.records if record.state in (S.KEPT, S.KEPT_ON_PROBATION)]
    assert kept and all(record.action.element == "shop" for record in stage.records)


def test_adaptive_monitoring_is_a_choice_and_so_is_the_number_of_detectors(tmp_path):
    for adaptive in (True, False):
        settings = Settings(monitoring={"adaptive": adaptive, "deep_series": 7}, storage={"path": tmp_path})
        agent = assemble(settings, stores=Stores(MemoryJournal(), MemoryMetricStore()), serve=False)
        assert (agent.parts.attention is not None) is adaptive
        assert agent.throttle.attention is agent.parts.attention
        assert agent.parts.analyzer.deep.places == 7
