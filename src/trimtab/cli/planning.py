"""`trimtab plan`: what would be done now. From the running agent; without one, from what it left and a few fresh looks."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab.cli import client, show

if TYPE_CHECKING:
    from trimtab.storage.memory import MemoryJournal

PROPOSED = 2


def plan(config: Path | None, json: bool) -> int:
    """0: nothing to do; 2: changes proposed, or put before a person already."""
    from trimtab.assembly import load_settings

    settings = load_settings(config)
    agent, alone = None, "No agent is running."
    try:
        agent, document = client.call(settings, "GET", "/agent/status"), client.call(settings, "GET", "/agent/plan")
        waiting = agent["awaiting_approval"]
    except client.NotRunning as error:
        alone = f"No agent of this configuration is running: {error}." if isinstance(error, client.Stranger) else alone
        document, waiting = asyncio.run(_fresh(settings))
    if json:
        show.as_json(document)
    else:
        if agent is None:
            show.line(f"{alone} From a few fresh looks one would decide:")
        _print_plan(document)
    if waiting and not json:
        show.line(f"Awaiting approval: {', '.join(waiting)}", "cyan")
    return PROPOSED if document["changes"] or waiting else 0


async def _fresh(settings: Any) -> tuple[dict[str, Any], list[str]]:
    """A plan from fresh readings and a copy of the journal, and the ids of the questions to a person that are still open.

    Nothing is journalled and nothing is set: what the copy shows under way is left to the agent.
    """
    from trimtab.api import views
    from trimtab.assembly.logs import silence
    from trimtab.assembly.wiring import Stores, assemble
    from trimtab.domain.actions import ActionState
    from trimtab.storage.layout import PAUSE
    from trimtab.storage.memory import MemoryMetricStore

    silence()
    stores = Stores(await _remembered(settings), MemoryMetricStore(), pause_file=settings.storage.path / PAUSE)
    agent = assemble(settings, stores=stores, serve=False)
    try:
        await agent.open()
        plan = await agent.preview()
        asked = agent.book.in_state(ActionState.AWAITING_APPROVAL)
        waiting = [record.action_id for record in asked if record.expires_at is None or record.expires_at >= plan.at]
        return views.plan(plan).model_dump(mode="json"), waiting
    finally:
        agent.book.forget_all()  # or closing would take back on the target what an earlier run left under way
        await agent.close()


async def _remembered(settings: Any) -> MemoryJournal:
    """What the data folder's journal knows, in memory; nothing where no agent has ever run."""
    from trimtab.execute.book import REMEMBERED
    from trimtab.storage.layout import JOURNAL, is_there
    from trimtab.storage.memory import MemoryJournal
    from trimtab.storage.reader import JournalReader
    from trimtab.storage.recollection import recollect

    path = settings.storage.path / JOURNAL
    if not is_there(path):
        return MemoryJournal()
    journal = JournalReader(path, key=settings.storage.hmac_key)
    try:
        return await recollect(journal, REMEMBERED)
    finally:
        await journal.close()


def _print_plan(document: dict[str, Any]) -> None:
    show.line(document["sentence"])
    rows = [(show.styled(one["choice"]), one["description"], one["reason"]) for one in document["decisions"]]
    if rows:
        show.table("Proposals", ("decision", "change", "why"), rows)
