"""`trimtab pause`, `resume` and `reload`: what must work in a hurry, with the agent hung and its file half edited."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from trimtab.cli import client, show
from trimtab.cli.stderr import say
from trimtab.config import Settings
from trimtab.domain.errors import ConfigError, Conflict, StoreError, TrimtabError

PAUSE_PATIENCE = 1.5  # seconds until the file is made: a switch must not wait for who hangs
UNDO_PATIENCE = 8.0  # the agent answers once everything is undone, or after four seconds
RELOAD_PATIENCE = 20.0  # for the old agent to wind down and the new one to start


def pause(config: Path | None, undo: bool, json: bool) -> int:
    """Start nothing new. Where the agent does not take it, the file in its data folder does the same.

    1 where nobody was paused for sure: a person in a hurry must not be told otherwise.
    """
    from trimtab.assembly.process import load_to_reach

    settings = load_to_reach(config)
    try:
        if undo:
            client.call(settings, "POST", "/agent/pause", {}, patience=PAUSE_PATIENCE)
        answer = client.call(settings, "POST", "/agent/pause", {"undo": undo}, patience=UNDO_PATIENCE if undo else PAUSE_PATIENCE)
    except (client.NotRunning, client.Refused) as error:
        return _pause_by_file(settings, error, undo, json)
    if not _says_paused(answer):
        said = f"the agent answered, but not that it is paused: {str(answer)[:200]}"
        return _pause_by_file(settings, client.Refused(said), undo, json, sure=False)
    if json:
        show.as_json({**answer, "pause_file": None})
        return 0
    show.line(f"the agent is {answer['state']}")
    for action_id in answer.get("taken_back", ()):
        show.line(f"{action_id} is taken back")
    if undo and not answer.get("taken_back"):
        show.line("nothing was under way")
    return 0


def _says_paused(answer: Any) -> bool:
    return isinstance(answer, dict) and (answer.get("state") == "paused" or answer.get("paused") is True)


def _pause_by_file(settings: Settings, error: TrimtabError, undo: bool, json: bool, *, sure: bool = True) -> int:
    """The switch that needs no agent to answer: it looks for the file before every start. 1 where no agent looks for this one."""
    from trimtab.storage.folder import DataFolder

    try:
        folder = DataFolder(settings.storage.path, create=False)
        path = folder.switch_off(f"by `trimtab pause`, since {error.message}")
    except StoreError as unwritable:
        raise TrimtabError(f"{error}. Nor could it be paused by a file: {unwritable}") from None
    held = folder.held()
    if json:
        state = "paused" if held and sure else "unknown" if held else "stopped"
        show.as_json({"state": state, "pause_file": str(path), "reason": error.message, "taken_back": []})
    elif held:
        show.line(f"{error.message}; {path} was made instead: nothing new starts while it is there")
        show.line("`trimtab resume` removes it")
        if undo:
            show.line("what is under way was not taken back: `trimtab rollback ID` does that once the agent answers", "yellow")
    if not held:
        _say_nobody_is_paused(settings, error, path)
    return 0 if held and sure else 1


def _say_nobody_is_paused(settings: Settings, error: TrimtabError, path: Path) -> None:
    """The file may name another folder or port by now than the running agent has."""
    from trimtab.cli.holder import agent_on_port_of

    elsewhere = agent_on_port_of(client.url_of(settings)) if isinstance(error, client.Stranger) else ""
    say(
        f"trimtab: nobody was paused: no agent works on {path.parent}, and {error.message}{elsewhere}. {path} was made all the "
        "same: it counts from the next start on that folder, until `trimtab resume`. If an agent runs with earlier settings, "
        "pause it by a file PAUSE in its own data folder, or put its storage.path and api.port back and ask again."
    )


def resume(config: Path | None, json: bool) -> int:
    """Go on: remove the file, and tell the agent."""
    from trimtab.assembly.process import load_to_reach
    from trimtab.storage.folder import DataFolder
    from trimtab.storage.layout import is_there

    settings = load_to_reach(config)
    try:
        removed = DataFolder(settings.storage.path, create=False).switch_on()
    except StoreError:
        if is_there(settings.storage.path):
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
        show.as_json({**answer, "pause_file": None if removed is None else str(removed)})
        return 0
    show.line(answer.get("reason") or f"the agent is {answer['state']}")
    return 0


def reload(config: Path | None, json: bool) -> int:
    """Have the agent go on with the configuration as it is now; 1 where it cannot, with every mistake."""
    from trimtab.assembly.process import load_to_reach

    settings = load_to_reach(config)
    try:
        before = client.call(settings, "GET", "/agent/status").get("config") or {}
        answer = client.call(settings, "POST", "/agent/reload", {})
    except (client.NotRunning, client.Cut) as error:
        raise _between_two(settings, error) from None
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


def _between_two(settings: Settings, error: TrimtabError) -> TrimtabError:
    """What to say of an agent that does not answer for the moment: it lives, and makes way for the next."""
    from trimtab.storage.folder import DataFolder

    with suppress(StoreError):
        lives = DataFolder(settings.storage.path, create=False).held()
        if lives and settings.api.enabled and not isinstance(error, client.Stranger):
            return Conflict(
                f"a reload, or a start, is under way: the agent of {settings.storage.path} lives, but does not answer just now",
                remedy="Ask again in a few seconds; if that does not help, its log tells more",
            )
    return error


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
