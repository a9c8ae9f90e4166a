"""What a series will be, for people: an answer with its sentence, or why nothing is said. Called for `trimtab forecast`. Pure.

Expected are means over a step. Nothing is said of what stopped arriving, nor further ahead than a third of the time that is
known: what comes at that distance has then been seen often enough to judge one's errors by. A counter is told as its rate.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trimtab.domain.errors import TrimtabError
from trimtab.domain.forecasts import Expected, Foretold, Reached, Subject
from trimtab.domain.metrics import Unit
from trimtab.domain.words import format_quantity, format_span
from trimtab.stats.crossing import Crossing, crossing
from trimtab.stats.forecast import LEAST, Forecast, forecast
from trimtab.stats.scale import median

Array = NDArray[np.float64]
SHARE = 3  # of what is known, that one may look ahead
FRESH = 3  # times the usual time between two samples, after which a series has stopped


def foretell(
    subject: Subject,
    unit: Unit,
    t: Array,
    v: Array,
    step: float,
    now: float,
    ahead: float,
    trend: tuple[Array, Array] | None = None,
) -> Foretold:
    """What `subject` is expected to be within `ahead` seconds from `now`.

    `t` (n,): the begin of each bucket of `step` seconds that holds a sample, multiples of `step`; `v` (n,): its mean in `unit`.
    `trend`: finer samples, times and values, to tell by when its limit is reached.
    """
    over = t + step <= now + 1e-6  # the bucket that is not over yet is no whole mean
    try:
        y, begin = _on_a_grid(t[over], v[over], step, now)
        if unit is Unit.COUNT and subject.metric_name.endswith("_total"):
            y, unit, trend = _rate(y, step), Unit.PER_SECOND, None
        found = _within(subject, y, forecast(y, step, max(1, min(round(ahead / step), y.size // SHARE))))
    except TrimtabError as error:
        return Foretold(subject, f"{subject.metric_name}: nothing is foretold: {error.message}", error.message)
    reached = _reached(subject, trend, _latest(y))
    when = None if reached is None else Reached(*(now + seconds for seconds in (reached.after, reached.earliest, reached.latest)))
    course = tuple(
        Expected(begin + step * (y.size + i), *map(float, parts))
        for i, parts in enumerate(zip(found.mean, found.low, found.high, strict=True))
    )
    return Foretold(subject, _sentence(subject, unit, y, found, step, reached), "", step, course, when)


def _on_a_grid(t: Array, v: Array, step: float, now: float) -> tuple[Array, float]:
    """The samples (n,) one each `step`, NaN where there is none, and the time of the first.

    Raises `TrimtabError` where there are too few, or none any more.
    """
    good = np.isfinite(v)
    t, v = t[good], v[good]
    if t.size < LEAST:
        raise TrimtabError(f"{format_span(t.size * step)} of samples are known, it takes {format_span(LEAST * step)}")
    silent, usual = now - float(t[-1]) - step, max(step, median(np.diff(t)))
    if silent > FRESH * usual:
        raise TrimtabError(f"it stopped arriving {format_span(silent)} ago")
    first, newest = round(t[0] / step), int(now // step) - 1  # the newest bucket that is over
    slot = np.round(t / step).astype(int) - first
    y = np.full(max(int(slot[-1]), newest - first) + 1, np.nan)
    y[slot] = v
    return y, float(t[0])


def _latest(y: Array) -> float:
    return float(y[np.isfinite(y)][-1])


def _within(subject: Subject, y: Array, found: Forecast) -> Forecast:
    """What never was above what can be at all is not foretold to be."""
    most = subject.highest
    if most is None or np.nanmax(y) > most:
        return found
    return replace(found, mean=np.minimum(found.mean, most), low=np.minimum(found.low, most), high=np.minimum(found.high, most))


def _rate(y: Array, step: float) -> Array:
    """A counter (n,) as what it gains a second; a fall is a new beginning from 0."""
    gain = np.diff(y)
    gain = np.where(gain < 0.0, y[1:], gain)
    return np.concatenate((gain[:1], gain)) / step


def _reached(subject: Subject, trend: tuple[Array, Array] | None, latest: float) -> Crossing | None:
    beyond = subject.limit is not None and (latest >= subject.limit if subject.rising else latest <= subject.limit)
    if subject.limit is None or trend is None or beyond:
        return None
    t, v = trend
    good = np.isfinite(v)
    return crossing(t[good], v[good], subject.limit, rising=subject.rising)


def _sentence(subject: Subject, unit: Unit, y: Array, found: Forecast, step: float, reached: Crossing | None) -> str:
    span = format_span(step * found.mean.size)
    if subject.about == "cost":
        spent = [format_quantity(step * float(part.sum())) for part in (found.mean, found.low, found.high)]
        before = y[-found.mean.size :]
        gone = format_quantity(step * float(np.nanmean(before)) * before.size)
        expected = f"{spent[0]} expected in the next {span} (90 %: {spent[1]} to {spent[2]})"
        return f"{subject.metric_name}: {expected}; {gone} in as long before"
    peak = int(np.argmax(found.mean) if subject.rising else np.argmin(found.mean))
    low, mean, high = (format_quantity(float(part[peak]), unit) for part in (found.low, found.mean, found.high))
    latest = format_quantity(_latest(y), unit)
    extreme = "at most" if subject.rising else "at least"
    said = f"{subject.metric_name}: {latest} now; in the next {span} {extreme} {mean} (90 %: {low} to {high})"
    if subject.limit is None:
        return said
    limit = format_quantity(subject.limit, unit)
    if reached is not None:
        when, first, last = (format_span(seconds) for seconds in (reached.after, reached.earliest, reached.latest))
        return f"{said}; {limit} in {when} (90 %: {first} to {last})"
    return said + _when_past(subject, limit, found, step)


def _when_past(subject: Subject, limit: str, found: Forecast, step: float) -> str:
    """When the course itself, season and all, is past the limit or may be."""
    assert subject.limit is not None
    for words, part in (("past", found.mean), ("maybe past", found.high if subject.rising else found.low)):
        beyond = part > subject.limit if subject.rising else part < subject.limit
        if beyond.any():
            first = int(np.argmax(beyond))
            return f"; {words} {limit} " + (f"in {format_span(step * first)}" if first else "from now on")
    return ""
