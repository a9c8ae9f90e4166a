"""A goal that is met and will be missed: acted on early, by levers whose effect is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plan.plan_world import GOAL, METRIC, goal_state, lever, situation, symptom
from trimtab.domain.levers import LeverSpec
from trimtab.plan import LeverSearch

KNOWN = LeverSpec("workers", "checkout", bounds=(1, 16), moves=((METRIC, "down"),))
UNKNOWN = LeverSpec("batch", "checkout", bounds=(1, 16))
SENTENCE = "checkout_p95_seconds 0.15 s will cross its goal of 0.2 s in 20 min (90 %: 15 min to 25 min)"


def foreseeing(spec: LeverSpec, said: str = SENTENCE):
    base = situation(lever(spec), current=0.15)
    state = replace(goal_state(0.15), foreseen=said)
    early = symptom(kind="forecast", evidence=SENTENCE, goal_id=GOAL.goal_id)
    return replace(base, analysis=replace(base.analysis, goals=(state,), symptoms=(early,)))


def test_a_lever_that_is_declared_to_help_is_proposed_before_the_goal_is_missed():
    (action,) = LeverSearch().propose(foreseeing(KNOWN))
    assert action.to_value > action.from_value
    assert action.trigger.startswith(SENTENCE)


@pytest.mark.parametrize(("spec", "said"), [(UNKNOWN, SENTENCE), (KNOWN, "")], ids=["an unknown effect", "nothing foreseen"])
def test_nothing_is_tried_out_on_a_goal_that_is_met(spec, said):
    assert not LeverSearch().propose(foreseeing(spec, said))
