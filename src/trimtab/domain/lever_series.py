"""What levers held, as samples among the metrics: so that it can be drawn beside them, and replayed."""

from __future__ import annotations

from trimtab.domain.levers import LeverKind, LeverSpec, LeverValue
from trimtab.domain.metrics import Reading, Series

LEVER_SERIES = "trimtab_lever_value"  # what a lever was read to hold: its number, or the place of its choice, from 0


def lever_series(spec: LeverSpec) -> Series:
    """The series under which a lever's values are kept."""
    return Series.named(LEVER_SERIES, spec.element, {"lever": spec.name})


def as_number(spec: LeverSpec, value: LeverValue) -> float | None:
    """A lever's value as a sample; None where it has no number.

    >>> as_number(LeverSpec("policy", "cache", LeverKind.CHOICE, choices=("lru", "lfu")), "lfu")
    1.0
    """
    if spec.kind is LeverKind.CHOICE:
        return float(spec.choices.index(value)) if value in spec.choices else None
    return None if isinstance(value, str) else float(value)


def from_number(spec: LeverSpec, number: float) -> LeverValue:
    """The value that a sample stands for. Raises `ValueError` where it stands for none.

    >>> from_number(LeverSpec("policy", "cache", LeverKind.CHOICE, choices=("lru", "lfu")), 1.0)
    'lfu'
    """
    if spec.kind is LeverKind.CHOICE:
        if not (number.is_integer() and 0 <= number < len(spec.choices)):
            raise ValueError(f"{number:g} is the place of no choice")
        return spec.choices[int(number)]
    return bool(number) if spec.kind is LeverKind.BOOLEAN else spec.coerce(number)


def lever_reading(spec: LeverSpec, value: LeverValue, at: float) -> Reading | None:
    """What a lever held at `at` (Unix seconds) as a sample; None where it has no number."""
    number = as_number(spec, value)
    return None if number is None else Reading(lever_series(spec), number, at)
