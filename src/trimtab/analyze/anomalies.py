"""Learned behaviour: one `StreamDetector` a series, fed each good sample once. Called once a turn."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from trimtab.analyze.stream import Detection, StreamDetector
from trimtab.analyze.view import MonitorView
from trimtab.domain.goals import Symptom
from trimtab.domain.metrics import Series, Severity
from trimtab.domain.words import format_apart

MAX_DETECTORS = 1_000  # of at most 20 KB each: series that goals and guards name come first, then the others as they appear
_FED_AT_MOST = 512  # samples a turn: after a restart the detectors learn from the restored windows without holding up the loop


@dataclass(slots=True, eq=False)
class _Watched:
    detector: StreamDetector
    fed_until: float = float("-inf")
    last: Detection | None = None
    since: float | None = None  # while an incident lasts
    value: float = 0.0


class AnomalyWatch:
    """Symptoms of kind `anomaly`: an incident begins with the detector's alert and lasts while the score stays at 0.5 or more."""

    def __init__(self, threshold_stddev: float, *, first: Set[str] = frozenset()) -> None:
        self._threshold, self._first = threshold_stddev, first
        self._watched: dict[str, _Watched] = {}

    def look(self, view: MonitorView, now: float) -> list[Symptom]:
        """The incidents that last, of series that can be trusted now."""
        symptoms, seen = [], {}
        for series in view.series():
            watched = self._detector_of(series)
            if watched is None:
                continue
            seen[series.metric_id] = watched
            self._feed(watched, view, series)
            if watched.since is not None and watched.last is not None and view.trust(series.metric_id, now).ok:
                symptoms.append(_symptom(series, watched.last, watched.value, watched.since))
        self._watched = seen
        return symptoms

    def _detector_of(self, series: Series) -> _Watched | None:
        watched = self._watched.get(series.metric_id)
        if watched is None and (len(self._watched) < MAX_DETECTORS or series.name in self._first):
            watched = self._watched[series.metric_id] = _Watched(StreamDetector(self._threshold))
        return watched

    @staticmethod
    def _feed(watched: _Watched, view: MonitorView, series: Series) -> None:
        window = view.window(series.metric_id)
        first = max(int(window.t.searchsorted(watched.fed_until, side="right")), len(window.t) - _FED_AT_MOST)
        for t, v in zip(window.t[first:].tolist(), window.v[first:].tolist(), strict=True):
            watched.last, watched.value, watched.fed_until = watched.detector.update(t, v), v, t
            if watched.last.is_anomaly:
                watched.since = t
            elif watched.last.score < 0.5:
                watched.since = None


def _symptom(series: Series, found: Detection, value: float, since: float) -> Symptom:
    shown, lower, upper = format_apart(value, (found.lower, found.upper), series.unit)
    usual = f"{lower} to {upper}" if lower != upper else lower
    return Symptom(
        kind="anomaly",
        element=series.element,
        metric_name=series.name,
        severity=Severity.WARNING,
        score=found.score,
        evidence=f"{series.name} {shown} is unlike its learned behaviour of {usual}",
        since=since,
    )
