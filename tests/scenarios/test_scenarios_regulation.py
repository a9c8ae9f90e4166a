"""A day in the life of a policy: load rises and falls, guards break, other hands write, people pause, the process dies."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from scenarios.stage import Levered
from trimtab.assembly.wiring import Stores, assemble
from trimtab.cli.simulate import simulate as simulate_command
from trimtab.config import load
from trimtab.domain.actions import ActionState as S
from trimtab.domain.errors import Conflict
from trimtab.domain.regulation import Move
from trimtab.loop.clocks import VirtualClock
from trimtab.storage.memory import MemoryJournal, MemoryMetricStore
from trimtab.systems.registry import registry

START = 1_000_000.0
YAML = """
version: 1
monitoring: {{interval_seconds: 20, analysis_interval_seconds: 20, optimization_interval_seconds: 60,
              execution_interval_seconds: 20}}
decision: {{verify_seconds: 100}}
corrective_action_cooldown_seconds: 300
safety: {{simulation_mode: {simulate}}}
api: {{enabled: false}}
{more}
elements:
  - name: web
    sensors: [{{type: plant}}]
    levers:
      - {{name: servers, type: plant, mode: {mode}, bounds: [1, 8], settle_seconds: 20, risk_level: 0.2, autonomy: {autonomy},
          moves: {{web_p95_seconds: down}}}}
      - {{name: cache, type: plant, bounds: [1, 9], settle_seconds: 20}}
    guards: [{{metric_name: web_error_ratio, max: 0.01}}]
goals: [{{metric_name: web_p95_seconds, target_value: 0.5, direction: minimize}}]
"""


class Web(Levered):
    """Servers of ten requests a second; `load` of seconds since the start. Errors where `spoils` says so of servers."""

    def __init__(self, load=lambda s: 15.0, spoils=lambda servers: False, seed=0):
        super().__init__(seed, servers=2, cache=5)
        self.load, self.spoils = load, spoils

    def step(self, now, dt):
        rate = self.load(self.since(now))
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
    return 15.0 if seconds < 1000 or seconds > 2500 else 45.0


def test_servers_follow_load_up_and_down_under_one_action(tmp_path):
    stage = Stage(tmp_path, Web(hill)).play(3500)
    assert stage.set_points == [6, 2]
    policies = [record for record in stage.agent.book.records if record.action.lever == "regulation"]
    assert [record.state for record in policies] == [S.KEPT]
    moves = stage.rows("move")
    assert [(row.data["from"], row.data["to"]) for row in moves] == [(2, 6), (6, 2)]
    assert {row.action_id for row in moves} == {policies[0].action_id}
    assert "45 requests a second" in moves[0].reason
    assert stage.policy["moves"] == 2 and stage.policy["set_points"] == {"web/servers": 2}
    assert asyncio.run(stage.stores.journal.verify()) > 0


def test_a_guard_that_a_move_breaks_undoes_the_policy_long_after_it_was_kept(tmp_path):
    """Six servers break something; the policy was kept a while before."""
    web = Web(lambda s: 15.0 if s < 2000 else 45.0, spoils=lambda servers: servers > 4)
    stage = Stage(tmp_path, web).play(2300)
    record = stage.record
    assert (record.state, web.levers["servers"]) == (S.ROLLED_BACK, 2)
    assert record.guard_breached == "guard:web:web_error_ratio:<=0.01"
    assert S.KEPT in [row.to_state for row in stage.rows("transition")]
    assert [row.data.get("undo", False) for row in stage.rows("move")] == [False, True]


def test_a_policy_that_is_older_than_the_journal_remembers_is_still_in_force_and_can_be_taken_back(tmp_path):
    stage = Stage(tmp_path, Web(lambda s: 15.0 if s < 2000 else 45.0)).play(2600)
    record, now = stage.record, stage.clock.now()
    assert (record.state, stage.set_points) == (S.KEPT, [6])
    for later in (1.0, 2.0):
        assert asyncio.run(stage.stores.journal.prune(now + later, at=now + later)) > 0
    again = stage.again(tmp_path)

    async def take_back(running):
        assert (running.record.action_id, running.policy["policy"], running.policy["moves"]) == (
            record.action_id,
            "predictive",
            1,
        )
        await running.agent.rollback_action(record.action_id, actor="ann")
        await running.go(60)

    again.play(300, take_back)
    assert (again.record.state, again.set_points) == (S.ROLLED_BACK, [6, 2])
    asyncio.run(stage.stores.journal.verify())


def test_a_guard_that_breaks_without_a_move_leaves_the_policy_alone(tmp_path):
    web = Web()
    web.spoils = lambda servers: web.began is not None and stage.clock.now() > START + 1500
    stage = Stage(tmp_path, web)
    stage.play(2000)
    assert stage.record.state is S.KEPT


def test_another_hand_is_yielded_to_within_a_cycle_and_not_fought(tmp_path):
    """A second controller wants four servers, always, and sets them every minute."""
    web = Web(hill)
    stage = Stage(tmp_path, web)

    async def second_controller(running):
        for _ in range(40):
            web.levers["servers"] = 4
            await running.go(60)

    stage.play(600, second_controller)
    assert len(stage.set_points) <= 2
    [row] = stage.rows("let_go")
    assert row.data["lever"] == "web/servers" and "leaves it alone for a day" in row.reason
    assert row.at <= START + 600 + 40
    assert list(stage.policy["left_to_others"]) == ["web/servers"]
    assert web.levers["servers"] == 4
    again = stage.again(tmp_path).play(600)  # a restart does not forget it
    assert len(again.set_points) <= 2 and list(again.policy["left_to_others"]) == ["web/servers"]


def test_after_a_day_alone_a_lever_is_taken_up_again(tmp_path):
    web = Web()
    stage = Stage(tmp_path, web)

    async def once(running):
        web.levers["servers"] = 5
        await running.go(100)
        running.clock.advance_to(running.clock.now() + 86_000)
        await running.go(250)
        assert web.sets == []
        await running.go(200)

    stage.play(600, once)
    assert stage.set_points == [2] and stage.policy["left_to_others"] == {}


@pytest.mark.parametrize("how", ["call", "file", "freeze"])
def test_what_holds_starts_holds_moves(tmp_path, how):
    file = tmp_path / "PAUSE"
    freeze = 'change_freezes: [{name: now, dates: ["1970-01-12"], start: "14:00", end: "14:25"}]'
    web = Web(lambda s: 15.0 if s < 1200 else 45.0)
    stage = Stage(tmp_path, web, pause_file=file, more=freeze if how == "freeze" else "")

    async def paused(running):
        if how == "call":
            await running.agent.pause("ann")
        elif how == "file":
            file.touch()
        await running.go(1400)
        assert web.sets == [] and running.policy["holding"]
        if how == "call":
            await running.agent.resume("ann")
        elif how == "file":
            file.unlink()
        await running.go(1500)
        assert running.set_points == [6] and running.policy["holding"] is None

    stage.play(900, paused)


def test_in_simulation_mode_nothing_is_set(tmp_path):
    web = Web(lambda s: 15.0 if s < 400 else 45.0)
    stage = Stage(tmp_path, web, simulate="true")
    stage.play(2000)
    assert web.sets == []
    assert stage.record.state is S.SIMULATED
    assert all(row.data["simulated"] for row in stage.rows("move"))


@pytest.mark.parametrize(("autonomy", "expected"), [("ask", [S.AWAITING_APPROVAL]), ("observe", [S.IGNORED])])
def test_a_person_is_asked_once_for_the_policy_or_never(tmp_path, autonomy, expected):
    web = Web(hill)
    stage = Stage(tmp_path, web, autonomy=autonomy)

    async def answer(running):
        assert [r.state for r in running.agent.book.records] == expected
        if autonomy == "ask":
            await running.agent.approve(running.record.action_id, actor="ann")
            await running.go(3000)
            assert running.set_points == [6, 2]
            assert len(running.agent.book.records) == 1

    stage.play(900, answer)


def test_a_person_takes_the_policy_back_and_the_levers_with_it(tmp_path):
    stage = Stage(tmp_path, Web(hill))

    async def undo(running):
        assert running.web.levers["servers"] == 6
        await running.agent.rollback_action(running.record.action_id, actor="ann")
        assert running.web.levers["servers"] == 2
        await running.go(600)
        assert running.record.state is S.ROLLED_BACK and running.web.levers["servers"] == 2

    stage.play(1500, undo)
    assert stage.policy["policy"] == "hold"


def test_a_kept_policy_goes_on_after_the_process_died_and_knows_its_snapshot(tmp_path):
    stage = Stage(tmp_path, Web(hill)).die_after(1500)
    again = stage.again(tmp_path)

    async def undo(running):
        assert running.policy["policy"] == "predictive" and running.policy["moves"] == 1
        await running.agent.rollback_action(running.record.action_id, actor="ann")

    again.play(100, undo)
    assert again.web.levers["servers"] == 2


def test_an_unproven_policy_is_taken_back_after_the_process_died(tmp_path):
    web = Web(lambda s: 15.0 if s < 130 else 45.0)
    stage = Stage(tmp_path, web).die_after(210)
    assert stage.record.state in (S.SETTLING, S.VERIFYING) and web.levers["servers"] == 6
    again = stage.again(tmp_path).play(60)
    assert web.levers["servers"] == 2
    assert again.agent.book.get(stage.record.action_id).state is S.ROLLED_BACK


class Killed(BaseException):
    """The process ends here."""


def deadly(stage, point):
    """Let the process die at this point of its first move."""
    book, levers, regulator = stage.agent.book, stage.agent.levers, stage.agent.regulation.regulators["web/regulation"]
    note, put, turn, stage.dead = book.note, levers.put, regulator.turn, False

    async def noting(kind, *rest, **more):
        if kind == "move" and point == "before the row":
            raise Killed
        await note(kind, *rest, **more)
        if kind == "move" and point == "after the row":
            raise Killed

    async def putting(lever_id, *rest, **more):
        await put(lever_id, *rest, **more)
        if lever_id == "web/servers":
            raise Killed

    async def turning():
        try:
            if not stage.dead:
                await turn()
        except Killed:
            stage.dead = True

    book.note, levers.put, regulator.turn = noting, putting, turning


async def until_dead(stage):
    await stage.agent.open()
    while not stage.dead:
        await stage.go(20)


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("point", ["before the row", "after the row", "after the set"])
def test_killed_at_any_point_of_a_move_the_next_start_knows_what_was_set(tmp_path, point, kept):
    rises = 1500.0 if kept else 150.0
    web = Web(lambda s: 15.0 if s < rises else 45.0)
    stage = Stage(tmp_path, web)
    deadly(stage, point)
    asyncio.run(until_dead(stage))
    assert web.levers["servers"] == (6 if point == "after the set" else 2)
    again = stage.again(tmp_path).play(150)
    if kept:
        assert web.levers["servers"] == 6 and again.policy["policy"] == "predictive"
        assert again.policy["left_to_others"] == {}
    else:
        assert web.levers["servers"] == 2
        assert again.agent.book.get(stage.record.action_id).state is S.ROLLED_BACK


def test_a_hand_that_wrote_while_the_agent_was_away_is_yielded_to(tmp_path):
    stage = Stage(tmp_path, Web(hill)).die_after(1500)
    stage.web.levers["servers"] = 3
    again = stage.again(tmp_path).play(100)
    assert again.web.levers["servers"] == 3 and list(again.policy["left_to_others"]) == ["web/servers"]


def test_a_policy_whose_levers_are_no_longer_regulated_is_let_go_and_said(tmp_path):
    stage = Stage(tmp_path, Web(hill)).play(1500)
    again = stage.again(tmp_path, mode="tuned").play(60)
    assert any("no longer regulated" in row.reason for row in again.rows("let_go"))
    assert again.web.levers["servers"] == 6 and again.agent.trouble is None
    back = again.again(tmp_path)  # regulated once more: the old policy is over, a new one has to be started

    async def look(running):
        assert running.policy["action_id"] not in (None, stage.record.action_id)

    back.play(400, look)


def test_a_policy_that_breaks_moves_nothing_and_is_said(tmp_path):
    class Broken:
        def next(self, view):
            raise ZeroDivisionError("no load")

    stage = Stage(tmp_path, Web(hill), policy=Broken).play(1000)
    assert stage.web.sets == [] and "ZeroDivisionError" in stage.policy["holding"]


def test_a_restless_policy_is_held_to_the_pace_of_its_lever(tmp_path):
    class Restless:
        def next(self, view):
            state = view.levers["web/servers"]
            wanted = (9, 2) if state.value == 3 else (3, 3)
            return [Move("web/servers", state.value, each, view.now, "") for each in wanted]

    stage = Stage(tmp_path, Web(), policy=Restless).play(700)
    at = [row.at for row in stage.rows("move") if not row.data.get("undo")]
    assert len(at) > 5 and min(b - a for a, b in pairwise(at)) >= 20.0
    assert 9 not in stage.set_points
    told = asyncio.run(stage.stores.journal.history(stage.record.action_id))
    assert sum(row.kind == "move" for row in told) <= 20 < len(stage.rows("move"))


class Giving:
    """Gives a server back whatever comes."""

    def next(self, view):
        state = view.levers["web/servers"]
        return [Move("web/servers", state.value, 1, view.now, "")] if state.value > 1 else []


@pytest.mark.parametrize(("rises_to", "ends"), [(15.0, S.ROLLED_BACK), (60.0, S.KEPT_ON_PROBATION)], ids=["as ever", "risen"])
def test_worse_is_the_policys_doing_only_where_load_is_what_it_was(tmp_path, rises_to, ends):
    """One server is too few for both; but of sixty requests a second nobody knows what two would have made of them."""
    stage = Stage(tmp_path, Web(lambda s: 15.0 if s < 180 else rises_to), policy=Giving).play(440)
    first = next(record for record in stage.agent.book.records if record.action.lever == "regulation")
    assert first.state is ends, first.reason
    said = first.verdict.reason if first.verdict is not None else first.reason
    assert ("beyond all that it was before" in said) is (ends is not S.ROLLED_BACK)


def test_a_lever_that_a_policy_moves_is_not_for_others_to_try(tmp_path):
    async def ask(running):
        with pytest.raises(Conflict, match="moved by the predictive policy of web"):
            await running.agent.submit("web/servers", 5, reason="to see", actor="ann")

    Stage(tmp_path, Web()).play(600, ask)


def test_a_policy_at_work_is_found_again_however_many_actions_came_after_it(tmp_path, monkeypatch):
    monkeypatch.setattr("trimtab.execute.book.REMEMBERED", 3)
    stage = Stage(tmp_path, Web(hill))

    async def many(running):
        book, record = running.agent.book, running.record
        for number in range(30):
            about = replace(record.action, action_id=f"other_{number}", lever="cache", created_at=running.clock.now() + number)
            other = await book.propose(about, None, running.clock.now())
            await book.move(other, S.IGNORED, "not worth it", running.clock.now())
        assert book.get(record.action_id).state is S.KEPT

    stage.play(1500, many)
    again = stage.again(tmp_path).play(100)
    assert again.policy["policy"] == "predictive" and again.policy["action_id"] == stage.record.action_id


def test_the_status_shows_the_policy_and_why_it_moved(tmp_path):
    stage = Stage(tmp_path, Web(hill)).play(1500)
    [shown] = stage.agent.get_status()["regulation"]
    assert (shown["policy"], shown["set_points"], shown["moves"]) == ("predictive", {"web/servers": 6}, 1)
    assert shown["last_moves"][0]["reason"] == "45 requests a second" and shown["last_moves"][0]["at"].endswith("Z")


def test_the_example_runs_against_the_web_cluster(capsys):
    example = Path(__file__).parents[2] / "examples" / "regulated.yaml"
    assert simulate_command(example, "web_cluster", 1800.0, seed=1, json=True) == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document["totals"]["moves"]) == {"web/servers", "web/dimmer"}
    [action] = document["actions"]
    assert action["parameters"]["lever"] == "web/regulation"
    assert sum(row["kind"] == "move" for row in action["transitions"]) == sum(document["totals"]["moves"].values()) > 0


def test_load_is_followed_during_a_trial_of_a_tuned_lever_which_is_then_undone_without_a_verdict(tmp_path):
    stage = Stage(tmp_path, Web(hill))

    async def tune(running):
        tuned = await running.agent.submit("web/cache", 7, reason="to see", actor="ann")
        await running.go(300)
        ended = running.agent.book.get(tuned.action_id)
        assert running.web.levers == {"servers": 6, "cache": 5}
        assert ended.state is S.ROLLED_BACK and ended.verdict is None
        assert "load had to be followed with web/servers" in ended.reason

    stage.play(960, tune)
