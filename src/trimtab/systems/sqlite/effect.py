"""What a job does to a database, apart from threads and locks: `job` runs one of these. Names are made here, once."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from typing import Protocol

from trimtab.domain.errors import Permanent

OURS = "trimtab_"  # what every name that we leave in a database starts with


class Effect(Protocol):
    """A run-once effect with a key; all calls get a connection, those that change something one within a write transaction."""

    def state(self, db: sqlite3.Connection, key: str) -> str:
        """absent, done or broken (something of that name is there, and is not what was declared)."""
        ...

    def spared(self, db: sqlite3.Connection, key: str) -> Permanent | None:
        """The error that says what of others does the same already, so that it need not be made; None where nothing does."""
        ...

    def broken(self, key: str) -> Permanent:
        """The error that says why a broken one cannot be started."""
        ...

    def make(self, db: sqlite3.Connection, key: str) -> None:
        """Bring the effect about."""
        ...

    def unmake(self, db: sqlite3.Connection, key: str) -> None:
        """Take back what is ours; nothing where it is absent. Raises `Permanent` where what is there is not ours."""
        ...


def taken(db: sqlite3.Connection, key: str) -> bool:
    """Whether something bears the name of this effect."""
    return db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name_of(key),)).fetchone() is not None


def name_of(key: str) -> str:
    """The name of an effect in the database: the same after a restart, another for another key.

    >>> name_of("shop/by-customer")
    'trimtab_shop_by_customer_1d6946'
    """
    plain = re.sub(r"\W+", "_", key, flags=re.ASCII)[:80]
    return f"{OURS}{plain}_{hashlib.sha256(key.encode()).hexdigest()[:6]}"
