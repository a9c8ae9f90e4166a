"""How much the same action on other elements says about this one: as much as the elements are alike. Called by `beliefs`.

The odds of the elements are taken to be drawn from one Beta distribution, whose precision (how many trials knowing the others is
worth) is averaged over a few values by how well each explains the elements seen so far: Gelman et al. (2013), "Bayesian Data
Analysis", 5.3, with the common mean at its estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, lgamma

from trimtab.learn.tally import EMPTY, Tally

LENT_TRIALS = 2.0  # where it cannot be told how alike they are
PRECISIONS = (1.0, LENT_TRIALS, 4.0, 8.0, 16.0, 32.0)
ENOUGH = 3  # elements, from which on it can


def lent(others: Sequence[Tally], own: Tally) -> Tally:
    """What `others`, the same action on other elements, add to `own`: at most what they have.

    >>> lent([Tally(50.0, 25.0)], EMPTY).trials
    2.0
    """
    total = EMPTY
    for tally in others:
        total = total.plus(tally)
    if total.trials <= 0.0:
        return EMPTY
    return total.times(min(1.0, _precision([*others, own], total) / total.trials))


def _precision(elements: Sequence[Tally], others: Tally) -> float:
    seen = [tally for tally in elements if tally.trials > 0.0]
    if len(seen) < ENOUGH:
        return LENT_TRIALS
    mean = (others.successes + 0.5) / (others.trials + 1.0)
    fits = [sum(_log_evidence(tally, mean, precision) for tally in seen) for precision in PRECISIONS]
    likely = [exp(fit - max(fits)) for fit in fits]
    return sum(share * precision for share, precision in zip(likely, PRECISIONS, strict=True)) / sum(likely)


def _log_evidence(tally: Tally, mean: float, precision: float) -> float:
    """Logarithm of the Beta-binomial probability of what was seen, without the binomial coefficient."""
    a, b = precision * mean, precision * (1.0 - mean)
    won, lost = tally.successes, tally.trials - tally.successes
    return lgamma(a + won) + lgamma(b + lost) - lgamma(a + b + won + lost) - lgamma(a) - lgamma(b) + lgamma(a + b)
