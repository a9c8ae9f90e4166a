"""How the goals stand now, in a sentence each: beside the questions that `actions` and `history` show to a person."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from trimtab.cli import client, show
from trimtab.domain.errors import TrimtabError

if TYPE_CHECKING:
    from trimtab.config import Settings

PATIENCE = 1.5  # seconds: a list from the store does not wait long for the agent


def goals_now(settings: Settings) -> dict[str, str]:
    """Goal id → its metric, its target and what it is now; empty where no agent answers, who alone knows."""
    found: dict[str, str] = {}
    with suppress(TrimtabError):
        for goal in client.call(settings, "GET", "/agent/goals", patience=PATIENCE):
            metric, bound = goal["metric_name"], "at most" if goal["direction"] == "minimize" else "at least"
            now, target = (show.quantity(metric, goal[name]) for name in ("current_value", "target_value"))
            found[goal["goal_id"]] = f"for {metric}, {now} now; the goal is {bound} {target}"
    return found
