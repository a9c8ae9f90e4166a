"""Learned behaviour: one `StreamDetector` a series, fed each good sample once. Called once a turn."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from trimtab.analyze.stream import Detection, StreamDetector
from trimtab.analyze.view import MonitorView
from trimtab.domain.goals import Symptom
from trimtab.domain.metrics import Series, Severity
from trimtab.domain.words import format_apart

_FED_AT_MOST = 512  # samples a turn: after a restart the detectors learn from the restored windows without holding up the loop


@dataclass(slots=True, eq=False)
class _Watched:
    detector: StreamDetector
    fed_until: float = float("-inf")
    last: Detection | None = None  # while an incident lasts
    since: float | None = None  # the same
    value: float = 0.0


class AnomalyWatch:
    """Symptoms of kind `anomaly`: each lasts as long as the incident that its detector is in."""

    def __init__(self, threshold_stddev: float) -> None:
        self._threshold = threshold_stddev
        self._watched: dict[str, _Watched] = {}

    def look(self, view: MonitorView, now: float, deep: Set[str]) -> list[Symptom]:
        """The incidents that last, of series that can be trusted now. `deep`: the ids of those that have a detector each.

        A detector that is new learns from the window; one that is not among them any more is forgotten.
        """
        symptoms = []
        for series in view.series():
            if series.metric_id not in deep:
                continue
            watched = self._watched.get(series.metric_id) or self._new_detector(series)
            times, values = view.news(series.metric_id, watched.fed_until, _FED_AT_MOST)
            if times:
                self._feed(watched, times, values)
            if watched.since is not None and watched.last is not None and view.trust(series.metric_id, now).ok:
                symptoms.append(_symptom(series, watched.last, watched.value, watched.since))
        if len(self._watched) > len(deep):
            self._watched = {metric_id: watched for metric_id, watched in self._watched.items() if metric_id in deep}
        return symptoms

    def _new_detector(self, series: Series) -> _Watched:
        watched = self._watched[series.metric_id] = _Watched(StreamDetector(self._threshold))
        return watched

    @staticmethod
    def _feed(watched: _Watched, times: Sequence[float], values: Sequence[float]) -> None:
        for t, v in zip(times, values, strict=True):
            found = watched.detector.notice(t, v)
            if found is None:
                watched.since = watched.last = None
                continue
            watched.last, watched.value = found, v
            if found.is_anomaly or watched.since is None:
                watched.since = t
        watched.fed_until = times[-1]


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
