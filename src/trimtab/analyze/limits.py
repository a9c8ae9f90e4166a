"""Thresholds per metric type (warning and critical), for every series that declares one of those types. Called once a turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from trimtab.analyze.holds import hold
from trimtab.analyze.view import MonitorView
from trimtab.domain.errors import UnitMismatch
from trimtab.domain.goals import Symptom
from trimtab.domain.metrics import CANONICAL_UNITS, MetricType, Series, Severity, Threshold
from trimtab.domain.words import format_quantity

SURE = 3  # samples in a row before a limit that was passed counts as passed


def trailing_run(flags: list[bool]) -> int:
    """How many of the last flags are set in a row.

    >>> trailing_run([True, False, True, True])
    2
    """
    return next((i for i, flag in enumerate(reversed(flags)) if not flag), len(flags))


def severities(series: Series, values: Sequence[float], threshold: Threshold | None) -> list[Severity]:
    """How bad each of `values`, in the series' unit, is by its type's threshold: normal where it has none.

    Raises `UnitMismatch` where the series is in a unit that does not compare with the threshold's.
    """
    if threshold is None:
        return [Severity.NORMAL] * len(values)
    to = CANONICAL_UNITS[series.metric_type]
    return [threshold.severity(series.unit.convert(float(value), to)) for value in values]


class LimitWatch:
    """Symptoms of kind `threshold`. A warning needs three samples in a row; a critical one shows at once, but unconfirmed.

    It ends when the mean of the last three is back inside the warning limit, so that a value at the limit does not flicker.
    """

    def __init__(self, thresholds: Mapping[MetricType, Threshold]) -> None:
        self._thresholds = {kind: limit for kind, limit in thresholds.items() if kind in CANONICAL_UNITS}
        self._since: dict[str, float] = {}

    def look(self, view: MonitorView, now: float) -> tuple[list[Symptom], list[str]]:
        """The symptoms, and the hold sentences of series whose unit does not compare."""
        symptoms, holds, seen = [], [], set()
        for series in view.series():
            threshold = self._thresholds.get(series.metric_type)
            if threshold is None:
                continue
            seen.add(series.metric_id)
            if not view.trust(series.metric_id, now).ok:
                continue
            window = view.window(series.metric_id)
            try:
                symptom = self._judge(series, threshold, window.t[-SURE:].tolist(), window.v[-SURE:].tolist())
            except UnitMismatch as error:
                holds.append(
                    hold(series.name, f"{error.message}, which its {series.metric_type} limits are in; declare its unit")
                )
                continue
            if symptom is not None:
                symptoms.append(symptom)
        self._since = {metric_id: since for metric_id, since in self._since.items() if metric_id in seen}
        return symptoms, holds

    def _judge(self, series: Series, threshold: Threshold, t: list[float], v: list[float]) -> Symptom | None:
        found = severities(series, v, threshold)
        passed = trailing_run([one is not Severity.NORMAL for one in found])
        critical = trailing_run([one is Severity.CRITICAL for one in found])
        back = severities(series, [float(np.mean(v))], threshold)[0] is Severity.NORMAL
        since = self._since.get(series.metric_id)
        if passed < SURE and not critical and (since is None or back):
            self._since.pop(series.metric_id, None)
            return None
        confirmed = since is not None or passed >= SURE
        if confirmed and since is None:
            since = self._since[series.metric_id] = t[-passed]
        sure = critical >= SURE or not confirmed
        severity = Severity.CRITICAL if critical and sure else Severity.WARNING
        value = v[-1] if passed else float(np.mean(v))  # it lasts because of its mean, so it speaks of its mean
        return Symptom(
            kind="threshold",
            element=series.element,
            metric_name=series.name,
            severity=severity,
            score=_score(series, value, threshold),
            evidence=_evidence(series, value, threshold, severity, passed or SURE),
            since=t[-critical] if since is None else since,
            confirmed=confirmed,
        )


def _score(series: Series, value: float, threshold: Threshold) -> float:
    """0.5 at the warning limit, 0.75 at the critical one, towards 1 beyond and 0 inside."""
    canonical = series.unit.convert(value, CANONICAL_UNITS[series.metric_type])
    steps = (canonical - threshold.warning) / ((threshold.critical - threshold.warning) or 1.0)
    return float(1.0 - 0.5 ** (1.0 + steps)) if steps > -1.0 else 0.0


def _evidence(series: Series, value: float, threshold: Threshold, severity: Severity, samples: int) -> str:
    canonical = CANONICAL_UNITS[series.metric_type]
    limit = threshold.critical if severity is Severity.CRITICAL else threshold.warning
    side = "below" if threshold.lower_is_worse else "above"
    over = f" for {samples} samples" if samples > 1 else ""
    return (
        f"{series.name} {format_quantity(value, series.unit)} is at or {side} the {severity} limit of "
        f"{format_quantity(limit, canonical)}{over}"
    )
