"""The sentences that say why nothing is done: one for each goal, guard or group of series that cannot be trusted."""

from __future__ import annotations

from collections.abc import Set

from trimtab.analyze.view import MonitorView
from trimtab.domain.metrics import Health

_NAMED_IN_A_GROUP = 3


def hold(what: str, reason: str) -> str:
    """The sentence that is shown everywhere.

    >>> hold("p95_seconds", "HTTP 500 from http://127.0.0.1:9100/metrics")
    'HOLD: p95_seconds: HTTP 500 from http://127.0.0.1:9100/metrics; no action rests on it'
    """
    return f"HOLD: {what}: {reason.rstrip('.')}; no action rests on it"


def silent_series(view: MonitorView, now: float, already_said: Set[str]) -> list[str]:
    """A sentence for the series that no goal or guard has spoken of, those of one element with one reason together."""
    groups: dict[tuple[str, str], list[str]] = {}
    for series, trust in view.distrusted(now):
        if trust.health is not Health.WARMING_UP and series.name not in already_said:  # what nothing rests on may take its time
            groups.setdefault((series.element, trust.reason), []).append(series.name)
    return [hold(_title(element, list(dict.fromkeys(names))), reason) for (element, reason), names in groups.items()]


def _title(element: str, names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    shown = ", ".join(names[:_NAMED_IN_A_GROUP]) + (", …" if len(names) > _NAMED_IN_A_GROUP else "")
    return f"{len(names)} series" + (f" of {element}" if element else "") + f" ({shown})"
