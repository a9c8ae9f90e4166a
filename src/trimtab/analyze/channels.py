"""The questions that are put to each sample, each with a tail of its own. Used by `StreamDetector`.

A value is first brought to a scale without units: y = asinh((x − level) / spread), level and spread adapting over some 2,000
samples. The inverse hyperbolic sine is linear near zero and logarithmic far out, so that heavy tails and skew are tamed. Then
eight channels, upwards and downwards each, and the shape:

- value: y itself
- day: y against its usual at this time of day
- change: y against its mean of the last few samples
- persistence: the mildest of the last three samples on one side, a shift that a lone outlier cannot make
- shift: the mean of the last few samples against that of some 200, a lasting change too small to stand out in one sample
- week: y against its usual at this hour of the week, averaged over 10 samples
- variance: the local deviation from the mean, as a logarithm
- step: y against the sample before
- shape: the distance of the last eight samples, about their mean, from all patterns seen before

The tails are those of `stats.PeaksOverThreshold`. What lies within is common and says nothing.
"""

from __future__ import annotations

import math
from array import array

from trimtab.analyze.codebook import Codebook
from trimtab.analyze.incidents import Evidence
from trimtab.analyze.season import SeasonProfile
from trimtab.stats import PeaksOverThreshold

_MEMORY = 2_000.0  # samples, of level and spread
_LEVEL_STEP, _SPREAD_STEP = 3.0, 5.0  # spreads to which a sample is pulled in before they learn from it
_CONSTANT = 30  # samples
_RESOLUTION = 1e-9  # of the level: below this a change is how floats are written, not how the target behaves
_LEAST = 1e-300  # a spread is never zero
_FAST, _SLOW, _LOCAL = 0.2, 0.005, 0.1  # gains of means
_SHAPE = 8  # samples
_FAR = 3.0  # y, some ten spreads: here it is logarithmic, and a series that stays there would be seen blurred
_LIGHTEST = (*[-0.15] * 6, -0.3, -0.3, -0.2, -0.2, *[-0.1] * 4, *[-0.15] * 3)  # shape of each tail, see `PeaksOverThreshold`
_VALUE, _DAY, _SHAPES = 0, 2, 16  # places of these tails; downwards is the place after
_REACH = 16  # samples for which the limits that are shown are not computed anew
_TELLS = 0.7  # the time of day tells something if what it leaves is this much narrower
CHANNELS = len(_LIGHTEST)
_NOTHING = (-math.inf,) * CHANNELS
QUICK = frozenset(range(2, 8)) | frozenset(range(12, 17))  # all but value, shift and week, which stay away for long once they are


class Channels:
    """All that is remembered of what a series looks like; under 14 KB.

    >>> channels = Channels()
    >>> usual = [channels.peaks(60.0 * i, float(i * 7 % 11)) for i in range(300)]
    >>> strange = channels.peaks(18000.0, 1e6)
    >>> max(s for peaks in usual[-100:] for _, s in peaks) < 4.0 < max(s for _, s in strange)
    True
    """

    __slots__ = (
        "_fast",
        "_lags",
        "_level",
        "_local",
        "_most",
        "_reach",
        "_reach_until",
        "_season",
        "_seen",
        "_shapes",
        "_slow",
        "_spread",
        "_tails",
        "_week",
    )

    def __init__(self) -> None:
        self._seen = 0
        self._level = self._spread = 0.0  # of x
        self._fast = self._slow = self._local = self._week = 0.0  # of y
        self._lags = [0.0] * _SHAPE  # the last y, oldest first
        self._season = SeasonProfile()
        self._shapes = Codebook(_SHAPE)
        self._tails = PeaksOverThreshold(_LIGHTEST)
        self._most = array("d", _NOTHING)  # of the block
        self._reach = [math.inf] * 4  # how far value and day may go up and down
        self._reach_until = 0  # the sample from which on that is computed anew

    def peaks(self, timestamp: float, value: float) -> list[tuple[int, float]]:
        """Which channels the finite `value` surprises, and by how much (−log10 p); then learn from it."""
        y = self._scaled(value)
        self._seen += 1
        asked = self._questions(timestamp, y)
        self._learn(timestamp, y)
        fast = self._fast
        asked.append(self._shapes.distance([one - fast for one in self._lags]))
        self._most = array("d", map(max, self._most, asked))
        peaks = self._tails.learn(asked)
        self._shapes.learn(self._tails.thresholds[_SHAPES], peaks[-1][1] if peaks and peaks[-1][0] == _SHAPES else 0.0)
        return peaks

    def block(self) -> list[float]:
        """The largest surprise of each channel since the last call."""
        most, self._most = self._most, array("d", _NOTHING)
        return [self._tails.surprise(place, one) for place, one in enumerate(most)]

    def range_at(self, timestamp: float, evidence: Evidence, rarity: float) -> tuple[float, float, float]:
        """Expected value at `timestamp`, and the limits beyond which value or time of day alone would be so rare."""
        if not self._seen:
            return math.nan, math.nan, math.nan
        if self._seen >= self._reach_until:
            self._reach_until = self._seen + _REACH
            self._reach = [self._tails.value_at(at, evidence.surprise_at(at, rarity)) for at in range(4)]
        usual, place, thresholds = 0.0, _VALUE, self._tails.thresholds
        of_day = self._season.usual(timestamp)
        if of_day is not None and thresholds[2] + thresholds[3] < _TELLS * (thresholds[0] + thresholds[1]) < math.inf:
            usual, place = of_day, _DAY
        lower, upper = min(usual, usual - self._reach[place + 1]), max(usual, usual + self._reach[place])
        return self._unscaled(usual), self._unscaled(lower), self._unscaled(upper)

    def common_range(self, surprise: float) -> tuple[float, float]:
        """Between which limits a value is less surprising than that, whatever the time of day."""
        above, below = (self._tails.value_at(place, surprise) for place in (_VALUE, _VALUE + 1))
        return self._unscaled(-below), self._unscaled(above)

    def pause(self) -> None:
        """A gap: what came before is no neighbour of what comes next."""
        self._fast = self._slow

    def adopt(self, values: list[float]) -> bool:
        """Take the level of `values`, which came last, for the usual one, if it is far off or the series was a constant.

        Whether it was taken.
        """
        ordered = sorted(values)
        level = ordered[len(ordered) // 2]
        if self._spread and abs(math.asinh((level - self._level) / self._least_spread())) < _FAR:
            return False
        self._level = level
        self._spread = self._spread or sum(abs(value - level) for value in ordered) / len(ordered)
        self._fast = self._slow = self._local = self._week = 0.0
        self._lags = [0.0] * _SHAPE
        return True

    def is_constant(self) -> bool:
        """Whether the series has been the same from the beginning, or since a level was adopted."""
        return not self._spread

    def is_off(self) -> bool:
        """Whether the last sample lay further from the level than a spread."""
        return abs(self._lags[-1]) > 1.0

    # -- the scale without units

    def _scaled(self, value: float) -> float:
        if not self._seen:
            self._level = value
            return 0.0
        off, gain = value - self._level, max(1.0 / (self._seen + 1), 1.0 / _MEMORY)
        if self._spread or self._seen < _CONSTANT:  # a constant has its level until another one is adopted
            spread = self._spread or abs(off)
            self._level += gain * max(-_LEVEL_STEP * spread, min(_LEVEL_STEP * spread, off))
            self._spread += gain * (min(abs(off), _SPREAD_STEP * spread) - self._spread)
        return math.asinh(off / self._least_spread())

    def _unscaled(self, y: float) -> float:
        return self._level + self._least_spread() * math.sinh(500.0 if y > 500.0 else -500.0 if y < -500.0 else y)

    def _least_spread(self) -> float:
        least = _RESOLUTION * abs(self._level)
        return self._spread if self._spread > least else least or _LEAST

    # -- the questions

    def _questions(self, timestamp: float, y: float) -> list[float]:
        day, week = self._season.residuals(timestamp, y, self._slow)
        change = y - self._fast
        self._week += _LOCAL * (week - self._week)
        self._local += _LOCAL * (abs(change) - self._local)
        last, before = self._lags[-1], self._lags[-2]
        low, high = min(y, last, before) - self._slow, max(y, last, before) - self._slow
        shift, noise, step = self._fast - self._slow, math.log1p(1e3 * self._local), y - last
        asked, week = [y, -y, day, -day, change, -change, low, -high], self._week
        asked += shift, -shift, week, -week, noise, -noise, step, -step
        return asked

    def _learn(self, timestamp: float, y: float) -> None:
        self._season.learn(timestamp, y)
        self._fast += _FAST * (y - self._fast)
        self._slow += max(1.0 / self._seen, _SLOW) * (y - self._slow)
        del self._lags[0]
        self._lags.append(y)
