"""Choose between rivals in a context, and learn from what the choice brought: a contextual bandit for a world that changes.

The rule by which plans are ordered (`Belief.hope`), as a thing of its own: each option is taken for what it is believed to bring
in this context, and `curiosity` standard deviations more, the first of equals winning. An option that was long passed over is
known less and less well, since the world may have changed meanwhile. Upper confidence bounds on a posterior: Kaufmann, Cappé and
Garivier (2012), "On Bayesian upper confidence bounds for bandit problems". No randomness: the same past makes the same choice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite, sqrt

from trimtab.domain.contexts import Context
from trimtab.learn.mixture import CURIOSITY, Mixture
from trimtab.learn.regimes import NEUTRAL, Labels, Past
from trimtab.learn.tally import Tally

STALE = 1.0 / 500.0  # how likely an option that rests has changed, from one choice to the next


@dataclass(frozen=True)
class Chooser:
    """What is known of each option. A value: `updated` returns a new one.

    Rewards lie between 0 and 1: a success is 1, a failure 0. A context is a `Context`, or a tuple of words, as long each time; ""
    is unknown.

    >>> chooser = Chooser()
    >>> for _ in range(10):
    ...     chooser = chooser.updated("more workers", ("load high",), 1.0).updated("more cache", ("load high",), 0.0)
    ...     chooser = chooser.updated("more workers", ("load low",), 0.0).updated("more cache", ("load low",), 1.0)
    >>> [chooser.choose(["more cache", "more workers"], (load,)) for load in ("load high", "load low")]
    ['more workers', 'more cache']
    """

    curiosity: float = CURIOSITY
    pasts: Mapping[str, Past] = field(default_factory=dict)
    seen_at: Mapping[str, int] = field(default_factory=dict)  # option → how many rewards had been told by its last
    told: int = 0

    def choose(self, options: Sequence[str], context: Context | Sequence[str] = ()) -> str:
        """The option to take. Raises `ValueError` where there is none."""
        if not options:
            raise ValueError("there is nothing to choose from: give at least one option")
        labels = _labels(context)
        return max(options, key=lambda option: round(self._hope(option, labels), 9))

    def updated(self, option: str, context: Context | Sequence[str], reward: float) -> Chooser:
        """The chooser that has seen `option` bring `reward` in `context`. Raises `ValueError` for a reward outside 0 to 1."""
        if not (isfinite(reward) and 0.0 <= reward <= 1.0):
            raise ValueError(f"a reward lies between 0 and 1, got {reward}: divide it by the most there can be")
        past = self.pasts.get(option, Past()).plus(_labels(context), Tally(1.0, float(reward)))
        told = self.told + 1
        return replace(self, pasts={**self.pasts, option: past}, seen_at={**self.seen_at, option: told}, told=told)

    def expected(self, option: str, context: Context | Sequence[str] = ()) -> tuple[float, float]:
        """Mean and standard deviation of the reward that `option` is believed to bring in `context`.

        >>> mean, sd = Chooser().expected("anything")
        >>> round(mean, 3), round(sd, 3)  # the uniform distribution
        (0.5, 0.289)
        """
        known = Mixture(self.pasts.get(option, Past()).odds(_labels(context), NEUTRAL))
        a, b = NEUTRAL
        stale = 1.0 - (1.0 - STALE) ** (self.told - self.seen_at.get(option, self.told))
        mean = (1.0 - stale) * known.mean + stale * a / (a + b)
        square = (1.0 - stale) * (known.sd**2 + known.mean**2) + stale * a * (a + 1.0) / ((a + b) * (a + b + 1.0))
        return mean, sqrt(max(0.0, square - mean * mean))

    def _hope(self, option: str, labels: Labels) -> float:
        mean, sd = self.expected(option, labels)
        return mean + self.curiosity * sd


def _labels(context: Context | Sequence[str]) -> Labels:
    return context.labels if isinstance(context, Context) else tuple(context)
