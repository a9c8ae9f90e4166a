"""Robust scale, and the taming of lone outliers. The first step of every verdict; called on history and on what follows alike.

Hampel (1974), "The influence curve and its role in robust estimation"; Davies & Gather (1993) for the moving identifier.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MAD_TO_SD = 1.4826  # 1 / Φ⁻¹(3/4): makes the median absolute deviation consistent for a normal standard deviation
TAME_WINDOW = 5  # a level that holds for three samples is no outlier: it then has the majority of the window
RECENT = 120  # samples over which the noise of today is taken
LOUDER = 1.25  # 3.5 standard errors of the mean size of so many normal steps
TAME_SDS = 4.0  # a normal sample is touched once in ~16,000


def median(x: Array) -> float:
    """The median of `x` (n,), to the last bit that of NumPy, whose own loads 2 MB of masked arrays at its first call.

    NaN-free input, n ≥ 1.

    >>> median(np.array([3.0, 1.0, 2.0, 10.0]))
    2.5
    """
    return float(medians(x[np.newaxis, :])[0])


def medians(x: Array) -> Array:
    """The same of each row of `x` (m, n): (m,)."""
    middle = x.shape[1] // 2
    if x.shape[1] % 2:
        return np.asarray(np.partition(x, middle, axis=1)[:, middle], dtype=np.float64)
    parts = np.partition(x, (middle - 1, middle), axis=1)
    return np.asarray(parts[:, middle - 1 : middle + 1].mean(axis=1), dtype=np.float64)


def mad_sd(x: Array) -> float:
    """Standard deviation as the median would see it: 1.4826 · median |x − median x|. NaN-free input; 0.0 when empty.

    >>> mad_sd(np.array([1.0, 2.0, 3.0, 4.0, 1000.0]))
    1.4826
    """
    if x.size == 0:
        return 0.0
    return MAD_TO_SD * median(np.abs(x - median(x)))


def tame(y: Array, limit: float, window: int = TAME_WINDOW) -> Array:
    """Pull every sample that is further than `limit` from its trailing median back to that distance.

    The median is over the sample and up to `window` − 1 before it; the first three samples share theirs. So the result for a
    sample never changes when later ones arrive (from the third on), and a lasting shift passes after two samples.
    `y` (n,) finite, `limit` in units of y. Returns (n,).

    >>> tame(np.array([1.0, 1.0, 9.0, 1.0, 5.0, 5.0, 5.0]), limit=2.0)
    array([1., 1., 3., 1., 3., 5., 5.])
    """
    if y.size < 2:
        return y.copy()
    middle = trailing_median(y, window)
    return np.asarray(np.clip(y, middle - limit, middle + limit), dtype=np.float64)


def tame_history(y: Array, limit: float, window: int = TAME_WINDOW) -> Array:
    """As `tame`, but about the centred median, as all of a history is known: the last three samples share theirs, like the first.

    >>> tame_history(np.array([1.0, 1.0, 9.0, 1.0, 1.0, 1.0, 5.0, 5.0, 5.0]), limit=2.0)
    array([1., 1., 3., 1., 1., 1., 5., 5., 5.])
    """
    n, side = y.size, window // 2
    if n < window:
        return tame(y, limit, window)
    middle = np.empty(n)
    middle[side : n - side] = medians(np.lib.stride_tricks.sliding_window_view(y, window))
    middle[:side], middle[n - 3 :] = median(y[:3]), median(y[-3:])
    return np.asarray(np.clip(y, middle - limit, middle + limit), dtype=np.float64)


def trailing_median(y: Array, window: int = TAME_WINDOW) -> Array:
    """Median of each sample and the up to `window` − 1 before it, (n,); the first three share the median of the three."""
    n = y.size
    head = min(n, window - 1)
    middle = np.empty(n)
    middle[: min(n, 3)] = median(y[:3]) if n else 0.0
    for i in range(3, head):
        middle[i] = median(y[: i + 1])
    if n >= window:
        middle[window - 1 :] = medians(np.lib.stride_tricks.sliding_window_view(y, window))
    return middle


def loudness(y: Array) -> float:
    """How much larger the steps of the last RECENT samples are than those of all `y` (n,); 1 unless it is clearly more.

    >>> loudness(np.tile([0.0, 1.0], 500)), loudness(np.concatenate((np.tile([0.0, 1.0], 500), np.tile([0.0, 2.0], 60))))
    (1.0, 1.8)
    """
    steps = np.abs(np.diff(y))
    usual, now = float(steps.mean()), float(steps[-RECENT:].mean()) if steps.size else 0.0
    return round(now / usual, 1) if now > LOUDER * usual > 0.0 else 1.0
