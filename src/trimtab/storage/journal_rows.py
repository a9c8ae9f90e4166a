"""Between the columns of the journal's tables and what they mean. Called by `journal` at every row that is written or read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import nan
from typing import Any

from trimtab.domain.actions import ActionRecord, ActionState, JournalRow
from trimtab.domain.errors import JournalCorrupt
from trimtab.storage.chain import Head, corrupt
from trimtab.storage.codec import canonical, clean


def columns_of(row: JournalRow) -> tuple[object, ...]:
    """A row as it is written."""
    return (
        row.seq,
        row.at,
        row.kind,
        row.action_id,
        row.from_state,
        row.to_state,
        row.actor,
        row.reason,
        canonical(row.data),
        row.previous,
        row.hash,
    )


def standing_of(record: ActionRecord, seq: int, text: str) -> tuple[object, ...]:
    """Where an action stands, as it is written."""
    action = record.action
    return (
        clean(action.action_id),
        seq,
        record.state,
        clean(action.action_type),
        action.created_at,
        record.executed_at,
        record.since,
        text,
    )


def state_of(stored: object) -> ActionState:
    """A state as it was written. Raises `JournalCorrupt` where there is no such state."""
    try:
        return ActionState(str(stored))
    except ValueError as exc:
        raise JournalCorrupt(
            f"an action is stored in a state that there is none of: {stored!r}",
            remedy="Somebody else wrote to the file: restore the last backup",
        ) from exc


def head_of(columns: Sequence[Any]) -> Head:
    """The number and the hash of a row."""
    return columns[0], columns[-1]


def row_of(columns: Sequence[Any]) -> JournalRow:
    """A row as it was written. Raises `JournalCorrupt` where its columns are not what a row has."""
    seq, at, kind, action_id, before, after, actor, reason, data, previous, sealed = columns
    try:
        carried = dict(json.loads(data))
        kind, action_id, actor, reason, previous, sealed = map(str, (kind, action_id, actor, reason, previous, sealed))
        from_state, to_state = (ActionState(state) if state is not None else None for state in (before, after))
        moment = nan if at is None else at
        return JournalRow(seq, moment, kind, action_id, from_state, to_state, actor, reason, carried, previous, sealed)
    except (ValueError, TypeError) as exc:
        raise corrupt(seq, f"cannot be read: {exc}") from exc
