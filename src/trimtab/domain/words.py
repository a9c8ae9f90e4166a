"""How quantities, settings and spans of time read to people: every room writes them alike.

Only waits that are promised (rounded up), and moments in a time zone, have words of their own: see `plan.words`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from trimtab.domain.levers import LeverValue
from trimtab.domain.metrics import Unit, infer_unit

_SUFFIX = {Unit.SECONDS: " s", Unit.MILLISECONDS: " ms", Unit.PERCENT: " %", Unit.PER_SECOND: " /s"}
_SIZES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def of_metric(name: str, value: float | None) -> str:
    """A value of the metric `name`, with the unit that its name carries.

    >>> of_metric("checkout_p95_seconds", 0.6123), of_metric("error_ratio", 0.012), of_metric("queue_length", 12.0)
    ('0.612 s', '1.2 %', '12')
    """
    return format_quantity(value, infer_unit(name))


def setting(value: LeverValue | None) -> str:
    """A lever's value as a person writes it.

    >>> setting(True), setting(0.25), setting("lru"), setting(None)
    ('on', '0.25', 'lru', 'nothing')
    """
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def format_quantity(value: float | None, unit: Unit = Unit.NONE, digits: int = 3) -> str:
    """`value`, given in `unit`, to so many significant digits, with the unit that a person expects.

    Ratios are shown in per cent, sizes in the prefix that fits.

    >>> format_quantity(0.6123, Unit.SECONDS), format_quantity(0.85, Unit.RATIO), format_quantity(1.2e9, Unit.BYTES)
    ('0.612 s', '85 %', '1.2 GB')
    >>> format_quantity(12345.0), format_quantity(None, Unit.SECONDS)
    ('12,345', 'no value')
    """
    if value is None or math.isnan(value):
        return "no value"
    if unit is Unit.RATIO:
        return f"{format_number(100.0 * value, digits)} %"
    if unit in (Unit.BYTES, Unit.MEGABYTES):
        return _format_size(unit.convert(value, Unit.BYTES), digits)
    return format_number(value, digits) + _SUFFIX.get(unit, "")


def format_apart(value: float, others: Sequence[float], unit: Unit = Unit.NONE) -> tuple[str, ...]:
    """`value`, then `others`, all to as many digits as it takes to tell `value` from each of the others.

    >>> format_apart(68.64e6, [68.61e6, 68.63e6], Unit.BYTES)
    ('68.64 MB', '68.61 MB', '68.63 MB')
    """
    told: tuple[str, ...] = ()
    for digits in range(3, 13):
        told = tuple(format_quantity(each, unit, digits) for each in (value, *others))
        if not any(text == told[0] and other != value for text, other in zip(told[1:], others, strict=True)):
            break
    return told


def format_number(value: float, digits: int = 3) -> str:
    """So many significant digits; what is before the point is always written out.

    >>> format_number(3.14159), format_number(2000.4), format_number(-0.0), format_number(2000.4, digits=5)
    ('3.14', '2,000', '0', '2,000.4')
    """
    if math.isinf(value):
        return "infinite" if value > 0 else "minus infinite"
    if abs(value) >= 999.5:
        places = max(0, digits - len(str(int(abs(value)))))
        return f"{value:,.{places}f}" if abs(value) < 1e15 else f"{value:.{digits}g}"
    return f"{value + 0.0:.{digits}g}"


def _format_size(size: float, digits: int) -> str:
    for scale, name in _SIZES:
        if abs(size) >= scale:
            return f"{format_number(size / scale, digits)} {name}"
    return f"{format_number(size, digits)} B"


def format_span(seconds: float) -> str:
    """A time span in the unit that suits it.

    >>> format_span(45.0), format_span(1500.0), format_span(7_200.0), format_span(276_480.0)
    ('45 s', '25 min', '2.0 h', '3.2 days')
    """
    if seconds < 120.0:
        return f"{seconds:.0f} s"
    if seconds < 7_200.0:
        return f"{seconds / 60.0:.0f} min"
    return f"{seconds / 3600.0:.1f} h" if seconds < 172_800.0 else f"{seconds / 86_400.0:.1f} days"


def rfc3339(at: float | None) -> str | None:
    """Unix seconds as RFC 3339 in UTC; None where they are no time that a calendar knows.

    >>> rfc3339(1699200000.25)
    '2023-11-05T16:00:00.250Z'
    """
    if at is None or not math.isfinite(at):
        return None
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return None
