"""`trimtab backup` and `trimtab restore`: what survives the machine."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab.cli import show
from trimtab.domain.metrics import Unit
from trimtab.domain.words import format_quantity, rfc3339

if TYPE_CHECKING:
    from trimtab.config import Settings
    from trimtab.storage.archive import Manifest


def backup(config: Path | None, target: Path, force: bool, json: bool) -> int:
    """Copy all that the agent keeps into one file, and prove that it can be read."""
    from trimtab import __version__
    from trimtab.assembly import load_settings
    from trimtab.assembly.process import config_path
    from trimtab.storage.backup import back_up
    from trimtab.storage.folder import DataFolder

    settings, file = load_settings(config), config_path(config)
    if _holds_secrets(settings, file):
        _warn(
            f"{file} holds secrets in plain text, and so will the backup. Give them as ${{env:NAME}} or ${{file:/path}} instead."
        )
    made, manifest = back_up(DataFolder(settings.storage.path, create=False), target, config=file, key=settings.storage.hmac_key,
                             version=__version__, now=time.time(), force=force)  # fmt: skip
    if json:
        show.as_json({**_document(made, manifest), "bytes": made.stat().st_size})
        return 0
    size = format_quantity(made.stat().st_size, Unit.BYTES)
    show.line(f"{made}: {', '.join(manifest.members)}; {manifest.rows} rows of the journal hold; {size}, read back and whole")
    return 0


def restore(config: Path | None, archive: Path, force: bool, json: bool) -> int:
    """Put a backup in the place of the data folder, and say where the data went that were there."""
    from trimtab.assembly import load_settings
    from trimtab.storage import restore as restoring
    from trimtab.storage.layout import PAUSE

    settings = load_settings(config)
    folder = settings.storage.path
    manifest, aside = restoring.restore(archive, folder, key=settings.storage.hmac_key, now=time.time(), force=force)
    switch = folder / PAUSE
    if json:
        paused = str(switch) if switch.exists() else None
        show.as_json({**_document(folder, manifest), "kept": None if aside is None else str(aside), "pause_file": paused})
        return 0
    made = time.strftime("%Y-%m-%d %H:%MZ", time.gmtime(manifest.made_at))
    show.line(f"{folder} holds the backup of {made}: {manifest.rows} rows of the journal, all of which hold")
    if aside is not None:
        show.line(f"What was there is in {aside}; nothing was deleted")
    if switch.exists():
        show.line(f"{switch} is there, since the agent was paused or may have been: nothing new starts until `trimtab resume`")
    show.line("What was under way then is looked for at its lever when the agent starts; tokens are those of the backup")
    return 0


def _document(path: Path, manifest: Manifest) -> dict[str, Any]:
    """Where it lies now, and what it holds."""
    about = {"made_at": rfc3339(manifest.made_at), "rows": manifest.rows, "head": manifest.head}
    return {"path": str(path), **about, "members": list(manifest.members)}


def _holds_secrets(settings: Settings, file: Path) -> bool:
    """Whether a secret stands in the file itself, and not just a reference to where it is kept."""
    text = file.read_text(encoding="utf-8", errors="replace")
    return settings.redact(text) != text


def _warn(text: str) -> None:
    from trimtab.cli.stderr import say

    say(f"trimtab: {text}")
