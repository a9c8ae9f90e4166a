"""All that planning may look at, as one frozen value: the same situation always yields the same plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trimtab.domain.actions import ActionRecord
from trimtab.domain.goals import Analysis
from trimtab.domain.levers import LeverSpec, LeverValue
from trimtab.domain.metrics import Trust


@dataclass(frozen=True, slots=True)
class LeverState:
    """A lever as last read. `moved_by_others_at`: when its value last changed without us."""

    spec: LeverSpec
    value: LeverValue | None
    trust: Trust
    read_at: float
    moved_by_others_at: float | None = None
    frozen: str | None = None  # why it may not be touched: a rollback failed
    left_until: float | None = None  # until when regulation leaves it to another hand, which moved it meanwhile


@dataclass(frozen=True, slots=True)
class Situation:
    """The state of the world at one moment, as far as it is known."""

    now: float
    analysis: Analysis
    levers: Mapping[str, LeverState]  # lever id → state
    records: tuple[ActionRecord, ...] = ()  # recent actions, oldest first, those under way among them
    paused: bool = False
    samples: Mapping[str, int] | None = None  # goal id → samples that show the level it is at now
    trouble: str | None = None  # why nothing may be decided at all: a store is lost
    paused_because: str | None = None  # the sentence where `paused`: who, since when, how to go on
    harm_dates: Mapping[str, float] | None = None  # action id → when its harm counts as done, see `storm`
    loads: Mapping[str, str] | None = None  # element → low | usual | high, where that can be told
