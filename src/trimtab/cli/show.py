"""How answers look: JSON for programs, tables for people, no colour where nobody watches."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {
    "kept": "green", "running": "green", "met": "green", "improved": "green",
    "missed": "red", "failed": "red", "rolled_back": "yellow", "rollback_failed": "bold red", "worse": "red",
    "hold": "yellow", "paused": "yellow", "awaiting_approval": "bold cyan", "yielded": "yellow", "kept_on_probation": "cyan",
}  # fmt: skip
_MARKS = {"ok": ("✓", "green"), "warning": ("!", "bold yellow"), "fails": ("✗", "bold red")}
_PROSE = ("why", "change", "change and why")  # columns that may be wrapped; what is copied from the others stays in one piece
_PIPED_WIDTH = 10_000  # characters: nothing is wrapped where a program reads


def as_json(document: Any) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")


def console() -> Console:
    """Where tables go; plain when piped, and then as wide as their content."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else _PIPED_WIDTH)


def styled(word: str) -> Any:
    """A state in its colour; the word itself always says it too."""
    from rich.text import Text

    return Text(word.replace("_", " "), style=_STYLES.get(word, ""))


def table(title: str, headers: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str = "none") -> None:
    """Print a table, or one line where there is nothing to show."""
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for header in headers:
        drawn.add_column(header, header_style="dim", overflow="fold", no_wrap=header not in _PROSE)
    for row in rows:
        drawn.add_row(*(cell if isinstance(cell, Text) else Text("" if cell is None else str(cell)) for cell in row))
    if drawn.row_count:
        console().print(Text(title, style="bold"))
        _print_trimmed(drawn)
    else:
        line(f"{title}: {empty}")


def facts(pairs: Iterable[tuple[str, str]]) -> None:
    """Print labelled sentences, one below the other; what wraps stays beside its label."""
    from rich.table import Table
    from rich.text import Text

    drawn = Table.grid(padding=(0, 2, 0, 0))
    drawn.add_column(no_wrap=True)
    drawn.add_column(overflow="fold")
    for label, sentence in pairs:
        drawn.add_row(Text(label, style="dim"), Text(sentence))
    _print_trimmed(drawn)


def _print_trimmed(drawn: Any) -> None:
    """Print without the blanks that fill a table's cells up to its edge."""
    out = console()
    with out.capture() as captured:
        out.print(drawn)
    for row in captured.get().splitlines():
        sys.stdout.write(re.sub(r"(?: |\x1b\[[0-9;]*m)+$", lambda end: "\x1b[0m" if "\x1b" in end[0] else "", row) + "\n")


def findings(rows: Sequence[tuple[str, str, str, str]]) -> None:
    """Print (mark, check, what, remedy) rows, each remedy below what it mends; signs on a terminal, words elsewhere."""
    from rich.table import Table
    from rich.text import Text

    out = console()
    drawn = Table.grid(padding=(0, 2, 0, 0))
    for wraps in (False, False, True):
        drawn.add_column(no_wrap=not wraps, overflow="fold")
    for mark, check, what, remedy in rows:
        sign, style = _MARKS[mark]
        drawn.add_row(Text(sign if out.is_terminal else mark, style=style), Text(check), Text(what))
        if remedy and mark != "ok":
            drawn.add_row("", "", Text(f"→ {remedy}", style="cyan"))
    _print_trimmed(drawn)


@contextmanager
def busy(what: str, *, hidden: bool = False) -> Iterator[Callable[[str], None]]:
    """Say on a terminal what is being waited for; yields a function that says something else. Nothing where a program reads."""
    if hidden or not sys.stderr.isatty():
        yield lambda words: None
        return
    from rich.console import Console

    with Console(stderr=True).status(what) as status:
        yield status.update


def line(text: str, style: str = "") -> None:
    """Print one sentence; markup in it is text."""
    from rich.text import Text

    console().print(Text(text, style=style))


def moment(at: float, timezone: str) -> str:
    """A time in Unix seconds as people of that zone write it.

    >>> moment(1_767_571_200.0, "Europe/Berlin")
    '2026-01-05 01:00:00'
    """
    from datetime import datetime
    from zoneinfo import ZoneInfo

    return f"{datetime.fromtimestamp(at, ZoneInfo(timezone)):%Y-%m-%d %H:%M:%S}"


def counted(count: int, noun: str) -> str:
    """A number of things.

    >>> counted(1, "goal"), counted(1200, "row")
    ('1 goal', '1,200 rows')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def percent(value: float | None) -> str:
    """A relative effect with its sign.

    >>> percent(0.25), percent(None)
    ('+25 %', '')
    """
    return "" if value is None else f"{100 * value:+.0f} %"


def quantity(metric: str, value: float | None) -> str:
    """A value of a metric to three digits, with the unit that the metric's name carries, or that there is none.

    >>> quantity("shop_p95_seconds", 0.1234), quantity("trimtab_memory_bytes", 86_593_536.0), quantity("shop_error_ratio", None)
    ('0.123 s', '86.6 MB', 'no value')
    """
    from trimtab.domain.words import of_metric

    return of_metric(metric, value)
