"""A lever's values as places between 0 and 1: how far a move is, and which values there are to try. Arithmetic for the search.

Every value lies on the lever's grid. A lever whose bounds span more than two decades is moved in proportion: from 10 to 20 is as
far as from 1,000 to 2,000. From zero that goes for more than a thousand whole steps; a share is moved evenly, whatever its step.
The model of the search sees each lever both ways, and finds out in which one a metric is simpler.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from trimtab.domain.levers import LeverKind, LeverSpec, LeverValue
from trimtab.plan.steps import Grid, span

Setting = tuple[LeverValue, ...]  # one value a lever, in the order of the levers
DECADES_2 = 100.0  # bounds this many times apart are moved along in proportion
DECADES_3 = 1000.0  # whole steps from zero, from which on such a lever is moved in proportion too
MOST_VALUES = 61  # tried of one lever at a time: finer than two per cent of its range nothing is learned from noise


@dataclass(frozen=True, slots=True)
class Axis:
    """One lever as the search sees it.

    >>> from trimtab.domain.levers import LeverKind
    >>> memory = Axis.of(LeverSpec("pages", "shop", bounds=(1, 10_000)), 100)
    >>> round(memory.place(100), 2), memory.place(10_000)
    (0.5, 1.0)
    >>> Axis.of(LeverSpec("policy", "shop", LeverKind.CHOICE, choices=("lru", "lfu")), "lru").values
    ('lru', 'lfu')
    """

    spec: LeverSpec
    low: float
    high: float
    shift: float  # keeps the logarithm finite where the lever may be zero
    proportional: bool
    values: tuple[LeverValue, ...]

    @classmethod
    def of(cls, spec: LeverSpec, here: LeverValue) -> Axis:
        """The axis of a lever; one without bounds is searched around where it is."""
        if not spec.numeric:
            return cls(spec, 0.0, float(len(spec.options)), 0.0, False, spec.options)
        middle = 0.0 if isinstance(here, str) else float(here)
        low, high = spec.bounds if spec.bounds is not None else (middle - span(spec), middle + span(spec))
        shift = 0.0 if low > 0.0 else (spec.step - low)
        counted = spec.kind is LeverKind.INTEGER and high - low > DECADES_3 * spec.step  # zero itself begins no decade
        proportional = high > DECADES_2 * low if low > 0.0 else counted
        axis = cls(spec, low, high, shift, proportional, ())
        return cls(spec, low, high, shift, proportional, axis._grid())

    def place(self, value: LeverValue) -> float:
        """Where a value lies as moves go: 0 at the lower bound, 1 at the upper; a choice's place in its order."""
        if not self.spec.numeric or isinstance(value, str):
            return float(self.places([value])[0])
        number = min(max(float(value), self.low), self.high)  # as `coordinates` has it, without an array for a single one
        if not self.proportional or self.low + self.shift <= 0.0:
            return (number - self.low) / max(self.high - self.low, 1e-300)
        ends = self.low + self.shift, self.high + self.shift
        return log((number + self.shift) / ends[0]) / (log(ends[1] / ends[0]) or 1.0)

    def places(self, values: Sequence[LeverValue]) -> NDArray[np.float64]:
        """The same of several (n,)."""
        return self.coordinates(values)[:, 0]

    def coordinates(self, values: Sequence[LeverValue]) -> NDArray[np.float64]:
        """Where values lie as moves go, and the other way: evenly and in proportion, or the reverse (n, 2)."""
        if not self.spec.numeric:
            order = {value: float(place) for place, value in enumerate(self.values)}
            at = np.array([order.get(value, -1.0) for value in values])
            return np.stack([at, at], axis=1)
        numbers = np.clip(np.array(values, dtype=float), self.low, self.high)
        even = (numbers - self.low) / max(self.high - self.low, 1e-300)
        if self.low + self.shift <= 0.0:
            return np.stack([even, even], axis=1)
        ratio = log((self.high + self.shift) / (self.low + self.shift)) or 1.0
        in_proportion = np.log((numbers + self.shift) / (self.low + self.shift)) / ratio
        return np.stack([in_proportion, even] if self.proportional else [even, in_proportion], axis=1)

    def step_at(self, value: LeverValue) -> float:
        """How long one step of the lever's grid is at `value`, as moves go; 1 for a choice."""
        if not self.spec.numeric or isinstance(value, str):
            return 1.0
        here = self.place(value)
        return max(abs(self.place(float(value) + step) - here) for step in (-self.spec.step, self.spec.step))

    def _grid(self) -> tuple[LeverValue, ...]:
        """Values on the lever's grid, evenly spread; where moves go in proportion, those evenly spread in proportion as well."""
        grid = Grid.of(self.spec)
        shares = np.linspace(0.0, 1.0, MOST_VALUES)
        numbers = self.low + shares * (self.high - self.low)
        if self.proportional:
            ends = log(self.low + self.shift), log(self.high + self.shift)
            numbers = np.append(numbers, np.exp(ends[0] + shares * (ends[1] - ends[0])) - self.shift)
        whole = (min(max(round(grid.position(x)), grid.first), grid.last) for x in numbers.tolist())
        return tuple(sorted({grid.value(k) for k in whole}, key=float))


def points(axes: Sequence[Axis], settings: Sequence[Setting]) -> NDArray[np.float64]:
    """The settings as the model takes them: (number of settings, number of levers, 2)."""
    columns = list(zip(*settings, strict=True))
    return np.stack([axis.coordinates(column) for axis, column in zip(axes, columns, strict=True)], axis=1)


def distances(axes: Sequence[Axis], a: Sequence[Setting], b: Sequence[Setting]) -> NDArray[np.float64]:
    """How far every setting of `a` is from every one of `b` along each lever (len(a), len(b), levers); 1 for another choice."""
    apart = [
        np.abs(axis.places(column)[:, None] - axis.places(other)[None, :])
        for axis, column, other in zip(axes, zip(*a, strict=True), zip(*b, strict=True), strict=True)
    ]
    return np.stack([gap if axis.spec.numeric else (gap > 0.0) * 1.0 for axis, gap in zip(axes, apart, strict=True)], axis=2)


def as_setting(axes: Sequence[Axis], values: Mapping[str, LeverValue]) -> Setting:
    """The values of a mapping in the order of the levers; `ValueError` names what is missing or not allowed."""
    setting = []
    for axis in axes:
        spec = axis.spec
        name = spec.name if spec.name in values else spec.lever_id
        if name not in values:
            raise ValueError(f"the setting lacks a value for {spec.name}")
        setting.append(values[name])
    return tuple(setting)
