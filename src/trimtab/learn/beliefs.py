"""Fold verified outcomes into beliefs. Called by the agent once an action ends; `plan` reads the result through `BeliefView`.

Each (action type, element) has three conjugate posteriors, so that the order in which outcomes arrive does not matter:

    success      Beta,   prior of 2 pseudo-trials at the action's own success probability
    harm         Beta,   prior Beta(1, 9): a tenth of all changes, held with the weight of ten trials
    improvement  Normal–Gamma, prior of 2 pseudo-trials at the action's expected improvement, spread as wide as itself

The same type on other elements lends at most two pseudo-trials: a hint, soon outweighed by what is seen here.
Murphy (2007), "Conjugate Bayesian analysis of the Gaussian distribution", eqs. 85-89 and 100 (marginal of the mean).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite, sqrt

from trimtab.domain.actions import OptimizationAction, Outcome
from trimtab.domain.beliefs import Belief
from trimtab.domain.verdicts import VerdictStatus
from trimtab.learn.beta import beta_quantile, student_quantile

Key = tuple[str, str]  # action type, element

PRIOR_TRIALS = 2.0  # weight of the declared priors of success and improvement: the third real trial outweighs them
HARM_PRIOR = (1.0, 9.0)  # harmed, unharmed
LENT_TRIALS = 2.0  # the most that other elements add together
CONFIDENCE = 0.9  # one-sided, of every bound
RECENT = 8  # outcomes remembered one by one, for runs of failures; planning looks no further than four
SMALLEST_SPREAD = 0.05  # relative effects are not known more finely than that beforehand


@dataclass(frozen=True, slots=True)
class Tally:
    """Sufficient statistics of one action type on one element."""

    trials: float = 0.0
    successes: float = 0.0
    harms: float = 0.0
    effects: float = 0.0  # how many effects are in the two sums
    effect_sum: float = 0.0
    effect_squares: float = 0.0
    recent: tuple[tuple[float, str, bool], ...] = ()  # the latest (at, action id, success), oldest first

    def counted(self, outcome: Outcome) -> bool:
        """Whether this very outcome is already in: after a crash it may be told twice."""
        return any(action_id == outcome.action_id for _, action_id, _ in self.recent)

    def plus(self, outcome: Outcome) -> Tally:
        """The tally with one more outcome."""
        success = outcome.status is VerdictStatus.IMPROVED and not outcome.harmed
        effect = _credited_effect(outcome)
        known = effect is not None
        effect = effect if effect is not None else 0.0
        return Tally(
            self.trials + 1,
            self.successes + success,
            self.harms + (outcome.harmed or outcome.status is VerdictStatus.WORSE),
            self.effects + known,
            self.effect_sum + effect,
            self.effect_squares + effect * effect,
            tuple(sorted((*self.recent, (outcome.at, outcome.action_id, success)))[-RECENT:]),
        )

    @property
    def consecutive_failures(self) -> int:
        """How many of the latest outcomes in a row were no success."""
        run = 0
        for _, _, success in reversed(self.recent):
            if success:
                break
            run += 1
        return run


def _credited_effect(outcome: Outcome) -> float | None:
    """What an outcome says about the size of the effect: nothing proven is zero, an estimate that is missing says nothing."""
    if outcome.status is VerdictStatus.INCONCLUSIVE:
        return 0.0
    if outcome.effect is None or not isfinite(outcome.effect):
        return None
    if outcome.harmed and outcome.status is VerdictStatus.IMPROVED:
        return 0.0  # bought with a breached guard: not to be had
    return outcome.effect


@dataclass(frozen=True)
class Beliefs:
    """All beliefs, as a value: `updated` returns a new one. Answers `BeliefView`.

    >>> Beliefs.from_outcomes([]).trials
    0
    """

    tallies: Mapping[Key, Tally] = field(default_factory=dict)

    @classmethod
    def from_outcomes(cls, outcomes: Iterable[Outcome]) -> Beliefs:
        """Beliefs from everything the journal holds, in whatever order it is given."""
        tallies: dict[Key, Tally] = {}
        for outcome in outcomes:
            _add(tallies, outcome)
        return cls(tallies)

    def updated(self, outcome: Outcome) -> Beliefs:
        """These beliefs with one more outcome; the same action's outcome counts once."""
        tallies = dict(self.tallies)
        _add(tallies, outcome)
        return replace(self, tallies=tallies)

    @property
    def trials(self) -> int:
        """How many outcomes these beliefs rest on."""
        return int(sum(tally.trials for tally in self.tallies.values()))

    def of(self, action: OptimizationAction) -> Belief:
        """The posterior for the action's type on its element, from the action's own priors where nothing is known."""
        own = self.tallies.get((action.action_type, action.element), Tally())
        pool = _pool(own, self._lent(action))
        success_a, success_b = _success_posterior(action, pool)
        harm_a, harm_b = HARM_PRIOR[0] + pool.harms, HARM_PRIOR[1] + pool.trials - pool.harms
        improvement, improvement_low = _improvement_posterior(action, pool)
        p_success = success_a / (success_a + success_b)
        return Belief(
            p_success=p_success,
            # where nearly all mass is at 1, the mean lies below the quantile
            p_success_low=min(p_success, beta_quantile(1.0 - CONFIDENCE, success_a, success_b)),
            improvement=improvement,
            improvement_low=improvement_low,
            p_harm=harm_a / (harm_a + harm_b),
            p_harm_high=beta_quantile(CONFIDENCE, harm_a, harm_b),
            trials=int(own.trials),
            successes=int(own.successes),
            consecutive_failures=own.consecutive_failures,
            last_at=own.recent[-1][0] if own.recent else None,
        )

    def _lent(self, action: OptimizationAction) -> Tally:
        """What the same type on other elements adds, scaled down to `LENT_TRIALS`. Sorted: sums must not depend on order."""
        others = [self.tallies[key] for key in sorted(self.tallies) if key[0] == action.action_type and key[1] != action.element]
        total = Tally()
        for tally in others:
            total = _pool(total, tally)
        weight = min(1.0, LENT_TRIALS / total.trials) if total.trials else 0.0
        return Tally(
            total.trials * weight,
            total.successes * weight,
            total.harms * weight,
            total.effects * weight,
            total.effect_sum * weight,
            total.effect_squares * weight,
        )


def _add(tallies: dict[Key, Tally], outcome: Outcome) -> None:
    key = (outcome.action_type, outcome.element)
    tally = tallies.get(key, Tally())
    if not tally.counted(outcome):
        tallies[key] = tally.plus(outcome)


def _pool(a: Tally, b: Tally) -> Tally:
    return Tally(
        a.trials + b.trials,
        a.successes + b.successes,
        a.harms + b.harms,
        a.effects + b.effects,
        a.effect_sum + b.effect_sum,
        a.effect_squares + b.effect_squares,
    )


def _success_posterior(action: OptimizationAction, tally: Tally) -> tuple[float, float]:
    prior = min(max(action.success_probability, 0.01), 0.99)  # certainty is no prior: no evidence could move it
    return PRIOR_TRIALS * prior + tally.successes, PRIOR_TRIALS * (1.0 - prior) + tally.trials - tally.successes


def _improvement_posterior(action: OptimizationAction, tally: Tally) -> tuple[float, float]:
    """Mean and lower bound of the improvement: Normal–Gamma with κ0 = 2, α0 = 1, β0 = α0 σ0²; the mean is Student t (2α)."""
    prior, n = action.expected_improvement, tally.effects
    spread = max(abs(prior), SMALLEST_SPREAD)
    kappa, alpha = PRIOR_TRIALS + n, 1.0 + 0.5 * n
    mean = (PRIOR_TRIALS * prior + tally.effect_sum) / kappa
    beta = spread * spread
    if n > 0.0:
        seen = tally.effect_sum / n
        scatter = max(0.0, tally.effect_squares - n * seen * seen)
        beta += 0.5 * scatter + 0.5 * PRIOR_TRIALS * n * (seen - prior) ** 2 / kappa
    return mean, mean + student_quantile(1.0 - CONFIDENCE, 2.0 * alpha) * sqrt(beta / (alpha * kappa))
