"""When the policy of regulated levers is proposed, and which."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plan.plan_world import GOAL, METRIC, NOW, OK, STALE
from trimtab.domain.actions import ActionRecord, ActionState, Choice
from trimtab.domain.goals import Analysis, GoalState
from trimtab.domain.levers import LeverKind, LeverSpec, Mode
from trimtab.domain.regulation import HOLD, POLICIES, PREDICTIVE, REACTIVE
from trimtab.domain.situation import LeverState, Situation
from trimtab.learn import Beliefs
from trimtab.plan import PolicyStart, make_plan

SERVERS = LeverSpec("servers", "checkout", bounds=(1, 3), mode=Mode.REGULATED)
POLICY = LeverSpec("regulation", "checkout", LeverKind.CHOICE, choices=POLICIES, mode=Mode.REGULATED,
                   governs=("checkout/servers",), risk_level=0.2)  # fmt: skip
MET = GoalState(GOAL, "checkout", 0.1, 0.1, True, 1.0, 0.0, OK)


def situation(value=HOLD, servers=None, goals=(MET,), records=()):
    servers = servers or LeverState(SERVERS, 2, OK, NOW)
    levers = {"checkout/servers": servers, "checkout/regulation": LeverState(POLICY, value, OK, NOW)}
    return Situation(NOW, Analysis(NOW, goals), levers, tuple(records))


def tried(policy, ago=4000.0, **about):
    [action] = PolicyStart().propose(situation())
    action = replace(action, action_id=f"{policy}_{ago}", to_value=policy, created_at=NOW - ago)
    then = {"executed_at": NOW - ago, "ended_at": NOW - ago, "acknowledged": True}
    return ActionRecord(action, ActionState.ROLLED_BACK, NOW - ago, "", **then, **about)


def test_a_policy_is_started_though_every_goal_is_met():
    plan = make_plan(situation(), [PolicyStart()], Beliefs())
    [(action, decision)] = plan.decided
    assert (action.lever_id, action.from_value, action.to_value) == ("checkout/regulation", HOLD, PREDICTIVE)
    assert (action.metric_name, decision.choice) == (METRIC, Choice.ACT)


@pytest.mark.parametrize(
    "world",
    [
        situation(value=REACTIVE),
        situation(goals=()),
        situation(servers=LeverState(SERVERS, None, STALE, NOW)),
        situation(servers=LeverState(SERVERS, 2, OK, NOW, left_until=NOW + 60.0)),
        situation(servers=LeverState(SERVERS, 2, OK, NOW, frozen="a rollback failed")),
    ],
    ids=["at work", "nothing to judge it by", "unreadable", "left to another hand", "frozen"],
)
def test_it_is_not_started_where_nothing_could_be_moved_or_judged(world):
    assert PolicyStart().propose(world) == []


def test_after_harm_the_other_policy_has_its_turn_and_after_both_none():
    harmed = tried(PREDICTIVE, guard_breached="guard")
    [action] = PolicyStart().propose(situation(records=[harmed]))
    assert action.to_value == REACTIVE
    assert PolicyStart().propose(situation(records=[harmed, tried(REACTIVE, ago=3000.0, guard_breached="guard")])) == []


def test_of_two_that_were_undone_the_older_is_tried_again():
    records = [tried(PREDICTIVE, ago=9000.0), tried(REACTIVE, ago=5000.0)]
    assert PolicyStart().propose(situation(records=records))[0].to_value == PREDICTIVE


def test_the_goal_that_judges_is_the_elements_own():
    other = replace(MET, goal=replace(GOAL, metric_name="other_seconds", weight=9.0), element="search")
    assert PolicyStart().propose(situation(goals=(other, MET)))[0].goal_id == GOAL.goal_id
    assert PolicyStart().propose(situation(goals=(other,)))[0].goal_id == other.goal.goal_id
