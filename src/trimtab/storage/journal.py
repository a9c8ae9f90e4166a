"""The write-ahead journal in SQLite: what is intended is durable here before it is done.

Called by `execute` at every step of an action, read by recovery, the api and the command line. One file, WAL, synchronous FULL.
`journal` holds the rows, which are only ever appended and form one hash chain; `actions` is a projection of them, where each
action stands now, written in the same transaction; `head` remembers the last row, so that a tail cut off is noticed.
"""

from __future__ import annotations

import asyncio
import heapq
import sqlite3
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

from trimtab.domain.actions import ActionRecord, ActionState, JournalRow
from trimtab.domain.errors import JournalCorrupt
from trimtab.storage import journal_sql as sql
from trimtab.storage.chain import EMPTY, Chain, Head, corrupt, fence
from trimtab.storage.codec import clean, decode, digest, encode, row_data
from trimtab.storage.database import Database
from trimtab.storage.files import Mark
from trimtab.storage.journal_rows import columns_of, head_of, row_of, standing_of, state_of
from trimtab.storage.pruning import PRUNED, STAYING, Checkpoint, begun, last_words, outlives, said_again, sentence

BATCH = 100  # rows that verify() reads at a time, between two breaths of the loop: a few milliseconds
PRUNE_BATCH = 100  # rows that are checked and removed in one transaction
PRUNE_REST = 0.01  # seconds in which others have the loop to themselves


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
            fence(record.action_id, state_of(before[0]) if before else None, from_state)
            data = row_data(text, before[1] if before else None)
            row = self._chain.transition(self._head(connection), record, from_state, data)
            self._append(connection, row)
            connection.execute(sql.UPSERT_ACTION, standing_of(record, row.seq, text))
        self._mark.write((row.seq, row.hash))
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
        self._mark.write((row.seq, row.hash))
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
        """Every row of an action, in order; of its moves only the latest `MOVES_TOLD`."""
        return [row_of(columns) for columns in self._database.rows(sql.SELECT_HISTORY, clean(action_id))]

    async def notes(self, kinds: Sequence[str], limit: int = 100) -> Sequence[JournalRow]:
        """Rows of these kinds, newest first."""
        each = [self._database.rows(sql.SELECT_NOTES, kind, max(limit, 0)) for kind in dict.fromkeys(kinds)]
        newest = heapq.merge(*each, key=lambda columns: columns[0], reverse=True)
        return [row_of(columns) for columns in islice(newest, max(limit, 0))]

    async def counts(self) -> Mapping[ActionState, int]:
        """How many actions are in each state; states without any are absent."""
        return {state_of(state): count for state, count in self._database.rows(sql.SELECT_COUNTS)}

    async def head(self) -> tuple[int, str]:
        """Sequence number and hash of the last row; (0, "") in an empty journal."""
        last = self._database.rows(sql.SELECT_LAST)
        return head_of(last[0]) if last else EMPTY

    async def verify(self, *, rest: float = 0.0) -> int:
        """Check the whole chain and that every action stands where its last row left it; returns the number of rows.

        After each batch others get `rest` seconds.

        Raises `JournalCorrupt` naming the first row that does not hold.
        """
        mark = self._mark.read()  # first: another process may be writing
        head, actions, checked = EMPTY, 0, 0
        while True:
            with self._database.snapshot() as connection:
                point = _checkpoint(connection)
                if point.seq > head[0]:  # what is before it was given up, now or while this was looking
                    head, actions = point.head, point.begun
                rows = self._batch(connection, head)
                self._check_standing(connection, rows, head)
                actions, checked = actions + begun(rows), checked + len(rows)
                head = (rows[-1].seq, rows[-1].hash) if rows else head
                if len(rows) < BATCH:
                    _check_end(connection, head, actions, point)
                    self._check_mark(mark, head)
                    return checked
            await asyncio.sleep(rest)  # the loop goes on meanwhile

    async def prune(self, before: float, *, at: float) -> int:
        """Give up the oldest rows, as far as all their actions ended before `before`; returns how many.

        What is under way, on probation, awaits an answer or keeps a lever frozen stays, whatever its age, and so does the pause
        in force: the first row that has to stay ends it. Each stretch is checked before it goes. Raises `JournalCorrupt`.
        """
        removed, before = 0, min(before, at)  # what this writes is never what this removes
        while gone := self._prune_batch(before, at):
            removed += gone
            await asyncio.sleep(PRUNE_REST)
        if removed:
            await self._database.shrink()
        return removed

    def examine(self) -> None:
        """What can be told before the first row is written: the file is whole, its last row is ours, and no later one was lost.

        Raises `StoreDamaged`, `JournalCorrupt`. Takes about a second per gigabyte; `verify` is the thorough one.
        """
        mark = self._mark.read()
        self._database.check()
        with self._database.snapshot() as connection:
            self._check_mark(mark, self._head(connection))

    async def close(self) -> None:
        """Release the file."""
        self._database.close()

    def _head(self, connection: sqlite3.Connection) -> Head:
        """The last row, which the next is linked to. Refuses to build on a tail that was cut off or is not ours."""
        last = connection.execute(sql.SELECT_LAST).fetchone()
        head = head_of(last) if last else EMPTY
        _check_remembered(connection, head)
        if last and not self._tail_checked:  # with a wrong key one would otherwise spoil a good chain
            row = row_of(last)
            self._chain.check(row, (row.seq - 1, row.previous))
        self._tail_checked = True
        return head

    @property
    def _mark(self) -> Mark:
        return Mark(self._database.path.with_suffix(".head"))

    def _check_mark(self, mark: Head | None, head: Head) -> None:
        """The mark beside the file is written after each row: it is never ahead, unless rows that were acknowledged are gone."""
        if mark is not None and mark[0] > head[0]:
            raise JournalCorrupt(
                f"rows {head[0] + 1} to {mark[0]} are gone: {self._database.path} lost its -wal file, or is an older copy",
                remedy="Put the -wal file back, or use `trimtab restore`; "
                f"to go on from row {head[0]} without them, remove {self._mark.path.name}",
            )

    def _append(self, connection: sqlite3.Connection, row: JournalRow) -> None:
        connection.execute(sql.INSERT_ROW, columns_of(row))
        connection.execute("UPDATE head SET seq = ?, hash = ?", (row.seq, row.hash))

    def _records(self, query: str, *values: object) -> list[ActionRecord]:
        return [decode(text) for (text,) in self._database.rows(query, *values)]

    def _prune_batch(self, before: float, at: float) -> int:
        with self._database.transaction() as connection:
            head, point = self._head(connection), _checkpoint(connection)
            rows = self._rows_that_hold(connection, point.head, PRUNE_BATCH)
            stop = _first_to_stay(connection, rows, before)
            rows = [row for row in rows if row.seq < stop]
            if not rows:
                return 0
            head = self._write_again(connection, rows, head, at)
            forgotten = connection.execute("DELETE FROM actions WHERE seq <= ?", (rows[-1].seq,)).rowcount
            connection.execute("DELETE FROM journal WHERE seq <= ?", (rows[-1].seq,))
            about, said = point.after(rows, forgotten).data(), sentence(len(rows), forgotten)
            row = self._chain.note(head, PRUNED, said, at=at, actor="trimtab", data=about, action_id="")
            self._append(connection, row)
        self._mark.write((row.seq, row.hash))
        return len(rows)

    def _write_again(self, connection: sqlite3.Connection, rows: Sequence[JournalRow], head: Head, at: float) -> Head:
        """Write what has to outlive `rows`, which are given up; returns the head after it."""
        for action_id in sorted({row.action_id for row in rows if row.action_id}):
            standing = connection.execute(sql.SELECT_WHERE, (action_id,)).fetchone()
            record = decode(standing[1]) if standing else None
            if record is None or not outlives(record, ()):
                continue
            later = connection.execute(sql.SELECT_KEPT_AFTER, (record.executed_at or 0.0,))
            if not outlives(record, [decode(text) for (text,) in later]):
                continue
            if standing[0] <= rows[-1].seq:
                row = self._chain.transition(head, record, record.state, row_data(standing[1], None), at=at)
                self._append(connection, row)
                connection.execute(sql.UPSERT_ACTION, standing_of(record, row.seq, standing[1]))
                head = (row.seq, row.hash)
            for row in last_words(rows, action_id):
                if connection.execute(sql.SELECT_LATER, (action_id, row.kind, rows[-1].seq)).fetchone() is None:
                    data = said_again(row)
                    row = self._chain.note(head, row.kind, row.reason, at=at, actor=row.actor, data=data, action_id=action_id)
                    self._append(connection, row)
                    head = (row.seq, row.hash)
        return head

    def _batch(self, connection: sqlite3.Connection, head: Head) -> list[JournalRow]:
        return self._rows_that_hold(connection, head, BATCH)

    def _rows_that_hold(self, connection: sqlite3.Connection, head: Head, size: int) -> list[JournalRow]:
        rows = []
        try:
            for columns in connection.execute(sql.SELECT_BATCH, (head[0], size)):
                row = row_of(columns)
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


def _check_remembered(connection: sqlite3.Connection, head: Head) -> None:
    """Raises `JournalCorrupt` where the last row is not the one that was written last."""
    remembered = connection.execute("SELECT seq, hash FROM head").fetchone() or EMPTY
    if remembered != head:
        first_lost = min(head[0], remembered[0]) + 1 if head[0] != remembered[0] else head[0]
        raise corrupt(
            first_lost, f"is missing or strange: the journal was last written up to row {remembered[0]} and now ends at {head[0]}"
        )


def _checkpoint(connection: sqlite3.Connection) -> Checkpoint:
    found = connection.execute(sql.SELECT_PRUNED).fetchone()
    return Checkpoint.of(row_of(found) if found else None)


def _first_to_stay(connection: sqlite3.Connection, rows: Sequence[JournalRow], before: float) -> int:
    """The number of the first of `rows` that may not be removed, or of the row that follows them."""
    if not rows:
        return 0
    first, last = rows[0].seq, rows[-1].seq
    (young,) = connection.execute(sql.SELECT_STAYING, (first - 1, last, before, before, *STAYING)).fetchone()
    (pause,) = connection.execute(sql.SELECT_PAUSE_IN_FORCE).fetchone()
    return min(stop for stop in (young, pause, last + 1) if stop is not None)


def _check_end(connection: sqlite3.Connection, head: Head, begun: int, point: Checkpoint) -> None:
    """Nothing may have been cut off the end, and no action forgotten but those that were given up."""
    (stale,) = connection.execute("SELECT max(seq) FROM actions WHERE seq <= ?", (point.seq,)).fetchone()
    if stale is not None:
        raise corrupt(stale, "was given up, yet an action still refers to it")
    (lost,) = connection.execute("SELECT min(seq) FROM actions WHERE seq > ?", (head[0],)).fetchone()
    if lost is not None:
        raise corrupt(head[0] + 1, f"is missing: an action still refers to row {lost}")
    _check_remembered(connection, head)
    (known,) = connection.execute("SELECT count(*) FROM actions").fetchone()
    if known + point.forgotten != begun:
        given_up = f", gave up {point.forgotten}" if point.forgotten else ""
        raise JournalCorrupt(
            f"the journal began {begun} actions up to row {head[0]}{given_up}, but the state of {known} is stored",
            remedy="Somebody else wrote to the file: restore the last backup",
        )
