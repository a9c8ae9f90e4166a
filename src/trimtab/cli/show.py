"""How answers look: JSON for programs, tables for people, no colour where nobody watches."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {
    "kept": "green", "running": "green", "met": "green", "improved": "green",
    "missed": "red", "failed": "red", "rolled_back": "yellow", "rollback_failed": "bold red", "worse": "red",
    "hold": "yellow", "paused": "yellow", "awaiting_approval": "bold cyan", "yielded": "yellow", "kept_on_probation": "cyan",
}  # fmt: skip


def as_json(document: Any) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")


def console() -> Console:
    """Where tables go; plain when piped, and then as wide as their content."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else 200)


def styled(word: str) -> Any:
    """A state in its colour; the word itself always says it too."""
    from rich.text import Text

    return Text(word.replace("_", " "), style=_STYLES.get(word, ""))


def table(title: str, headers: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str = "none") -> None:
    """Print a table, or one line where there is nothing to show."""
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for header in headers:
        drawn.add_column(header, header_style="dim", overflow="fold")
    for row in rows:
        drawn.add_row(*(cell if isinstance(cell, Text) else Text("" if cell is None else str(cell)) for cell in row))
    out = console()
    if drawn.row_count:
        out.print(drawn)
    else:
        out.print(Text(f"{title}: {empty}"))


def line(text: str, style: str = "") -> None:
    """Print one sentence; markup in it is text."""
    from rich.text import Text

    console().print(Text(text, style=style))


def percent(value: float | None) -> str:
    """A relative effect with its sign.

    >>> percent(0.25), percent(None)
    ('+25 %', '')
    """
    return "" if value is None else f"{100 * value:+.0f} %"


def number(value: float | None) -> str:
    """A measured value to three digits, or that there is none."""
    from trimtab.domain.words import format_number

    return "no value" if value is None else format_number(value)
