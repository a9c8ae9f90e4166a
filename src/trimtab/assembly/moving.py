"""A reload that names another data folder: what an agent must not leave behind in the old one, and what not in the new one.

A pause, the harm behind a storm halt and a lever that could not be restored are rows of the journal that stays where it is. An
agent that began a new one would know nothing of them, and act.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import structlog

from trimtab.agent import AutonomousAgent
from trimtab.domain.errors import ConfigError, StoreError
from trimtab.storage.folder import DataFolder
from trimtab.storage.layout import LOCK


def check(agent: AutonomousAgent, there: Path) -> None:
    """Raises `ConfigError` where the agent, or a lever, is to stand still for a reason that only its present folder knows."""
    now = agent.now()
    why, first = agent.gatekeeper.paused_because(now), "`trimtab resume` first"
    if why is None and (storm := agent.gatekeeper.storm(now)) is not None:
        why = storm.sentence
    frozen = sorted(lever_id for lever_id, state in agent.levers.states.items() if state.frozen)
    if why is None and frozen:
        why, first = f"{', '.join(frozen)} may not be touched: {agent.levers.states[frozen[0]].frozen}", "Mend that first"
    if why is not None:
        raise ConfigError(
            f"storage.path names another data folder, {there}, where nothing is known of this: {why.rstrip('.')}",
            remedy=f"{first}, or stop the agent and move its folder there",
        )


def carry_pause(agent: AutonomousAgent, there: Path) -> None:
    """A pause that came after `check`, while the agent made way: where it cannot be left behind, nothing may start there."""
    if agent.gatekeeper.paused:
        try:
            DataFolder(there).switch_off(f"by a reload: {agent.gatekeeper.paused_because(agent.now())}")
        except StoreError as error:
            structlog.get_logger("trimtab").error("A pause could not be carried over", folder=str(there), error=str(error))
            raise


def missing(folder: Path) -> list[Path]:
    """`folder` and those above it that are not there, innermost first."""
    return [each for each in (folder, *folder.parents) if not os.path.lexists(each)]


def take_away(made: list[Path]) -> None:
    """Remove folders that were `missing` before, and that nothing but a lock lies in; nobody may hold it any more."""
    if made:
        with suppress(OSError):
            (made[0] / LOCK).unlink()
    for each in made:
        with suppress(OSError):
            each.rmdir()
