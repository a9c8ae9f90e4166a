"""What lies in a data folder, by name, and how a database there is asked for without touching it.

Used by all who look at a folder that may not be there, where `folder.DataFolder`, which makes or refuses it, is too much. Imports
next to nothing, since a shell's completion waits for it.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

JOURNAL, METRICS, ACCESS, LOCK = "journal.db", "metrics.db", "access.json", "agent.lock"
IDENTITY, PAUSE = "identity", "PAUSE"


def uri_of(path: Path) -> str:
    """For `sqlite3.connect(…, uri=True)`: with its write-ahead log where there is one, else as a file that nobody writes to.

    A running agent has a log, and one that was killed has left it: it is read with the file. Without one SQLite would make one.

    >>> uri_of(Path("/nowhere/journal.db"))
    'file:/nowhere/journal.db?mode=ro&immutable=1'
    """
    in_use = path.with_name(path.name + "-wal").exists()
    return f"file:{quote(str(path.absolute()))}?mode=ro" + ("" if in_use else "&immutable=1")
