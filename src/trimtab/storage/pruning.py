"""What a pruned journal remembers of the rows that it gave up, so that its chain still holds and a stranger's cut is still found.

Pure; shared by both journals. Only a prefix is ever given up. The row of kind `pruned` that is written in the same transaction
carries the checkpoint: where the rest begins, and how many actions there were. It is a link of the chain like any other, so that
who cuts off more than it says, or writes another one, is found (decision 12). A policy that is in force outlives its rows: where
it stands, and the last that was said of it, is written again in that transaction, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from trimtab.domain.actions import SAID_AGAIN, ActionRecord, ActionState, JournalRow
from trimtab.domain.regulation import HOLD, REGULATION
from trimtab.storage.chain import EMPTY, TRANSITION, Head, corrupt

PRUNED = "pruned"
STAYING = frozenset(
    state for state in ActionState if not state.terminal or state in (ActionState.KEPT_ON_PROBATION, ActionState.ROLLBACK_FAILED)
)  # whatever its age: recovery, probation or the frozen lever needs it


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The last row given up, and what is no longer there to be counted. `begun` counts actions that began up to that row.

    >>> NOTHING_PRUNED.begun, NOTHING_PRUNED.head == EMPTY
    (0, True)
    """

    seq: int
    hash: str
    begun: int
    forgotten: int

    @property
    def head(self) -> Head:
        """What the first row that is left follows."""
        return self.seq, self.hash

    def after(self, rows: Iterable[JournalRow], forgotten: int) -> Checkpoint:
        """The checkpoint once `rows` are given up too, and with them the records of `forgotten` actions."""
        *_, last = given_up = list(rows)
        return Checkpoint(last.seq, last.hash, self.begun + begun(given_up), self.forgotten + forgotten)

    def data(self) -> Mapping[str, object]:
        """What the `pruned` row carries."""
        return {"checkpoint": asdict(self)}

    @classmethod
    def of(cls, row: JournalRow | None) -> Checkpoint:
        """The checkpoint that the latest `pruned` row carries. Raises `JournalCorrupt` where it carries none."""
        if row is None:
            return NOTHING_PRUNED
        try:
            found = dict(row.data["checkpoint"])  # type: ignore[call-overload]
            return cls(int(found["seq"]), str(found["hash"]), int(found["begun"]), int(found["forgotten"]))
        except (KeyError, TypeError, ValueError) as exc:
            raise corrupt(row.seq, "says that rows were given up, but not which") from exc


NOTHING_PRUNED = Checkpoint(*EMPTY, 0, 0)


def begun(rows: Iterable[JournalRow]) -> int:
    """How many actions begin in these rows."""
    return sum(row.kind == TRANSITION and row.from_state is None for row in rows)


def stays(row: JournalRow, record: ActionRecord | None, before: float) -> bool:
    """Whether a row has to stay: it is young, or its action is, or its action is not over for good."""
    return row.at >= before or (record is not None and (record.state in STAYING or record.since >= before))


def outlives(record: ActionRecord | None, kept: Iterable[ActionRecord]) -> bool:
    """Whether an action outlives its rows: it set a policy that is in force as long as none of those `kept` came after it."""
    if record is None or record.state is not ActionState.KEPT:
        return False
    action, since = record.action, record.executed_at or 0.0
    if action.lever != REGULATION or action.to_value == HOLD:
        return False
    return not any(
        other.action.lever_id == action.lever_id and other.state is ActionState.KEPT and (other.executed_at or 0.0) > since
        for other in kept
    )


def last_words(rows: Iterable[JournalRow], action_id: str) -> Sequence[JournalRow]:
    """The newest row of each kind about an action, its transitions apart; oldest first."""
    latest = {row.kind: row for row in rows if row.action_id == action_id and row.kind != TRANSITION}
    return sorted(latest.values(), key=lambda row: row.seq)


def said_again(row: JournalRow) -> Mapping[str, object]:
    """What the row carries that says again what `row` said."""
    return {**row.data, SAID_AGAIN: True}


def sentence(rows: int, forgotten: int) -> str:
    """What the `pruned` row says."""
    return f"{rows} rows older than storage.journal_retention_days were removed, and with them {forgotten} actions that had ended"
