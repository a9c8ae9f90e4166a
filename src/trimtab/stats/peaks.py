"""Tail probabilities of streams: peaks over a threshold. Tells a detector how rare each thing that it sees is.

Siffer, Fouque, Termier and Largouët (2017), "Anomaly detection in streams with extreme value theory" (SPOT): beyond a high
quantile the excesses of almost any distribution follow a generalised Pareto one (Pickands 1975), so its tail can be carried on
beyond what was ever seen. Here it is fitted by probability-weighted moments (Hosking and Wallis 1987), drawn towards a nearly
exponential tail as long as there are few excesses.
"""

from __future__ import annotations

import math
from array import array
from bisect import insort
from collections.abc import Sequence

_KEPT = 48  # largest values of a stream
_SHARE = 10  # one value in so many is a peak
_FIRST = 8  # peaks: with fewer there is no tail yet
_MEMORY = 20_000  # values: after these the past fades
_SHAPE, _SHAPE_WEIGHT = 0.1, 20.0  # the shape before anything was seen, and how many peaks it counts as
_SHAPES = (-0.3, 0.7)  # between which one fit lies: wider ones come from too few peaks
_REFIT = 16  # values after which the tails are brought up to date
_DECIBAN = 1.0 / math.log(10.0)
_RESOLUTION = 1e-6  # of a threshold, as peaks are kept in single precision
_LEAST = 1e-9
_ALMOST = -0.95  # shape × excess: the tail ends at −1
_STRAIGHT = 1e-3  # below this shape the tail is exponential


class PeaksOverThreshold:
    """The upper tails of several streams whose values come together. Holds the 48 largest of each: 0.5 KB a stream.

    `lightest` (n,) has the least shape that is believed of each; negative: the tail may have an end.

    >>> tails = PeaksOverThreshold([-0.15])
    >>> for i in range(1000): peaks = tails.learn([(i * 617 % 1000) / 1000.0])
    >>> round(tails.surprise(0, 0.99)), tails.surprise(0, 1.5) > 4.0, tails.surprise(0, 0.0)
    (2, True, 0.0)
    """

    __slots__ = ("_bases", "_changed", "_gone", "_largest", "_least", "_lightest", "_seen", "_shapes", "_spreads", "thresholds")

    def __init__(self, lightest: Sequence[float]) -> None:
        n = len(lightest)
        self._lightest = lightest
        self._largest = [array("f") for _ in range(n)]  # ascending
        self._least = array("d", [-math.inf] * n)  # what a value has to exceed in order to be kept
        self._seen, self._gone = 0, [0] * n  # values, and how many of them have faded
        self.thresholds = array("d", [math.inf] * n)  # beyond which a peak lies
        self._bases, self._shapes, self._spreads = array("d", [0.0] * n), array("d", [_SHAPE] * n), array("d", [1.0] * n)
        self._changed = bytearray(n)  # which have other peaks since the last fit

    def learn(self, values: Sequence[float]) -> list[tuple[int, float]]:
        """Take in one finite value of each stream. Which are peaks, and how surprising each of them was before."""
        self._seen += 1
        peaks = []
        for place, (value, threshold, least) in enumerate(zip(values, self.thresholds, self._least, strict=True)):
            if value > threshold:
                peaks.append((place, self.surprise(place, value)))
            if value > least:
                self._keep(place, value)
        if self._seen % _REFIT == 0:
            self._refit()
        return peaks

    def surprise(self, place: int, value: float) -> float:
        """−log10 of the probability of at least `value`: 0 for what is common, 3 for one in a thousand."""
        threshold, base = self.thresholds[place], self._bases[place]
        if value <= threshold:
            return base * value / threshold if value > 0.0 and threshold < math.inf else 0.0
        excess, shape = (value - threshold) / self._spreads[place], self._shapes[place]
        if shape * excess < _ALMOST:  # almost at the end of a tail that has one: from here on as if it had none
            excess = math.log1p(_ALMOST) / shape + excess - _ALMOST / shape
        elif abs(shape) > _STRAIGHT:
            excess = math.log1p(shape * excess) / shape
        return base + excess * _DECIBAN

    def value_at(self, place: int, surprise: float) -> float:
        """The value that has this surprise, the inverse of `surprise` beyond the threshold; infinite before there is a tail."""
        excess, shape = max(surprise - self._bases[place], 0.0) / _DECIBAN, self._shapes[place]
        if shape * excess < math.log1p(_ALMOST):
            excess += (_ALMOST - math.log1p(_ALMOST)) / shape
        elif abs(shape) > _STRAIGHT:
            excess = math.expm1(min(shape * excess, 500.0)) / shape
        return self.thresholds[place] + excess * self._spreads[place]

    def _keep(self, place: int, value: float) -> None:
        largest = self._largest[place]
        if len(largest) == _KEPT:
            gone = 0
            if self._seen - self._gone[place] > _MEMORY:  # any of the peaks goes, in turn, with the values that it stood for
                gone = self._seen % _KEPT
                self._gone[place] += _MEMORY // _KEPT
            del largest[gone]
        insort(largest, value)
        if len(largest) == _KEPT:
            self._least[place] = largest[0]
        self._changed[place] = True

    def _refit(self) -> None:
        for place, largest in enumerate(self._largest):
            seen = self._seen - self._gone[place]
            peaks = min(len(largest) - 1, max(_FIRST, seen // _SHARE))
            if peaks < _FIRST:
                continue
            self._bases[place] = -math.log10((peaks + 0.5) / (seen + 1.0))
            if self._changed[place] or peaks < _KEPT - 1:
                self._fit(place, largest[-peaks - 1], largest[-peaks:])
                self._changed[place] = False

    def _fit(self, place: int, threshold: float, largest: array[float]) -> None:
        peaks = len(largest)
        mean = sum(largest) / peaks - threshold
        weighted = sum(left * value for left, value in enumerate(reversed(largest)))
        falling = weighted / (peaks * (peaks - 1)) - 0.5 * threshold
        bend = mean - 2.0 * falling
        shape = 2.0 - mean / bend if bend > _LEAST else _SHAPE
        shape = min(max(shape, _SHAPES[0]), _SHAPES[1])
        shape = max((peaks * shape + _SHAPE_WEIGHT * _SHAPE) / (peaks + _SHAPE_WEIGHT), self._lightest[place])
        self.thresholds[place], self._shapes[place] = threshold, shape
        self._spreads[place] = max(mean * (1.0 - shape), _RESOLUTION * abs(threshold), _LEAST)
