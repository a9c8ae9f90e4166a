"""Follow the evidence after an action, look by look, and hold back where the data themselves are in doubt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.stats import least_surprise, tame
from trimtab.verify.evidence import Evidence, conclusive_at, weigh
from trimtab.verify.prepare import STALE_INTERVALS, Trial
from trimtab.verify.wording import percent

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

MIN_AFTER = 3  # usable samples; an effect that was seen for less is an outlier
AT_ONCE = 1024  # looks weighed at once
MAX_MISSING = 0.25  # share of readings after settling; beyond it the ones that survive are not the ones that count


@dataclass(frozen=True, slots=True)
class Looks:
    """One entry per usable sample after settling, (m,)."""

    trial: Trial
    t: Array
    evidence: Evidence | None  # in every view of every account in force; None where there is no look yet
    sound: Flags  # whether the data allow a conclusion at this look
    n_rows: int  # readings after settling, usable or not
    n_late: int  # usable ones that came after a gap and do not count
    missing_now: float  # share of readings missing up to the newest row
    equal_now: int  # of the newest readings that are exactly equal; 0 where that is nothing new

    @property
    def last(self) -> int:
        """Index of the newest look; −1 where there is none."""
        return self.t.size - 1

    def decisive(self) -> Iterator[int]:
        """The looks that are conclusive, ascending. Only those that come near are weighed, some at a time: the first may do."""
        if self.evidence is None:
            return
        alpha, weakest = self.trial.terms.alpha, self.trial.accounts.weakest
        surprise = np.maximum(*weakest(self.evidence.signed_surprise(slice(None))))
        near = np.flatnonzero(self.sound & (surprise >= least_surprise(alpha)))
        for begin in range(0, near.size, AT_ONCE):
            some = near[begin : begin + AT_ONCE]
            rise, fall = weakest(self.evidence.signed_log_e(some))
            yield from some[np.abs(rise - fall) >= conclusive_at(alpha)].tolist()

    def decides(self, look: int) -> int:
        """Which way the metric went, 1 or −1, where a look is conclusive; else 0."""
        if self.evidence is None or not self.sound[look]:
            return 0
        rise, fall = (float(side[0]) for side in self.trial.accounts.weakest(self.evidence.signed_log_e([look])))
        return (1 if rise > fall else -1) if abs(rise - fall) >= conclusive_at(self.trial.terms.alpha) else 0

    def doubt(self, look: int, *, newest: bool) -> str | None:
        """Why the data at a look (−1: none yet) carry no verdict, in words; None where they do.

        `newest`: whether what came after the look speaks too: readings that are missing, or that came after a gap.
        """
        n = look + 1
        if newest and self.equal_now:
            equal = f"the newest {self.equal_now} samples after settling are exactly equal"
            return f"inconclusive: {equal}, as this metric never was for so long; check the sensor"
        if newest and self.n_late:
            late = f"{self.n_late} of {self.n_rows} readings after settling came after a gap"
            return f"inconclusive: {late}; restore the sensor and try again"
        if n < MIN_AFTER:
            lost = f" ({self.n_rows - n} of {self.n_rows} readings missing or not a measurement)" if self.n_rows > n else ""
            return f"inconclusive: {n} usable samples after settling{lost}, {MIN_AFTER} are needed; wait for more"
        if newest and self.missing_now > MAX_MISSING:
            missing = f"{percent(self.missing_now)} of {self.n_rows} readings after settling are missing"
            return f"inconclusive: {missing}; restore the sensor"
        return None


def follow(trial: Trial, t: Array, y: Array, x: Array) -> Looks:
    """All looks at the readings (r,) after settling and their controls (r, k), missing ones as NaN or inf."""
    measured, equal_now = trial.lively.measured(y)
    inner = trial.inner(t, measured, x)
    known = np.isfinite(inner)
    missing = 1.0 - np.cumsum(known) / np.arange(1, t.size + 1)
    fresh = _before_a_gap(trial, t[known])
    times, values = t[known][:fresh], inner[known][:fresh]
    evidence: Evidence | None = None
    if fresh:
        gaps = np.maximum(np.diff(times, prepend=trial.last_t) / trial.interval, 1e-3)
        calm = tame(values, trial.past.limit)
        loud = None if trial.past.volatility is None else trial.past.volatility.after(calm)
        evidence = weigh(calm, gaps, trial.accounts.nulls, loud)
    sound = (np.arange(1, fresh + 1) >= MIN_AFTER) & (missing[known][:fresh] <= MAX_MISSING)
    missing_now = float(missing[-1]) if t.size else 0.0
    return Looks(trial, times, evidence, sound, t.size, int(known.sum()) - fresh, missing_now, equal_now)


def _before_a_gap(trial: Trial, t: Array) -> int:
    """How many samples come before the first gap that is too long to be the same story."""
    late = np.flatnonzero(np.diff(t, prepend=trial.terms.settled_at) > STALE_INTERVALS * trial.interval)
    return int(late[0]) if late.size else int(t.size)
