"""What an action is credited with: improved, worse, or inconclusive. Produced by `verify`, kept by the journal, read by `learn`.

Credit is one thing and keeping another: `execute` decides from a verdict, the goals and the guards what happens to the change.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class VerdictStatus(StrEnum):
    """The three values a verdict may have. There is no fourth, and missing data is never one of the first two."""

    IMPROVED = "improved"
    WORSE = "worse"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The effect of an action against what would have happened without it.

    `effect`, `low` and `high` are relative (0.25 = a quarter better than without the action), positive where the goal's
    direction is served; None where the data do not carry an estimate. `improved` means that `low` > 0, `worse` that `high` < 0.

    >>> Verdict(VerdictStatus.IMPROVED, 0.30, 0.22, 0.38, "ar-block e-process", "p95 fell").conclusive
    True
    """

    status: VerdictStatus
    effect: float | None
    low: float | None
    high: float | None
    method: str
    reason: str
    n_before: int = 0  # usable samples before the action
    n_after: int = 0  # usable samples after settling
    futile: bool = False  # a gain worth waiting for is unlikely by now
    undecidable: bool = False  # too little is known of the time before: no further samples can prove the effect seen

    @property
    def conclusive(self) -> bool:
        """Whether the interval excludes zero."""
        return self.status is not VerdictStatus.INCONCLUSIVE
