"""What was lately changed, as far as the agent knows: its own actions, other hands at its levers. Evidence for a diagnosis."""

from __future__ import annotations

from collections.abc import Iterable

from trimtab.domain.actions import ActionRecord
from trimtab.domain.actions import ActionState as S
from trimtab.domain.diagnosis import Change
from trimtab.domain.situation import LeverState
from trimtab.domain.words import format_span, setting


def recent_changes(records: Iterable[ActionRecord], levers: Iterable[LeverState], now: float, within: float) -> list[Change]:
    """Every change of the last `within` seconds, oldest first."""
    ours = [
        Change(record.action.element, record.executed_at, f"trimtab set {record.action.move} {_ago(now - record.executed_at)}")
        for record in records
        if record.executed_at is not None and not record.simulated and record.state is not S.FAILED
    ]
    theirs = [
        Change(
            state.spec.element,
            state.moved_by_others_at,
            f"somebody set {state.spec.lever_id} to {setting(state.value)} {_ago(now - state.moved_by_others_at)}",
        )
        for state in levers
        if state.moved_by_others_at is not None and state.value is not None
    ]
    return sorted((change for change in (*ours, *theirs) if now - change.at <= within), key=lambda change: change.at)


def _ago(seconds: float) -> str:
    return f"{format_span(seconds)} ago"
