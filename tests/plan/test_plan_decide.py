"""The decision table, written out: who may be moved without a person, who is asked about, who is left alone, and why."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from plan.plan_world import COLD, GOOD, NOW, action
from trimtab.domain.actions import Choice, Decision
from trimtab.domain.levers import ActionPriority, Autonomy, Reversibility
from trimtab.plan import PlanSettings, decide

ACT, ASK, IGNORE = Choice.ACT, Choice.ASK, Choice.IGNORE
REV, TRA, IRR = Reversibility.REVERSIBLE, Reversibility.TRANSIENT, Reversibility.IRREVERSIBLE


def decided(risk=0.3, priority="medium", reversibility=REV, autonomy="act", automatic=True, belief=COLD, **rest) -> Decision:
    settings = PlanSettings(enable_automatic_actions=automatic, **rest.pop("settings", {}))
    proposal = action(risk_level=risk, priority=ActionPriority(priority), reversibility=reversibility, **rest)
    return decide(proposal, belief, settings, autonomy=Autonomy(autonomy))


# risk, priority, reversibility, autonomy, automatic → cold, proven
TABLE = [
    # what is safe runs by itself, cold or proven, at every priority but critical
    (0.2, "low", REV, "act", True, ACT, ACT),
    (0.2, "high", REV, "act", True, ACT, ACT),
    (0.3, "low", REV, "act", True, ACT, ACT),
    (0.3, "medium", REV, "act", True, ACT, ACT),
    (0.3, "high", REV, "act", True, ACT, ACT),
    (0.3, "medium", TRA, "act", True, ACT, ACT),
    # critical asks
    (0.2, "critical", REV, "act", True, ASK, ASK),
    (0.5, "critical", REV, "act", True, ASK, ASK),
    (0.7, "critical", TRA, "act", True, ASK, ASK),
    (0.8, "critical", REV, "act", True, ASK, ASK),
    # medium risk asks until it is proven
    (0.5, "low", REV, "act", True, ASK, ACT),
    (0.5, "medium", TRA, "act", True, ASK, ACT),
    (0.5, "high", REV, "act", True, ASK, ACT),
    (0.7, "low", REV, "act", True, ASK, ACT),
    (0.7, "medium", REV, "act", True, ASK, ACT),
    (0.7, "high", TRA, "act", True, ASK, ACT),
    # high risk always asks
    (0.8, "low", REV, "act", True, ASK, ASK),
    (0.8, "medium", TRA, "act", True, ASK, ASK),
    (0.8, "high", REV, "act", True, ASK, ASK),
    # so does what cannot be taken back
    (0.2, "low", IRR, "act", True, ASK, ASK),
    (0.5, "medium", IRR, "act", True, ASK, ASK),
    (0.8, "high", IRR, "act", True, ASK, ASK),
    # the operator's switches are ceilings
    (0.2, "low", REV, "ask", True, ASK, ASK),
    (0.5, "high", REV, "ask", True, ASK, ASK),
    (0.3, "medium", REV, "act", False, ASK, ASK),
    (0.7, "medium", REV, "act", False, ASK, ASK),
    (0.2, "low", REV, "observe", True, IGNORE, IGNORE),
    (0.3, "critical", REV, "observe", True, IGNORE, IGNORE),
    (0.8, "high", IRR, "observe", False, IGNORE, IGNORE),
]


@pytest.mark.parametrize(("risk", "priority", "reversibility", "autonomy", "automatic", "cold", "proven"), TABLE)
def test_table(risk, priority, reversibility, autonomy, automatic, cold, proven):
    assert decided(risk, priority, reversibility, autonomy, automatic, COLD).choice is cold
    assert decided(risk, priority, reversibility, autonomy, automatic, GOOD).choice is proven


EVERYTHING = list(product((0.2, 0.3, 0.5, 0.7, 0.8), ActionPriority, Reversibility, Autonomy, (True, False), (COLD, GOOD)))


@pytest.mark.parametrize(("risk", "priority", "reversibility", "autonomy", "automatic", "belief"), EVERYTHING)
def test_nothing_runs_by_itself_that_must_not(risk, priority, reversibility, autonomy, automatic, belief):
    decision = decided(risk, priority, reversibility, autonomy, automatic, belief)
    allowed = autonomy is Autonomy.ACT and automatic and priority is not ActionPriority.CRITICAL and reversibility is not IRR
    unproven = belief is COLD and risk > 0.3
    assert (decision.choice is ACT) == (allowed and risk <= 0.7 and not unproven)
    assert (decision.choice is IGNORE) == (autonomy is Autonomy.OBSERVE)
    assert decision.reason and decision.p_harm == (1.0 if reversibility is IRR else decision.p_harm)


@pytest.mark.parametrize(
    ("case", "choice", "words"),
    [
        ({"autonomy": "observe"}, IGNORE, "only watched"),
        ({"priority": "critical"}, ASK, "its priority is critical"),
        ({"risk": 0.8}, ASK, "its risk of 0.80 is above 0.7"),
        ({"reversibility": IRR}, ASK, "cannot be taken back"),
        ({"risk": 0.6, "settings": {"max_risk_threshold": 0.5}}, IGNORE, "its risk of 0.60 is above max_risk_threshold 0.5"),
        ({"risk": 0.8, "settings": {"max_risk_threshold": 0.5}}, ASK, "above 0.7"),
        ({"risk": 0.8, "settings": {"max_risk_threshold": 0.9}}, ASK, "above 0.7"),
        ({"automatic": False}, ASK, "automatic actions are off"),
        ({"autonomy": "ask"}, ASK, "autonomy of checkout/workers is ask"),
        ({"expected_improvement": 0.09}, IGNORE, "below min_improvement_threshold 0.05"),
        (
            {"risk": 0.7, "expected_improvement": 0.1, "belief": replace(COLD, p_harm=0.2)},
            IGNORE,
            "its score of -0.020 is not above zero",
        ),
        ({"risk": 0.5}, ASK, "unproven, and its risk of 0.50 is above 0.3; expected value 0.050"),
        ({}, ACT, "unproven, but its risk of 0.30 is low and it can be taken back; expected value 0.050, score 0.016 by the"),
        ({"belief": GOOD}, ACT, "4 of 4 trials verified"),
    ],
)
def test_every_rule_says_why(case, choice, words):
    decision = decided(**case)
    assert decision.choice is choice
    assert words in decision.reason.replace("−", "-")


def test_critical_may_run_where_the_operator_said_so():
    assert decided(priority="critical", settings={"require_approval_for_critical": False}).choice is ACT


def test_the_prior_exactly_on_the_threshold_is_worth_a_trial():
    decision = decided(expected_improvement=0.1, success_probability=0.5)
    assert decision.expected_value == pytest.approx(0.05)
    assert decision.score == pytest.approx(0.05 - 0.5 * 0.3 * 0.2257)
    assert decision.exploratory


@pytest.mark.parametrize(
    ("improvement", "risk", "model", "choice"),
    [(0.15, 0.3, "odds", ACT), (0.15, 0.3, "fixed", IGNORE), (0.7, 0.3, "fixed", ACT), (0.3, 0.3, "fixed", IGNORE)],
    ids=["odds", "fixed-penalty-eats-it", "fixed-but-large", "fixed-exactly-zero"],
)
def test_risk_model(improvement, risk, model, choice):
    assert decided(risk, expected_improvement=improvement, settings={"risk_model": model}).choice is choice


def failures(count: int, *, at: float = NOW - 1000, harms: int = 0) -> object:
    harm = (1 + harms) / (10 + count)
    return replace(
        COLD,
        p_success=1 / (2 + count),
        improvement=0.2 / (2 + count),
        p_harm=harm,
        p_harm_high=min(1.0, 2 * harm),
        trials=count,
        consecutive_failures=count,
        last_at=at,
    )


@pytest.mark.parametrize(
    ("belief", "autonomy", "choice"),
    [
        (failures(1), "act", ACT),
        (failures(2), "act", ACT),
        (failures(3), "act", IGNORE),
        (failures(3), "ask", IGNORE),
        (failures(2), "ask", ASK),
        (failures(5, at=NOW - 90_000), "act", ACT),
        (failures(2, harms=2), "act", IGNORE),
    ],
    ids=["one", "two", "three", "three-not-asked-again", "two-asked", "forgiven-after-a-day", "harm-counts-at-once"],
)
def test_patience_with_failures(belief, autonomy, choice):
    assert decided(belief=belief, autonomy=autonomy).choice is choice


def test_medium_risk_is_decided_at_the_lower_bounds_and_asks_where_they_do_not_reach():
    barely = replace(GOOD, p_success_low=0.3, improvement_low=0.1, successes=1, trials=1)
    decision = decided(0.5, belief=barely)
    assert decision.choice is ASK and "1 of 1 trial verified, not yet enough" in decision.reason
    acting = decided(0.5, belief=GOOD)
    assert acting.expected_value == pytest.approx(0.2 * 0.6) and acting.p_harm == 0.15


def test_two_negative_bounds_do_not_make_a_promise():
    decision = decided(0.5, belief=replace(GOOD, improvement_low=-0.9))
    assert decision.choice is ASK


def test_a_first_verified_success_never_makes_a_safe_action_less_welcome():
    once = replace(COLD, p_success=0.67, p_success_low=0.32, improvement=0.17, improvement_low=0.01, trials=1, successes=1)
    assert decided(belief=once).choice is ACT
