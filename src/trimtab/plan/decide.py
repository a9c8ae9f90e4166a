"""Decide whether one proposal is worth carrying out: act, ask a person, or ignore. Called by the planner for every proposal.

    expected value = expected improvement × P(success)
    score          = expected value − 0.5 × risk × P(harm)          P(harm) = 1 for what is irreversible

The improvement is that of a success: failures count once, in P(success). They bring nothing, for what fails is undone.
The rules stand in `decide` in the order in which they apply. What is right in principle but must wait is not decided here: see
`plan.guards`. Why the penalty is weighted by the odds of harm: docs/decisions/0001-risk-penalty.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from trimtab.domain.actions import Choice, Decision, OptimizationAction
from trimtab.domain.beliefs import Belief
from trimtab.domain.levers import ActionPriority, Autonomy, Reversibility
from trimtab.plan.settings import (
    ASK_ABOVE_RISK,
    FORGIVEN_AFTER,
    PATIENCE,
    RISK_PENALTY,
    SAFE_RISK,
    TOLERANCE,
    PlanSettings,
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """The numbers that a decision rests on, and in a few words where they come from."""

    improvement: float
    p_success: float
    p_harm: float
    penalty: float  # what score takes off the expected value
    basis: str

    @property
    def expected_value(self) -> float:
        """Expected improvement × P(success)."""
        return self.improvement * self.p_success

    @property
    def score(self) -> float:
        """The expected value after the risk penalty."""
        return self.expected_value - self.penalty

    def falls_short(self, settings: PlanSettings) -> str | None:
        """Why the action is not worth it; None where it is."""
        if self.expected_value < settings.min_improvement_threshold - TOLERANCE:
            product = f"improvement {self.improvement:.3f} × P(success) {self.p_success:.2f}"
            least = f"min_improvement_threshold {settings.min_improvement_threshold:g}"
            return f"its expected value of {self.expected_value:.3f} ({product} {self.basis}) is below {least}"
        if self.score <= TOLERANCE:
            return (
                f"its score of {self.score:.3f} is not above zero (expected value {self.expected_value:.3f} − "
                f"risk penalty {self.penalty:.3f} {self.basis})"
            )
        return None

    def decision(self, choice: Choice, reason: str, *, exploratory: bool = False) -> Decision:
        """The decision that rests on these numbers."""
        return Decision(choice, reason, self.expected_value, self.score, self.p_success, self.p_harm, exploratory)


def decide(action: OptimizationAction, belief: Belief, settings: PlanSettings, *, autonomy: Autonomy = Autonomy.ACT) -> Decision:
    """What is to become of `action`, with the numbers and the sentence. `autonomy` is that of its lever.

    A person is asked about what is critical, risky or irreversible, whatever it promises; everything else has to be worth it.
    """
    means = _estimate(action, belief, settings)
    if autonomy is Autonomy.OBSERVE:
        return means.decision(Choice.IGNORE, "its lever is only watched: autonomy observe")
    if (why := _must_ask(action, settings)) is not None:
        return means.decision(Choice.ASK, f"{why}; {_worth(means)}", exploratory=not belief.proven)
    if action.risk_level > settings.max_risk_threshold + TOLERANCE:
        limit = f"max_risk_threshold {settings.max_risk_threshold:g}"
        return means.decision(Choice.IGNORE, f"its risk of {action.risk_level:.2f} is above {limit}")
    if autonomy is Autonomy.ASK or not settings.enable_automatic_actions:
        return _decide_for_a_person(action, belief, settings, means)
    if action.risk_level <= SAFE_RISK + TOLERANCE:
        return _decide_safe(action, belief, settings)
    return _decide_medium(action, belief, settings)


def _must_ask(action: OptimizationAction, settings: PlanSettings) -> str | None:
    """Why no promise could let this action run by itself; None where it might."""
    if action.priority is ActionPriority.CRITICAL and settings.require_approval_for_critical:
        return "its priority is critical"
    if action.risk_level > ASK_ABOVE_RISK + TOLERANCE:
        return f"its risk of {action.risk_level:.2f} is above {ASK_ABOVE_RISK:g}"
    if action.reversibility is Reversibility.IRREVERSIBLE:
        return "it cannot be taken back"
    return None


def _decide_for_a_person(action: OptimizationAction, belief: Belief, settings: PlanSettings, means: Estimate) -> Decision:
    """The operator wants to be asked. Once trials have used up the patience, what is asked must be worth it like all else."""
    if not _patient(action, belief) and (short := means.falls_short(settings)) is not None:
        return means.decision(Choice.IGNORE, short)
    why = f"the autonomy of {action.lever_id} is ask" if settings.enable_automatic_actions else "automatic actions are off"
    return means.decision(Choice.ASK, f"{why}; {_worth(means)}", exploratory=not belief.proven)


def _decide_safe(action: OptimizationAction, belief: Belief, settings: PlanSettings) -> Decision:
    """Risk up to 0.3 and not irreversible: may be tried unproven, with the odds of harm at their upper bound."""
    estimate = _estimate(action, belief, settings, harm_bound=True)
    if (short := estimate.falls_short(settings)) is not None:
        return estimate.decision(Choice.IGNORE, short)
    if belief.proven:
        return estimate.decision(Choice.ACT, f"{_record(belief)}; {_worth(estimate)}")
    why = f"unproven, but its risk of {action.risk_level:.2f} is low and it can be taken back"
    return estimate.decision(Choice.ACT, f"{why}; {_worth(estimate)}", exploratory=True)


def _decide_medium(action: OptimizationAction, belief: Belief, settings: PlanSettings) -> Decision:
    """Risk above 0.3: runs by itself only where even the lower bound of what was verified is worth it; else a person is asked."""
    means = _estimate(action, belief, settings)
    if (short := means.falls_short(settings)) is not None:
        return means.decision(Choice.IGNORE, short)
    if not belief.proven:
        why = f"unproven, and its risk of {action.risk_level:.2f} is above {SAFE_RISK:g}"
        return means.decision(Choice.ASK, f"{why}; {_worth(means)}", exploratory=True)
    bounds = _lower_bounds(action, belief, settings)
    if (short := bounds.falls_short(settings)) is not None:
        return means.decision(Choice.ASK, f"{_record(belief)}, not yet enough at a risk of {action.risk_level:.2f}: {short}")
    return bounds.decision(Choice.ACT, f"{_record(belief)}; {_worth(bounds)}")


def _estimate(action: OptimizationAction, belief: Belief, settings: PlanSettings, *, harm_bound: bool = False) -> Estimate:
    """Means: the declared priors while nothing is verified and patience lasts, then what was learned."""
    harm = belief.p_harm_high if harm_bound else belief.p_harm
    if _patient(action, belief):
        numbers, basis = (action.expected_improvement, action.success_probability), "by the declared priors"
    else:
        numbers, basis = (belief.improvement, belief.p_success), f"by what was learned in {_count(belief.trials, 'trial')}"
    return _with_penalty(action, settings, *numbers, harm, basis)


def _lower_bounds(action: OptimizationAction, belief: Belief, settings: PlanSettings) -> Estimate:
    improvement = max(0.0, belief.improvement_low)  # two negative bounds must not multiply into a promise
    return _with_penalty(action, settings, improvement, belief.p_success_low, belief.p_harm_high, "at the lower bounds")


def _with_penalty(
    action: OptimizationAction, settings: PlanSettings, improvement: float, p_success: float, p_harm: float, basis: str
) -> Estimate:
    harm = 1.0 if action.reversibility is Reversibility.IRREVERSIBLE else p_harm
    odds = 1.0 if settings.risk_model == "fixed" else harm
    return Estimate(improvement, p_success, harm, RISK_PENALTY * action.risk_level * odds, basis)


def _patient(action: OptimizationAction, belief: Belief) -> bool:
    """Whether an unproven action is still judged by its declared priors: few failures in a row, or none lately."""
    if belief.proven:
        return False
    lately = belief.last_at is not None and action.created_at - belief.last_at < FORGIVEN_AFTER
    return belief.consecutive_failures < PATIENCE or not lately


def _worth(estimate: Estimate) -> str:
    return f"expected value {estimate.expected_value:.3f}, score {estimate.score:.3f} {estimate.basis}"


def _record(belief: Belief) -> str:
    return f"{belief.successes} of {_count(belief.trials, 'trial')} verified"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
