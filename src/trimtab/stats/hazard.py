"""How often something happens at each of many places, learned from where it has happened. Used by adaptive monitoring.

A rate has two parts. What a place is like: the posterior mean of a Poisson rate under a Gamma prior, with a past that fades over
weeks. And what has just happened: one event makes another more likely for a while (Hawkes 1971, "Spectra of some self-exciting
and mutually exciting point processes"), so that a place where something began is looked at while it lasts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DAY = 86_400.0
_PRIOR_EVENTS, _PRIOR_SECONDS = 0.5, 3.5 * DAY  # one a week, as if half an event had been seen
_HALF_LIFE = 14.0 * DAY  # of the past
_EXCITED = 1_800.0  # seconds for which an event makes others likely
_OFFSPRING = 0.3  # events that one brings about, on average


class Hazard:
    """Rates (n,), in events a second, of `n` places.

    >>> hazard = Hazard(2)
    >>> for hour in range(24): hazard.note(3600.0, np.array([hour % 8 == 0, False]))
    >>> bool(hazard.rates()[0] > 5.0 * hazard.rates()[1])
    True
    """

    def __init__(self, n: int) -> None:
        self._events, self._seconds = np.zeros(n), 0.0
        self._lately = np.zeros(n)

    def note(self, seconds: float, happened: NDArray[np.bool_]) -> None:
        """`seconds` have passed, and in them something has `happened` (n,) there or not."""
        fade = 0.5 ** (seconds / _HALF_LIFE)
        self._events *= fade
        self._seconds = self._seconds * fade + seconds
        self._lately *= np.exp(-seconds / _EXCITED)
        self._events += happened
        self._lately += happened

    def rates(self) -> Array:
        """As believed now."""
        usual = (_PRIOR_EVENTS + self._events) / (_PRIOR_SECONDS + self._seconds)
        return np.asarray(usual + _OFFSPRING * self._lately / _EXCITED)
