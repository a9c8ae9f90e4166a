"""The lever that stands in a file. Called by `execute` alone.

What is already there is not written again, but whoever is to be told is told again: the first telling may be what failed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from trimtab.domain.errors import LeverError, Permanent, Retryable
from trimtab.domain.levers import LeverSpec, LeverValue
from trimtab.systems.aside import Aside, StillBusy
from trimtab.systems.file.lines import DIALECTS, allowed, find_line
from trimtab.systems.file.options import FileLeverOptions
from trimtab.systems.file.places import Find, changed, find_json, find_text
from trimtab.systems.file.replace import read, replace
from trimtab.systems.file.signals import send
from trimtab.systems.file.yaml_places import find_yaml
from trimtab.systems.paths import parse_path
from trimtab.systems.spelling import as_text, meant
from trimtab.systems.values import as_kind, read_as_kind

TIMEOUT_SECONDS = 4.0  # a network file system may hang; the agent gives five seconds

Result = TypeVar("Result")


class FileLever:
    """A value at one place in a file."""

    def __init__(self, options: FileLeverOptions, spec: LeverSpec) -> None:
        self.spec = spec
        self._options = options
        self._find = _finder(options)
        self._aside = Aside(f"lever {spec.lever_id}")

    async def read(self) -> LeverValue:
        """The value that stands there. `Permanent` where there is no such file or key, or no value of the lever's kind."""
        found = await self._run(self._read)
        return read_as_kind(self.spec, meant(self.spec.kind, found))

    async def set(self, value: LeverValue) -> None:
        """Replace the file by one with `value` there. `Retryable` where somebody else wrote it at the same moment."""
        wanted = as_kind(self.spec, value)
        await self._run(lambda: self._write(wanted))

    def _read(self) -> object:
        return self._find(_text(read(self._options.path).content)).found

    def _write(self, value: LeverValue) -> None:
        original = read(self._options.path)
        text = _text(original.content)
        if not self._holds(text, value):
            self._may_stand_there(text, value)
            replace(original, changed(text, self._find, value).encode(errors="surrogateescape"))
        if self._options.notify is not None:
            send(self._options.notify)

    def _holds(self, text: str, value: LeverValue) -> bool:
        try:
            return self.spec.same(self.spec.coerce(meant(self.spec.kind, self._find(text).found)), value)
        except (ValueError, OverflowError):
            return False

    def _may_stand_there(self, text: str, value: LeverValue) -> None:
        dialect = DIALECTS.get(self._options.format)
        if dialect is not None and isinstance(value, str) and not allowed(self._find(text), as_text(value), dialect):
            raise Permanent(f"{value!r} would mean something else in the file", remedy="Put the value there in quotes, once")

    async def _run(self, call: Callable[[], Result]) -> Result:
        try:
            return await self._aside.run(call, TIMEOUT_SECONDS)
        except TimeoutError:
            raise Retryable(f"lever {self.spec.lever_id}: {self._options.path}: no answer within {TIMEOUT_SECONDS:g} s") from None
        except StillBusy as error:
            raise Retryable(str(error)) from error
        except LeverError as error:
            words = error.message if str(self._options.path) in error.message else f"{self._options.path}: {error.message}"
            raise type(error)(f"lever {self.spec.lever_id}: {words}", remedy=error.remedy) from error

    async def close(self) -> None:
        """Nothing is held."""


def _finder(options: FileLeverOptions) -> Find:
    key = options.key
    if key is None:
        return find_text
    if options.format in ("json", "yaml"):
        return partial(find_json if options.format == "json" else find_yaml, steps=parse_path(key))
    return partial(find_line, dialect=DIALECTS[options.format], key=key, section=options.section)


def _text(content: bytes) -> str:
    return content.decode(errors="surrogateescape")  # bytes of another encoding go through unchanged
