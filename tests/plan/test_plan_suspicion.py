"""Between equal levers the one of the suspected element goes first; a better one still goes before it."""

from __future__ import annotations

from dataclasses import replace

from plan.plan_world import METRIC, Believing, action, lever, situation, symptom
from trimtab.domain.diagnosis import Cause, Diagnosis
from trimtab.domain.levers import LeverSpec
from trimtab.plan import LeverSearch
from trimtab.plan.history import History
from trimtab.plan.ordering import in_order

MINE = LeverSpec("workers", "checkout", bounds=(1, 16), moves=((METRIC, "down"),))
THEIRS = LeverSpec("pool", "zdatabase", bounds=(1, 16), moves=((METRIC, "down"),))


def suspecting(element: str):
    base = situation(lever(MINE), lever(THEIRS))
    found = Diagnosis(symptom().symptom_id, base.now, (Cause(element, METRIC, 0.8, ("latency doubled",)),))
    return replace(base, analysis=replace(base.analysis, diagnoses=(found,)))


def first(where, **changes) -> str:
    mine = action(element="checkout", lever="workers")
    theirs = action(element="zdatabase", lever="pool", action_id="pool_1", **changes)
    history = History.of(where)
    return in_order([(mine, None), (theirs, None)], where, history, Believing())[0][0].element


def test_the_suspected_element_goes_first_between_equals():
    assert first(suspecting("zdatabase")) == "zdatabase"
    assert first(suspecting("checkout")) == "checkout"


def test_a_lower_risk_still_goes_before_a_suspicion():
    assert first(suspecting("checkout"), risk_level=0.1) == "zdatabase"


def test_the_diagnosis_stands_in_the_trigger():
    proposals = LeverSearch().propose(suspecting("zdatabase"))
    assert proposals
    assert all("likely cause: zdatabase (80 %): latency doubled" in one.trigger for one in proposals)
