"""What is believed of an action before it is tried: the numbers that `learn` keeps and `plan` decides from.

The two rooms do not know each other; they meet at `BeliefView`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Protocol

from trimtab.domain.actions import OptimizationAction


@dataclass(frozen=True, slots=True)
class Belief:
    """Posterior means and one-sided 90 % bounds, for one action type on one element in one context.

    Improvement is that of a success, relative (0.25 = a quarter better); what does not succeed is undone and brings nothing, so
    that improvement × P(success) is the expected gain. Bounds are on the cautious side: low for what is hoped for, high for harm.
    """

    p_success: float
    p_success_low: float
    improvement: float
    improvement_low: float
    p_harm: float
    p_harm_high: float
    trials: int  # really tried here: simulated ones never count
    successes: int  # of these, verified as improved and free of harm
    consecutive_failures: int  # trials since the last success
    last_at: float | None  # Unix seconds of the last trial's outcome
    p_success_interval: tuple[float, float] = (0.0, 1.0)  # holds P(success) in nine of ten cases
    hope: float | None = None  # the expected gain, had P(success) the benefit of the doubt: what rivals are compared by
    basis: str = ""  # where the belief's strength comes from, in words

    @property
    def proven(self) -> bool:
        """Whether at least one success has been verified here."""
        return self.successes > 0

    def numbers(self) -> dict[str, float]:
        """The belief as plain numbers, for the journal and for people."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        found["p_success_from"], found["p_success_to"] = found.pop("p_success_interval")
        return {name: float(value) for name, value in found.items() if value is not None and not isinstance(value, str)}


class BeliefView(Protocol):
    """Where a belief about any proposal can be had. Pure: the same action always gets the same answer."""

    def of(self, action: OptimizationAction) -> Belief:
        """What is believed of `action`; the action's own priors where nothing has been learned."""
        ...
