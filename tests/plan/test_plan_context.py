"""Which context a proposal gets, and that rivals are ordered by what is hoped of them in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plan.plan_world import COLD, NOW, Believing, Proposing, action, situation
from trimtab.domain.actions import Choice
from trimtab.domain.contexts import Context, hour_of
from trimtab.plan import make_plan
from trimtab.plan.context import context_of


def test_a_plan_gives_every_proposal_its_context():
    world = replace(situation(), loads={"checkout": "high"})
    plan = make_plan(world, [Proposing(action())], Believing())
    ((proposed, _),) = plan.decided
    assert proposed.context == Context("high", hour_of(NOW), "far", "low")
    assert proposed.context.load == "high" and proposed.context.hour == hour_of(NOW)


def test_what_cannot_be_told_is_left_unknown():
    world = situation()
    unknown = context_of(action(goal_id="goal:none"), replace(world, levers={}))
    assert unknown == Context(hour=hour_of(NOW))


@pytest.mark.parametrize(("hopes", "first"), [((0.3, 0.2), "a_set"), ((0.2, 0.3), "b_set"), ((None, 0.3), "b_set")])
def test_rivals_of_one_priority_are_ordered_by_hope(hopes, first):
    beliefs = Believing(a_set=replace(COLD, hope=hopes[0]), b_set=replace(COLD, hope=hopes[1]))
    rivals = [action(action_type=name, action_id=name) for name in ("a_set", "b_set")]
    plan = make_plan(situation(), [Proposing(*rivals)], beliefs)
    assert plan.decided[0][0].action_type == first


def test_no_hope_brings_a_rival_past_the_rules_on_risk():
    """Most is hoped of what does harm too often: it stands first, and the one behind it is what is done."""
    harmful = replace(COLD, improvement=0.25, p_success=0.5, p_harm_high=0.95, trials=9, successes=4, hope=0.9)  # 0.125 - 0.1425
    careful = replace(COLD, improvement=0.2, p_success=0.8, trials=9, successes=7, hope=0.2)
    rivals = [action(action_type=name, action_id=name, risk_level=0.3) for name in ("a_set", "b_set")]
    plan = make_plan(situation(), [Proposing(*rivals)], Believing(a_set=harmful, b_set=careful))
    assert [(one.action_type, decision.choice) for one, decision in plan.decided] == [
        ("a_set", Choice.IGNORE),
        ("b_set", Choice.ACT),
    ]
