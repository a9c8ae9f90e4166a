"""The lever that lives in a row of a SQLite database. Called by `execute` alone.

The value is bound as a parameter, never written into a statement. A write that changes any other number of rows than one is
rolled back: it did not mean what its author meant.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeVar

from trimtab.domain.errors import LeverError, Permanent, Retryable
from trimtab.domain.levers import LeverSpec, LeverValue
from trimtab.systems.aside import Aside, StillBusy
from trimtab.systems.spelling import like, meant
from trimtab.systems.sqlite.connection import opened, writing
from trimtab.systems.sqlite.options import SqliteLeverOptions
from trimtab.systems.values import as_kind, read_as_kind

_MARGIN_SECONDS = 1.0  # beyond the wait for locks

Result = TypeVar("Result")


class SqliteLever:
    """A setting read by SELECT and set by UPDATE."""

    def __init__(self, options: SqliteLeverOptions, spec: LeverSpec) -> None:
        self.spec = spec
        self._options = options
        self._aside = Aside(f"lever {spec.lever_id}")

    async def read(self) -> LeverValue:
        """The value that the row holds. `Permanent` where there is no such row, or it holds no value of the lever's kind."""
        return read_as_kind(self.spec, meant(self.spec.kind, await self._run(self._read)))

    async def set(self, value: LeverValue) -> None:
        """Change the row, in the type that it has. Bounds are the planner's affair: a value to restore may lie outside."""
        wanted = as_kind(self.spec, value)
        await self._run(lambda: self._write(wanted))

    def _read(self) -> object:
        with opened(self._options.database, wait_seconds=self._options.timeout_seconds) as db:
            return self._found(db)

    def _write(self, value: LeverValue) -> None:
        wait = self._options.timeout_seconds
        with opened(self._options.database, write=True, wait_seconds=wait) as db, writing(db, wait):
            cursor = db.execute(self._options.write, {"value": like(self._found(db), value)})
            cursor.fetchall()  # a RETURNING clause has to be read to its end before the count is known
            if cursor.rowcount != 1:
                words = f"write would change {cursor.rowcount} rows, not one; nothing was changed"
                raise Permanent(words, remedy="Make its WHERE name one row that is there")

    def _found(self, db: sqlite3.Connection) -> object:
        rows = db.execute(self._options.read).fetchmany(2)
        if len(rows) != 1 or len(rows[0]) != 1:
            got = "no row" if not rows else f"{len(rows[0])} columns" if len(rows[0]) != 1 else "several rows"
            raise Permanent(f"read yields {got}", remedy="It must yield one row with one value")
        found: object = rows[0][0]
        return found

    async def _run(self, call: Callable[[], Result]) -> Result:
        seconds = self._options.timeout_seconds + _MARGIN_SECONDS
        try:
            return await self._aside.run(call, seconds)
        except TimeoutError:
            raise Retryable(f"lever {self.spec.lever_id}: {self._options.database}: no answer within {seconds:g} s") from None
        except StillBusy as error:
            raise Retryable(str(error)) from error
        except LeverError as error:
            raise type(error)(f"lever {self.spec.lever_id}: {error.message}", remedy=error.remedy) from error

    async def close(self) -> None:
        """Nothing is held: each call has a connection of its own."""
