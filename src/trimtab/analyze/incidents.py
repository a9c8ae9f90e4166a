"""From surprises to incidents: how often does this series surprise so much? Used by `StreamDetector`.

Samples resemble their neighbours, so the surprise of one is no probability of an incident yet. The maxima of blocks of 32
samples are: they hardly depend on each other (Coles 2001, chapter 3). Their tail is taken as an exponential one, learned from the
series itself, and from what independent samples would show as long as there are few blocks. Each channel has a tail of its own,
so that one that is restless in this series does not deafen the others. Then what all of them say together is put to the same
test. Blocks of an incident count as having just reached the limit, so that incidents do not make the next one usual.
"""

from __future__ import annotations

import math
from array import array
from bisect import insort
from collections.abc import Sequence

_FEWEST = 168.0  # samples a week as which even a sparser series is judged
INCIDENTS_A_WEEK = 0.25  # aimed at; then about one is raised, on the average over the distributions that the bench knows
BLOCK = 32  # samples
_KEPT, _SHARE = 32, 4  # largest maxima, and one block in so many is among the tail
_NEEDED = 8  # blocks before the series' own tail has a say
_BELIEF, _BELIEF_IN_TAIL = 10.0, 40.0  # blocks, and peaks, as which the prior counts
_MEMORY = 4_000  # blocks after which the past fades
_ALSO = 0.13  # of what each further channel says, added to what the loudest says
_LN_10 = math.log(10.0)
_LN_BLOCK = math.log(BLOCK)
_EXCESS = 1.0 / _LN_10  # mean excess of −log10 p where p is uniform


class RareMaxima:
    """The tails of the maxima of blocks. `rarity` is −ln of the probability that a usual block reaches a surprise.

    >>> maxima = RareMaxima(1)
    >>> round(maxima.rarity(0, 4.0), 2)
    5.74
    """

    __slots__ = ("_base", "_blocks", "_largest", "_spreads", "_starts", "_weight")

    def __init__(self, places: int) -> None:
        self._largest = [array("f") for _ in range(places)]  # ascending
        self._starts, self._spreads = array("d", [0.0] * places), array("d", [_EXCESS] * places)
        self._blocks, self._base, self._weight = 0, 0.0, 0.0

    def rarity(self, place: int, surprise: float) -> float:
        """−ln P(the maximum of a block ≥ `surprise`), at least 0."""
        believed = max(surprise * _LN_10 - _LN_BLOCK, 0.0)
        start, weight = self._starts[place], self._weight
        seen = (surprise - start) / self._spreads[place] + self._base if surprise > start else 0.0
        return weight * seen + (1.0 - weight) * believed

    def surprise_at(self, place: int, rarity: float) -> float:
        """The surprise of this rarity: the inverse."""
        start, spread, weight = self._starts[place], self._spreads[place], self._weight
        offset = weight * (self._base - start / spread) - (1.0 - weight) * _LN_BLOCK
        return max((rarity - offset) / (weight / spread + (1.0 - weight) * _LN_10), start)

    def learn(self, surprises: Sequence[float], limit: float) -> None:
        """Take in the largest surprise of a block at each place, each no rarer than `limit`."""
        surprises = [min(one, self.surprise_at(place, limit)) for place, one in enumerate(surprises)]
        self._blocks += 1
        for largest, surprise in zip(self._largest, surprises, strict=True):
            if len(largest) == _KEPT:
                if surprise <= largest[0]:
                    continue
                del largest[self._blocks % _KEPT if self._blocks > _MEMORY else 0]
            insort(largest, surprise)
        if self._blocks > _MEMORY:
            self._blocks -= _MEMORY // _KEPT
        if self._blocks >= _NEEDED:
            self._fit()

    def _fit(self) -> None:
        self._weight = self._blocks / (self._blocks + _BELIEF)
        peaks = min(len(self._largest[0]) - 1, max(4, self._blocks // _SHARE))
        self._base = math.log((self._blocks + 1.0) / (peaks + 0.5))
        for place, largest in enumerate(self._largest):
            self._starts[place] = start = largest[-peaks - 1]
            excess = sum(largest[-peaks:]) - peaks * start
            self._spreads[place] = (excess + _BELIEF_IN_TAIL * _EXCESS) / (peaks + _BELIEF_IN_TAIL)


class Evidence:
    """What the peaks of several channels come to: together, and from the `quick` ones, those that tell of this very sample.

    >>> evidence = Evidence(3, frozenset({0}))
    >>> alone, _ = evidence.weigh([(1, 4.0)], 10.0)
    >>> both, own = evidence.weigh([(1, 4.0), (2, 3.5)], 10.0)
    >>> round(alone, 1), round(both, 1), own
    (6.5, 7.1, 0.0)
    """

    __slots__ = ("_channels", "_in_block", "_maxima", "_most", "_quick")

    def __init__(self, channels: int, quick: frozenset[int]) -> None:
        self._channels, self._quick = channels, quick
        self._maxima = RareMaxima(channels + 2)
        self._most, self._in_block = [0.0, 0.0], 0  # of the block: surprise of all together, of the quick ones

    def weigh(self, peaks: Sequence[tuple[int, float]], limit: float) -> tuple[float, float]:
        """Rarity of the sample by all channels and by the quick ones. `peaks` are their places and surprises."""
        loudest = total = quick = 0.0
        rarity, maxima = 0.0, self._maxima
        for place, surprise in peaks:
            rarity = maxima.rarity(place, surprise)
            total += rarity
            if rarity > loudest:
                loudest = rarity
            if surprise > quick and place in self._quick:
                quick = surprise
        together = (loudest + _ALSO * total + _LN_BLOCK) / _LN_10
        most = self._most
        self._most = [max(most[0], together), max(most[1], quick)]
        self._in_block += 1
        return maxima.rarity(self._channels, together), maxima.rarity(self._channels + 1, quick)

    def is_block(self) -> bool:
        """Whether the block is full and `learn` is due."""
        return self._in_block >= BLOCK

    def learn(self, surprises: Sequence[float], limit: float) -> None:
        """Take in a block: the largest surprise of each channel."""
        self._maxima.learn([*surprises, *self._most], limit)
        self._most, self._in_block = [0.0, 0.0], 0

    def surprise_at(self, place: int, rarity: float) -> float:
        """The surprise by which one channel alone reaches this rarity."""
        together = self._maxima.surprise_at(self._channels, rarity)
        return self._maxima.surprise_at(place, max(together * _LN_10 - _LN_BLOCK, 0.0) / (1.0 + _ALSO))


def limit(samples_a_week: float) -> float:
    """The rarity that blocks of so many samples a week reach `INCIDENTS_A_WEEK` times.

    >>> round(limit(604800 / 60), 1)
    7.1
    """
    return math.log(max(samples_a_week, _FEWEST) / BLOCK / INCIDENTS_A_WEEK)
