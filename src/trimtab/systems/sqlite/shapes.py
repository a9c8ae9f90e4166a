"""What an index is, apart from its name: to build one, and to know one again that is already there. Changes nothing.

Two indexes are the same where table, columns, uniqueness and predicate are. Predicates are compared word by word, so that case,
spaces and comments do not matter.
"""

from __future__ import annotations

import difflib
import re
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from trimtab.domain.errors import Permanent
from trimtab.systems.sqlite.connection import quoted

_TOKEN = re.compile(
    r"""\s+|--[^\n]*|/\*.*?\*/
    |(?P<string>'(?:[^']|'')*')
    |(?P<name>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\])
    |(?P<word>\w+)
    |(?P<mark>.)""",
    re.DOTALL | re.VERBOSE,
)
_STATEMENT = "SELECT coalesce(max(sql), '') FROM sqlite_master WHERE type = 'index' AND name = ?"
_TABLES = "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"


@dataclass(frozen=True, slots=True)
class IndexShape:
    """An index as declared: plain columns in ascending order, each with its own collation."""

    table: str
    columns: tuple[str, ...]
    unique: bool = False
    where: str | None = None

    def statement(self, name: str) -> str:
        """What builds it under `name`.

        >>> IndexShape("orders", ("customer",), where="open = 1").statement("by_customer")
        'CREATE INDEX IF NOT EXISTS "by_customer" ON "orders" ("customer") WHERE open = 1'
        """
        columns = ", ".join(quoted(column) for column in self.columns)
        only = f" WHERE {self.where}" if self.where is not None else ""
        return f"CREATE{' UNIQUE' * self.unique} INDEX IF NOT EXISTS {quoted(name)} ON {quoted(self.table)} ({columns}){only}"

    def in_words(self) -> str:
        """For people."""
        only = f" where {self.where}" if self.where is not None else ""
        return f"{'a unique' if self.unique else 'an'} index on {self.table} ({', '.join(self.columns)}){only}"


@dataclass(frozen=True, slots=True)
class FoundIndex:
    """An index as the database has it. `plain` is false with expressions, descending columns or collations of its own."""

    name: str
    table: str
    columns: tuple[str, ...]
    unique: bool
    where: tuple[str, ...]
    plain: bool

    def is_the(self, shape: IndexShape) -> bool:
        """Whether it has this very shape."""
        return self.unique == shape.unique and self.serves(shape)

    def serves(self, shape: IndexShape) -> bool:
        """Whether it does all that one of this shape would: a unique index finds rows as well as one that is not."""
        alike = self.plain and self.table.lower() == shape.table.lower()
        columns = tuple(column.lower() for column in shape.columns)
        return alike and self.columns == columns and self.where == words(shape.where or "") and self.unique >= shape.unique


def indexes_of(db: sqlite3.Connection, table: str) -> Iterator[FoundIndex]:
    """Every index of a table, those of its constraints included; none where there is no such table."""
    for _, name, unique, _, partial in db.execute(f"PRAGMA index_list({quoted(table)})").fetchall():
        (statement,) = db.execute(_STATEMENT, (name,)).fetchone()
        keys = [row for row in db.execute(f"PRAGMA index_xinfo({quoted(name)})") if row[5]]
        plain = all(cid >= 0 and not desc for _, cid, _, desc, _, _ in keys) and "collate" not in words(statement)
        columns = tuple(str(row[2]).lower() for row in keys)
        yield FoundIndex(name, table, columns, bool(unique), predicate(statement) if partial else (), plain)


def check(db: sqlite3.Connection, shape: IndexShape) -> None:
    """Raise `Permanent`, with the nearest name, where the table or a column is not there."""
    kinds = dict(db.execute(_TABLES))
    table = _known(shape.table, kinds, "table", "the database")
    if kinds[table] == "view":
        raise Permanent(f"{shape.table} is a view, which cannot be indexed", remedy="Name the table that it reads")
    columns = [row[1] for row in db.execute(f"PRAGMA table_xinfo({quoted(table)})")]
    for column in shape.columns:
        _known(column, columns, "column", f"table {table}")


def _known(name: str, known: Iterable[str], what: str, where: str) -> str:
    by_lower = {word.lower(): word for word in known}
    if name.lower() in by_lower:
        return by_lower[name.lower()]
    near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    there = ", ".join(sorted(by_lower.values())[:12]) or "none"
    hint = f"Did you mean {by_lower[near[0]]}?" if near else f"There is: {there}"
    raise Permanent(f"{where} has no {what} {name!r}", remedy=hint)


def words(text: str) -> tuple[str, ...]:
    """SQL as comparable words.

    >>> words('"State" = \\'open\\' -- now') == words("state='open'")
    True
    """
    return tuple(word for _, word in _tokens(text))


def predicate(statement: str) -> tuple[str, ...]:
    """The words after WHERE of a CREATE INDEX statement; none where it has no such part.

    >>> predicate('CREATE INDEX i ON t (a) WHERE a > 1')
    ('a', '>', '1')
    """
    depth, found = 0, list(_tokens(statement))
    for place, (kind, word) in enumerate(found):
        depth += (word == "(") - (word == ")") if kind == "mark" else 0
        if depth == 0 and (kind, word) == ("word", "where"):
            return tuple(word for _, word in found[place + 1 :])
    return ()


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    for match in _TOKEN.finditer(text):
        kind, token = match.lastgroup, match.group()
        if kind == "name":
            yield "name", token[1:-1].lower()
        elif kind is not None:
            yield kind, token if kind == "string" else token.lower()
