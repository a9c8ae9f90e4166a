"""When the harm that the storm halt counts was done, by a clock that may have been set back, and what of it a person forgave.

Kept by the gatekeeper. What was forgiven is remembered by action, not by time: after the clock was set back, times say nothing
about what came first. Harm dated later than now is taken for done when it was first seen so, and stays there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from trimtab.domain.actions import ActionRecord
from trimtab.plan.storm import did_harm, harm_at

FORGIVEN = float("-inf")


class Harm:
    """The dates that `plan.storm.storm` goes by where they are others than those of the records; Unix seconds."""

    def __init__(self) -> None:
        self._forgiven: dict[str, float] = {}  # action id → the latest harm that is forgiven
        self._first_seen: dict[tuple[str, float], float] = {}

    def dates(self, records: Iterable[ActionRecord], now: float) -> Mapping[str, float]:
        """By action id; `FORGIVEN` where a person has forgiven it."""
        found = {}
        for record in records:
            if not did_harm(record):
                continue
            at = harm_at(record)
            if at <= self._forgiven.get(record.action_id, FORGIVEN):
                found[record.action_id] = FORGIVEN
            elif at > now or (record.action_id, at) in self._first_seen:
                seen = self._first_seen.get((record.action_id, at), now)
                found[record.action_id] = self._first_seen[record.action_id, at] = min(seen, now)
        return found

    def forgive(self, records: Iterable[ActionRecord], until: float = float("inf")) -> None:
        """What these have done up to `until` counts no more."""
        self._forgiven = {each.action_id: at for each in records if did_harm(each) and (at := harm_at(each)) <= until}
        self._first_seen = {}

    def noted(self, since: float) -> Mapping[str, float]:
        """What is forgiven and could still count, for the journal."""
        return {action_id: at for action_id, at in self._forgiven.items() if at > since}

    def remember(self, noted: Mapping[str, Any]) -> None:
        """What an earlier run noted."""
        self._forgiven = {action_id: float(at) for action_id, at in noted.items() if isinstance(at, int | float)}
