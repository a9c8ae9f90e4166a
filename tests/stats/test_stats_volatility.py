"""Noise whose size comes and goes: told from noise that is of one size, and followed without being fooled by a shift."""

from __future__ import annotations

import numpy as np
import pytest

from trimtab.stats import find_volatility, fit_core


def garch(rng: np.random.Generator, n: int) -> np.ndarray:
    out, variance = np.empty(n), 1.0
    for i, e in enumerate(rng.standard_normal(n).tolist()):
        out[i] = variance**0.5 * e
        variance = 0.02 + 0.1 * out[i] ** 2 + 0.88 * variance
    return out


def bursts(rng: np.random.Generator, n: int) -> np.ndarray:
    return 0.1 * rng.standard_normal(n) + (np.arange(n) // 60 % 8 == 3)


ONE_SIZE = {
    "white": lambda rng, n: rng.standard_normal(n),
    "heavy tails": lambda rng, n: np.clip(rng.standard_t(3, n), -12, 12),
    "a walk": lambda rng, n: np.cumsum(rng.standard_normal(n)),
    "bursts": bursts,
    "constant": lambda rng, n: np.ones(n),
}


@pytest.mark.parametrize("series", ONE_SIZE.values(), ids=ONE_SIZE)
def test_noise_of_one_size_is_left_alone(series):
    assert [find_volatility(series(np.random.default_rng([1, rep]), 2880)) for rep in range(10)] == [None] * 10


def test_calm_and_loud_hours_are_told_apart_and_followed():
    rng = np.random.default_rng(2)
    found = [find_volatility(garch(rng, 5760)) for _ in range(10)]
    assert sum(each is not None for each in found) >= 9
    each = next(one for one in found if one is not None)
    calm, loud = 0.3 * rng.standard_normal(60), 3.0 * rng.standard_normal(60)
    assert each.after(loud)[30:].mean() > 5.0 * each.after(calm)[30:].mean()


def test_a_lasting_shift_is_not_loudness():
    found = find_volatility(garch(np.random.default_rng(3), 5760))
    assert found is not None
    quiet = 0.5 * np.random.default_rng(4).standard_normal(60)
    assert found.after(quiet + 50.0) == pytest.approx(found.after(quiet))


def test_what_is_foretold_never_rests_on_what_comes_later():
    found = find_volatility(garch(np.random.default_rng(5), 5760))
    assert found is not None
    y = np.random.default_rng(6).standard_normal(40)
    assert found.after(y)[:20] == pytest.approx(found.after(np.concatenate((y[:20], 9.0 * y[20:])))[:20])


def test_something_slow_under_quick_noise_makes_the_whole_louder():
    rng = np.random.default_rng(7)
    quick, slow = rng.standard_normal(5760), np.repeat(rng.standard_normal(96), 60)
    assert fit_core(quick)[1].sd == pytest.approx(1.0, abs=0.1)
    assert fit_core(quick + 0.3 * slow)[1].sd > 1.4
