"""`trimtab backup` and `trimtab restore`: what survives the machine."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.cli import show

if TYPE_CHECKING:
    from trimtab.config import Settings


def backup(config: Path | None, target: Path, force: bool) -> int:
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
    size = made.stat().st_size / 1e6
    show.line(
        f"{made}: {', '.join(manifest.members)}; {manifest.rows} rows of the journal hold; {size:.1f} MB, read back and whole"
    )
    return 0


def restore(config: Path | None, archive: Path, force: bool) -> int:
    """Put a backup in the place of the data folder, and say where the data went that were there."""
    from trimtab.assembly import load_settings
    from trimtab.storage import restore as restoring

    settings = load_settings(config)
    folder = settings.storage.path
    manifest, aside = restoring.restore(archive, folder, key=settings.storage.hmac_key, now=time.time(), force=force)
    made = time.strftime("%Y-%m-%d %H:%MZ", time.gmtime(manifest.made_at))
    show.line(f"{folder} holds the backup of {made}: {manifest.rows} rows of the journal, all of which hold")
    if aside is not None:
        show.line(f"What was there is in {aside}; nothing was deleted")
    show.line("What was under way then is looked for at its lever when the agent starts; tokens are those of the backup")
    return 0


def _holds_secrets(settings: Settings, file: Path) -> bool:
    """Whether a secret stands in the file itself, and not just a reference to where it is kept."""
    text = file.read_text(encoding="utf-8", errors="replace")
    return settings.redact(text) != text


def _warn(text: str) -> None:
    print(f"trimtab: {text}", file=sys.stderr)  # noqa: T201
