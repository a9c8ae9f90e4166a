"""The hash chain of the journal: each row carries the hash of the one before it, so none can be altered or removed unseen.

Pure; shared by every journal. The hash is SHA-256 over the canonical JSON of the row, or HMAC-SHA-256 where a key is configured:
without a key the chain shows damage and clumsy hands, with one also a forger who may write to the file but does not know the key.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace

from trimtab.domain.actions import ActionRecord, ActionState, JournalRow
from trimtab.domain.errors import Conflict, JournalCorrupt, StoreError
from trimtab.storage.codec import canonical, clean

TRANSITION = "transition"

Head = tuple[int, str]  # sequence number and hash of the last row
EMPTY: Head = (0, "")

_REMEDY = (
    "Nothing is carried out on a journal that does not hold: restore the last backup (`trimtab restore`), "
    "and find out who wrote to the file"
)


class Chain:
    """Links rows and checks them.

    >>> chain = Chain()
    >>> row = chain.note(EMPTY, "paused", "by hand", at=1.0, actor="ann", data={}, action_id="")
    >>> chain.check(row, EMPTY) == (row.seq, row.hash)
    True
    """

    def __init__(self, key: bytes | None = None) -> None:
        if key is not None and not key:
            raise StoreError("the journal's key is empty", remedy="Give a key of at least 32 random bytes, or none at all")
        self._key = key

    def transition(
        self, head: Head, record: ActionRecord, before: ActionState | None, data: Mapping[str, object], *, at: float | None = None
    ) -> JournalRow:
        """The row of the step that led to `record`, as of then or of `at`."""
        return self._link(
            JournalRow(
                head[0] + 1,
                float(record.since if at is None else at),
                TRANSITION,
                clean(record.action_id),
                before,
                record.state,
                clean(record.actor),
                clean(record.reason),
                data,
                head[1],
                "",
            )
        )

    def note(
        self, head: Head, kind: str, reason: str, *, at: float, actor: str, data: Mapping[str, object], action_id: str
    ) -> JournalRow:
        """A row that moves no action. Raises `ValueError` where `data` has no JSON form or `kind` is that of a transition."""
        if kind == TRANSITION:
            raise ValueError("a transition is written by record(), which knows the action; note() is for all else")
        return self._link(
            JournalRow(
                head[0] + 1, float(at), clean(kind), clean(action_id), None, None, clean(actor), clean(reason), data, head[1], ""
            )
        )

    def check(self, row: JournalRow, head: Head) -> Head:
        """The head after `row`. Raises `JournalCorrupt`, naming it, where it does not follow `head` or was altered."""
        if row.seq != head[0] + 1:
            raise corrupt(head[0] + 1, "is missing")
        if row.previous != head[1]:
            raise corrupt(row.seq, "does not follow the one before it")
        if not hmac.compare_digest(row.hash, self._hash(row)):
            raise corrupt(row.seq, "was altered, or was written with another key")
        return row.seq, row.hash

    def _link(self, row: JournalRow) -> JournalRow:
        row = replace(row, data=json.loads(canonical(row.data)))  # as it will read back
        return replace(row, hash=self._hash(row))

    def _hash(self, row: JournalRow) -> str:
        body = canonical(
            [
                row.seq,
                row.at,
                row.kind,
                row.action_id,
                row.from_state,
                row.to_state,
                row.actor,
                row.reason,
                row.data,
                row.previous,
            ]
        ).encode()
        if self._key is None:
            return hashlib.sha256(body).hexdigest()
        return hmac.new(self._key, body, hashlib.sha256).hexdigest()


def fence(action_id: str, stored: ActionState | None, expected: ActionState | None) -> None:
    """Raises `Conflict` unless the action stands where the writer believes it does: the fence against two writers."""
    if stored == expected:
        return
    if stored is None:
        raise Conflict(
            f"action {action_id} is not in the journal, yet was taken to be {expected}", remedy="Record it as new first"
        )
    believed = "new" if expected is None else expected
    raise Conflict(
        f"action {action_id} is {stored}, not {believed}: somebody else has moved it",
        remedy="Read the action again and decide anew; nothing was written",
    )


def corrupt(seq: int, what: str) -> JournalCorrupt:
    """The error that names a row that does not hold."""
    return JournalCorrupt(f"row {seq} of the journal {what}", remedy=_REMEDY)
