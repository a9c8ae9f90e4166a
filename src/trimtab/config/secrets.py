"""What must not be shown: every value that came in through `${env:…}` or `${file:…}`, and what is secret by its name.

Filled by `references` while a file is loaded, carried by every model of `settings`, asked by logs, the API and error messages.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import Enum
from pathlib import PurePath
from urllib.parse import quote

MASK = "***"
_SHORT = 4  # a shorter secret is only hidden where it stands alone: hiding every "1" would make a log unreadable

SENSITIVE_KEY = re.compile(r"(authorization|token|password|passwd|secret|api[-_]?key|journal[-_]?key|cookie)$", re.IGNORECASE)


class Secrets:
    """A set of secret strings that can hide itself in text.

    >>> secrets = Secrets()
    >>> secrets.add("hunter22")
    >>> secrets.redact("Authorization: Bearer hunter22")
    'Authorization: Bearer ***'
    >>> secrets
    Secrets(1 hidden)
    """

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._wholes: dict[str, str] = {}
        self._numbers: set[float] = set()
        self._pattern: re.Pattern[str] | None = None

    def add(self, value: str) -> None:
        """Hide `value` from now on, and each long line of it: logs print a private key line by line."""
        lines = [line for line in value.splitlines() if len(line) >= 2 * _SHORT]
        self._values.update(part for part in (value, *lines) if part.strip())
        self._pattern = None

    def add_whole(self, text: str, masked: str) -> None:
        """Show a setting that reads `text` as `masked`: exact even where the secret within is one letter long."""
        self._wholes[text] = masked

    def add_number(self, value: float) -> None:
        """Hide a number that came out of a secret, in dumps."""
        self._numbers.add(value)

    def redact(self, text: str) -> str:
        """`text` with every secret replaced by `***`, also where it is quoted, escaped or percent-encoded."""
        if not self._values:
            return text
        if self._pattern is None:
            forms = sorted({form for value in self._values for form in _forms(value)}, key=len, reverse=True)
            self._pattern = re.compile("|".join(_alone(form) for form in forms))
        return self._pattern.sub(MASK, text)

    def mask(self, value: object) -> object:
        """`value`, of any depth, as it may be shown. Keys stay: nothing is ever filled in there."""
        if isinstance(value, Enum):
            return value  # one of our own words
        if isinstance(value, str):
            return self._wholes[value] if value in self._wholes else self.redact(value)
        if isinstance(value, Mapping):
            return {key: self.mask(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.mask(item) for item in value]
        if type(value) is tuple:
            return tuple(self.mask(item) for item in value)
        if isinstance(value, set | frozenset):
            return type(value)(self.mask(item) for item in value)
        if isinstance(value, PurePath):
            return type(value)(str(self.mask(str(value))))
        if isinstance(value, int | float) and not isinstance(value, bool) and value in self._numbers:
            return MASK
        return value

    def __repr__(self) -> str:
        return f"Secrets({len(self._values)} hidden)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secrets) and (self._values, self._numbers) == (other._values, other._numbers)

    __hash__ = None  # type: ignore[assignment]


def _forms(value: str) -> set[str]:
    return {value, repr(value)[1:-1], json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], quote(value, safe="")}


def _alone(form: str) -> str:
    return re.escape(form) if len(form) >= _SHORT else rf"(?<!\w){re.escape(form)}(?!\w)"
