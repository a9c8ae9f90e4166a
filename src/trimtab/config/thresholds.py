"""Warning and critical limits of a metric type, merged over those of requirement F3."""

from __future__ import annotations

from typing import Any

from trimtab.config.parts import Finite, Part, plain
from trimtab.domain.metrics import CANONICAL_UNITS, DEFAULT_THRESHOLDS, MetricType, Threshold, Unit

LOWER_IS_WORSE = frozenset({MetricType.SUCCESS_RATE, MetricType.THROUGHPUT})
_CEILINGS = {Unit.RATIO: 1.0, Unit.PERCENT: 100.0}


class MetricThreshold(Part):
    """From where on a metric type is worth a warning, and from where on it is critical, in its canonical unit."""

    warning: Finite
    critical: Finite

    def threshold(self, kind: MetricType) -> Threshold:
        """The limits as the rest of trimtab knows them."""
        return Threshold(self.warning, self.critical, lower_is_worse=kind in LOWER_IS_WORSE)


def merge_defaults(given: Any) -> Any:
    """What was given, over the defaults: `cpu_usage: {warning: 80}` keeps the critical limit of 90."""
    if not isinstance(given, dict):
        return given
    merged: dict[Any, Any] = dict(given)
    for kind, limits in DEFAULT_THRESHOLDS.items():
        mine = given.get(kind, {})
        if isinstance(mine, dict):
            merged[kind.value] = {"warning": limits.warning, "critical": limits.critical, **mine}
    return merged


def threshold_mistake(kind: MetricType, warning: float, critical: float) -> tuple[str, str] | None:
    """What is wrong with a pair of limits and what to do, or None.

    >>> threshold_mistake(MetricType.CPU_USAGE, 95, 90)[0]
    'warning 95 is beyond critical 90'
    """
    unit = CANONICAL_UNITS.get(kind, Unit.NONE)
    ceiling = _CEILINGS.get(unit)
    for limit in (warning, critical):
        if ceiling is not None and not 0 <= limit <= ceiling:
            hint = f", e.g. {plain(limit / 100)} for {plain(limit)} %" if ceiling == 1.0 and 0 <= limit <= 100 else ""
            return f"{kind} is a {unit}: {plain(limit)} is not between 0 and {plain(ceiling)}", f"give it as a {unit}{hint}"
        if unit is Unit.SECONDS and limit <= 0:
            return f"{kind} is in seconds: {plain(limit)} is not above 0", "give a positive number"
    if kind in LOWER_IS_WORSE and warning < critical:
        return f"warning {plain(warning)} is below critical {plain(critical)}", f"lower is worse for {kind}: swap the two"
    if kind not in LOWER_IS_WORSE and warning > critical:
        return f"warning {plain(warning)} is beyond critical {plain(critical)}", f"higher is worse for {kind}: swap the two"
    return None
