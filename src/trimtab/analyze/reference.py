"""What a series usually looks like: the ordered values of its recent past. One page of arithmetic, used by `StreamDetector`.

The scale on each side is the largest of three quantile distances, each of which equals the standard deviation for normal data.
Heavy tails and skew so widen the side that they are on, and up to 3 % of wild values move it by nothing.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections.abc import Iterable
from functools import lru_cache

_QUANTILES = (0.75, 0.90, 0.97)
_SPREADS = (0.6745, 1.2816, 1.8808)  # how many standard deviations out each of them is (normal)
_RESOLUTION = 1e-9  # of the level: below this a change is how floats are written, not how the target behaves
_LEAST = 1e-300  # a scale is never zero


class Reference:
    """The last `size` values. `add` costs O(size) moves of pointers; levels and scales are look-ups.

    >>> usual = Reference(5)
    >>> for value in (3.0, 1.0, 2.0, 9.0, 2.0): usual.add(value)
    >>> usual.middle
    2.0
    """

    __slots__ = ("_next", "_ordered", "_recent", "_size", "down", "middle", "up")

    def __init__(self, size: int) -> None:
        self._size = size
        self._recent = array("d")  # as they came; once there are `size`, the oldest is at `_next`
        self._next = 0
        self._ordered = array("d")  # plain numbers: a third of what lists of floats weigh
        self.middle, self.up, self.down = 0.0, _LEAST, _LEAST  # median, and the scale above and below it

    def __len__(self) -> int:
        return len(self._recent)

    def add(self, value: float) -> None:
        """Take in one finite value; the oldest leaves once there are `size`."""
        ordered, recent = self._ordered, self._recent
        if len(recent) < self._size:
            recent.append(value)
        else:
            del ordered[bisect_left(ordered, recent[self._next])]
            recent[self._next] = value
            self._next = (self._next + 1) % self._size
        insort(ordered, value)
        self._measure()

    def restart(self, values: Iterable[float]) -> None:
        """Forget everything but `values`, the last `size` of them."""
        self._recent = array("d", list(values)[-self._size :])
        self._next = 0
        self._ordered = array("d", sorted(self._recent))
        self._measure()

    def deviation(self, value: float) -> float:
        """How many scales `value` lies above (positive) or below the middle; at most a billion, where there is no spread."""
        off = value - self.middle
        scales = off / (self.up if off > 0.0 else self.down)
        return min(max(scales, -1e9), 1e9)

    def _measure(self) -> None:
        ordered = self._ordered
        count = len(ordered)
        if not count:
            return
        near, out, far = _places(count)
        last, middle = count - 1, ordered[count // 2]
        least = max(_RESOLUTION * abs(middle), _LEAST)
        a, b, c = _SPREADS
        self.up = max(least, (ordered[near] - middle) / a, (ordered[out] - middle) / b, (ordered[far] - middle) / c)
        self.down = max(
            least, (middle - ordered[last - near]) / a, (middle - ordered[last - out]) / b, (middle - ordered[last - far]) / c
        )
        self.middle = middle


@lru_cache(maxsize=1024)
def _places(count: int) -> tuple[int, ...]:
    """Where among `count` ordered values the quantiles are."""
    return tuple(round(quantile * (count - 1)) for quantile in _QUANTILES)
