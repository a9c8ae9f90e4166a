"""The story with a scripted agent and service: it is told to its end, and never calls a failure a success."""

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
from trimtab.demo.counters import Measured
from trimtab.demo.faults import draw
from trimtab.demo.report import Case, Check, Harm, Report, as_json
from trimtab.demo.screen import Screen, show, sparkline
from trimtab.demo.setup import HARMFUL, PARTS
from trimtab.demo.story import Story
from trimtab.domain.actions import ActionRecord, ActionState, JournalRow, OptimizationAction
from trimtab.domain.errors import Conflict, TrimtabError
from trimtab.domain.levers import ActionPriority, Reversibility
from trimtab.domain.verdicts import Verdict, VerdictStatus

IMPROVED = Verdict(VerdictStatus.IMPROVED, 0.9, 0.8, 0.95, "test", "p95 fell")
INCONCLUSIVE = Verdict(VerdictStatus.INCONCLUSIVE, 0.1, -0.5, 0.6, "test", "no telling")
BATCH = replace(draw(1, "batch")[0], after=0.0)
GOOD, BAD = 0.05, 2.0


def action(lever_id, from_value, to_value, name):
    element, lever = lever_id.split("/")
    return OptimizationAction(
        name, f"{lever}_increase", f"set {lever}", element, lever, from_value, to_value, "scoring_p95_seconds", "goal",
        "too slow", "scoring/p95", 0.1, 0.5, 0.3, ActionPriority.HIGH, Reversibility.REVERSIBLE, 4.0, time.time(),
    )  # fmt: skip


def record(of, state, verdict=None, **about):
    now = time.time()
    return ActionRecord(of, state, now, "because", executed_at=now, ended_at=now, verdict=verdict, **about)


class ScriptedAgent:
    """An agent whose answer to the fault, once it is let in, and whose answer to harm are given."""

    def __init__(self, answers=(), harm_ends_as=ActionState.ROLLED_BACK, refusals=0, at_once=()):
        self.records, self.answers = list(at_once), answers
        self.harm_ends_as, self.refusals = harm_ends_as, refusals
        self.journal, self.holds, self.plan = self, (), SimpleNamespace(sentence="No action: all is well")

    def meet_fault(self):
        self.records += [replace(answer, executed_at=time.time() + 0.001) for answer in self.answers]

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
        self.records.append(record(action(lever_id, 0, value, "harm"), self.harm_ends_as, requested=True))
        return self.records[-1]


class Service:
    """The stage: its counters say that all is well, except on the faulty part from the fault on until `heals`."""

    def __init__(self, agent, held=0, heals=True, felt=True):
        self.agent, self.held, self.heals, self.felt = agent, held, heals, felt
        self.told, self.ill_since, self.counters = [], None, self

    def change(self, world):
        self.told.append(world)
        if not self.felt:
            self.felt = len(self.told) > 0  # the second, larger push is felt
            return
        self.ill_since = time.time()
        self.agent.meet_fault()

    def read_lever(self, name):
        return self.held

    def now(self, part):
        ill = self.ill_since is not None and part.element == "scoring"
        if ill and self.heals and self.agent.records:
            ill = time.time() < self.ill_since + 0.03
        return BAD if ill else (0.95 if part.element == "pages" else 0.01)

    def lately(self, part, seconds):
        return self.now(part)

    def meets(self, part, seconds):
        return part.met_by(self.now(part))

    def value(self, what, start, end):
        return self.values(what, start, end)[0]

    def values(self, what, start, end):
        before = end < time.time() - 0.01 or not self.heals
        return [BAD * 1.01, BAD, BAD * 0.99] if before else [GOOD, GOOD * 1.01, GOOD * 0.99]


def tell(monkeypatch, agent, service, drawn=(BATCH,), seconds=10.0, deadline=5.0):
    for name, value in {"_POLL": 0.001, "FELT_SECONDS": 0.05, "WINDOW_SECONDS": 0.05, "CALM_SECONDS": 0.05, "ONSET_SECONDS": 0.0,
                        "LATELY_SECONDS": 0.02, "RECOVER_SECONDS": 0.1, "RESERVED_SECONDS": 0.0,
                        "PATIENCE_SECONDS": 0.4}.items():  # fmt: skip
        monkeypatch.setattr(plot, name, value)
    report = Report(started_at=time.time(), faults_drawn=len(drawn))
    console = Console(file=io.StringIO(), width=130)

    async def play():
        task = asyncio.create_task(asyncio.sleep(60))
        async with asyncio.timeout(seconds):
            await Story(service, agent, report, Screen(console, service, report.started_at), time.time() + deadline).tell(
                drawn, task
            )
        task.cancel()

    asyncio.run(play())
    return report, console.file.getvalue()


def cure(state=ActionState.KEPT, verdict=IMPROVED, lever_id=BATCH.cure):
    return record(action(lever_id, 1, 14, "cure"), state, verdict)


def failures(report):
    return [check.name for check in report.checks if not check.ok]


def test_a_story_that_goes_well(monkeypatch):
    agent = ScriptedAgent([cure()], refusals=2)
    report, told = tell(monkeypatch, agent, Service(agent))
    assert report.ok, failures(report)
    case = report.cases[0]
    assert case.improved and case.cured_at is not None and case.was_set == "batch_size 1 → 14"
    assert case.after < 0.1 < case.before
    assert report.first_improvement_seconds is not None
    assert "batch_size 1 → 14 kept: proven 90 % better" in told
    assert report.harm.undone


def test_without_a_fault_nothing_may_be_kept(monkeypatch):
    agent = ScriptedAgent()
    report, _ = tell(monkeypatch, agent, Service(agent), drawn=())
    assert report.ok and report.harm.undone and report.first_improvement_seconds is None
    agent = ScriptedAgent(at_once=[cure()])
    report, _ = tell(monkeypatch, agent, Service(agent), drawn=())
    assert failures(report) == ["nothing else kept"]


@pytest.mark.parametrize(
    "state", [ActionState.KEPT, ActionState.KEPT_ON_PROBATION, ActionState.ROLLBACK_FAILED, ActionState.EXPIRED]
)
def test_harm_that_stays_is_no_success(state, monkeypatch):
    agent = ScriptedAgent([cure()], harm_ends_as=state)
    report, _ = tell(monkeypatch, agent, Service(agent))
    assert "harmful change seen and undone" in failures(report)


def test_a_lever_that_was_not_restored_is_no_success(monkeypatch):
    agent = ScriptedAgent([cure()])
    report, _ = tell(monkeypatch, agent, Service(agent, held=HARMFUL[1]))
    assert failures(report) == ["lever restored"]


@pytest.mark.parametrize(
    ("answers", "heals", "failed"),
    [
        ([], True, ["batch found, changed, proven and kept"]),
        ([cure(verdict=INCONCLUSIVE, state=ActionState.KEPT_ON_PROBATION)], True, ["batch found, changed, proven and kept"]),
        ([cure(state=ActionState.ROLLED_BACK)], True, ["batch found, changed, proven and kept"]),
        ([cure()], False, ["batch found, changed, proven and kept"]),
        ([cure(lever_id="items/log_level")], True, ["batch found, changed, proven and kept", "nothing else kept"]),
    ],
    ids=["nothing done", "no credit", "undone", "the counters do not agree", "the wrong lever"],
)
def test_what_is_no_cure_is_no_success(answers, heals, failed, monkeypatch):
    agent = ScriptedAgent(answers)
    report, _ = tell(monkeypatch, agent, Service(agent, heals=heals), deadline=1.0)
    assert failures(report) == failed
    assert not report.cases[0].improved


def test_a_fault_that_this_machine_shrugs_off_is_made_larger(monkeypatch):
    agent = ScriptedAgent([cure()])
    service = Service(agent, felt=False)
    report, told = tell(monkeypatch, agent, service)
    assert service.told == [BATCH.world, BATCH.worse]
    assert report.ok and "does not feel that" in told
    assert report.cases[0].words == BATCH.worse.words


def test_an_agent_that_ends_too_early_ends_the_story(monkeypatch):
    async def over():
        return None

    async def play():
        agent = ScriptedAgent()
        screen = Screen(Console(quiet=True), None, 0.0)
        story = Story(Service(agent), agent, Report(0.0), screen, time.time() + 5.0)
        await story.tell([BATCH], asyncio.create_task(over()))

    monkeypatch.setattr(plot, "_POLL", 0.001)
    with pytest.raises(TrimtabError, match="the agent ended"):
        asyncio.run(play())


def full_report():
    report = Report(started_at=0.0, seed=7, seconds=130.0)
    case = Case(
        BATCH, PARTS["scoring"], 20.0, "/score is asked more often", [cure()], 45.0, 1.9, 0.04, Measured(0.98, 0.97, 0.99), 53.0
    )
    report.cases = [case]
    harmful = record(
        action(HARMFUL[0], 0, 48, "harm"), ActionState.ROLLED_BACK, rollback_reason="guard g breached", guard_breached="g"
    )
    report.actions = [*case.tried, harmful]
    report.harm = Harm(harmful, True, 1.5, 0.03, 1.4, 0.03)
    report.checks = [Check("fault found", True, "yes")]
    return report


def test_the_document_holds_what_was_measured():
    document = json.loads(as_json(full_report()))
    assert document["ok"] is True and document["seed"] == 7 and document["ended_early"] is None
    fault = document["faults"][0]
    assert (fault["fault"], fault["before"], fault["after"], fault["unit"]) == ("batch", 1.9, 0.04, "seconds")
    assert (fault["cured"], fault["improved"], fault["seconds_to_cure"]) == (True, True, 25.0)
    assert (fault["verdict"], fault["effect"], fault["low"], fault["high"]) == ("improved", 0.9, 0.8, 0.95)
    assert fault["action_id"] == "cure" and fault["measured"]["low"] == 0.97
    assert document["harm"]["undone"] is True and document["harm"]["seconds"] == 1.5
    assert document["actions"][1]["guard_breached"] == "g"


@pytest.mark.parametrize("width", [100, 120], ids=str)
def test_the_tables_show_before_and_after_with_interval_and_verdict(width):
    console = Console(file=io.StringIO(), width=width)
    show(full_report(), console)
    text = console.file.getvalue()
    flat = " ".join(text.split())
    for part in (
        "1.9 s → 40 ms",
        "90 % better (80 to 95 %)",
        "batch_size 1 → 14",
        "25 s",
        "undone after 1.5 s",
        "--seed 7",
        "What to do next",
    ):
        assert part in flat, text
    assert max(map(len, text.splitlines())) <= width
    assert text.count("% better") == 1, "one percentage for one thing: the verdict's"


@pytest.mark.parametrize(
    ("checks", "early", "ok"),
    [([], "", False), ([True], "", True), ([True, False], "", False), ([True], "time is over", False)],
    ids=["nothing shown", "all", "one failed", "ended early"],
)
def test_only_what_was_shown_counts(checks, early, ok):
    report = Report(0.0, checks=[Check("c", check, "d") for check in checks], ended_early=early)
    assert report.ok is ok and json.loads(as_json(report))["ok"] is ok


def test_the_course_of_a_part_stands_below_and_above_its_goal():
    part = PARTS["items"]
    low, middle, high = sparkline([part.target / 8, part.target, part.target * 8], part)
    assert low < middle < high
    assert sparkline([0.0, 1.0], PARTS["pages"])[0] != sparkline([0.0, 1.0], PARTS["pages"])[1]
