"""Means over runs of neighbours: what autocorrelated samples are aggregated into before they are compared.

Means over b neighbours have variance ≈ (σ² / b) · (1 + ρ) / (1 − ρ), and those b apart are nearly independent once b is well
above 1 / (1 − ρ); Carlstein (1986), "The use of subseries values for estimating the variance of a general statistic".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def running_means(y: Array, size: int) -> Array:
    """Means of every run of `size` neighbours, (n − size + 1,); empty when there are fewer samples than that.

    >>> running_means(np.array([1.0, 3.0, 5.0, 7.0]), 2)
    array([2., 4., 6.])
    """
    if y.size < size:
        return np.empty(0)
    total = np.concatenate(([0.0], np.cumsum(y)))
    return np.asarray((total[size:] - total[:-size]) / size, dtype=np.float64)
