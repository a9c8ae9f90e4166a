"""What a series usually looks like: the ordered values of its recent past. One page of arithmetic, used by `StreamDetector`.

The scale on each side is the largest of three quantile distances, each of which equals the standard deviation for normal data.
Heavy tails and skew so widen the side that they are on, and up to 3 % of wild values move it by nothing.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable

_REACH = ((0.75, 0.6745), (0.90, 1.2816), (0.97, 1.8808))  # quantile, and how many standard deviations out it is (normal)
_RESOLUTION = 1e-9  # of the level: below this a change is how floats are written, not how the target behaves
_LEAST = 1e-300  # a scale is never zero


class Reference:
    """The last `size` values. `add` costs O(size) moves of pointers; levels and scales are look-ups.

    >>> usual = Reference(5)
    >>> for value in (3.0, 1.0, 2.0, 9.0, 2.0): usual.add(value)
    >>> usual.middle
    2.0
    """

    __slots__ = ("_ordered", "_recent", "down", "middle", "up")

    def __init__(self, size: int) -> None:
        self._recent: deque[float] = deque(maxlen=size)
        self._ordered: list[float] = []
        self.middle, self.up, self.down = 0.0, _LEAST, _LEAST  # median, and the scale above and below it

    def __len__(self) -> int:
        return len(self._recent)

    def add(self, value: float) -> None:
        """Take in one finite value; the oldest leaves once there are `size`."""
        if len(self._recent) == self._recent.maxlen:
            del self._ordered[bisect_left(self._ordered, self._recent[0])]
        self._recent.append(value)
        insort(self._ordered, value)
        self._measure()

    def restart(self, values: Iterable[float]) -> None:
        """Forget everything but `values`."""
        self._recent.clear()
        self._recent.extend(values)
        self._ordered = sorted(self._recent)
        self._measure()

    def deviation(self, value: float) -> float:
        """How many scales `value` lies above (positive) or below the middle; at most a billion, where there is no spread."""
        off = value - self.middle
        scales = off / (self.up if off > 0.0 else self.down)
        return min(max(scales, -1e9), 1e9)

    def _measure(self) -> None:
        ordered, last = self._ordered, len(self._ordered) - 1
        if last < 0:
            return
        middle = ordered[(last + 1) // 2]
        up = down = max(_RESOLUTION * abs(middle), _LEAST)
        for quantile, deviations in _REACH:
            i = round(quantile * last)
            up = max(up, (ordered[i] - middle) / deviations)
            down = max(down, (middle - ordered[last - i]) / deviations)
        self.middle, self.up, self.down = middle, up, down
