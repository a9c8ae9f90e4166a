"""Anomalies in one series: streaming, without labels, one set of defaults. Fed by `AnomalyWatch`; also public by itself.

Several questions are put to each sample, and each has a tail of its own (`channels`). What they say together is compared with the
maxima of the series' own past (`incidents`). So the limit is a probability: **by default a series without anomalies raises about
one false incident a week**, whatever its distribution, its autocorrelation, its season, and its interval (see docs/detection.md
for what was measured). `threshold_stddev` 2.5 stands for that, as requirement F2 has it; other values scale the limit, which is
−ln of a probability: 5 squares the probability, 1.25 takes its root.

An incident is alerted once: what follows within 100 samples belongs to it, unless it is clearly rarer still.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, replace

from trimtab.analyze.channels import CHANNELS, QUICK, Channels
from trimtab.analyze.counters import CounterWatch
from trimtab.analyze.incidents import Evidence, limit

WARM_UP = 30  # samples before the first alarm
_DEFAULT = 2.5  # standard deviations
_SURE = 3  # samples in a row off a level that so far never moved
_LIVELY = 20  # moves that a series has made before a single sample of it can be strange
_LASTS, _LASTS_OF_CONSTANT = 100, 30  # samples of an incident, the last still strange: what they show is the new usual
_USUAL = 2.0  # −log10 p of a value up to which an incident is over
_SILENCE = 100  # samples of one incident
_ONE_STEP = 30  # samples in which an incident may still grow without being told again
_RARER = 1.0  # −ln p above the incident's rarest, and it is told again
_HOLD = 0.9  # of a score from one sample to the next: what is strange makes its neighbours suspect
_SHORT = 60.0  # samples after which the limit is still twice as far
_ABSURD = 1e100  # no measurement is so large, and sums stay finite
_GAP = 4.0  # usual steps of time without a sample: what follows is not judged at once
_QUIET_AFTER_GAP = 5  # samples
_WEEK = 604_800.0

Range = tuple[float, float, float]  # expected, lower, upper


@dataclass(frozen=True, slots=True)
class Detection:
    """What one sample came to.

    `is_anomaly` is the alert: true once an incident, at the sample that makes it sure. `score` is 0.5 or more for an alert, and
    below for all else: it rises with the rarity of the sample by itself, 0.25 at the limit, and fades over some 20 samples.
    `expected`, `lower` and `upper` are what was usual before the sample came.
    """

    score: float
    expected: float
    lower: float
    upper: float
    is_anomaly: bool


class StreamDetector:
    """Learns what is usual for a series and says what is not.

    Never alarms on a constant, in its first 30 samples, on missing values, or on the first samples after a gap. A far level that
    lasts for 100 samples becomes the usual one. A series that only grows is a counter: its rate is judged. Holds some 20 KB.

    >>> detector = StreamDetector()
    >>> values = [10.0 + (i * 7 % 5) / 10 for i in range(100)] + [14.0, 14.1, 14.2]
    >>> [i for i, value in enumerate(values) if detector.update(float(i), value).is_anomaly]
    [100]
    """

    __slots__ = (
        "_alerted",
        "_channels",
        "_counter",
        "_evidence",
        "_held",
        "_incident",
        "_last",
        "_left",
        "_limit",
        "_moves",
        "_off",
        "_quiet",
        "_rarest",
        "_recent",
        "_seen",
        "_sensitivity",
        "_step",
        "_usual",
    )

    def __init__(self, threshold_stddev: float = _DEFAULT) -> None:
        if not threshold_stddev > 0.0:
            raise ValueError(f"threshold_stddev is a positive number, got {threshold_stddev!r}")
        self._sensitivity = threshold_stddev / _DEFAULT
        self._counter = CounterWatch()
        self._moves = self._quiet = 0
        self._limit = math.inf
        self._last = self._step = math.nan  # time of the last sample, and the usual time between two
        self._begin()

    def _begin(self) -> None:
        """Know nothing of what is usual."""
        self._channels, self._evidence = Channels(), Evidence(CHANNELS, QUICK)
        self._seen = self._off = 0
        self._held, self._incident = 0.0, False
        self._alerted, self._rarest = -_SILENCE, 0.0  # when the last incident was told, and −ln p of its rarest sample
        self._recent, self._left = array("d"), False  # values of the incident that lasts, and whether it has left what was usual
        self._usual = (-math.inf, math.inf)  # before it

    def update(self, timestamp: float, value: float) -> Detection:
        """Judge `value` of the time `timestamp` (Unix seconds, rising), then learn from it. NaN is missing: no trace."""
        expected = self._expectation(timestamp)
        score, alert = self._take_in(timestamp, value)
        return Detection(score, expected.expected, expected.lower, expected.upper, alert) if score else expected

    def notice(self, timestamp: float, value: float) -> Detection | None:
        """The same for whoever asks of a thousand series at once: None while no incident lasts."""
        expected = self._expectation(timestamp) if self._incident else None
        score, alert = self._take_in(timestamp, value)
        if not self._incident:
            return None
        return replace(expected or self._expectation(timestamp), score=max(score, 0.5), is_anomaly=alert)

    def _take_in(self, timestamp: float, value: float) -> tuple[float, bool]:
        """Score and alert of a sample that is learned from then."""
        if not (abs(value) < _ABSURD and math.isfinite(timestamp)) or timestamp <= self._last:
            return 0.0, False
        elapsed = self._keep_time(timestamp)
        self._moves += value != self._counter.last
        rate = self._counter.rate(elapsed, value)
        if self._counter.turned:
            self._begin()
        if self._quiet:
            self._quiet -= 1
            return 0.0, False
        judged = value if rate is None else rate
        self._seen += 1
        peaks = self._channels.peaks(timestamp, judged)
        self._off = self._off + 1 if self._channels.is_off() else 0
        return self._judge(judged, peaks) if self._seen > WARM_UP else (0.0, False)

    def _judge(self, value: float, peaks: list[tuple[int, float]]) -> tuple[float, bool]:
        evidence = self._evidence
        least = self._limit * (1.0 + _SHORT / self._seen)  # a short past knows its tails badly, so it gets a wider limit
        rarity, own = evidence.weigh(peaks, least)
        if evidence.is_block():
            evidence.learn(self._channels.block(), least)
        self._held = score = max(own / (own + least), _HOLD * self._held)
        sure = rarity > least and (self._moves > _LIVELY or self._off >= _SURE)
        alert = sure and self._is_new(rarity)
        self._follow(value, sure, alert)
        return (max(score, 0.5), True) if alert else (0.5 * score, False)

    def _is_new(self, rarity: float) -> bool:
        since = self._seen - self._alerted
        new = since > _SILENCE or (since > _ONE_STEP and rarity > self._rarest + _RARER)
        if new:
            self._alerted, self._rarest = self._seen, rarity
        self._rarest = max(self._rarest, rarity)
        return new

    def _follow(self, value: float, sure: bool, alert: bool) -> None:
        """An incident begins with an alert, or a sure sample outside of what is usual, and lasts until values are back inside."""
        if not self._incident:
            if not sure:
                return
            self._usual = self._channels.common_range(_USUAL)
        lower, upper = self._usual
        outside = not lower <= value <= upper
        if not self._incident:
            if not (alert or outside):
                return
            self._left, self._recent = False, array("d")
        self._left = self._left or outside
        self._incident = outside or (sure and not self._left)
        self._recent.append(value)
        if self._incident and len(self._recent) >= (_LASTS_OF_CONSTANT if self._channels.is_constant() else _LASTS):
            if outside and self._channels.adopt(self._recent.tolist()):
                self._alerted = self._seen  # what follows from that is no news
            self._incident = False

    def _keep_time(self, timestamp: float) -> float:
        """Seconds since the last sample, NaN for the first."""
        step = timestamp - self._last
        self._last = timestamp
        if math.isnan(step):
            return step
        if math.isnan(self._step):
            self._step = step
        if step > _GAP * self._step and self._seen > _SURE:
            self._quiet, self._incident = _QUIET_AFTER_GAP, False
            self._channels.pause()
        self._step += 0.1 * (min(step, 3.0 * self._step) - self._step)
        self._limit = self._sensitivity * limit(_WEEK / self._step)
        return step

    def _expectation(self, timestamp: float) -> Detection:
        """What is usual at `timestamp`, as the detection of a sample that is just that."""
        if not self._limit < math.inf:
            return Detection(0.0, math.nan, math.nan, math.nan, False)
        at = timestamp if math.isfinite(timestamp) else 0.0
        usual = self._channels.range_at(at, self._evidence, self._limit)
        return Detection(0.0, *self._in_values(usual, timestamp), False)

    def _in_values(self, usual: Range, timestamp: float) -> Range:
        """The same for the value itself where `usual` is of a counter's rate."""
        if not self._counter.is_one():
            return usual
        elapsed, last = max(timestamp - self._last, 0.0), self._counter.last
        expected, lower, upper = usual
        return last + elapsed * expected, last + elapsed * lower, last + elapsed * upper
