"""What a command says beside its answer: on standard error, wrapped at words on a terminal, as it is where a program reads."""

from __future__ import annotations

import shutil
import sys
import textwrap

NARROWEST = 20  # columns; below that a terminal does not tell its width, and wrapping would only tear


def say(text: str) -> None:
    """Print sentences to standard error."""
    print(fitted(text, _width()), file=sys.stderr)  # noqa: T201


def fitted(text: str, width: int | None) -> str:
    """`text` in lines of at most `width` columns; its own line breaks stay, and so do words that are longer, such as paths.

    >>> print(fitted("trimtab: there is no /a/long/path/trimtab.yaml. Write one", 24))
    trimtab: there is no
    /a/long/path/trimtab.yaml.
    Write one
    """
    if width is None or width < NARROWEST:
        return text
    wrapped = (textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False) or [""] for line in text.split("\n"))
    return "\n".join(row for rows in wrapped for row in rows)


def _width() -> int | None:
    return shutil.get_terminal_size().columns if sys.stderr.isatty() else None
