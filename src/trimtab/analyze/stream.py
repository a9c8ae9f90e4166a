"""Anomalies in one series: streaming, without labels, one set of defaults. Fed by `AnomalyWatch`; also public by itself.

Three questions are put to each sample, against the values of the recent past (`Reference`, 256 samples, quantiles only):

1. Do three samples in a row lie beyond the same limit? A change that lasts, found within three samples.
2. Do 8 samples, taken as one, lie beyond the limit of such means? A small change that lasts. What is usual for the means is
   learned from 64 of them, so that a series whose samples resemble their neighbours is given the wider limit that it needs.
3. Is one sample three times further out than any before it in memory? A spike, even in a series that has spikes.

**Calibration.** `threshold_stddev` 2.5 is meant as requirement F2 has it, in standard deviations of well-behaved data; alone, 2.5
would alarm over a hundred times a week. `_POINT` and `_MEAN` below are the factors at which independent normal, AR(0.5), AR(0.9),
Student t (3 degrees of freedom) and log-normal series of one week at a sample a minute raise at most one false incident each on
average. Ten weeks of each measured 0.0 to 0.5; factors 1.0 and 1.8 gave 12 for AR(0.9), 1.6 and 1.5 gave 1.8 for Student t. The
study is repeated, seeded, in the tests. AR(0.5) with log-normal margins, which is both heavy and slow, still raises about 3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from trimtab.analyze.reference import Reference

WARM_UP = 30  # samples before the first alarm
_PAST = 256  # samples that the reference holds
_SURE = 3  # samples in a row
_CALM = 2  # samples inside the limit that end an incident
_BLOCK = 8  # samples that make a mean
_BLOCKS, _BLOCKS_NEEDED = 64, 24  # means that the second reference holds, and that it needs
_POINT, _MEAN = 1.6, 1.9  # see Calibration
_SPIKE = 3.0  # times the furthest deviation remembered
_SPIKE_NEEDS = 128  # samples
_NO_SPREAD = 1e3  # scales: a series that has been further out than this was constant before, and tells nothing of spikes
_FADE = 1.0 - 1.0 / 5_000  # a sample, of the furthest deviation remembered
_ABSURD = 1e100  # no measurement is so large, and sums stay finite
_GAP = 4.0  # usual steps of time without a sample: what follows is not judged at once
_QUIET_AFTER_GAP = 5  # samples


@dataclass(frozen=True, slots=True)
class Detection:
    """What one sample came to.

    `score` is 0 for the expected, 0.5 at the limit, towards 1 beyond. `is_anomaly` is the alert: true once an incident, at the
    sample that makes it sure; the score stays high while the incident lasts.
    """

    score: float
    expected: float
    lower: float
    upper: float
    is_anomaly: bool


class StreamDetector:
    """Learns what is usual for a series and says what is not.

    Never alarms on a constant, in its first 30 samples, on missing values, or on the first samples after a gap. An incident is
    alerted once; a level that lasts for 30 samples becomes the usual one. Holds at most 8 KB.

    >>> detector = StreamDetector()
    >>> values = [10.0 + (i * 7 % 5) / 10 for i in range(100)] + [14.0, 14.1, 14.2]
    >>> [i for i, value in enumerate(values) if detector.update(float(i), value).is_anomaly]
    [102]
    """

    __slots__ = (
        "_block",
        "_bounds",
        "_calm",
        "_furthest",
        "_incident",
        "_last",
        "_means",
        "_pending",
        "_quiet",
        "_run",
        "_seen",
        "_step",
        "_strange_means",
        "_threshold",
        "_told",
        "_usual",
    )

    def __init__(self, threshold_stddev: float = 2.5) -> None:
        if not threshold_stddev > 0.0:
            raise ValueError(f"threshold_stddev is a positive number, got {threshold_stddev!r}")
        self._threshold = threshold_stddev
        self._usual, self._means = Reference(_PAST), Reference(_BLOCKS)
        self._block: list[float] = []  # samples of the mean under way
        self._pending: list[float] = []  # beyond the limit, and not learned from before it is known what they are
        self._strange_means: list[float] = []
        self._run = 0  # samples in a row beyond the limit: positive above, negative below
        self._calm = self._quiet = self._seen = 0
        self._furthest = 0.0
        self._incident = self._told = False
        self._bounds = (math.nan, math.nan, math.nan)  # expected, lower and upper at the last sample that was judged
        self._last = self._step = math.nan  # time of the last sample, and the usual time between two

    def update(self, timestamp: float, value: float) -> Detection:
        """Judge `value` of the time `timestamp` (Unix seconds, rising), then learn from it. NaN is missing: no trace."""
        expected = self._expectation()
        score, alert = self._take_in(timestamp, value)
        return replace(expected, score=score, is_anomaly=alert) if score or alert else expected

    def notice(self, timestamp: float, value: float) -> Detection | None:
        """The same for whoever asks of a thousand series at once: None for what is expected, that is, below a score of 0.5."""
        score, alert = self._take_in(timestamp, value)
        return Detection(score, *self._bounds, alert) if alert or score >= 0.5 else None

    def _take_in(self, timestamp: float, value: float) -> tuple[float, bool]:
        """Score and alert of a sample that is learned from then."""
        if not (abs(value) < _ABSURD and math.isfinite(timestamp)) or timestamp <= self._last:
            return 0.0, False
        self._keep_time(timestamp)
        self._seen += 1
        usual = self._usual
        if self._seen <= WARM_UP or self._quiet:
            self._quiet = max(0, self._quiet - 1)
            usual.add(value)
            return 0.0, False
        limit, deviation, told = self._limit(), usual.deviation(value), self._told
        lower, upper = usual.middle - limit * usual.down, usual.middle + limit * usual.up
        self._bounds = usual.middle, lower, upper
        self._look_at_sample(value, deviation, limit)
        self._look_at_mean(min(max(value, lower), upper))  # one wild sample does not make a strange mean
        far, strange = abs(deviation), bool(self._strange_means)
        self._furthest = max(self._furthest * _FADE, min(far, 1e6))
        self._told = lasting = self._incident or strange
        ratio = max(far / limit, 1.0) if strange else far / limit
        return ratio / (1.0 + ratio), lasting and not told

    # -- time

    def _keep_time(self, timestamp: float) -> None:
        step = timestamp - self._last
        self._last = timestamp
        if math.isnan(step):
            return
        if math.isnan(self._step):
            self._step = step
        if step > _GAP * self._step and self._seen > _SURE:
            self._quiet, self._run = _QUIET_AFTER_GAP, 0
            self._block.clear()
        self._step += 0.1 * (min(step, 3.0 * self._step) - self._step)

    # -- the three questions

    def _limit(self) -> float:
        """In scales. A short past knows its quantiles badly, so it gets a wider limit."""
        return self._threshold * _POINT * (1.0 + 8.0 / len(self._usual))

    def _look_at_sample(self, value: float, deviation: float, limit: float) -> None:
        if abs(deviation) <= limit:
            self._settle(value)
            return
        side = 1 if deviation > 0.0 else -1
        if self._run * side < 0:
            self._learn_pending()
            self._run = 0
        self._run, self._calm = self._run + side, 0
        self._pending.append(value)
        self._incident = self._incident or abs(self._run) >= _SURE or self._is_spike(deviation, limit)
        if len(self._pending) >= WARM_UP:  # it has lasted: what it brought is the new usual
            self._usual.restart(self._pending)
            self._means.restart(())
            self._pending, self._strange_means = [], []
            self._incident, self._run = False, 0

    def _is_spike(self, deviation: float, limit: float) -> bool:
        learned = self._seen > _SPIKE_NEEDS and 1.0 < self._furthest < _NO_SPREAD
        return learned and abs(deviation) > max(_SPIKE * self._furthest, 2.0 * limit)

    def _look_at_mean(self, value: float) -> None:
        self._block.append(value)
        if len(self._block) < _BLOCK:
            return
        mean = sum(self._block) / _BLOCK
        self._block.clear()
        limit = self._threshold * _MEAN
        if len(self._means) >= _BLOCKS_NEEDED and abs(self._means.deviation(mean)) > limit:
            self._strange_means.append(mean)
        elif self._strange_means:
            self._learn_strange_means(mean)
        else:
            self._means.add(mean)
        if len(self._strange_means) * _BLOCK > WARM_UP and not self._incident:
            self._means.restart(self._strange_means)
            self._strange_means = []

    # -- learning

    def _settle(self, value: float) -> None:
        """A sample inside the limit: what lay outside before it was passing, and belongs to the past like everything else."""
        self._calm += 1
        self._run = 0
        if self._incident and self._calm < _CALM:
            self._pending.append(value)
            return
        self._incident = False
        self._learn_pending()
        self._usual.add(value)

    def _learn_pending(self) -> None:
        if not self._incident:
            for value in self._pending:
                self._usual.add(value)
            self._pending.clear()

    def _learn_strange_means(self, mean: float) -> None:
        for one in (*self._strange_means, mean):
            self._means.add(one)
        self._strange_means.clear()

    def _expectation(self) -> Detection:
        """What is usual now, as the detection of a sample that is just that."""
        usual = self._usual
        if not len(usual):
            return Detection(0.0, math.nan, math.nan, math.nan, False)
        limit = self._limit()
        lower, upper = usual.middle - limit * usual.down, usual.middle + limit * usual.up
        return Detection(0.0, usual.middle, lower, upper, False)
