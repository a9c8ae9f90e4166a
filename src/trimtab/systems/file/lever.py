"""The lever that stands in a file. Called by `execute` alone.

What is already there is not written again, but whoever is to be told is told again: the first telling may be what failed. A value
that its program was not told of is no change, and must not be judged as one: the file is put back, and whatever telling is owed
then comes before the next read.
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
from trimtab.systems.file.replace import Original, read, replace
from trimtab.systems.file.signals import Absent, check, send
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
        self._owed = False  # the file may hold what its program has not been told of

    async def read(self) -> LeverValue:
        """The value that stands there. `Permanent` where there is no such file or key, or no value of the lever's kind.

        `Retryable` where its program has not been told of it, and cannot be now.
        """
        found = await self._run(self._read)
        return read_as_kind(self.spec, meant(self.spec.kind, found))

    async def set(self, value: LeverValue) -> None:
        """Replace the file by one with `value` there. `Retryable` where somebody else wrote it at the same moment.

        Where `notify` reaches nobody, the file is as it was.
        """
        wanted = as_kind(self.spec, value)
        await self._run(lambda: self._change(wanted))

    async def restore(self, value: LeverValue) -> None:
        """The same to undo, also where the program is not there: it may have ended of what is undone."""
        wanted = as_kind(self.spec, value)
        await self._run(lambda: self._put_back(wanted))

    def _read(self) -> object:
        if self._owed:
            self._tell()
        return self._find(_text(read(self._options.path).content)).found

    def _change(self, value: LeverValue) -> None:
        before = self._write(value, self._check)
        try:
            self._tell()
        except LeverError as error:
            if before is None:
                raise
            self._take_back(before, value)
            self._owed = not isinstance(error, Absent)  # who is not there reads the file at its start
            raise Retryable(f"{error.message}; the file was put back", remedy=error.remedy) from error

    def _put_back(self, value: LeverValue) -> None:
        self._write(value, lambda: None)
        try:
            self._tell()
        except Absent:
            self._owed = False

    def _write(self, value: LeverValue, check_first: Callable[[], None]) -> Original | None:
        """What stood there before; None where the value did already."""
        original = read(self._options.path)
        text = _text(original.content)
        if self._holds(text, value):
            return None
        self._may_stand_there(text, value)
        check_first()
        self._replace(original, changed(text, self._find, value).encode(errors="surrogateescape"))
        return original

    def _take_back(self, before: Original, value: LeverValue) -> None:
        now = read(self._options.path)
        if not self._holds(_text(now.content), value):
            raise Retryable(f"{self._options.path} was changed by somebody else at the same moment")
        replace(now, before.content)

    def _replace(self, original: Original, content: bytes) -> None:
        owed, self._owed = self._owed, True  # from before the file is replaced: the disk may fail right after
        try:
            replace(original, content)
        except LeverError:
            self._owed = owed or read(self._options.path).content == content
            raise

    def _check(self) -> None:
        if self._options.notify is not None:
            check(self._options.notify)

    def _tell(self) -> None:
        self._owed = True
        try:
            if self._options.notify is not None:
                send(self._options.notify)
        except LeverError as error:
            kind = Absent if isinstance(error, Absent) else Retryable
            raise kind(f"its program does not know what it holds: {error.message}", remedy=error.remedy) from error
        self._owed = False

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
