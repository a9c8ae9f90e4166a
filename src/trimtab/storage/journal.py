"""The write-ahead journal in SQLite: what is intended is durable here before it is done.

Called by `execute` at every step of an action, read by recovery, the api and the command line. One file, WAL, synchronous FULL.
`journal` holds the rows, which are only ever appended and form one hash chain; `actions` is a projection of them, where each
action stands now, written in the same transaction; `head` remembers the last row, so that a tail cut off is noticed.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import sqlite3
from collections.abc import Mapping, Sequence
from itertools import islice
from math import nan
from pathlib import Path
from typing import Any

from trimtab.domain.actions import ActionRecord, ActionState, JournalRow
from trimtab.domain.errors import JournalCorrupt
from trimtab.storage import journal_sql as sql
from trimtab.storage.chain import EMPTY, TRANSITION, Chain, Head, corrupt, fence
from trimtab.storage.codec import canonical, clean, decode, digest, encode, row_data
from trimtab.storage.database import Database

BATCH = 1000  # rows that verify() reads at a time, between two breaths of the loop


class SqliteJournal:
    """A `Journal` in one SQLite file. With `key`, rows are sealed with HMAC-SHA-256 instead of SHA-256.

    Every method raises `StoreError` where the file cannot be read or written; then nothing was written, and the
    journal stays usable.

    >>> import asyncio, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     journal = SqliteJournal(Path(folder) / "journal.db")
    ...     row = asyncio.run(journal.note("paused", "by hand", at=1.0))
    ...     asyncio.run(journal.head()) == (row.seq, row.hash)
    True
    """

    def __init__(self, path: Path | str, *, key: bytes | None = None) -> None:
        self._chain = Chain(key)
        self._database = Database(Path(path), sql.SCHEMA, synchronous="FULL")
        self._tail_checked = False

    async def record(self, record: ActionRecord, from_state: ActionState | None) -> JournalRow:
        """Write the step that led to `record`. Raises `Conflict` where the action does not stand at `from_state`."""
        text = encode(record)
        with self._database.transaction() as connection:
            before = connection.execute(sql.SELECT_STATE, (clean(record.action_id),)).fetchone()
            fence(record.action_id, _state(before[0]) if before else None, from_state)
            data = row_data(text, before[1] if before else None)
            row = self._chain.transition(self._head(connection), record, from_state, data)
            self._append(connection, row)
            connection.execute(sql.UPSERT_ACTION, _standing(record, row.seq, text))
        return row

    async def note(
        self,
        kind: str,
        reason: str,
        *,
        at: float,
        actor: str = "trimtab",
        data: Mapping[str, object] | None = None,
        action_id: str = "",
    ) -> JournalRow:
        """Write a row that moves no action. Raises `ValueError` where `data` has no JSON form."""
        with self._database.transaction() as connection:
            head = self._head(connection)
            row = self._chain.note(head, kind, reason, at=at, actor=actor, data=data or {}, action_id=action_id)
            self._append(connection, row)
        return row

    async def unfinished(self) -> Sequence[ActionRecord]:
        """Actions that have not ended, and those on probation; oldest first."""
        return self._records(sql.SELECT_UNFINISHED, *sql.UNFINISHED)

    async def recent(self, count: int) -> Sequence[ActionRecord]:
        """The latest `count` actions, newest first."""
        return self._records(sql.SELECT_RECENT, max(count, 0))

    async def get(self, action_id: str) -> ActionRecord | None:
        """One action."""
        return next(iter(self._records(sql.SELECT_ACTION, clean(action_id))), None)

    async def history(self, action_id: str) -> Sequence[JournalRow]:
        """Every row of an action, in order."""
        return [_row(columns) for columns in self._database.rows(sql.SELECT_HISTORY, clean(action_id))]

    async def notes(self, kinds: Sequence[str], limit: int = 100) -> Sequence[JournalRow]:
        """Rows of these kinds, newest first."""
        each = [self._database.rows(sql.SELECT_NOTES, kind, max(limit, 0)) for kind in dict.fromkeys(kinds)]
        newest = heapq.merge(*each, key=lambda columns: columns[0], reverse=True)
        return [_row(columns) for columns in islice(newest, max(limit, 0))]

    async def counts(self) -> Mapping[ActionState, int]:
        """How many actions are in each state; states without any are absent."""
        return {_state(state): count for state, count in self._database.rows(sql.SELECT_COUNTS)}

    async def head(self) -> tuple[int, str]:
        """Sequence number and hash of the last row; (0, "") in an empty journal."""
        last = self._database.rows(sql.SELECT_LAST)
        return _head_of(last[0]) if last else EMPTY

    async def verify(self) -> int:
        """Check the whole chain and that every action stands where its last row left it; returns the number of rows.

        Raises `JournalCorrupt` naming the first row that does not hold.
        """
        head, begun = EMPTY, 0
        while True:
            with self._database.snapshot() as connection:
                rows = self._batch(connection, head)
                self._check_standing(connection, rows, head)
                begun += sum(row.kind == TRANSITION and row.from_state is None for row in rows)
                head = (rows[-1].seq, rows[-1].hash) if rows else head
                if len(rows) < BATCH:
                    _check_end(connection, head, begun)
                    return head[0]
            await asyncio.sleep(0)  # the loop goes on meanwhile

    async def close(self) -> None:
        """Release the file."""
        self._database.close()

    def _head(self, connection: sqlite3.Connection) -> Head:
        """The last row, which the next is linked to. Refuses to build on a tail that was cut off or is not ours."""
        last = connection.execute(sql.SELECT_LAST).fetchone()
        head = _head_of(last) if last else EMPTY
        _check_remembered(connection, head)
        if last and not self._tail_checked:  # with a wrong key one would otherwise spoil a good chain
            row = _row(last)
            self._chain.check(row, (row.seq - 1, row.previous))
        self._tail_checked = True
        return head

    def _append(self, connection: sqlite3.Connection, row: JournalRow) -> None:
        connection.execute(
            sql.INSERT_ROW,
            (
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
            ),
        )
        connection.execute("UPDATE head SET seq = ?, hash = ?", (row.seq, row.hash))

    def _records(self, query: str, *values: object) -> list[ActionRecord]:
        return [decode(text) for (text,) in self._database.rows(query, *values)]

    def _batch(self, connection: sqlite3.Connection, head: Head) -> list[JournalRow]:
        rows = []
        try:
            for columns in connection.execute(sql.SELECT_BATCH, (head[0], BATCH)):
                row = _row(columns)
                head = self._chain.check(row, head)
                rows.append(row)
        except sqlite3.DatabaseError as exc:
            if getattr(exc, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_CORRUPT:
                raise
            raise corrupt(head[0] + 1, f"cannot be read ({exc})") from exc
        return rows

    def _check_standing(self, connection: sqlite3.Connection, rows: Sequence[JournalRow], head: Head) -> None:
        """Each action whose last row is among `rows` must be stored as that row says."""
        by_seq = {row.seq: row for row in rows}
        upto = rows[-1].seq if rows else head[0]
        for seq, action_id, state, record in connection.execute(sql.SELECT_STANDING, (head[0], upto)):
            row = by_seq[seq]
            if (row.action_id, row.to_state, row.data.get("record")) != (action_id, state, digest(str(record))):
                raise corrupt(seq, f"and the stored state of action {action_id} disagree")


def _standing(record: ActionRecord, seq: int, text: str) -> tuple[object, ...]:
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


def _check_remembered(connection: sqlite3.Connection, head: Head) -> None:
    """Raises `JournalCorrupt` where the last row is not the one that was written last."""
    remembered = connection.execute("SELECT seq, hash FROM head").fetchone() or EMPTY
    if remembered != head:
        first_lost = min(head[0], remembered[0]) + 1 if head[0] != remembered[0] else head[0]
        raise corrupt(
            first_lost, f"is missing or strange: the journal was last written up to row {remembered[0]} and now ends at {head[0]}"
        )


def _check_end(connection: sqlite3.Connection, head: Head, begun: int) -> None:
    """Nothing may have been cut off the end, and no action forgotten."""
    (lost,) = connection.execute("SELECT min(seq) FROM actions WHERE seq > ?", (head[0],)).fetchone()
    if lost is not None:
        raise corrupt(head[0] + 1, f"is missing: an action still refers to row {lost}")
    _check_remembered(connection, head)
    (known,) = connection.execute("SELECT count(*) FROM actions").fetchone()
    if known != begun:
        raise JournalCorrupt(
            f"the journal began {begun} actions up to row {head[0]}, but the state of {known} is stored",
            remedy="Somebody else wrote to the file: restore the last backup",
        )


def _state(stored: object) -> ActionState:
    try:
        return ActionState(str(stored))
    except ValueError as exc:
        raise JournalCorrupt(
            f"an action is stored in a state that there is none of: {stored!r}",
            remedy="Somebody else wrote to the file: restore the last backup",
        ) from exc


def _head_of(columns: Sequence[Any]) -> Head:
    return columns[0], columns[-1]


def _row(columns: Sequence[Any]) -> JournalRow:
    """A row as it was written. Raises `JournalCorrupt` where its columns are not what a row has."""
    seq, at, kind, action_id, before, after, actor, reason, data, previous, sealed = columns
    try:
        carried = dict(json.loads(data))
        texts = (str(text) for text in (kind, action_id, actor, reason, previous, sealed))
        kind, action_id, actor, reason, previous, sealed = texts
        from_state, to_state = (ActionState(state) if state is not None else None for state in (before, after))
        return JournalRow(
            seq,
            nan if at is None else at,
            kind,
            action_id,
            from_state,
            to_state,
            actor,
            reason,
            carried,
            previous,
            sealed,
        )
    except (ValueError, TypeError) as exc:
        raise corrupt(seq, f"cannot be read: {exc}") from exc
