"""How a regulated lever follows load: what a policy sees, and the moves it makes.

An element's regulated levers are moved together by one policy. Which policy that is, is itself a setting, `<element>/regulation`,
with the values `hold`, `reactive` and `predictive`: starting a policy is an action like any other, judged, journalled and undone;
the moves it makes are rows under that action.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trimtab.domain.goals import GoalState, GuardState
from trimtab.domain.levers import LeverValue
from trimtab.domain.situation import LeverState

HOLD, REACTIVE, PREDICTIVE = "hold", "reactive", "predictive"
REGULATION = "regulation"  # the name of the lever that says which policy moves an element's regulated levers
POLICIES = (HOLD, REACTIVE, PREDICTIVE)


@dataclass(frozen=True, slots=True)
class Move:
    """One step of a policy: from what was read to what was asked, at `at` (Unix seconds), and the sentence that says why."""

    lever_id: str
    from_value: LeverValue
    to_value: LeverValue
    at: float
    reason: str


@dataclass(frozen=True, slots=True)
class RegulationView:
    """All that a policy may know of one element. Metrics are samples (n,): times in Unix seconds, and values, oldest first."""

    now: float
    element: str
    levers: Mapping[str, LeverState]  # the regulated ones, by id; in the order of the configuration
    goals: tuple[GoalState, ...]
    guards: tuple[GuardState, ...]
    metrics: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
    moves: tuple[Move, ...] = ()  # ours, oldest first, as far back as the metrics reach


class Policy(Protocol):
    """Moves an element's regulated levers as load moves. Pure: the same view always yields the same moves."""

    def next(self, view: RegulationView) -> Sequence[Move]:
        """The moves to make now: at most one for each lever, within its bounds; none where nothing is to be done."""
        ...
