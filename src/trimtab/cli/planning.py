"""`trimtab plan`: what would be done now. From the running agent; without one, from a few fresh looks at everything."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from trimtab.cli import client, show

PROPOSED = 2


def plan(config: Path | None, json: bool) -> int:
    """0: nothing to do; 2: changes proposed, or put before a person already."""
    from trimtab.assembly import load_settings

    settings = load_settings(config)
    agent, alone = None, "No agent is running."
    try:
        agent, document = client.call(settings, "GET", "/agent/status"), client.call(settings, "GET", "/agent/plan")
    except client.NotRunning as error:
        alone = f"No agent of this configuration is running: {error}." if isinstance(error, client.Stranger) else alone
        document = asyncio.run(_fresh(settings))
    if json:
        show.as_json(document)
    else:
        if agent is None:
            show.line(f"{alone} From a few fresh looks one would decide:")
        _print_plan(document)
    waiting = [] if agent is None else agent["awaiting_approval"]
    if waiting and not json:
        show.line(f"Awaiting approval: {', '.join(waiting)}", "cyan")
    return PROPOSED if document["changes"] or waiting else 0


async def _fresh(settings: Any) -> dict[str, Any]:
    """A plan made from fresh readings, without an agent: nothing is journalled and nothing is set."""
    from trimtab.api import views
    from trimtab.assembly.logs import silence
    from trimtab.assembly.wiring import Stores, assemble
    from trimtab.storage.memory import MemoryJournal, MemoryMetricStore

    silence()
    agent = assemble(settings, stores=Stores(MemoryJournal(), MemoryMetricStore()), serve=False)
    try:
        return views.plan(await agent.preview()).model_dump(mode="json")
    finally:
        await agent.close()


def _print_plan(document: dict[str, Any]) -> None:
    show.line(document["sentence"])
    rows = [(show.styled(one["choice"]), one["description"], one["reason"]) for one in document["decisions"]]
    if rows:
        show.table("Proposals", ("decision", "change", "why"), rows)
