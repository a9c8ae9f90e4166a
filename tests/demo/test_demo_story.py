"""The story with a scripted agent: it is told to its end, and never calls a failure a success."""

from __future__ import annotations

import asyncio
import io
import json
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
from rich.console import Console

from trimtab.demo import story as plot
from trimtab.demo.load import ClientView
from trimtab.demo.report import Check, Phase, Report, as_json, show
from trimtab.demo.story import Story
from trimtab.domain.actions import ActionRecord, ActionState, JournalRow, OptimizationAction
from trimtab.domain.errors import Conflict, TrimtabError
from trimtab.domain.levers import ActionPriority, Reversibility
from trimtab.domain.verdicts import Verdict, VerdictStatus

IMPROVED = Verdict(VerdictStatus.IMPROVED, 0.9, 0.8, 0.95, "test", "p95 fell")
INCONCLUSIVE = Verdict(VerdictStatus.INCONCLUSIVE, None, None, None, "test", "no telling")


def action(lever, from_value, to_value, name):
    return OptimizationAction(name, f"{lever}_increase", f"set {lever}", "shop", lever, from_value, to_value, "shop_p95_seconds",
                              "goal", "slow", "shop/p95", 0.1, 0.5, 0.3, ActionPriority.HIGH, Reversibility.REVERSIBLE, 4.0,
                              time.time())  # fmt: skip


def record(of, state, verdict=None, **about):
    now = time.time()
    return ActionRecord(of, state, now, "because", executed_at=now - 0.1, ended_at=now, verdict=verdict, **about)


class ScriptedAgent:
    """An agent whose cure and whose answer to harm are given."""

    def __init__(self, cure, harm_ends_as, refusals=0):
        self.records = [cure]
        self.harm_ends_as = harm_ends_as
        self.refusals = refusals
        self.journal = self

    async def recent(self, count):
        return list(reversed(self.records))

    async def history(self, action_id):
        of = await self.get(action_id)
        return [JournalRow(1 + self.records.index(of), of.since, "transition", action_id, None, of.state, "t", "why", {}, "", "")]

    async def get(self, action_id):
        return next(r for r in self.records if r.action_id == action_id)

    async def submit(self, lever_id, value, *, reason, actor):
        if self.refusals:
            self.refusals -= 1
            raise Conflict("cooling down")
        self.records.append(record(action(lever_id.split("/")[1], 0, value, "harm"), self.harm_ends_as, requested=True))
        return self.records[-1]


def stage(p95=0.04, held=0):
    view = ClientView(p95, 120.0, 0.0)
    clients = SimpleNamespace(between=lambda start, end: view, last=lambda seconds: view)
    return SimpleNamespace(clients=clients, read_lever=lambda name: held)


def tell(agent, scene, monkeypatch, seconds=5.0):
    monkeypatch.setattr(plot, "WINDOW_SECONDS", -3.0)
    monkeypatch.setattr(plot, "_POLL", 0.001)
    report = Report(started_at=time.time())
    console = Console(file=io.StringIO(), width=130)

    async def play():
        task = asyncio.create_task(asyncio.sleep(60))
        async with asyncio.timeout(seconds):
            await Story(scene, agent, report, console).tell(task)
        task.cancel()

    asyncio.run(play())
    return report, console.file.getvalue()


def cure(state=ActionState.KEPT, verdict=IMPROVED):
    return record(action("workers", 1, 2, "cure"), state, verdict)


def test_a_story_that_goes_well(monkeypatch):
    agent = ScriptedAgent(cure(), ActionState.ROLLED_BACK, refusals=2)
    report, told = tell(agent, stage(), monkeypatch)
    assert report.ok
    assert [check.ok for check in report.checks] == [True] * 4
    assert [phase.name for phase in report.phases] == ["1 worker", "workers 1 → 2", "harm done", "undone"]
    assert [r.action_id for r in report.actions] == ["cure", "harm"]
    assert "kept: why" in told and "rolled back: why" in told


@pytest.mark.parametrize(
    "state", [ActionState.KEPT, ActionState.KEPT_ON_PROBATION, ActionState.ROLLBACK_FAILED, ActionState.EXPIRED]
)
def test_harm_that_stays_is_no_success(state, monkeypatch):
    report, _ = tell(ScriptedAgent(cure(), state), stage(), monkeypatch)
    assert not report.ok
    assert "harmful change seen and undone" in [check.name for check in report.checks if not check.ok]


def test_a_lever_that_was_not_restored_is_no_success(monkeypatch):
    report, _ = tell(ScriptedAgent(cure(), ActionState.ROLLED_BACK), stage(held=24), monkeypatch)
    assert [check.name for check in report.checks if not check.ok] == ["lever restored"]


def test_clients_that_do_not_recover_are_no_success(monkeypatch):
    monkeypatch.setattr(plot, "RECOVER_SECONDS", 0.0)
    agent, scene = ScriptedAgent(cure(), ActionState.ROLLED_BACK), stage()
    slow = ClientView(0.5, 100.0, 0.0)
    scene.clients.last = lambda seconds: slow if len(agent.records) > 1 else ClientView(0.04, 120.0, 0.0)
    report, _ = tell(agent, scene, monkeypatch)
    assert [check.name for check in report.checks if not check.ok] == ["clients served within the goal again"]
    assert report.phases[-1] == Phase("undone", slow)


@pytest.mark.parametrize(
    ("first", "p95"),
    [(cure(verdict=INCONCLUSIVE), 0.04), (cure(ActionState.ROLLED_BACK), 0.04), (cure(), 0.4)],
    ids=["no credit", "undone", "clients still wait"],
)
def test_what_is_no_cure_is_waited_out(first, p95, monkeypatch):
    with pytest.raises(TimeoutError):
        tell(ScriptedAgent(first, ActionState.ROLLED_BACK), stage(p95), monkeypatch, seconds=0.3)


def test_an_agent_that_ends_too_early_ends_the_story(monkeypatch):
    async def over():
        return None

    async def play():
        return await Story(
            stage(), ScriptedAgent(cure(verdict=None), ActionState.ROLLED_BACK), Report(0.0), Console(quiet=True)
        ).tell(asyncio.create_task(over()))

    monkeypatch.setattr(plot, "_POLL", 0.001)
    with pytest.raises(TrimtabError, match="the agent ended"):
        asyncio.run(play())


def full_report():
    report = Report(started_at=0.0, seconds=30.0)
    report.phases = [Phase("1 worker", ClientView(0.744, 88.0, 0.238)), Phase("nobody asked", None)]
    report.actions = [
        cure(),
        replace(
            record(action("prefetch_pages", 0, 24, "harm"), ActionState.ROLLED_BACK),
            guard_breached="g",
            rollback_reason="guard g breached",
        ),
    ]
    report.checks = [Check("fault found", True, "yes")]
    return report


def test_the_document_holds_what_was_measured():
    document = json.loads(as_json(full_report()))
    assert document["ok"] is True
    assert document["phases"][0] == {"name": "1 worker", "p95_seconds": 0.744, "error_ratio": 0.238, "good_per_second": 88.0}
    assert document["actions"][0]["verdict"] == "improved" and document["actions"][0]["low"] == 0.8
    assert document["actions"][1]["guard_breached"] == "g"


def test_the_table_shows_before_and_after_with_interval_and_verdict():
    console = Console(file=io.StringIO(), width=170)
    show(full_report(), console)
    text = console.file.getvalue()
    for part in ("744 ms", "23.8 %", "-95% to -80%", "improved", "guard g breached", "rolled back", "What to do next"):
        assert part in text, text


@pytest.mark.parametrize(
    ("checks", "early", "ok"),
    [([], "", False), ([True], "", True), ([True, False], "", False), ([True], "time is over", False)],
    ids=["nothing shown", "all", "one failed", "ended early"],
)
def test_only_what_was_shown_counts(checks, early, ok):
    report = Report(0.0, checks=[Check("c", check, "d") for check in checks], ended_early=early)
    assert report.ok is ok and json.loads(as_json(report))["ok"] is ok
