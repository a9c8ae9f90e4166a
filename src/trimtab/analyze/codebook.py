"""Patterns seen before: a small online codebook of shapes. What resembles none of them is new. Used by `channels`.

Online vector quantisation (Kohonen 1990, without a neighbourhood): the nearest pattern is drawn a little towards what was seen;
what lies far from all of them takes the place of the pattern that was of least use.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

_PATTERNS = 48
_DRAWN = 0.05  # towards what was seen
_NEW = 1.7  # −log10 p of the distance from which on a shape becomes a pattern: one in fifty
_APART = 0.3  # of the usual distance: while there is room, shapes that far from all others are kept
_FADE = 0.98  # of the use of all patterns, whenever a new one comes


class Codebook:
    """Up to 48 patterns of `size` numbers: 2 KB. Ask for the distance of a shape, then learn from it.

    >>> book = Codebook(2)
    >>> for i in range(300):
    ...     distance = book.distance((float(i % 3), float(i % 5)))
    ...     book.learn(1.0, 0.0)
    >>> book.distance((0.0, 0.0)) < 1.0 < book.distance((90.0, 0.0))
    True
    """

    __slots__ = ("_asked", "_count", "_distance", "_nearest", "_off", "_patterns", "_use")

    def __init__(self, size: int) -> None:
        self._patterns = np.zeros((_PATTERNS, size), dtype=np.float32)
        self._use = np.zeros(_PATTERNS, dtype=np.float32)
        self._count = 0
        self._asked: Sequence[float] = ()
        self._nearest, self._distance, self._off = 0, 0.0, self._patterns[0].copy()

    def distance(self, shape: Sequence[float]) -> float:
        """How far `shape` (size,) is from the nearest pattern; 0 before there is one."""
        self._asked = shape
        if self._count:
            off = self._patterns[: self._count] - np.array(shape, dtype=np.float32)
            squares = np.einsum("ij,ij->i", off, off)
            nearest = self._nearest = int(squares.argmin())
            self._off, self._distance = off[nearest].copy(), math.sqrt(squares[nearest])
        return self._distance

    def learn(self, usual: float, surprise: float) -> None:
        """Learn the shape asked for last: `usual` is a distance that is still common, `surprise` how rare that of this one is."""
        count = self._count
        if not count or (count < _PATTERNS and self._distance > (_APART * usual if usual < math.inf else 0.0)):
            self._keep(count, 1.0)
            self._count += 1
        elif count == _PATTERNS and surprise > _NEW:
            least = int(self._use.argmin())
            self._use *= _FADE
            self._keep(least, max(1.0, 0.2 * float(self._use.mean())))
        else:
            self._patterns[self._nearest] -= _DRAWN * self._off
            self._use[self._nearest] += 1.0

    def _keep(self, place: int, use: float) -> None:
        self._patterns[place], self._use[place] = self._asked, use
