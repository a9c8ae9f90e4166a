"""Advice on time, not credit: whether waiting longer can still be worth it. Lets `execute` stop a trial early.

Futile: the one-sided 95 % bound on the gain over the current regime, at this look, is below what is worth waiting for:
`min_effect`; or, up to SIZEABLE, a third of the way back to the usual level or to the goal's target, or the least gain that
this history, with its few samples of the current regime, could ever prove. Undecidable: there may well be a gain, but not even
endless samples could prove one of the size seen; a new trial, with the level before known better, can.
"""

from __future__ import annotations

import math

import numpy as np

from trimtab.verify.evidence import Evidence
from trimtab.verify.prepare import Trial

MIN_FUTILE = 5  # samples after settling
MIN_UNDECIDABLE = 8  # likewise: the estimate itself has to be steady before it is called too small to prove
FUTILE_Z = 1.645  # one-sided 95 %
WAY = 1 / 3  # a lever that closes less than a third of the gap is not the answer to it
SIZEABLE = 0.25  # but a gain of this size is always waited for


def is_futile(trial: Trial, evidence: Evidence, look: int) -> bool:
    """Whether the evidence against "it goes on" leaves no gain that is worth waiting for."""
    reach = trial.terms.sign * FUTILE_Z * float(evidence.error[0, look])
    best_case = gain(trial, float(evidence.difference[0, look]) + reach)
    return look + 1 >= MIN_FUTILE and best_case < worth_waiting_for(trial)


def is_undecidable(trial: Trial, evidence: Evidence, look: int) -> bool:
    """Whether even endless samples like these would leave the interval around zero: the level before is too little known."""
    return look + 1 >= MIN_UNDECIDABLE and abs(float(evidence.difference[0, look])) < trial.provable


def worth_waiting_for(trial: Trial) -> float:
    """The least relative gain for which waiting pays."""
    now = trial.past.goes_on
    wanted = [abs(gain(trial, trial.terms.sign * trial.provable))]
    wanted += [WAY * gain(trial, place - now.level) for place in (trial.past.usual, _target(trial)) if place is not None]
    return max(trial.terms.min_effect, min(SIZEABLE, max(wanted)))


def gain(trial: Trial, difference: float) -> float:
    """A difference (inner scale) from the current regime as a relative gain, positive = better."""
    return trial.terms.sign * trial.unit.relative(difference, trial.past.goes_on.level)


def _target(trial: Trial) -> float | None:
    if trial.terms.target is None:
        return None
    place = float(trial.unit.inner(np.asarray([trial.terms.target]))[0])
    return place if math.isfinite(place) else None
