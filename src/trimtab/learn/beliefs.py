"""Fold verified outcomes into beliefs. Called by the loop once an action ends; `plan` reads the result through `BeliefView`.

Each (action type, element) has a `Past`, which keeps apart the contexts that matter and lets go of what is over. On it stand

    success      Beta,   prior of 2 pseudo-trials at the action's own success probability
    harm         Beta,   prior Beta(1, 9): a tenth of all changes, held with the weight of ten trials
    improvement  of a success: Normal–Gamma, prior of 2 pseudo-trials at the action's expected improvement, as wide as itself

The expected gain of an action is improvement × P(success): what fails is undone and brings nothing. Failures are in P(success)
alone, and not in the improvement as well; what they cost is in P(harm).

The same type on other elements lends as many pseudo-trials as the elements are alike: two until that can be told (`lending`).
Murphy (2007), "Conjugate Bayesian analysis of the Gaussian distribution", eqs. 85-89 and 100 (marginal of the mean).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite, sqrt

from trimtab.domain.actions import OptimizationAction, Outcome
from trimtab.domain.beliefs import Belief
from trimtab.domain.contexts import FACTS, Context
from trimtab.domain.verdicts import VerdictStatus
from trimtab.learn.beta import student_quantile
from trimtab.learn.lending import lent
from trimtab.learn.mixture import CURIOSITY, NEGLIGIBLE, Mixture
from trimtab.learn.regimes import ONE_FACT, Labels, Past, Prior
from trimtab.learn.tally import EMPTY, Tally

Key = tuple[str, str]  # action type, element
Question = tuple[str, str, Context, float, float]  # all of an action that a belief depends on

PRIOR_TRIALS = 2.0  # weight of the declared priors of success and improvement: the third real trial outweighs them
HARM_PRIOR = (1.0, 9.0)  # harmed, unharmed
CONFIDENCE = 0.9  # one-sided, of every bound; two-sided, of the interval
RECENT = 8  # outcomes looked at one by one, for runs of failures; planning looks no further than four
REMEMBERED = 500  # outcomes of each key that outlive a restart; what is older has long faded, or agrees with them
SMALLEST_SPREAD = 0.05  # relative effects are not known more finely than that beforehand
LITTLE = 0.05  # of a trial: what is lent below that is not worth a word
ANSWERS = 1024  # kept at a time; contexts and levers are few


@dataclass(frozen=True, slots=True)
class Story:
    """All outcomes of one action type on one element."""

    trials: int = 0
    successes: int = 0
    told: tuple[Outcome, ...] = ()  # the latest, oldest first
    past: Past = field(default_factory=Past)

    def plus(self, outcome: Outcome) -> Story:
        """The story with one more outcome."""
        told = (*self.told, outcome)[-REMEMBERED:]
        past = self.past.plus(outcome.context.labels, _tally(outcome))
        return Story(self.trials + 1, self.successes + _success(outcome), told, past)

    def corrected(self, known: Outcome, outcome: Outcome) -> Story:
        """The story in which `known` turned out to be `outcome`: a change that was kept, and broke a guard after all."""
        told = [outcome if one is known else one for one in self.told]
        successes = self.successes - _success(known) + _success(outcome)
        return replace(story_of(told, 0, 0), trials=self.trials, successes=successes)

    @property
    def consecutive_failures(self) -> int:
        """How many of the latest outcomes in a row were no success."""
        run = 0
        for outcome in sorted(self.told[-RECENT:], key=_when)[::-1]:
            if _success(outcome):
                break
            run += 1
        return run


def story_of(told: Sequence[Outcome], trials: int, successes: int) -> Story:
    """The story that ends with `told`, oldest first, and had so many trials and successes in all."""
    story = Story()
    for outcome in told:
        story = story.plus(outcome)
    return replace(story, trials=max(trials, story.trials), successes=max(successes, story.successes))


@dataclass(frozen=True)
class Beliefs:
    """All beliefs, as a value: `updated` returns a new one. Answers `BeliefView`.

    >>> from trimtab.learn import Outcome, VerdictStatus
    >>> good = [Outcome(f"a{n}", "workers_increase", "shop", VerdictStatus.IMPROVED, 0.3, False, float(n)) for n in range(8)]
    >>> beliefs = Beliefs.from_outcomes(good)
    >>> beliefs.trials, beliefs.updated(good[0]) == beliefs  # an outcome counts once, however often it is told
    (8, True)
    """

    stories: Mapping[Key, Story] = field(default_factory=dict)
    _asked: dict[Question, Belief] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def from_outcomes(cls, outcomes: Iterable[Outcome]) -> Beliefs:
        """Beliefs from everything that is known, in whatever order it is given: told in the order of time."""
        return cls().with_outcomes(outcomes)

    def with_outcomes(self, outcomes: Iterable[Outcome]) -> Beliefs:
        """These beliefs with more outcomes, told in the order of time; the very same beliefs where all of them are in already.

        An action has one outcome: a later one that says otherwise takes the place of the earlier.
        """
        stories = dict(self.stories)
        news = [_add(stories, outcome) for outcome in sorted(outcomes, key=_when)]
        return replace(self, stories=stories) if any(news) else self

    def updated(self, outcome: Outcome) -> Beliefs:
        """These beliefs with one more outcome; see `with_outcomes`."""
        return self.with_outcomes((outcome,))

    @property
    def trials(self) -> int:
        """How many outcomes these beliefs rest on."""
        return sum(story.trials for story in self.stories.values())

    def of(self, action: OptimizationAction) -> Belief:
        """The posterior for the action's type on its element in its context; the action's own priors where nothing is known.

        An answer takes a millisecond and is asked for every proposal of every turn: it is kept, until the next outcome.
        """
        question = (action.action_type, action.element, action.context, action.expected_improvement, action.success_probability)
        if (answer := self._asked.get(question)) is None:
            if len(self._asked) >= ANSWERS:
                self._asked.clear()
            answer = self._asked[question] = self._answer(action)
        return answer

    def _answer(self, action: OptimizationAction) -> Belief:
        own = self.stories.get((action.action_type, action.element), Story())
        labels, help_ = action.context.labels, self._lent(action, own)
        success = Mixture(own.past.odds(labels, _success_prior(action, help_)))
        harm = Mixture(own.past.odds(labels, (HARM_PRIOR[0] + help_.harms, HARM_PRIOR[1] + help_.trials - help_.harms), "harms"))
        improvement, improvement_low = _improvement(action, own.past, labels, help_)
        low, floor, ceiling = success.quantiles(1.0 - CONFIDENCE, 0.5 - 0.5 * CONFIDENCE, 0.5 + 0.5 * CONFIDENCE)
        latest = max(own.told[-RECENT:], key=_when, default=None)
        unknown = not own.trials and help_.trials < LITTLE
        hoped = 1.0 if unknown else min(1.0, success.mean + CURIOSITY * success.sd)
        return Belief(
            p_success=success.mean,
            p_success_low=min(success.mean, low),  # where nearly all mass is at 1, the mean lies below the quantile
            improvement=improvement,
            improvement_low=min(improvement, improvement_low),
            p_harm=harm.mean,
            p_harm_high=max(harm.mean, harm.quantiles(CONFIDENCE)[0]),
            trials=own.trials,
            successes=own.successes,
            consecutive_failures=own.consecutive_failures,
            last_at=latest.at if latest is not None else None,
            p_success_interval=(floor, ceiling),
            hope=improvement * hoped if improvement > 0.0 else improvement,
            basis=_basis(own, action.context, help_),
        )

    def _lent(self, action: OptimizationAction, own: Story) -> Tally:
        """What the same type on other elements adds. Sorted: sums must not depend on order."""
        key = (action.action_type, action.element)
        others = [self.stories[each].past.whole for each in sorted(self.stories) if each[0] == key[0] and each != key]
        return lent(others, own.past.whole)


def _when(outcome: Outcome) -> tuple[float, str]:
    return outcome.at, outcome.action_id


def _add(stories: dict[Key, Story], outcome: Outcome) -> bool:
    """Tell one outcome; returns whether it was news."""
    key = (outcome.action_type, outcome.element)
    story = stories.get(key, Story())
    known = next((one for one in story.told if one.action_id == outcome.action_id), None)
    if known is None:
        stories[key] = story.plus(outcome)
    elif outcome.at > known.at and replace(outcome, at=known.at) != known:
        stories[key] = story.corrected(known, outcome)
    else:
        return False
    return True


def _success(outcome: Outcome) -> bool:
    return outcome.status is VerdictStatus.IMPROVED and not outcome.harmed


def _tally(outcome: Outcome) -> Tally:
    won = _success(outcome)
    harmed = outcome.harmed or outcome.status is VerdictStatus.WORSE
    if not won or outcome.effect is None or not isfinite(outcome.effect):
        return Tally(1.0, float(won), float(harmed))
    return Tally(1.0, 1.0, float(harmed), 1.0, outcome.effect, outcome.effect * outcome.effect)


def _success_prior(action: OptimizationAction, help_: Tally) -> Prior:
    prior = min(max(action.success_probability, 0.01), 0.99)  # certainty is no prior: no evidence could move it
    return PRIOR_TRIALS * prior + help_.successes, PRIOR_TRIALS * (1.0 - prior) + help_.trials - help_.successes


def _improvement(action: OptimizationAction, past: Past, labels: Labels, help_: Tally) -> tuple[float, float]:
    """Mean and lower bound of a success's improvement over all readings and models; a cell is shrunk as success is."""
    prior, spread = action.expected_improvement, max(abs(action.expected_improvement), SMALLEST_SPREAD)
    parts = [part for part in past.cells(labels) if part[0] > NEGLIGIBLE] or [(1.0, 0.0, EMPTY, EMPTY)]
    total = sum(part[0] for part in parts)
    mean = square = low = 0.0
    for weight, strength, cell, whole in parts:
        middle, middle_low, sd = _normal_gamma(prior, spread, PRIOR_TRIALS, whole.plus(help_))
        if strength:
            middle, middle_low, sd = _normal_gamma(middle, max(sd, SMALLEST_SPREAD), max(strength, ONE_FACT), cell)
        share = weight / total
        mean += share * middle
        low += share * middle_low
        square += share * middle * middle
    return mean, low - sqrt(max(0.0, square - mean * mean))  # where readings disagree, the bound is as much lower


def _normal_gamma(prior: float, spread: float, strength: float, tally: Tally) -> tuple[float, float, float]:
    """Mean, lower bound and the spread of single effects: κ0 = strength, α0 = 1, β0 = α0 σ0²; the mean is Student t (2α)."""
    n = tally.effects
    kappa, alpha = strength + n, 1.0 + 0.5 * n
    mean = (strength * prior + tally.effect_sum) / kappa
    beta = spread * spread
    if n > 0.0:
        seen = tally.effect_sum / n
        scatter = max(0.0, tally.effect_squares - n * seen * seen)
        beta += 0.5 * scatter + 0.5 * strength * n * (seen - prior) ** 2 / kappa
    freedom = round(2.0 * alpha, 3)  # fading makes it any number; the quantiles are remembered
    return mean, mean + student_quantile(1.0 - CONFIDENCE, freedom) * sqrt(beta / (alpha * kappa)), sqrt(beta / alpha)


def _basis(own: Story, context: Context, help_: Tally) -> str:
    """Where the belief's strength comes from, in words."""
    if not own.trials and help_.trials < LITTLE:
        return "nothing tried yet: the declared priors alone"
    counting = own.past.whole.trials
    parts = [
        f"{own.trials} of its own" if counting > 0.95 * own.trials else f"{own.trials} of its own, {counting:.1f} still count"
    ]
    matter = own.past.mattering(len(FACTS)) if own.trials > 1 else {}
    facts = [f"{name} {label}" for place, (name, label) in enumerate(zip(FACTS, context.labels, strict=True))
             if label and matter.get(place, 0.0) > 0.5]  # fmt: skip
    if facts:
        parts.append(f"told apart by {', '.join(facts)}")
    if help_.trials >= LITTLE:
        parts.append(f"{help_.trials:.1f} lent by other elements")
    return f"outcomes: {'; '.join(parts)}"
