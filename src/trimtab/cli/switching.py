"""`trimtab pause`, `resume` and `reload`: what must work in a hurry, with the agent hung and its file half edited."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from trimtab.cli import client, show
from trimtab.config import Settings
from trimtab.domain.errors import ConfigError, StoreError, TrimtabError

PAUSE_PATIENCE = 1.5  # seconds until the file is made: a switch must not wait for who hangs
UNDO_PATIENCE = 8.0  # the agent answers once everything is undone, or after four seconds
RELOAD_PATIENCE = 20.0  # for the old agent to wind down and the new one to start


def pause(config: Path | None, undo: bool, json: bool) -> int:
    """Start nothing new. Where the agent does not take it, the file in its data folder does the same."""
    from trimtab.assembly.process import load_to_reach

    settings = load_to_reach(config)
    try:
        if undo:
            client.call(settings, "POST", "/agent/pause", {}, patience=PAUSE_PATIENCE)
        answer = client.call(settings, "POST", "/agent/pause", {"undo": undo}, patience=UNDO_PATIENCE if undo else PAUSE_PATIENCE)
    except (client.NotRunning, client.Refused) as error:
        return _pause_by_file(settings, error, undo, json)
    if json:
        show.as_json(answer)
        return 0
    show.line(f"the agent is {answer['state']}")
    for action_id in answer.get("taken_back", ()):
        show.line(f"{action_id} is taken back")
    return 0


def _pause_by_file(settings: Settings, error: TrimtabError, undo: bool, json: bool) -> int:
    """The switch that needs no agent to answer: it looks for the file before every start."""
    from trimtab.storage.folder import DataFolder

    try:
        path = DataFolder(settings.storage.path, create=False).switch_off(f"by `trimtab pause`, since {error.message}")
    except StoreError as unwritable:
        raise TrimtabError(f"{error}. Nor could it be paused by a file: {unwritable}") from None
    if json:
        show.as_json({"state": "paused", "file": str(path), "reason": error.message, "taken_back": []})
    else:
        show.line(f"{error.message}; {path} was made instead: nothing new starts while it is there")
        show.line("`trimtab resume` removes it")
        if undo:
            show.line("what is under way was not taken back: `trimtab rollback ID` does that once the agent answers", "yellow")
    return 0


def resume(config: Path | None, json: bool) -> int:
    """Go on: remove the file, and tell the agent."""
    from trimtab.assembly.process import load_to_reach
    from trimtab.storage.folder import DataFolder

    settings = load_to_reach(config)
    try:
        removed = DataFolder(settings.storage.path, create=False).switch_on()
    except StoreError:
        if settings.storage.path.is_dir():
            raise
        removed = None
    if removed is not None and not json:
        show.line(f"{removed} was removed")
    try:
        answer = client.call(settings, "POST", "/agent/resume", {})
    except client.NotRunning as error:
        if removed is None:
            raise
        answer = {"state": "stopped", "reason": error.message}
    if json:
        show.as_json({**answer, "removed": None if removed is None else str(removed)})
        return 0
    show.line(answer.get("reason") or f"the agent is {answer['state']}")
    return 0


def reload(config: Path | None, json: bool) -> int:
    """Have the agent go on with the configuration as it is now; 1 where it cannot, with every mistake."""
    from trimtab.assembly.process import load_to_reach

    settings = load_to_reach(config)
    before = client.call(settings, "GET", "/agent/status").get("config") or {}
    answer = client.call(settings, "POST", "/agent/reload", {})
    problem = _outcome(config, before.get("loaded_at")) if answer["changes"] else None
    if problem is not None:
        raise ConfigError(problem)
    if json:
        show.as_json(answer)
    elif answer["changes"]:
        show.line(f"reloaded: {', '.join(answer['changes'])} changed")
    else:
        show.line("nothing has changed since the configuration was loaded")
    return 0


def _outcome(config: Path | None, loaded_before: Any) -> str | None:
    """What kept the new settings from use, None where they are in use: asked of the agent that comes after."""
    from trimtab.assembly.process import load_to_reach

    deadline = time.monotonic() + RELOAD_PATIENCE
    while time.monotonic() < deadline:
        try:
            now = client.call(load_to_reach(config), "GET", "/agent/status", patience=2.0)["config"]
        except (client.NotRunning, client.Refused):
            now = {"loaded_at": loaded_before}  # between two agents nobody answers
        if now["loaded_at"] != loaded_before:
            return None if now["problem"] is None else str(now["problem"])
        time.sleep(0.1)
    return "the agent has not come back with the new settings yet: look at its log"
