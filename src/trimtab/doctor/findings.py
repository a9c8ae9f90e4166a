"""What a check came to: a mark, a sentence, and the remedy. Made by the checks of this room, shown by `trimtab doctor`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from trimtab.domain.errors import TrimtabError


class Mark(StrEnum):
    """How it stands: `fails` is what keeps trimtab from working as configured, `warning` what a person should know."""

    OK = "ok"
    WARNING = "warning"
    FAILS = "fails"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `remedy` says what to do, empty where nothing is to be done."""

    check: str
    mark: Mark
    what: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the agent said of itself: `status` as in `GET /agent/status`; None where none came, and `why` and `remedy` tell why.

    `running`: an agent of this configuration is there, even where it would not tell.
    """

    running: bool = False
    status: Mapping[str, Any] | None = None
    why: str = ""
    remedy: str = ""
    stranger: bool = False  # somebody else has the port
    address: str = ""


def ok(check: str, what: str) -> Finding:
    """All is well."""
    return Finding(check, Mark.OK, what)


def warning(check: str, what: str, remedy: str) -> Finding:
    """Works, but a person should know."""
    return Finding(check, Mark.WARNING, what, remedy)


def fails(check: str, what: str, remedy: str) -> Finding:
    """Does not work until somebody mends it."""
    return Finding(check, Mark.FAILS, what, remedy)


def of_error(check: str, error: TrimtabError, otherwise: str = "") -> Finding:
    """An error that says itself what to do; `otherwise` where it does not.

    >>> of_error("journal", TrimtabError("it is gone", remedy="Fetch it")).remedy
    'Fetch it'
    """
    return fails(check, error.message, error.remedy or otherwise)
