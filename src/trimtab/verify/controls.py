"""Which series may serve as controls for an action: those that went along with its metric, and that it cannot have touched.

A control is believed when, in the frame of `frame` (scale, without rhythm), its correlation with the metric was LEAST or more
before the incident. It is contaminated, and dropped, when its level shifted as the incident began although the two never were
that far off together before: then whatever broke the one may have broken the other, and mending the one may mend both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.stats import change_points, median, running_means
from trimtab.verify.frame import LEAST_SHARED, MAX_MISSING, frame_of
from trimtab.verify.samples import as_arrays, ascending, table_of
from trimtab.verify.unit import FLOOR

Array = NDArray[np.float64]

LEAST = 0.8  # correlation; below it a control costs more than it explains
HALF_WAY, BLOCK = 0.5, 5  # of the way to the level of the incident; samples that have to be there
TOGETHER = 6  # samples; two shifts that close are one event
MOST = 3  # controls; each is judged as well, at every look
EXACT = 1.0 - 1e-9  # a copy of the metric is no control


@dataclass(frozen=True, slots=True)
class Choice:
    """The names of the controls to judge beside, the best first, and why others are none: name → words."""

    names: tuple[str, ...]
    refused: Mapping[str, str]


def choose_controls(samples: tuple[object, object], offered: Mapping[str, object], *, applied_at: float) -> Choice:
    """The controls among `offered` (name → values on the samples' t, NaN = missing) for an action at `applied_at` s.

    >>> t = np.arange(300.0)
    >>> load = np.sin(t**2)
    >>> y, kin, stranger = 10 + load, 5 + 0.3 * load + 0.01 * np.cos(t**3), 3 + np.cos(t**3)
    >>> choose_controls((t, y), {"kin": kin, "stranger": stranger}, applied_at=250.0).names
    ('kin',)
    """
    t, y, x = ascending(*as_arrays(*samples), table_of(offered, samples[0]))
    before = (t < applied_at) & np.isfinite(y)
    t, y, x = t[before], y[before], x[before]
    refused: dict[str, str] = {}
    found: list[tuple[float, str]] = []
    rest = _rest(t, y, applied_at)
    begun = _begun(rest) if rest is not None else y.size
    for column, name in enumerate(offered):
        r, problem = _correlation(t, rest, x[:, column], begun, applied_at), None
        if r is None or rest is None:
            problem = f"fewer than {LEAST_SHARED} samples in common before the incident"
        elif not LEAST <= abs(r) < EXACT:
            problem = f"its correlation is {r:.2f}, {LEAST} is needed"
        elif _contaminated(rest, _whole(t, x[:, column], applied_at), begun):
            problem = "it shifted as the incident began, as it never did with this metric before"
        if problem is None and r is not None:
            found.append((-abs(r), name))
        else:
            refused[name] = problem or ""
    names = [name for _, name in sorted(found)]
    refused |= dict.fromkeys(names[MOST:], f"{MOST} better ones are there")
    return Choice(tuple(names[:MOST]), refused)


def _rest(t: Array, y: Array, applied_at: float) -> Array | None:
    framed = frame_of(t, y, applied_at) if y.size >= LEAST_SHARED else None
    return None if framed is None else framed[1]


def _whole(t: Array, x: Array, applied_at: float) -> Array:
    """A control (n,) in its frame, missing values as the mean."""
    known = np.isfinite(x)
    rest = _rest(t[known], x[known], applied_at)
    whole = np.zeros(t.size)
    if rest is not None:
        whole[:] = rest.mean()
        whole[known] = rest
    return whole


def _correlation(t: Array, rest: Array | None, x: Array, begun: int, applied_at: float) -> float | None:
    """With the metric before the incident; None where too little is known of either."""
    missing = 1.0 - np.isfinite(x).mean() if x.size else 1.0
    if rest is None or begun < LEAST_SHARED or missing > MAX_MISSING:
        return None
    a, b = rest[:begun], _whole(t, x, applied_at)[:begun]
    spread = float(a.std() * b.std())
    return float(np.mean((a - a.mean()) * (b - b.mean()))) / spread if spread > 0.0 else None


def _begun(rest: Array) -> int:
    """Where the newest level of a history (n,) begins; n where it never shifted."""
    return change_points(rest, FLOOR)[-1] or rest.size


def _contaminated(ours: Array, theirs: Array, begun: int) -> bool:
    """Whether a control shifted as the metric did at `begun`, and the two were never that far off together before."""
    if begun == ours.size or abs(_begun(theirs) - begun) > TOGETHER:
        return False
    return not bool(np.any(_off(ours, begun) & _off(theirs, begun)))


def _off(rest: Array, begun: int) -> NDArray[np.bool_]:
    """Which runs of BLOCK samples before `begun` were half-way from the usual level to that after it."""
    before, usual = rest[:begun], median(rest[:begun])
    return np.asarray((running_means(before, BLOCK) - usual) / (float(rest[begun:].mean()) - usual) >= HALF_WAY)
