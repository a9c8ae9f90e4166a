"""What stands in the arguments of a command: `{value}` or `{key}`, and `{{` for a brace. Pure.

One place in one argument is filled with one text. There is no shell, so that no character in it means anything.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_BRACES = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]")


def fill(argv: Sequence[str], name: str, text: str) -> list[str]:
    """`argv` with `{name}` replaced by `text`, which is not looked into. Raises `ValueError` at any other brace.

    >>> fill(["./set", "--workers={value}", "{{}}"], "value", "4; true")
    ['./set', '--workers=4; true', '{}']
    """

    def one(match: re.Match[str]) -> str:
        found = match.group()
        if found in ("{{", "}}"):
            return found[0]
        if found != f"{{{name}}}":
            raise ValueError(f"{found!r} means nothing here; only {{{name}}} is filled in, and a brace is written {{{{ or }}}}")
        return text

    return [_BRACES.sub(one, argument) for argument in argv]


def fills(argv: Sequence[str], name: str) -> bool:
    """Whether `{name}` is in `argv`. Raises `ValueError` as `fill` does.

    >>> fills(["./set", "{{value}}"], "value")
    False
    """
    return fill(argv, name, "a") != fill(argv, name, "b")
