"""How many of the newest samples show one level. Tells the agent whether there is a level to judge a trial against."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trimtab.stats.regimes import difference_noise
from trimtab.stats.scale import median

LEAST_NOISE = 0.05  # relative: below a twentieth a difference in level does not spoil a comparison
SURPRISE = 3.0  # standard errors of the difference between a sample and the mean of the newer ones
MIN_DIFFERENCES = 5  # samples before the noise can be told from the level


def steady_tail(y: NDArray[np.float64]) -> int:
    """The newest samples of `y` (n,) up to the first, backwards, that lies off the mean of those after it.

    Positive series are compared by their logarithm, others relative to their median; the noise is that of first differences.

    >>> healthy = [0.1, 0.11, 0.1, 0.12, 0.11, 0.1] * 3
    >>> steady_tail(np.array([*healthy, 0.6, 0.62, 0.59])), steady_tail(np.array([*healthy, 0.2, 0.4, 0.8]))
    (3, 1)
    """
    finite = y[np.isfinite(y)]
    if finite.size < MIN_DIFFERENCES:
        return int(finite.size)
    positive = bool((finite > 0.0).all())
    spread = median(np.abs(finite)) or 1.0
    level = np.log(finite) if positive else finite / spread
    noise = max(LEAST_NOISE, difference_noise(level, LEAST_NOISE).step / np.sqrt(2.0))
    newest_first = level[::-1]
    newer = np.cumsum(newest_first)[:-1] / np.arange(1, level.size)
    bar = SURPRISE * noise * np.sqrt(1.0 + 1.0 / np.arange(1, level.size))
    off = np.abs(newest_first[1:] - newer) > bar
    return int(np.argmax(off)) + 1 if off.any() else int(level.size)
