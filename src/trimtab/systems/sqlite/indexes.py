"""An index as the effect of a job: known by name and shape, so that a restart finds it and nothing of others is dropped."""

from __future__ import annotations

import sqlite3

from trimtab.domain.errors import Permanent
from trimtab.domain.levers import ABSENT, BROKEN, DONE
from trimtab.systems.sqlite.connection import quoted
from trimtab.systems.sqlite.effect import OURS, name_of, taken
from trimtab.systems.sqlite.shapes import FoundIndex, IndexShape, check, indexes_of


class IndexEffect:
    """One index of a shape for each key.

    An index of others that serves as well counts as done, and is never dropped. One of our own under another key does not count:
    undoing that key would take it away.
    """

    def __init__(self, shape: IndexShape) -> None:
        self._shape = shape

    def state(self, db: sqlite3.Connection, key: str) -> str:
        """absent, done or broken. `Permanent` where it is absent and cannot be built: no such table or column, no predicate."""
        if taken(db, key):
            return DONE if self._ours(db, key) else BROKEN
        if self._twin(db) is not None:
            return DONE
        check(db, self._shape)
        db.execute(f"EXPLAIN {self._shape.statement(name_of(key))}")  # compiles it, predicate and all, and runs nothing
        return ABSENT

    def spared(self, db: sqlite3.Connection, key: str) -> Permanent | None:
        """The index of others that serves as well, as an error."""
        if (twin := self._twin(db)) is None:
            return None
        words = f"{self._shape.in_words()} is there already as {twin.name}: there is nothing to build"
        return Permanent(words, remedy=f"Take the job out of the configuration, or make way: DROP INDEX {quoted(twin.name)}")

    def broken(self, key: str) -> Permanent:
        """Why nothing can be done under this key."""
        name = name_of(key)
        words = f"the database has {name} already, and it is not {self._shape.in_words()}"
        return Permanent(words, remedy=f"Look at it; DROP INDEX {quoted(name)} makes way, or give the job another name")

    def make(self, db: sqlite3.Connection, key: str) -> None:
        """Build it, within the caller's transaction. SQLite sorts first and writes then."""
        db.execute(self._shape.statement(name_of(key)))

    def unmake(self, db: sqlite3.Connection, key: str) -> None:
        """Drop it, within the caller's transaction. Raises `Permanent` where what is there is not ours."""
        if taken(db, key):
            if not self._ours(db, key):
                raise self.broken(key)
            db.execute(f"DROP INDEX {quoted(name_of(key))}")
        elif (twin := self._twin(db)) is not None:
            words = f"{self._shape.in_words()} was there already as {twin.name}: it is not ours to drop"
            raise Permanent(words, remedy=f"If it is to go: DROP INDEX {quoted(twin.name)}")

    def _ours(self, db: sqlite3.Connection, key: str) -> bool:
        return any(found.name == name_of(key) and found.is_the(self._shape) for found in indexes_of(db, self._shape.table))

    def _twin(self, db: sqlite3.Connection) -> FoundIndex | None:
        there = indexes_of(db, self._shape.table)
        return next((found for found in there if found.serves(self._shape) and not found.name.startswith(OURS)), None)
