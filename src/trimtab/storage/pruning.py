"""What a pruned journal remembers of the rows that it gave up, so that its chain still holds and a stranger's cut is still found.

Pure; shared by both journals. Only a prefix is ever given up. The row of kind `pruned` that is written in the same transaction
carries the checkpoint: where the rest begins, and how many actions there were. It is a link of the chain like any other, so that
who cuts off more than it says, or writes another one, is found (decision 12).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from trimtab.domain.actions import ActionRecord, ActionState, JournalRow
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


def sentence(rows: int, forgotten: int) -> str:
    """What the `pruned` row says."""
    return f"{rows} rows older than storage.journal_retention_days were removed, and with them {forgotten} actions that had ended"
