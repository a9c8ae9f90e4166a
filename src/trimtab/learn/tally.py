"""Sufficient statistics of outcomes: what may be added up, faded and lent. Used by everything else in the room."""

from __future__ import annotations

from typing import NamedTuple


class Tally(NamedTuple):
    """How many trials there were and what came of them; not whole numbers once they fade. Made by the thousand: hence a tuple.

    >>> Tally(1.0, 1.0).plus(Tally(1.0)).times(0.5)
    Tally(trials=1.0, successes=0.5, harms=0.0, effects=0.0, effect_sum=0.0, effect_squares=0.0)
    """

    trials: float = 0.0
    successes: float = 0.0
    harms: float = 0.0
    effects: float = 0.0  # how many effects are in the two sums
    effect_sum: float = 0.0
    effect_squares: float = 0.0

    def plus(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(
            self.trials + other.trials,
            self.successes + other.successes,
            self.harms + other.harms,
            self.effects + other.effects,
            self.effect_sum + other.effect_sum,
            self.effect_squares + other.effect_squares,
        )

    def times(self, weight: float) -> Tally:
        """Each outcome counted as `weight` of one."""
        return Tally(
            self.trials * weight,
            self.successes * weight,
            self.harms * weight,
            self.effects * weight,
            self.effect_sum * weight,
            self.effect_squares * weight,
        )


EMPTY = Tally()
