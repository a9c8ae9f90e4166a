"""Where a guard would still hold, and how far the unknown may be entered from what is proven. Pure; read by the search.

What is modelled of a guard is how much of its limit is used: 0 at the limit, negative inside. In logarithms where all is
positive, since what is measured is uncertain in proportion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.domain.goals import Guard
from trimtab.plan.axes import Axis, Setting, distances
from trimtab.stats.surrogate import Measured, Shape, Surrogate

Array = NDArray[np.float64]

GUARD_SLOPE = 1.5  # across a lever's range a guard is expected to change up to about e^1.5 fold
GUARD_OPTION = 0.15  # standard deviation of what another choice does to a guard
GUARD_LENGTHS = (0.5, 0.15)
ALIKE = 50.0  # the length of choices: so long that how a guard bends along a lever is all but the same with another one
GUARD_BENDS = (0.2, 0.7, 2.5)
GUARD_LOUDNESS = (0.5, 1.0, 2.0)  # less would believe a reading near the limit because those far inside are cut off alike
FIRST_REACH = 0.125  # of a lever's range: the first move into the unknown; eight moves end to end
REACH_GROWS, REACH_SHRINKS = 1.6, 0.4
TOLD = (-2.0, 0.7)  # of what is used of a limit: an eighth of it is nothing, twice of it is simply broken
MOST_REACH, LEAST_REACH = 0.3, 0.05
SIDE = 0.4  # of a range: how alike other levers are for a break at one setting to tell of another
HALF_WAY = 0.25  # from a proven setting to one that broke a guard


@dataclass(frozen=True, slots=True)
class Used:
    """One side of a guard's limit, and how much of it was used in each measurement."""

    values: Array  # (n,), 0 at the limit
    noise: Array  # (n,)

    @classmethod
    def of(cls, guard: Guard, measured: Sequence[float], noise: Sequence[float]) -> list[Used]:
        """What the measurements of a guard's metric say, for each limit that it has."""
        found = []
        value, sd = np.asarray(measured, dtype=float), np.asarray(noise, dtype=float)
        for limit, sign in ((guard.max, 1.0), (guard.min, -1.0)):
            if limit is None:
                continue
            if limit > 0.0 and (value > 0.0).all():
                found.append(cls(np.clip(sign * np.log(value / limit), *TOLD), sd))
            else:
                scale = abs(limit) or float(np.abs(value).max()) or 1.0
                found.append(
                    cls(np.clip(sign * (value - limit) / scale, *TOLD), sd * np.maximum(np.abs(value), 0.02 * scale) / scale)
                )
        return found


@dataclass(frozen=True, slots=True)
class Fence:
    """One limit as the model sees it: twice, once for each way to lay out the levers; the more careful of the two counts."""

    models: tuple[Surrogate, ...]

    @classmethod
    def of(cls, places: Array, labels: NDArray[np.bool_], rows: Array, used: Used) -> Fence:
        """The models of one limit. `places` (m, d, 2): the settings; `rows` (n, m): which one each measurement was of."""
        return cls(tuple(_likeliest(warp, places, labels, rows, used) for warp in (0, 1)))

    @classmethod
    def plain(cls, places: Array, labels: NDArray[np.bool_], rows: Array, used: Used) -> Fence:
        """The same from a handful of measurements, which say nothing of how a guard bends."""
        shapes = [_shape(warp, labels, GUARD_LENGTHS[0], GUARD_BENDS[0], 1.0) for warp in (0, 1)]
        told = Measured(places, labels, rows, used.values, used.noise)
        return cls(tuple(Surrogate.given(shape, told)[0] for shape in shapes))

    def bound(self, places: Array, deviations: float | Array) -> Array:
        """The share of the limit that is used at other settings (k,), so many standard deviations above what is expected."""
        each = (model.each(places) for model in self.models)
        return np.asarray(np.max([mean + deviations * deviation for mean, deviation in each], axis=0))


def _shape(warp: int, labels: NDArray[np.bool_], length: float, bend: float, loudness: float) -> Shape:
    lengths = tuple(ALIKE if label else length for label in labels.tolist())
    return Shape((warp,) * len(labels), lengths, bend, GUARD_SLOPE, loudness, GUARD_OPTION)


def _likeliest(warp: int, places: Array, labels: NDArray[np.bool_], rows: Array, used: Used) -> Surrogate:
    shapes = [
        _shape(warp, labels, length, bend, loudness)
        for length in GUARD_LENGTHS
        for bend in GUARD_BENDS
        for loudness in GUARD_LOUDNESS
    ]
    told = Measured(places, labels, rows, used.values, used.noise)
    found = [Surrogate.given(shape, told) for shape in shapes]
    return max(found, key=lambda pair: pair[1] + pair[0].shape.log_prior)[0]


def reaches(axes: Sequence[Axis], trials: Sequence[tuple[Setting, bool]]) -> Array:
    """How far along each lever (d,) the next move may go beyond what is proven, after the trials (setting, whether it broke).

    A move about as long as allowed that held lets the next one be longer; one that broke a guard makes all further ones shorter.
    """
    reach = np.full(len(axes), FIRST_REACH)
    held: list[Setting] = []
    for setting, broken in trials:
        if held:
            apart = distances(axes, [setting], held)[0]
            moved = apart[int(np.argmin(((apart / reach) ** 2).sum(axis=1)))]
            new = moved > 0.5 * reach
            reach = np.where(new, reach * (REACH_SHRINKS if broken else REACH_GROWS), reach)
            if broken:
                reach = np.where(moved > 0.0, np.minimum(reach, REACH_SHRINKS * np.maximum(moved, LEAST_REACH)), reach)
            reach = np.clip(reach, LEAST_REACH, MOST_REACH)
        if not broken or not held:
            held.append(setting)
    return reach


def within_reach(
    axes: Sequence[Axis], candidates: Sequence[Setting], proven: Sequence[Setting], reach: Array
) -> NDArray[np.bool_]:
    """Which candidates lie no farther than one reach, or one step of their grid, from something proven."""
    apart = distances(axes, candidates, proven)
    allowed = np.array(
        [[max(float(far), axis.step_at(v)) for axis, v, far in zip(axes, one, reach, strict=True)] for one in proven]
    )
    return np.asarray(((apart / allowed[None, :, :]) ** 2).sum(axis=2).min(axis=1) <= 1.0 + 1e-9)


def beyond(
    axes: Sequence[Axis], candidates: Sequence[Setting], proven: Sequence[Setting], broken: Setting, share: float
) -> NDArray[np.bool_]:
    """Which candidates lie more than `share` of the way from the nearest proven setting to one that broke a guard.

    Other levers must be about where they were: what they do to the guard is the model's to know. Choices do not excuse.
    """
    apart = distances(axes, [broken], proven)[0]
    origin = proven[int(np.argmin(apart.sum(axis=1)))]
    alike = np.ones(len(candidates), dtype=bool)
    chosen = [axis.spec.numeric or start == end for axis, start, end in zip(axes, origin, broken, strict=True)]
    for axis, start, end, values in zip(axes, origin, broken, zip(*candidates, strict=True), strict=True):
        places = np.array([axis.place(value) for value in values])
        if not axis.spec.numeric:
            alike &= (places == axis.place(end)) | (start == end)
        elif start == end:
            alike &= np.abs(places - axis.place(end)) < SIDE
        elif all(chosen):
            gap = axis.place(end) - axis.place(start)
            alike &= (places - axis.place(start)) / gap > share
    return alike
