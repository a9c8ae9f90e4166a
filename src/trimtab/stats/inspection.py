"""How often to look at each of many things, when looking costs and what happens unseen costs, too. Used by adaptive monitoring.

What changes at a rate h (hazard), and is looked at every T seconds, goes unseen for T / 2 on average; with a weight w on each
second of it that costs w · h · T / 2 a second. Looking costs c / T. The sum of the first is least, under a budget for the second,
where T is proportional to √(c / (w · h)): the square root of Barlow, Hunter and Proschan (1963, "Optimum checking procedures")
for the inspection of one machine, with one price of processor time for all. Cho and Garcia-Molina (2003, "Effective page refresh
policies for web crawlers") count pages that are up to date instead, and give up those that change too often; here each change
counts, so nothing is ever given up. Bounds are kept by water-filling: who is at a bound pays what that costs, the rest share what
is left.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_STEPS = 60  # of a bisection over the logarithm of the price: beyond the last digit
_LEAST = 1e-300


def inspection_intervals(value: Array, cost: Array, shortest: Array, longest: Array, budget: float) -> Array:
    """Seconds between two looks at each thing, (n,).

    `value` is weight × hazard, `cost` what one look takes, `shortest` and `longest` the bounds, (n,) each; `budget` is what all
    looks may take a second. Where not even the longest intervals are within it, they are what is returned.

    >>> one = np.ones(3)
    >>> inspection_intervals(np.array([4.0, 1.0, 0.0]), one, 10.0 * one, 160.0 * one, 0.15625).round(1).tolist()
    [10.0, 20.0, 160.0]
    >>> inspection_intervals(np.array([4.0, 1.0, 0.0]), one, 10.0 * one, 160.0 * one, 0.05).round(1).tolist()
    [34.3, 68.6, 160.0]
    """
    if not len(value):
        return np.empty(0)
    wanted = np.sqrt(cost / np.maximum(value, _LEAST))  # at a price of 1

    def at(price: float) -> Array:
        return np.asarray(np.clip(np.exp(price) * wanted, shortest, longest))

    ratio = np.log(np.maximum(wanted, _LEAST))
    low, high = float((np.log(shortest) - ratio).min()), float((np.log(longest) - ratio).max())  # all at a bound at either end
    if (cost / shortest).sum() <= budget:
        return at(low)
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if (cost / at(middle)).sum() > budget else (low, middle)
    return at(high)
