"""What became of an effect that is not there: begun, or taken back. The database, which is somebody else's, does not show it.

Without it the like of another hand would be taken for ours, and a table that was dropped with what we had built for a mistake of
the configuration. Known to the process for as long as it lives, and to the one after it by a small file beside `claim`'s locks.
Temporary files go when the machine starts anew, and with a service that has a /tmp of its own: then it is as if it was never run.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from trimtab.systems.sqlite.claim import file_of
from trimtab.systems.sqlite.effect import name_of

BEGUN, TAKEN_BACK = "begun", "taken back"


class Past:
    """The last word on each key of `database`. What cannot be written is known to this process only; never raises."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._words: dict[str, str] = {}

    def note(self, key: str, word: str) -> None:
        """From here on, and after kill -9: the file is the old one or the new one."""
        self._words[key] = word
        with suppress(OSError):
            file = self._file(key)
            new = file.with_suffix(f".{os.getpid()}")
            new.write_text(word, encoding="utf-8")
            os.replace(new, file)

    def of(self, key: str) -> str:
        """What was noted last; "" where nothing was."""
        if key not in self._words:
            with suppress(OSError, ValueError):
                return self._file(key).read_text(encoding="utf-8")
        return self._words.get(key, "")

    def _file(self, key: str) -> Path:
        return file_of(self._database, name_of(key), "past")
