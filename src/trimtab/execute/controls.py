"""Which controls a trial is judged beside: chosen once, from the time before it, and dropped when something else moves them.

`verify.choose_controls` says which series went along with the metric; here stands what only the records can tell: whether another
of our own actions, or another hand, moved what a control belongs to while the trial ran. Called by `observer`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.domain.actions import ActionRecord
from trimtab.domain.situation import LeverState
from trimtab.execute.kin import Span, disturbances, undisturbed

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Control:
    """A series beside a goal's: `values` (n,) on the goal's samples, NaN = missing; `ties`: the elements that it depends on."""

    values: Array
    ties: frozenset[str]


class Controls:
    """Remembers which controls each action under way was given, by its id."""

    def __init__(self) -> None:
        self._chosen: dict[str, tuple[str, ...]] = {}

    def beside(
        self,
        record: ActionRecord,
        samples: tuple[Array, Array],
        offered: Mapping[str, Control],
        records: Iterable[ActionRecord],
        levers: Mapping[str, LeverState],
    ) -> dict[str, Array]:
        """Name → values on the samples' t, of the controls of `record`; missing where our own changes disturbed them."""
        from trimtab.verify import choose_controls  # loaded with the first trial

        since = record.executed_at or record.since
        others = [other for other in records if other.action_id != record.action_id]
        clean: dict[str, Array] = {}
        for name, control in offered.items():
            spans = disturbances(other for other in others if other.action.locks & control.ties)
            if not any(end > since for _, end in spans) and not _moved_by_others(control, levers, since):
                clean[name] = _without(control.values, samples[0], spans)
        if record.action_id not in self._chosen:
            self._chosen[record.action_id] = choose_controls(samples, clean, applied_at=since).names
        return {name: clean[name] for name in self._chosen[record.action_id] if name in clean}

    def forget(self, action_id: str) -> None:
        """Drop what is kept of an action that has ended."""
        self._chosen.pop(action_id, None)


def _moved_by_others(control: Control, levers: Mapping[str, LeverState], since: float) -> bool:
    moved = (state.moved_by_others_at for state in levers.values() if state.spec.element in control.ties)
    return any(at is not None and at > since for at in moved)


def _without(values: Array, t: Array, spans: tuple[Span, ...]) -> Array:
    return np.where(undisturbed(t, spans), values, np.nan)
