"""The Beta and Student t distributions, as far as beliefs need them: bounds on odds and on a mean.

The regularised incomplete beta function I_x(a, b) is evaluated by its continued fraction (DLMF 8.17.22,
https://dlmf.nist.gov/8.17.E22) with the modified Lentz algorithm (Lentz 1976; Thompson and Barnett 1986, J. Comput. Phys. 64),
and inverted by bisection, which cannot fail on a monotone function.
"""

from __future__ import annotations

from functools import lru_cache
from math import exp, lgamma, log, log1p, sqrt

_TINY = 1e-300  # Lentz: stands in for a zero denominator
_PRECISION = 1e-14
_MAX_TERMS = 2000  # the fraction needs O(sqrt(max(a, b))) terms, some 300 at a = b = 1e5
_HALVINGS = 60  # 2^-60: past the precision of a double in [0, 1]


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b): P(X ≤ x) for X ~ Beta(a, b).

    Raises `ValueError` unless a > 0 and b > 0.

    >>> round(incomplete_beta(2.0, 1.0, 0.5), 12)  # x² for Beta(2, 1)
    0.25
    """
    if not (a > 0.0 and b > 0.0):
        raise ValueError(f"a Beta distribution needs two positive parameters, got {a} and {b}")
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x < (a + 1.0) / (a + b + 2.0):  # where the fraction converges fast; elsewhere by symmetry
        return front * _fraction(a, b, x) / a
    return 1.0 - front * _fraction(b, a, 1.0 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    """1/(1+ d1/(1+ d2/(1+ …))) of DLMF 8.17.22, by modified Lentz."""
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > _TINY else _TINY)
    value = d
    for m in range(1, _MAX_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        factor = 1.0
        for term in (even, odd):
            d, c = 1.0 + term * d, 1.0 + term / c
            d = 1.0 / (d if abs(d) > _TINY else _TINY)
            c = c if abs(c) > _TINY else _TINY
            factor = d * c
            value *= factor
        if abs(factor - 1.0) < _PRECISION:
            return value
    return value


@lru_cache(maxsize=4096)  # a memo of a pure function: the same few posteriors are asked for every turn
def beta_quantile(p: float, a: float, b: float) -> float:
    """The x with P(X ≤ x) = p for X ~ Beta(a, b).

    Raises `ValueError` unless 0 ≤ p ≤ 1, a > 0 and b > 0.

    >>> round(beta_quantile(0.9, 1.0, 9.0), 6)  # 1 - 0.1^(1/9)
    0.225736
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"a probability lies between 0 and 1, got {p}")
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if incomplete_beta(a, b, middle) < p:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@lru_cache(maxsize=4096)
def student_quantile(p: float, freedom: float) -> float:
    """The p-quantile of Student's t with `freedom` degrees of freedom, by its relation to the Beta distribution.

    With X ~ Beta(ν/2, ½), t = -sqrt(ν(1-X)/X) has its lower half (DLMF 8.17; Abramowitz and Stegun 26.7.1).

    >>> round(student_quantile(0.1, 3.0), 4)
    -1.6377
    """
    if p > 0.5:
        return -student_quantile(1.0 - p, freedom)
    if p == 0.5:
        return 0.0
    x = beta_quantile(2.0 * p, 0.5 * freedom, 0.5)
    return -sqrt(freedom * (1.0 - x) / x)
