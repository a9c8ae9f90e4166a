"""A copy in memory of what a start reads of a journal: for a preview, which must decide as the agent would and may write nothing.

Used by `trimtab plan` where no agent runs. The copy has a chain of its own: it says what happened, it proves nothing.
"""

from __future__ import annotations

from trimtab.domain.ports import Journal
from trimtab.storage.memory import MemoryJournal

_KINDS = ("paused", "resumed", "storm", "frozen", "recalled", "policy", "let_go", "learned")  # rows that a start looks for
_NOTES = 1000  # of each kind; of those that hold all that is believed, the latest


async def recollect(journal: Journal, recent: int) -> MemoryJournal:
    """The unfinished actions of `journal`, its `recent` latest, and the notes that a start goes by."""
    notes = [row for kind in _KINDS for row in await journal.notes([kind], _NOTES)]
    notes += await journal.notes(["beliefs"], 1)
    named = [
        record
        for row in notes
        if row.action_id and row.kind != "learned" and (record := await journal.get(row.action_id)) is not None
    ]
    records = {record.action_id: record for record in (*named, *await journal.recent(recent), *await journal.unfinished())}
    copy = MemoryJournal()
    for record in records.values():
        await copy.record(record, None)
    for row in sorted(notes, key=lambda row: row.seq):
        await copy.note(row.kind, row.reason, at=row.at, actor=row.actor, data=row.data, action_id=row.action_id)
    return copy
