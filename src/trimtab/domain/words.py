"""How quantities read to people: the one place where a number gets its unit, so that every room writes it alike."""

from __future__ import annotations

import math

from trimtab.domain.metrics import Unit

_SUFFIX = {Unit.SECONDS: " s", Unit.MILLISECONDS: " ms", Unit.PERCENT: " %", Unit.PER_SECOND: " /s"}
_SIZES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def format_quantity(value: float | None, unit: Unit = Unit.NONE) -> str:
    """`value`, given in `unit`, to three significant digits with the unit that a person expects.

    Ratios are shown in per cent, sizes in the prefix that fits.

    >>> format_quantity(0.6123, Unit.SECONDS), format_quantity(0.85, Unit.RATIO), format_quantity(1.2e9, Unit.BYTES)
    ('0.612 s', '85 %', '1.2 GB')
    >>> format_quantity(12345.0), format_quantity(None, Unit.SECONDS)
    ('12,345', 'no value')
    """
    if value is None or math.isnan(value):
        return "no value"
    if unit is Unit.RATIO:
        return f"{format_number(100.0 * value)} %"
    if unit in (Unit.BYTES, Unit.MEGABYTES):
        return _format_size(unit.convert(value, Unit.BYTES))
    return format_number(value) + _SUFFIX.get(unit, "")


def format_number(value: float) -> str:
    """Three significant digits, whole numbers from a thousand on.

    >>> format_number(3.14159), format_number(2000.4), format_number(-0.0)
    ('3.14', '2,000', '0')
    """
    if math.isinf(value):
        return "infinite" if value > 0 else "minus infinite"
    if abs(value) >= 999.5:
        return f"{value:,.0f}" if abs(value) < 1e15 else f"{value:.3g}"
    return f"{value + 0.0:.3g}"


def _format_size(size: float) -> str:
    for scale, name in _SIZES:
        if abs(size) >= scale:
            return f"{format_number(size / scale)} {name}"
    return f"{format_number(size)} B"
