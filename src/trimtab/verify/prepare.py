"""Everything about a trial that is known when the action is applied. Made once per action, from its history."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.stats import critical_t, median
from trimtab.verify.accounts import Accounts
from trimtab.verify.frame import Frame, Shared, frame_of, shared_with
from trimtab.verify.nulls import Null, Past, read_past
from trimtab.verify.placebo import calibrated
from trimtab.verify.samples import Before, Lively, usable_history
from trimtab.verify.unit import FLOOR, Unit

Array = NDArray[np.float64]

MIN_BEFORE = 5  # usable samples; with fewer there is no noise to measure against
SHORTEST = 1e-9  # seconds between samples
STALE_INTERVALS = 10.0  # a gap this long is no longer the same story


@dataclass(frozen=True, slots=True)
class Terms:
    """What the caller of a judgement asks for; times in seconds, fractions relative."""

    applied_at: float
    settle_seconds: float
    sign: int  # +1 where a rise is good
    target: float | None
    alpha: float
    min_effect: float
    interval_seconds: float | None
    changes: tuple[float, ...]

    @property
    def settled_at(self) -> float:
        """Time from which on samples count."""
        return self.applied_at + self.settle_seconds

    def counts(self, t: Array) -> NDArray[np.bool_]:
        """Which times (n,) lie after the action and its settling; the very moment of acting is neither before nor after."""
        return np.asarray((t > self.applied_at) & (t >= self.settled_at))


@dataclass(frozen=True, slots=True)
class Refusal:
    """A history on which nothing can be said, and why, in words."""

    terms: Terms
    n_before: int
    problem: str


@dataclass(frozen=True, slots=True)
class Trial:
    """A history on which a verdict can be built."""

    terms: Terms
    n_before: int
    interval: float  # seconds between samples
    frame: Frame
    shared: Shared | None  # what controls explain
    lively: Lively  # what is a measurement
    past: Past
    accounts: Accounts
    provable: float  # the least difference (inner scale) that this history could ever prove, however long one waits
    last_t: float  # time of the newest usable sample before the action
    regime_t: float  # time at which the current regime began

    @property
    def regime_n(self) -> int:
        """Samples in the current regime."""
        return self.n_before - self.past.regime_start

    @property
    def unit(self) -> Unit:
        """The scale that values are compared on."""
        return self.frame.unit

    def inner(self, t: Array, y: Array, x: Array) -> Array:
        """Values (n,) and controls (n, k) at times (n,) in the frame of the history."""
        values = self.frame.inner(t, y)
        return values if self.shared is None else values - self.shared.part(t, x)


def prepare(terms: Terms, t: Array, y: Array, x: Array, names: tuple[str, ...] = ()) -> Trial | Refusal:
    """Read the history (n,) before the action and its controls (n, k), ascending, missing values as NaN or inf."""
    before = usable_history(t, y)
    problem = _too_few(before.y.size, t.size)
    if problem is not None:
        return Refusal(terms, before.y.size, problem)
    interval = max(SHORTEST, terms.interval_seconds or median(np.diff(before.t)))
    problem = _too_old(terms, before, interval)
    if problem is not None:
        return Refusal(terms, before.y.size, problem)
    framed = frame_of(before.t, before.y, terms.applied_at)
    if framed is None:
        return Refusal(terms, before.y.size, _all_zero(before.y.size))
    frame, rest = framed
    explained = shared_with(before.t, rest, x[np.searchsorted(t, before.t)], names, terms.applied_at) if names else None
    if explained is not None:
        rest = rest - explained[1]
    past = read_past(before.t, rest, FLOOR, terms.changes, 0.0 if frame.rhythm is None else frame.rhythm.variance)
    return Trial(
        terms=terms,
        n_before=before.y.size,
        interval=interval,
        frame=frame,
        shared=None if explained is None else explained[0],
        lively=before.lively,
        past=past,
        accounts=Accounts.of(calibrated(past, terms.alpha)),
        provable=_provable(past.goes_on, terms.alpha),
        last_t=float(before.t[-1]),
        regime_t=float(before.t[past.regime_start]),
    )


def _provable(now: Null, alpha: float) -> float:
    return float(critical_t(1.0 / now.level_variance, now.df, alpha)) * now.sd * math.sqrt(now.level_variance)


def _too_few(n: int, rows: int) -> str | None:
    if n >= MIN_BEFORE:
        return None
    lost = f" ({rows - n} of {rows} readings missing or not a measurement)" if rows > n else ""
    return f"inconclusive: {n} usable samples before the action{lost}, {MIN_BEFORE} are needed; act once more history is there"


def _too_old(terms: Terms, before: Before, interval: float) -> str | None:
    age = terms.applied_at - float(before.t[-1])
    if age <= STALE_INTERVALS * interval:
        return None
    pace = f"one comes every {interval:g} s"
    return (
        f"inconclusive: the newest of {before.y.size} samples was {age:g} s old at the action ({pace}); restore the sensor first"
    )


def _all_zero(n: int) -> str:
    return f"inconclusive: all {n} samples before the action are zero, and nothing is relative to zero; judge another metric"
