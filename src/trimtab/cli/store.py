"""Read what an agent left in its data folder, whether it runs or not. Changes nothing there, makes nothing that is not there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from trimtab.config import Settings
from trimtab.domain.actions import ActionState
from trimtab.domain.errors import NotFound, StoreError

if TYPE_CHECKING:
    from trimtab.storage.reader import JournalReader

T = TypeVar("T")
LISTED = 10  # ids that a message names
LEAST_OF_AN_ID = 4  # characters: what is shorter is a slip sooner than a name


def from_journal(settings: Settings, ask: Callable[[JournalReader], Awaitable[T]]) -> T:
    """The answer of `ask` to the journal of this configuration. Raises `StoreError` where no agent has ever run with it."""
    from trimtab.storage.layout import JOURNAL, is_there
    from trimtab.storage.reader import JournalReader

    path = settings.storage.path / JOURNAL
    if not is_there(path):
        raise StoreError(
            f"there is no journal in {path.parent}",
            remedy="No agent has run with this configuration yet; `trimtab run` starts one",
        )

    async def asked() -> T:
        journal = JournalReader(path, key=settings.storage.hmac_key)
        try:
            return await ask(journal)
        finally:
            await journal.close()

    return asyncio.run(asked())


def find_action(settings: Settings, given: str, state: ActionState | None = None) -> str:
    """The id of the one action that `given` is the beginning of; with `state`, those in it are looked among first.

    What begins no id is returned as it is, for whoever knows more to judge. Raises `NotFound` where it is too short, or, listing
    the ids, where it begins several.
    """

    async def look(journal: JournalReader) -> Sequence[str]:
        if await journal.get(given) is not None:
            return [given]
        return (state and journal.ids(given, state=state, limit=LISTED + 1)) or journal.ids(given, limit=LISTED + 1)

    try:
        found = from_journal(settings, look)
    except StoreError:  # the agent may be able to say more
        return given
    listed = ", ".join(found[:LISTED]) + (", …" if len(found) > LISTED else "")
    if found and given not in found and len(given) < LEAST_OF_AN_ID:
        least = f"Give at least {LEAST_OF_AN_ID} characters of one"
        raise NotFound(f"{given!r} is too short for the beginning of an id", remedy=f"{least}: {listed}")
    if len(found) > 1:
        raise NotFound(f"the ids of several actions begin with {given!r}", remedy=f"Give more of one: {listed}")
    return found[0] if found else given
