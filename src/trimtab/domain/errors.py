"""Every error that trimtab raises on purpose.

TrimtabError                what happened, where, what to do
├── ConfigError             the configuration cannot be used (carries every mistake found)
├── UnitMismatch            two quantities that do not compare
├── SensorError             a reading could not be had
├── LeverError              a lever could not be read or set
│   ├── Retryable           look again later
│   └── Permanent           looking again will not help
├── IllegalTransition       a state change that the life of an action does not know
├── StoreError              a store cannot be read or written
│   ├── StoreDamaged        a file is no database, or not a whole one
│   └── JournalCorrupt      the hash chain of the journal does not hold
├── AlreadyRunning          a second agent on one data folder
├── NotFound                no such action, goal or series
└── Conflict                the request does not fit the state that it meets (HTTP 409)
"""

from __future__ import annotations


class TrimtabError(Exception):
    """Base of all errors; `remedy` is the sentence that says what to do next."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}. {self.remedy}" if self.remedy else self.message


class ConfigError(TrimtabError):
    """The configuration cannot be used. `problems` holds one line a mistake, each `file:line:column: what, and what to do`."""

    def __init__(self, message: str, *, problems: tuple[str, ...] = (), remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join((super().__str__(), *self.problems))


class UnitMismatch(TrimtabError):
    """Two quantities of different dimensions were compared."""


class SensorError(TrimtabError):
    """A reading could not be had: our silence, not evidence about the target."""


class LeverError(TrimtabError):
    """A lever could not be read or set."""


class Retryable(LeverError):
    """A passing fault. The effect may or may not have happened: probe before anything else."""


class Permanent(LeverError):
    """The lever refused, and will again. Nothing was changed."""


class IllegalTransition(TrimtabError):
    """A state change that the table in `execute.states` does not have."""


class StoreError(TrimtabError):
    """A store cannot be read or written."""


class StoreDamaged(StoreError):
    """A file is no database (any more), or is damaged: trying again will not help."""


class JournalCorrupt(StoreError):
    """The journal's hash chain does not hold: a row was altered, removed or torn."""


class AlreadyRunning(TrimtabError):
    """Another agent holds the data folder."""


class NotFound(TrimtabError):
    """No such thing under that name."""


class Conflict(TrimtabError):
    """The request does not fit the state that it meets: a stale plan, a second approval, an action that has ended."""
