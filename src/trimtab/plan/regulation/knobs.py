"""The regulated levers of an element as a policy moves them: their positions, which way helps, and who may not go further.

Called by both policies. A *knob* is a lever with its positions in order; moving it the way that takes the missed metric down is
moving it *towards help*, and the other way is *relaxing* it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from trimtab.domain.goals import GuardState
from trimtab.domain.levers import Autonomy, LeverKind, LeverSpec, LeverValue
from trimtab.domain.regulation import Move, RegulationView
from trimtab.domain.situation import LeverState

Array = NDArray[np.float64]
NEAR_GUARD = 0.1  # of a guard's limit: this close to it, nothing moves further that way
MOST_POSITIONS = 9  # of one lever that are weighed at once: a plan over two levers then has 81


@dataclass(frozen=True, slots=True)
class Knob:
    """A lever that may be moved now. `help` is +1 where raising it helps, -1 where lowering it does, 0 while nobody knows."""

    spec: LeverSpec
    value: float
    help: int

    @property
    def low(self) -> float:
        """The lowest value ever set."""
        return self.spec.bounds[0] if self.spec.bounds else self.value

    @property
    def high(self) -> float:
        """The highest value ever set."""
        return self.spec.bounds[1] if self.spec.bounds else self.value

    def nudged(self, steps: int) -> float:
        """The value so many steps towards help (negative: relaxed), within the bounds; steps are counted from where it stands.

        >>> Knob(LeverSpec("dimmer", "web", LeverKind.FLOAT, (0.0, 1.0), step=0.25), 1.0, help=-1).nudged(2)
        0.5
        """
        way = self.help or 1
        return self.clip(self.value + way * steps * self.spec.step)

    def clip(self, value: float) -> float:
        """`value` within the bounds, whole where the lever is."""
        inside = min(max(value, self.low), self.high)
        return float(round(inside)) if self.spec.kind is LeverKind.INTEGER else round(inside, 12)

    def positions(self, most: int = MOST_POSITIONS) -> Array:
        """Values (p,) that a plan weighs, in rising order: all of them where they are few, else the near ones and the ends."""
        below = int(np.floor((self.value - self.low) / self.spec.step + 1e-9))
        above = int(np.floor((self.high - self.value) / self.spec.step + 1e-9))
        steps = range(-below, above + 1)
        if len(steps) > most:
            reach = [0, 1, 2, 4, 8, 16, 32]
            near = sorted({s for r in reach for s in (-r, r) if -below <= s <= above}, key=abs)[: most - 2]
            steps = sorted({*near, -below, above})  # type: ignore[assignment]
        return np.array(sorted({self.clip(self.value + s * self.spec.step) for s in steps}))

    def as_value(self, value: float) -> LeverValue:
        """`value` in the lever's own kind."""
        return round(value) if self.spec.kind is LeverKind.INTEGER else float(value)


def knobs_of(view: RegulationView) -> tuple[Knob, ...]:
    """The levers of `view` that may be moved now, in the order of the configuration: numeric, read, trusted and not frozen."""
    found = []
    for state in view.levers.values():
        if _movable(state):
            value = float(state.value)  # type: ignore[arg-type]
            found.append(Knob(state.spec, value, helping(state.spec, view)))
    return tuple(found)


def _movable(state: LeverState) -> bool:
    spec, value = state.spec, state.value
    if not spec.numeric or spec.bounds is None or spec.autonomy is Autonomy.OBSERVE:
        return False
    if state.frozen is not None or not state.trust.ok or value is None or isinstance(value, bool | str):
        return False
    return isfinite(float(value)) and spec.bounds[0] <= value <= spec.bounds[1]


def helping(spec: LeverSpec, view: RegulationView) -> int:
    """Which way of a lever helps the goals: as declared by `moves`, else as its price tells, else as for any count.

    What costs must be good for something; what brings in money on each request would stand at its most if it were free. A count
    from one up (servers, consumers, workers) is taken for capacity.
    """
    for state in sorted(view.goals, key=lambda state: -state.goal.weight):
        effect = spec.effect_on(state.goal.metric_name)
        if effect:
            return effect * state.goal.direction.sign
    if spec.cost_per_second or spec.worth_per_request:
        return 1 if spec.cost_per_second > 0.0 or spec.worth_per_request < 0.0 else -1
    return 1 if spec.kind is LeverKind.INTEGER and spec.bounds is not None and spec.bounds[0] >= 1 else 0


def guarded(knob: Knob, guards: Sequence[GuardState]) -> frozenset[int]:
    """The ways (+1 raise, -1 lower) that `knob` may not go, for a guard is near or breached, or cannot be judged.

    Where nobody has said which way a lever moves a guard's metric, both ways are closed but the one towards help.
    """
    closed: set[int] = set()
    for state in guards:
        ways = state.near(NEAR_GUARD)
        if not ways:
            continue
        effect = knob.spec.effect_on(state.guard.metric_name)
        closed |= {effect * way for way in ways} if effect else ({-knob.help} if knob.help else {1, -1})
    return frozenset(closed)


def move(knob: Knob, value: float, now: float, reason: str) -> Move:
    """The move of `knob` to `value`."""
    return Move(knob.spec.lever_id, knob.as_value(knob.value), knob.as_value(value), now, reason)
