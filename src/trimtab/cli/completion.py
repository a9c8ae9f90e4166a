"""What the shell offers at the Tab key: ids of actions, names of tokens. Quick, silent, and changes nothing.

The data folder is found without loading the whole configuration, which would take longer than a person likes to wait for a Tab.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

OFFERED = 50
_AMONG = {  # command → the states whose actions it can be about
    "approve": ("awaiting_approval",),
    "reject": ("awaiting_approval", "scheduled"),
    "rollback": ("kept", "kept_on_probation", "applying", "settling", "verifying", "probing", "rollback_failed"),
}


def actions(command: str, config: Path | None, incomplete: str) -> list[tuple[str, str]]:
    """Ids that begin so, newest first, each with where it stands; for some commands only those that it can be about."""
    try:
        return list(_stored_actions(data_folder(config), _AMONG.get(command, ()), incomplete))
    except Exception:  # a shell that completes has nobody to tell
        return []


def tokens(config: Path | None, incomplete: str) -> list[tuple[str, str]]:
    """Names of tokens that begin so, each with its role."""
    from trimtab.storage.layout import ACCESS

    try:
        known = json.loads((data_folder(config) / ACCESS).read_text(encoding="utf-8"))["tokens"]
        return [(str(each["name"]), str(each["role"])) for each in known if str(each["name"]).startswith(incomplete)]
    except Exception:
        return []


def data_folder(config: Path | None) -> Path:
    """Where the configuration keeps its data. Raises whatever an unreadable one brings."""
    path = Path(config or os.environ.get("TRIMTAB_CONFIG") or "trimtab.yaml")
    named = os.environ.get("TRIMTAB_STORAGE__PATH") or _named_in(path) or "trimtab-data"
    return path.absolute().parent / Path(named).expanduser()


def _named_in(path: Path) -> str | None:
    from ruamel.yaml import YAML

    document = YAML(typ="safe", pure=True).load(path)
    storage = document.get("storage") if isinstance(document, dict) else None
    return storage.get("path") if isinstance(storage, dict) else None


def _stored_actions(folder: Path, states: Sequence[str], incomplete: str) -> list[tuple[str, str]]:
    import sqlite3

    from trimtab.storage.layout import JOURNAL, uri_of

    among = f"AND state IN ({','.join('?' * len(states))})" if states else ""
    query = f"""SELECT action_id, state FROM actions WHERE action_id >= ? AND action_id < ? {among}
        ORDER BY created_at DESC, ordinal DESC LIMIT {OFFERED}"""
    with closing(sqlite3.connect(uri_of(folder / JOURNAL), uri=True, timeout=0.2)) as connection:
        rows = connection.execute(query, (incomplete, incomplete + "\U0010ffff", *states)).fetchall()
    return [(str(action_id), str(state).replace("_", " ")) for action_id, state in rows]
