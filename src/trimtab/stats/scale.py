"""Robust scale, and the taming of lone outliers. The first step of every verdict; called on history and on what follows alike.

Hampel (1974), "The influence curve and its role in robust estimation"; Davies & Gather (1993) for the moving identifier.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MAD_TO_SD = 1.4826  # 1 / Φ⁻¹(3/4): makes the median absolute deviation consistent for a normal standard deviation
MANY = 3000  # samples, from which on the median is looked for among few
SAMPLE, MARGIN = 500, 40  # the middle of so many is within so many places of that of all: 3.6 standard errors
TAME_WINDOW = 5  # samples; a level that holds for three samples is no outlier: it then has the majority of the window
RECENT = 120  # samples over which the noise of today is taken
LOUDER = 1.25  # 3.5 standard errors of the mean size of so many normal steps
TAME_SDS = 4.0  # a normal sample is touched once in ~16,000


def median(x: Array) -> float:
    """The median of `x` (n,), to the last bit that of NumPy, whose own loads 2 MB of masked arrays at its first call.

    NaN-free input, n ≥ 1.

    >>> median(np.array([3.0, 1.0, 2.0, 10.0]))
    2.5
    """
    part, below = _around_the_middle(x) if x.size > MANY else (x, 0)
    upper = x.size // 2 - below
    parts = np.partition(part, upper)
    return float(parts[upper] if x.size % 2 else (parts[:upper].max() + parts[upper]) / 2.0)


def _around_the_middle(x: Array) -> tuple[Array, int]:
    """Values of `x` (n,) between two quantiles of a sample, and how many lie below; all of `x` where they miss the middle."""
    sample = np.sort(x[:: x.size // SAMPLE])
    low, high = sample[sample.size // 2 - MARGIN], sample[sample.size // 2 + MARGIN]
    part, below = x[(x >= low) & (x <= high)], int(np.count_nonzero(x < low))
    return (part, below) if below < x.size // 2 < below + part.size else (x, 0)


def medians(x: Array) -> Array:
    """The median of each row of `x` (m, n): (m,)."""
    middle = x.shape[1] // 2
    parts = np.partition(x, middle, axis=1)
    upper = parts[:, middle]
    return np.asarray(upper if x.shape[1] % 2 else (parts[:, :middle].max(axis=1) + upper) / 2.0, dtype=np.float64)


def mad_sd(x: Array, middle: float | None = None) -> float:
    """Standard deviation as the median would see it: 1.4826 · median |x − median x|. NaN-free input; 0.0 when empty.

    `middle`: the median of `x`, where it is known already.

    >>> mad_sd(np.array([1.0, 2.0, 3.0, 4.0, 1000.0]))
    1.4826
    """
    if x.size == 0:
        return 0.0
    return MAD_TO_SD * median(np.abs(x - (median(x) if middle is None else middle)))


def tame(y: Array, limit: float) -> Array:
    """Pull every sample that is further than `limit` from its trailing median back to that distance.

    The median is over the sample and up to four before it; the first three samples share theirs. So the result for a
    sample never changes when later ones arrive (from the third on), and a lasting shift passes after two samples.
    `y` (n,) finite, `limit` in units of y. Returns (n,).

    >>> tame(np.array([1.0, 1.0, 9.0, 1.0, 5.0, 5.0, 5.0]), limit=2.0)
    array([1., 1., 3., 1., 3., 5., 5.])
    """
    if y.size < 2:
        return y.copy()
    middle = trailing_median(y)
    return np.asarray(np.clip(y, middle - limit, middle + limit), dtype=np.float64)


def tame_history(y: Array, limit: float) -> Array:
    """As `tame`, but about the centred median, as all of a history is known: the last three samples share theirs, like the first.

    >>> tame_history(np.array([1.0, 1.0, 9.0, 1.0, 1.0, 1.0, 5.0, 5.0, 5.0]), limit=2.0)
    array([1., 1., 3., 1., 1., 1., 5., 5., 5.])
    """
    n, side = y.size, TAME_WINDOW // 2
    if n < TAME_WINDOW:
        return tame(y, limit)
    middle = np.empty(n)
    middle[side : n - side] = _medians_of_five(y)
    middle[:side], middle[n - 3 :] = median(y[:3]), median(y[-3:])
    return np.asarray(np.clip(y, middle - limit, middle + limit), dtype=np.float64)


def trailing_median(y: Array) -> Array:
    """Median of each sample and the up to TAME_WINDOW − 1 before it, (n,); the first three share the median of the three."""
    n = y.size
    head = min(n, TAME_WINDOW - 1)
    middle = np.empty(n)
    middle[: min(n, 3)] = median(y[:3]) if n else 0.0
    for i in range(3, head):
        middle[i] = median(y[: i + 1])
    if n >= TAME_WINDOW:
        middle[head:] = _medians_of_five(y)
    return middle


def _medians_of_five(y: Array) -> Array:
    """Median of every run of TAME_WINDOW samples of `y` (n ≥ 5,), (n − 4,): of the one in the middle and of two pairs.

    Neither the least nor the greatest of four can be the median of five, so that of the two others and the fifth is.
    """
    low, high = np.minimum(y[1:], y[:-1]), np.maximum(y[1:], y[:-1])
    least, most = np.maximum(low[:-3], low[3:]), np.minimum(high[:-3], high[3:])
    lone = y[2:-2]
    return np.asarray(np.maximum(np.minimum(lone, least), np.minimum(np.maximum(lone, least), most)), dtype=np.float64)


def loudness(y: Array) -> float:
    """How much larger the steps of the last RECENT samples are than those of all `y` (n,); 1 unless it is clearly more.

    >>> loudness(np.tile([0.0, 1.0], 500)), loudness(np.concatenate((np.tile([0.0, 1.0], 500), np.tile([0.0, 2.0], 60))))
    (1.0, 1.8)
    """
    steps = np.abs(np.diff(y))
    usual, now = float(steps.mean()), float(steps[-RECENT:].mean()) if steps.size else 0.0
    return round(now / usual, 1) if now > LOUDER * usual > 0.0 else 1.0
