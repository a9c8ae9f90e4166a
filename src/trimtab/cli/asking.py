"""What is asked of the running agent: approve, reject, roll back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trimtab.cli import client, show
from trimtab.cli.store import find_action
from trimtab.domain.actions import ActionState


def ask(config: Path | None, path: str, body: dict[str, Any], json: bool) -> int:
    """Send the request and say how things stand then."""
    from trimtab.assembly import load_settings

    settings = load_settings(config)
    wanted = None if path.endswith("rollback") else ActionState.AWAITING_APPROVAL
    body = {**body, "action_id": find_action(settings, body["action_id"], wanted)}
    answer = client.call(settings, "POST", path, {key: value for key, value in body.items() if value is not None})
    if json:
        show.as_json(answer)
        return 0
    show.line(f"{answer['action_id']} is {answer['state'].replace('_', ' ')}: {answer.get('reason') or answer['description']}")
    return 0
