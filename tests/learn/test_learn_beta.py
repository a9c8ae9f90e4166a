"""The distributions against values that can be had without them: closed forms, symmetry, published tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.learn.beta import beta_quantile, incomplete_beta, student_quantile

shapes = st.floats(0.05, 200.0)
odds = st.floats(0.001, 0.999)


@pytest.mark.parametrize(
    ("a", "b", "x", "expected"),
    [
        (1.0, 1.0, 0.3, 0.3),  # uniform
        (2.0, 1.0, 0.5, 0.25),  # x²
        (1.0, 9.0, 0.1, 1 - 0.9**9),
        (2.0, 2.0, 0.25, 3 * 0.25**2 - 2 * 0.25**3),
        (0.5, 0.5, 0.5, 0.5),  # arcsine law, symmetric
        (5.0, 3.0, 0.6, 0.419904),  # P(Bin(7, 0.6) ≥ 5), summed by hand
        (3.0, 5.0, 0.4, 0.580096),  # its mirror image
        (50.0, 50.0, 0.5, 0.5),
        (2.0, 3.0, -1.0, 0.0),
        (2.0, 3.0, 2.0, 1.0),
    ],
)
def test_incomplete_beta_known_values(a, b, x, expected):
    assert incomplete_beta(a, b, x) == pytest.approx(expected, abs=1e-12)


def test_incomplete_beta_equals_the_binomial_tail():
    from math import comb

    for n, k, x in [(10, 3, 0.2), (20, 15, 0.6), (40, 1, 0.01)]:
        tail = sum(comb(n, j) * x**j * (1 - x) ** (n - j) for j in range(k, n + 1))
        assert incomplete_beta(k, n - k + 1, x) == pytest.approx(tail, rel=1e-11)


@given(shapes, shapes, odds)
def test_incomplete_beta_mirrors(a, b, x):
    assert incomplete_beta(a, b, x) == pytest.approx(1.0 - incomplete_beta(b, a, 1.0 - x), abs=1e-9)


@given(odds, st.floats(0.2, 200.0), st.floats(0.2, 200.0))
def test_quantile_inverts_the_distribution(p, a, b):
    x = beta_quantile(p, a, b)
    assert 0.0 <= x <= 1.0
    if 1e-9 < x < 1.0 - 1e-9:
        assert incomplete_beta(a, b, x) == pytest.approx(p, abs=1e-7)


@pytest.mark.parametrize(
    ("p", "a", "b", "expected"),
    [
        (0.9, 1.0, 9.0, 1 - 0.1 ** (1 / 9)),
        (0.1, 2.0, 1.0, 0.1**0.5),
        (0.5, 7.0, 7.0, 0.5),
        (0.25, 0.5, 0.5, 0.146446609406726),  # sin²(π/8)
    ],
)
def test_quantile_known_values(p, a, b, expected):
    assert beta_quantile(p, a, b) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("freedom", "expected"), [(1.0, 3.0777), (2.0, 1.8856), (3.0, 1.6377), (4.0, 1.5332), (10.0, 1.3722), (120.0, 1.2886)]
)
def test_student_table(freedom, expected):  # the 90 % column of any printed t table
    assert student_quantile(0.9, freedom) == pytest.approx(expected, abs=5e-5)
    assert student_quantile(0.1, freedom) == pytest.approx(-expected, abs=5e-5)
    assert student_quantile(0.5, freedom) == 0.0


@pytest.mark.parametrize(("p", "a", "b"), [(1.5, 1, 1), (-0.1, 1, 1), (0.5, 0, 1), (0.5, 1, -2), (0.5, float("nan"), 1)])
def test_bad_parameters_are_named(p, a, b):
    with pytest.raises(ValueError, match=r"probability|positive"):
        beta_quantile(p, a, b)
