"""The frame in which samples are compared: on a scale, without rhythm and controls. Chosen from the history alone.

On the inner scale of `unit`, r being what clock and trend explain (`stats.rhythm`) and x the controls in frames of their own:

    z_t = y_t − r(t) + r(moment of acting) − β · (x_t − mean of x)

β by least squares; used only where the halves of the history foretell each other a quarter better with it than without. A shared
cause then drops out of both sides, as with CUPED (Deng et al. 2013) and synthetic controls (Abadie et al. 2010).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.stats import Rhythm, find_rhythm, mad_sd
from trimtab.verify.samples import Lively
from trimtab.verify.unit import FLOOR, Unit, choose_unit

Array = NDArray[np.float64]

LEAST_RHYTHM = 400  # samples
LEAST_SHARED = 100  # samples from which controls can be known
EXPLAINS = 0.25  # share of the variance that controls must explain out of sample
MAX_MISSING = 0.05  # share of a control's history


@dataclass(frozen=True, slots=True)
class Frame:
    """Unit and rhythm of one series, and where the clock stood at the action."""

    unit: Unit
    rhythm: Rhythm | None
    applied_at: float

    def inner(self, t: Array, y: Array) -> Array:
        """Values (n,) at times (n,) s on the inner scale, as they would be had the clock stood still at the action."""
        return self._still(self.unit.inner(y), None if self.rhythm is None else self.rhythm.at(t))

    def _still(self, values: Array, moved: Array | None) -> Array:
        if self.rhythm is None or moved is None:
            return values
        return np.asarray(values - moved + self.rhythm.at(np.asarray([self.applied_at])))


@dataclass(frozen=True, slots=True)
class Shared:
    """What controls explain: `weights` and `means` (k,) of `frames`, in the order of `names`."""

    names: tuple[str, ...]
    columns: tuple[int, ...]
    frames: tuple[Frame, ...]
    means: Array
    weights: Array
    lively: tuple[Lively, ...]  # what is a measurement of each

    def part(self, t: Array, x: Array) -> Array:
        """What the controls' values `x` (n, all) at times (n,) say of y, (n,); NaN where one was not measured."""
        out = np.zeros(t.size)
        each = zip(self.frames, self.columns, self.means, self.weights, self.lively, strict=True)
        for frame, column, mean, weight, lively in each:
            measured, _ = lively.measured(x[:, column])
            out += weight * (frame.inner(t, measured) - mean)
        return out


def frame_of(t: Array, y: Array, applied_at: float) -> tuple[Frame, Array] | None:
    """The frame of a history (n,) of finite values, and the history in it; None where all of it is zero."""
    unit = choose_unit(y)
    if unit is None:
        return None
    inner = unit.inner(y)
    rhythm = find_rhythm(t, inner, FLOOR) if y.size >= LEAST_RHYTHM else None
    if rhythm is None:
        return Frame(unit, None, applied_at), inner
    return Frame(unit, rhythm, applied_at), rhythm.rest + rhythm.at(np.asarray([applied_at]))


def shared_with(t: Array, z: Array, x: Array, names: tuple[str, ...], applied_at: float) -> tuple[Shared, Array] | None:
    """The controls `x` (n, k) that explain a history `z` (n,) in its frame, and their part of it (n,); None where they do not."""
    if z.size < LEAST_SHARED:
        return None
    found = [(column, *framed) for column in range(x.shape[1]) if (framed := _control(t, x[:, column], applied_at)) is not None]
    if not found:
        return None
    rests = np.stack([rest for _, _, rest in found], axis=1)
    means = rests.mean(axis=0)
    centred, wanted = rests - means, z - z.mean()
    if _left_over(centred, wanted) > 1.0 - EXPLAINS:
        return None
    weights = _weights(centred, wanted)
    columns = tuple(column for column, _, _ in found)
    lively = tuple(Lively.of(x[:, column]) for column in columns)
    shared = Shared(tuple(names[c] for c in columns), columns, tuple(frame for _, frame, _ in found), means, weights, lively)
    return shared, np.asarray(centred @ weights)


def _control(t: Array, x: Array, applied_at: float) -> tuple[Frame, Array] | None:
    """Frame of a control, and its history (n,) in it with gaps filled by its mean; None where it says nothing."""
    known = np.isfinite(x)
    if 1.0 - known.mean() > MAX_MISSING or mad_sd(x[known]) == 0.0:
        return None
    framed = frame_of(t[known], x[known], applied_at)
    if framed is None:
        return None
    frame, rest = framed
    whole = np.full(t.size, rest.mean())
    whole[known] = rest
    return frame, whole


def _weights(x: Array, y: Array) -> Array:
    return np.asarray(np.linalg.lstsq(x, y, rcond=1e-9)[0])


def _left_over(x: Array, y: Array) -> float:
    """Share of the variance of `y` that is left where each half is foretold by the other half's weights."""
    half = y.size // 2
    error = 0.0
    for fit, test in ((slice(None, half), slice(half, None)), (slice(half, None), slice(None, half))):
        rest = y[test] - x[test] @ _weights(x[fit], y[fit])
        error += float(rest.var()) * rest.size
    spread = float(y[:half].var()) * half + float(y[half:].var()) * (y.size - half)
    return error / spread if spread > 0.0 else 1.0
