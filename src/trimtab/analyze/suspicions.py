"""A diagnosis for each symptom that lasts, from the monitor's windows. Called once a turn, after the symptoms are known.

The samples before the symptom are normal time, those since are not: both on one grid of time, as far as the windows reach. A
diagnosis is made when its symptom is confirmed, and again every minute while it lasts, since trouble spreads.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trimtab.analyze.deviations import ENOUGH, Key
from trimtab.analyze.diagnosis import Graph, diagnose
from trimtab.analyze.view import MonitorView
from trimtab.domain.diagnosis import Change, Diagnosis
from trimtab.domain.goals import Symptom
from trimtab.domain.metrics import Series

Array = NDArray[np.float64]

KINDS = ("goal_missed", "guard_breached", "threshold")
AGAIN = 60.0  # seconds after which a symptom that lasts is looked into again
MOST_SERIES = 400  # those of the symptom's metric first: a diagnosis stays within a few hundredths of a second
AT_ONCE = 3  # diagnoses made in one turn; the others wait for the next
OWN_ELEMENT = "trimtab"  # the element that the agent's own series belong to


class SuspicionWatch:
    """Remembers the last diagnosis of each symptom. `graph`: element → the elements that it depends on; empty: none is known."""

    def __init__(self, graph: Graph | None = None) -> None:
        self._graph = graph if graph and any(graph.values()) else None
        self._known: dict[str, Diagnosis] = {}

    def look(
        self, symptoms: Sequence[Symptom], view: MonitorView, now: float, changes: Sequence[Change] = ()
    ) -> tuple[Diagnosis, ...]:
        """The diagnoses of the symptoms that last, the oldest made anew first; none where one element is all there is."""
        lasting = {one.symptom_id: one for one in symptoms if one.confirmed and one.kind in KINDS}
        self._known = {key: found for key, found in self._known.items() if key in lasting}
        due = [one for key, one in lasting.items() if key not in self._known or now - self._known[key].at >= AGAIN - 1e-6]
        for symptom in sorted(due, key=self._made_at)[:AT_ONCE]:
            self._known[symptom.symptom_id] = self._diagnosis(symptom, view, now, changes)
        return tuple(self._known[key] for key in lasting if key in self._known and self._known[key].causes)

    def _made_at(self, symptom: Symptom) -> float:
        found = self._known.get(symptom.symptom_id)
        return found.at if found is not None else -np.inf

    def _diagnosis(self, symptom: Symptom, view: MonitorView, now: float, changes: Sequence[Change]) -> Diagnosis:
        nothing = Diagnosis(symptom.symptom_id, now)
        chosen = [series for series in view.series() if series.element not in ("", OWN_ELEMENT)]
        chosen.sort(key=lambda series: series.name != symptom.metric_name)
        chosen = chosen[:MOST_SERIES]
        subject = next((one for one in chosen if (one.element, one.name) == (symptom.element, symptom.metric_name)), None)
        if subject is None or len({series.element for series in chosen}) < 2:
            return nothing
        grid = _Grid.of(view.window(subject.metric_id).t, symptom.since, now)
        if grid is None:
            return nothing
        normal, abnormal = {}, {}
        for series in chosen:
            window = view.window(series.metric_id)
            normal[_key(series)], abnormal[_key(series)] = grid.lay(window.t, window.v)
        causes = diagnose(_key(subject), normal, abnormal, self._graph, changes, since=symptom.since)
        return Diagnosis(symptom.symptom_id, now, causes)


class _Grid:
    """Slots of one length: `before` of normal time, then `after` since the symptom began."""

    def __init__(self, start: float, step: float, before: int, after: int) -> None:
        self._start, self._step, self._before, self._after = start, step, before, after

    @classmethod
    def of(cls, t: Array, since: float, now: float) -> _Grid | None:
        """The grid of the times `t` (n,) of the symptom's samples; None where too few of them come before `since`."""
        if t.size < 2:
            return None
        step = float(np.median(np.diff(t)))
        before = int(np.floor((since - float(t[0])) / step + 0.5))
        if before < ENOUGH:
            return None
        after = max(1, int(np.floor((now - since) / step)) + 1)
        return cls(since - before * step, step, before, after)

    def lay(self, t: Array, v: Array) -> tuple[Array, Array]:
        """The samples in their slots, NaN where there is none, the latest where there are several: normal (n,), abnormal (m,)."""
        slots = np.full(self._before + self._after, np.nan)
        place = np.floor((t - self._start) / self._step + 1e-6).astype(int)
        inside = (place >= 0) & (place < slots.size)
        slots[place[inside]] = v[inside]
        return slots[: self._before], slots[self._before :]


def _key(series: Series) -> Key:
    labels = ",".join(f"{name}={value}" for name, value in series.labels)
    return series.element, series.name + (f"{{{labels}}}" if labels else "")
