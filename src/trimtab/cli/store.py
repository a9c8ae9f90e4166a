"""Read what an agent left in its data folder, whether it runs or not. Changes nothing there, makes nothing that is not there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from trimtab.config import Settings
from trimtab.domain.errors import StoreError
from trimtab.domain.ports import Journal

T = TypeVar("T")


def from_journal(settings: Settings, ask: Callable[[Journal], Awaitable[T]]) -> T:
    """The answer of `ask` to the journal of this configuration. Raises `StoreError` where no agent has ever run with it."""
    from trimtab.storage.folder import DataFolder
    from trimtab.storage.journal import SqliteJournal

    path = settings.storage.path
    if not (path / "journal.db").exists():
        raise StoreError(
            f"there is no journal in {path}", remedy="No agent has run with this configuration yet; `trimtab run` starts one"
        )
    key = settings.storage.journal_key
    folder = DataFolder(path, create=False)

    async def asked() -> T:
        journal = SqliteJournal(folder.journal_path, key=key.get_secret_value().encode() if key else None)
        try:
            return await ask(journal)
        finally:
            await journal.close()

    return asyncio.run(asked())
