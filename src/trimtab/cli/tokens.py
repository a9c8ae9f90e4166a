"""`trimtab token`: who may use the REST interface. Works on the data folder; a running agent notices at once."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab.cli import show
from trimtab.cli.stderr import say
from trimtab.domain.words import rfc3339

if TYPE_CHECKING:
    from trimtab.storage.tokens import TokenInfo, TokenStore


def create(config: Path | None, name: str, role: str, days: float | None, json: bool) -> int:
    """Make a token; it is printed this once."""
    now, lifetime = time.time(), None if days is None else 86_400.0 * days
    token = _store(config).create(name, role, now, lifetime)
    if json:
        until = None if lifetime is None else now + lifetime
        show.as_json({"name": name, "role": role, "created_at": rfc3339(now), "expires_at": rfc3339(until), "token": token})
    else:
        show.line(token)
    note = "From now on a running agent asks everybody for a token, this command line included: put one into TRIMTAB_TOKEN."
    say(note)
    return 0


def show_all(config: Path | None, json: bool) -> int:
    """Who has one."""
    tokens = _store(config).list()
    if json:
        show.as_json([_document(token) for token in tokens])
    else:
        rows = [(t.name, t.role.value, _day(t.created_at), _day(t.expires_at) if t.expires_at else "never") for t in tokens]
        empty = "none: on loopback no token is needed (an agent that has seen one asks for one until it is restarted)"
        show.table("Tokens", ("name", "role", "made", "expires"), rows, empty=empty)
    return 0


def _document(token: TokenInfo) -> dict[str, Any]:
    times = {"created_at": rfc3339(token.created_at), "expires_at": rfc3339(token.expires_at)}
    return {"name": token.name, "role": token.role.value, **times}


def revoke(config: Path | None, name: str, json: bool) -> int:
    """Take a token back."""
    _store(config).revoke(name)
    if json:
        show.as_json({"name": name, "revoked": True})
    else:
        show.line(f"the token of {name} is revoked")
    return 0


def _store(config: Path | None) -> TokenStore:
    from trimtab.assembly import load_settings
    from trimtab.storage.folder import DataFolder
    from trimtab.storage.tokens import TokenStore

    return TokenStore(DataFolder(load_settings(config).storage.path).access_path)


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%MZ", time.gmtime(at))
