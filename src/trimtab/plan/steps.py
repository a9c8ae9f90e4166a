"""How far to move a lever with a scale, and onto which value: arithmetic for the search, knowing no goals and no records.

Every value lies on the lever's grid (whole steps from its lower bound, or from zero where it has none) and within its bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, exp, floor, log

from trimtab.domain.direction import Direction
from trimtab.domain.levers import LeverKind, LeverSpec

SMALL = 0.05  # of the range: twenty moves end to end, each small enough to undo without being noticed
LARGE = 0.125  # of the range: eight moves end to end, for a goal missed by more than twice
AT_MOST = 0.5  # of the range: however often a move is doubled
UNBOUNDED_STEPS = 20.0  # a lever without bounds is treated as if its range held twenty steps, so that `SMALL` is one of them
_EPSILON = 1e-6  # of a step: a value this close to the grid is on it
_FAR = 10**12  # steps: stands in for a bound that is not there


@dataclass(frozen=True, slots=True)
class Grid:
    """The values that a numeric lever may take: `origin + k × step` for `first` ≤ k ≤ `last`."""

    origin: float
    step: float
    first: int
    last: int
    whole: bool

    @classmethod
    def of(cls, spec: LeverSpec) -> Grid:
        """The grid of a numeric lever. An integer lever moves by whole numbers whatever its step says."""
        whole = spec.kind is LeverKind.INTEGER
        step = max(1.0, float(round(spec.step))) if whole else (spec.step if spec.step > 0.0 else 1.0)
        if spec.bounds is None:
            return cls(0.0, step, -_FAR, _FAR, whole)
        low, high = (ceil(spec.bounds[0]), floor(spec.bounds[1])) if whole else spec.bounds
        return cls(float(low), step, 0, floor((high - low) / step + _EPSILON), whole)

    def position(self, value: float) -> float:
        """Where `value` lies, in steps from the origin."""
        return (value - self.origin) / self.step

    def value(self, k: int) -> int | float:
        """The k-th value; rounded, since 3 × 0.1 is not 0.3 in binary arithmetic."""
        raw = self.origin + k * self.step
        return round(raw) if self.whole else float(f"{raw:.12g}")


def span(spec: LeverSpec) -> float:
    """The length of the lever's range, in its own unit."""
    return spec.bounds[1] - spec.bounds[0] if spec.bounds is not None else UNBOUNDED_STEPS * spec.step


def step_size(spec: LeverSpec, *, far: bool, guard_near: bool, last_move: float | None) -> float:
    """How far to move, in the lever's unit.

    `far`: the goal is missed by more than twice. `last_move`: the size of the last move this way, where it should be doubled.

    >>> step_size(LeverSpec("workers", "shop", bounds=(1, 16)), far=True, guard_near=False, last_move=None)
    1.875
    """
    if guard_near:
        return max(spec.step, SMALL * span(spec))
    base = max(spec.step, (LARGE if far else SMALL) * span(spec))
    doubled = 2.0 * last_move if last_move is not None else 0.0
    return max(spec.step, min(max(base, doubled), AT_MOST * span(spec)))


def reach(start: float, end: float, effect: float, direction: Direction, miss: float) -> float:
    """How far to move on from `end` so that the goal is met, after the move from `start` to it had a verified `effect`.

    `effect` is relative, `miss` as in `Goal.miss`. The metric is taken for a power of the lever, as with capacity, where each
    unit more does less than the one before; where the lever may be zero or negative, for an exponential. A tenth is added to
    spare, and no more than twice the last move is believed.

    >>> round(reach(1.0, 2.0, 0.5, Direction.MINIMIZE, 1.0), 2)  # twice the lever halved the metric, which is twice too high
    2.0
    >>> round(reach(4.0, 8.0, 0.5, Direction.MINIMIZE, 0.25), 2)  # a quarter too high
    3.0
    """
    factor = 1.0 - min(effect, 0.99) if direction is Direction.MINIMIZE else 1.0 + effect
    if start == end or factor <= 0.0 or factor == 1.0:
        return 0.0
    times = log((1.0 + miss) * 1.1) / abs(log(factor))  # of the last move's effect, in logarithms
    further = end * exp(times * log(end / start)) - end if start > 0.0 and end > 0.0 else (end - start) * times
    return min(abs(further), 2.0 * abs(end - start))


def step_from(spec: LeverSpec, current: float, direction: int, size: float, unsafe: float | None = None) -> int | float | None:
    """The value about `size` away from `current` in `direction` (+1 or -1); None where there is none to be had.

    Nothing at or beyond `unsafe` is ever returned: a move that would reach it goes half of the way there instead.

    >>> workers = LeverSpec("workers", "shop", bounds=(1, 16))
    >>> step_from(workers, 1, +1, 1.875), step_from(workers, 3, +1, 4.0, unsafe=6), step_from(workers, 5, +1, 4.0, unsafe=6)
    (3, 4, None)
    """
    grid = Grid.of(spec)
    here = grid.position(current)
    nearest = (floor(here + _EPSILON) + 1) if direction > 0 else (ceil(here - _EPSILON) - 1)
    wanted = floor(here + direction * size / grid.step + 0.5)
    k = max(nearest, wanted) if direction > 0 else min(nearest, wanted)
    k = min(max(k, grid.first), grid.last)
    if unsafe is not None and direction * (k - grid.position(unsafe)) >= -_EPSILON:
        middle = 0.5 * (here + grid.position(unsafe))
        k = floor(middle + _EPSILON) if direction > 0 else ceil(middle - _EPSILON)
        k = min(max(k, grid.first), grid.last)
        if direction * (k - grid.position(unsafe)) >= -_EPSILON:
            return None
    return grid.value(k) if direction * (k - nearest) >= 0 else None
