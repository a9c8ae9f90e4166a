"""Peaks over threshold: a surprise is a probability, within and beyond what was seen."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trimtab.stats import PeaksOverThreshold

TAILS = {
    "normal": (lambda rng, n: rng.normal(size=n), 3.0902, 4.7534),
    "exponential": (lambda rng, n: rng.exponential(size=n), math.log(1e3), math.log(1e6)),
    "uniform": (lambda rng, n: rng.uniform(size=n), 0.999, 1.3),
}


@pytest.mark.parametrize("kind", TAILS)
def test_a_surprise_is_minus_log_p(kind):
    draw, one_in_a_thousand, rare = TAILS[kind]
    tails = PeaksOverThreshold([-0.3, -0.3])
    for value in draw(np.random.default_rng(1), 5_000).tolist():
        tails.learn([value, -1.0])
    assert tails.surprise(0, one_in_a_thousand) == pytest.approx(3.0, abs=0.3)
    assert 3.5 < tails.surprise(0, rare) < (math.inf if kind == "uniform" else 8.0)
    assert tails.surprise(1, -1.0) == 0.0, "a constant surprises nobody"


def test_values_and_surprises_are_inverse_beyond_the_threshold():
    tails = PeaksOverThreshold([-0.15])
    for value in np.random.default_rng(2).normal(size=2_000).tolist():
        tails.learn([value])
    for surprise in (2.5, 4.0, 9.0, 30.0):
        assert tails.surprise(0, tails.value_at(0, surprise)) == pytest.approx(surprise)


def test_peaks_are_told_before_they_are_learned_and_the_past_fades():
    tails = PeaksOverThreshold([-0.15])
    rng = np.random.default_rng(3)
    for value in rng.normal(size=1_000).tolist():
        tails.learn([value])
    ((place, surprise),) = tails.learn([50.0])
    assert place == 0 and surprise > 10.0
    for value in (100.0 + rng.normal(size=60_000)).tolist():
        tails.learn([value])
    assert tails.thresholds[0] > 101.0
    assert tails.learn([100.0]) == []
