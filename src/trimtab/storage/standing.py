"""What of an agent's standing outlives it: a pause, frozen levers, questions to a person. Read by `status` and `doctor`.

The fields are those of `GET /agent/status`, so that who reads them need not know whether an agent runs. Changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trimtab.domain.actions import ActionRecord, ActionState, pause_in_force
from trimtab.domain.ports import Journal
from trimtab.domain.words import rfc3339
from trimtab.storage.layout import PAUSE

MANY = 1000  # notes looked through, of a pause or of frozen levers


@dataclass(frozen=True, slots=True)
class Left:
    """What an agent that has ended left behind: `status` for people, and every action that has not ended."""

    status: dict[str, Any]
    unfinished: Sequence[ActionRecord]


async def what_is_left(folder: Path, journal: Journal | None) -> Left:
    """What lies in `folder`; `journal` is the one in it, None where there is none yet. Raises `StoreError`."""
    pause_file = _pause_file(folder)
    unfinished = await journal.unfinished() if journal is not None else ()
    pause = pause_in_force(await journal.notes(["paused", "resumed"], MANY)) if journal is not None else None
    status = {
        "paused": pause is not None or pause_file is not None,
        "paused_by": pause.actor if pause is not None else None,
        "paused_since": rfc3339(pause.at) if pause is not None else None,
        "pause_file": pause_file,
        "frozen_levers": await _frozen(journal) if journal is not None else {},
        "awaiting_approval": [each.action_id for each in unfinished if each.state is ActionState.AWAITING_APPROVAL],
    }
    return Left(status, unfinished)


def _pause_file(folder: Path) -> str | None:
    file = folder / PAUSE
    return str(file) if os.path.lexists(file) else None


async def _frozen(journal: Journal) -> dict[str, str]:
    """Lever → why, of each whose undo failed and that nobody has mended since."""
    found: dict[str, str] = {}
    for note in await journal.notes(["frozen"], MANY):
        record = await journal.get(note.action_id)
        if record is not None and record.state is ActionState.ROLLBACK_FAILED:
            found.setdefault(record.action.lever_id, record.reason)
    return found
