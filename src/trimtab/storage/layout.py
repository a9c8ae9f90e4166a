"""What lies in a data folder, by name, and how a database there is asked for without touching it.

Used by all who look at a folder that may not be there, where `folder.DataFolder`, which makes or refuses it, is too much. Imports
next to nothing, since a shell's completion waits for it.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from trimtab.domain.errors import StoreError

JOURNAL, METRICS, ACCESS, LOCK = "journal.db", "metrics.db", "access.json", "agent.lock"
IDENTITY, PAUSE = "identity", "PAUSE"


_RIGHTS = "Run this as the user that the agent runs as, or name a folder that this user may enter (storage.path)"


def is_there(path: Path, remedy: str = _RIGHTS) -> bool:
    """Whether there is something at `path`. Raises `StoreError` where that cannot be told: a folder above it is closed to us.

    >>> is_there(Path("/nowhere/journal.db"))
    False
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as exc:
        raise StoreError(f"{path.absolute()} cannot be reached: {exc.strerror or exc}", remedy=remedy) from exc
    return True


def uri_of(path: Path) -> str:
    """For `sqlite3.connect(…, uri=True)`: with its write-ahead log where there is one, else as a file that nobody writes to.

    A running agent has a log, and one that was killed has left it: it is read with the file. Without one SQLite would make one.

    >>> uri_of(Path("/nowhere/journal.db"))
    'file:/nowhere/journal.db?mode=ro&immutable=1'
    """
    in_use = is_there(path.with_name(path.name + "-wal"))
    return f"file:{quote(str(path.absolute()))}?mode=ro" + ("" if in_use else "&immutable=1")
