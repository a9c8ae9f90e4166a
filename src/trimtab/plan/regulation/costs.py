"""What a position of the levers costs, and what a missed goal costs: declared, learned from a measured benefit, or by order.

Called by the predictive policy. Goals come first, so that missing one costs several times what all levers together can; then
the least cost. Amounts are per second (declared) or per sample (learned): only their ratios matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.domain.regulation import Move
from trimtab.plan.regulation.knobs import Knob
from trimtab.plan.regulation.past import Past, felt, track

Array = NDArray[np.float64]

DEARER = 2.0  # without prices: how much more all of a lever costs than all of the one that is configured before it
MISS = 5.0  # a missed goal costs so many times what can be saved at the levers by missing it
RIDGE = 1e-3
FEWEST = 3  # samples at a second position before a lever's price is learned
COMMON = 0.25  # of the typical benefit: what all of a lever costs until its price is learned


@dataclass(frozen=True, slots=True)
class Prices:
    """Cost of a configuration x at some load: Σ (fixed + each · load) x, and of a miss: `miss` + `miss_each` · load."""

    fixed: Array  # (knobs,)
    each: Array  # (knobs,)
    miss: float
    miss_each: float = 0.0
    learned: bool = False

    def of(self, configurations: Array, load: Array) -> Array:
        """(…, k) for configurations (k, knobs) and loads (…,)."""
        return np.asarray(configurations @ self.fixed + load[..., np.newaxis] * (configurations @ self.each))

    def of_a_miss(self, load: Array) -> Array:
        """The same shape as `load`."""
        return np.asarray(self.miss + self.miss_each * load)


def declared_prices(knobs: Sequence[Knob], load: float, weight: float = 1.0) -> Prices:
    """Prices as the configuration has them; by order where it has none. `load` is a typical one."""
    priced = any(knob.spec.cost_per_second or knob.spec.worth_per_request for knob in knobs)
    fixed = np.array([knob.spec.cost_per_second for knob in knobs])
    each = np.array([-knob.spec.worth_per_request for knob in knobs])
    if not priced:
        fixed = np.array([knob.help * DEARER**place / max(knob.high - knob.low, 1e-12) for place, knob in enumerate(knobs)])
        each = np.zeros(len(knobs))
    spans = np.array([knob.high - knob.low for knob in knobs])
    return Prices(
        fixed, each, MISS * weight * float(np.sum(np.abs(fixed) * spans)), MISS * weight * float(np.sum(np.abs(each) * spans))
    )


def missed_rows(past: Past, knobs: Sequence[Knob], moves: Sequence[Move]) -> NDArray[np.bool_]:
    """Rows (n,) with a goal missed; where only a benefit is measured, those far below what the rest lead one to expect."""
    if past.reach is not None:
        return np.asarray(past.reach > 1.0)
    missed = np.zeros(past.load.size, dtype=bool)
    if past.worth is None:
        return missed
    for _ in range(3):
        expected = _fit(past, knobs, moves, ~missed)[1]
        off = past.worth - expected
        scale = max(4.0 * float(np.median(np.abs(off))), 0.3 * float(np.median(np.abs(past.worth))), 1e-12)
        missed = off < -scale
    return missed


def prices_of(past: Past, knobs: Sequence[Knob], moves: Sequence[Move], missed: NDArray[np.bool_], weight: float = 1.0) -> Prices:
    """The prices to plan with: as declared, else as a measured benefit tells, else by order."""
    typical = float(np.median(past.load))
    prices = declared_prices(knobs, typical, weight)
    priced = any(knob.spec.cost_per_second or knob.spec.worth_per_request for knob in knobs)
    if past.worth is None or priced or (~missed).sum() < 2:
        return prices
    gains, expected = _fit(past, knobs, moves, ~missed)
    usual = max(float(np.median(np.abs(past.worth[~missed]))), 1e-12)
    spans = np.array([knob.high - knob.low for knob in knobs])
    total = float(np.sum(np.abs(prices.fixed) * spans)) or 1.0
    fixed, each = prices.fixed * COMMON * usual / total, np.zeros(len(knobs))
    for place, (known, alone, by_load) in enumerate(gains):
        if known:
            fixed[place], each[place] = -alone, -by_load
    lost = (expected - past.worth)[missed]
    miss = (2.0 * 2.0 * usual + float(lost.sum())) / (2.0 + lost.size)  # as if seen twice before: all is lost, and as much again
    return Prices(fixed, each, max(miss, usual), learned=any(known for known, _, _ in gains))


def _fit(
    past: Past, knobs: Sequence[Knob], moves: Sequence[Move], rows: NDArray[np.bool_]
) -> tuple[list[tuple[bool, float, float]], Array]:
    """A ridge regression on `rows`.

    For each knob whether its price is known, what a unit brings in, and what it brings in on each unit of load; then the benefit
    (n,) that is expected in every row.
    """
    worth = past.worth if past.worth is not None else np.zeros(past.load.size)
    stood = [felt(past.times, past.every, *track(moves, k.spec.lever_id, k.value), k.help, 0.0).mean(axis=1) for k in knobs]
    known = [_seen_twice(x[rows]) for x in stood]
    centre = [float(x[rows].mean()) if rows.any() else 0.0 for x in stood]
    columns = [np.ones(past.load.size), past.load]
    for x, mid, use in zip(stood, centre, known, strict=True):
        if use:
            columns += [x - mid, (x - mid) * past.load]
    design = np.column_stack(columns)
    scale = np.maximum(np.sqrt((design[rows] ** 2).mean(axis=0)), 1e-12) if rows.any() else np.ones(design.shape[1])
    scaled = design / scale
    penalty = RIDGE * max(int(rows.sum()), 1) * np.eye(scaled.shape[1])
    penalty[0, 0] = penalty[1, 1] = 1e-9
    weights = np.linalg.solve(scaled[rows].T @ scaled[rows] + penalty, scaled[rows].T @ worth[rows]) / scale
    gains, place = [], 2
    for use in known:
        gains.append((use, float(weights[place]), float(weights[place + 1])) if use else (False, 0.0, 0.0))
        place += 2 * use
    return gains, design @ weights


def _seen_twice(x: Array) -> bool:
    if not x.size:
        return False
    most = int(np.unique(np.round(x, 9), return_counts=True)[1].max())
    return most >= FEWEST and x.size - most >= FEWEST
