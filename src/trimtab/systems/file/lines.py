"""Where a value stands in a file of lines `KEY=value`: ini, Java properties, environment files. Pure.

Only the line of the key is understood; everything else is left as it is. A key that is there twice is refused: programs differ in
which of the two they take.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from trimtab.domain.errors import Permanent
from trimtab.systems.file.places import Place, Style, missing

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_SECTION = re.compile(r"[ \t]*\[([^\]]*)\]")
_QUOTED = re.compile(r"""(?P<mark>["'])(?P<inner>(?:(?!(?P=mark)).)*)(?P=mark)""")


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way to write such lines. `comments` start one after a space; `forbidden` are characters that mean something else."""

    key: re.Pattern[str]
    comments: str
    quotes: bool
    continued: bool  # a backslash at the end of a line goes on in the next
    forbidden: str  # without quotes
    forbidden_in_quotes: str


DIALECTS = {
    "env": Dialect(
        re.compile(r"[ \t]*(?:export[ \t]+)?([^\s=#]+)[ \t]*=[ \t]*"), "#", True, True, " \t\\\"'`$&|;<>()*?#~!", "\\\"'`$"
    ),
    "ini": Dialect(re.compile(r"[ \t]*([^\s=:#;\[][^=:]*?)[ \t]*[=:][ \t]*"), "#;", True, False, "\\\"'", "\\\"'"),
    "properties": Dialect(
        re.compile(r"[ \t]*((?:\\.|[^\s=:\\#!])(?:\\.|[^\s=:\\])*)(?:[ \t]*[=:][ \t]*|[ \t]+)"), "", False, True, "\\", ""
    ),
}


@dataclass(frozen=True, slots=True)
class _Setting:
    section: str | None
    key: str
    start: int  # where the value starts
    rest: str  # of its line, from there
    goes_on: bool  # in the next line


def find_line(text: str, dialect: Dialect, key: str, section: str | None = None) -> Place:
    """The value of `key`, in `section` where the file has sections.

    >>> find_line("# pool\\nSIZE=8\\n", DIALECTS["env"], "SIZE").found
    '8'
    """
    found = [setting for setting in _settings(text, dialect) if (setting.section, setting.key) == (section, key)]
    if not found:
        raise _not_there(text, dialect, key, section)
    if len(found) > 1:
        lines = " and ".join(str(text.count("\n", 0, setting.start) + 1) for setting in found)
        raise Permanent(f"the key {key!r} is there more than once: lines {lines}", remedy="Remove all but one")
    return _value(found[0], dialect)


def allowed(place: Place, value: str, dialect: Dialect) -> bool:
    """Whether `value` may be written at `place` without meaning something else to the program that reads it."""
    forbidden = dialect.forbidden if place.style is Style.PLAIN else dialect.forbidden_in_quotes
    return not set(value) & set(forbidden)


def _settings(text: str, dialect: Dialect) -> Iterator[_Setting]:
    """Each line that sets something. Lines that belong to the value of an earlier one set nothing."""
    section, skipped_to, goes_on = None, 0, False
    for match in _LINE.finditer(text):
        start, line = match.start(), match.group().rstrip("\r\n")
        if start == 0 and line.startswith("\ufeff"):
            start, line = 1, line[1:]
        within, goes_on = goes_on, dialect.continued and _continues(line)
        if start < skipped_to or within:
            continue
        heading = _SECTION.match(line) if dialect is DIALECTS["ini"] else None
        if heading is not None:
            section = heading[1].strip()
        elif setting := dialect.key.match(line):
            at, rest = start + setting.end(), line[setting.end() :]
            yield _Setting(section, setting[1], at, rest, goes_on)
            skipped_to = _end_of_open_quote(text, at, rest, dialect)


def _continues(line: str) -> bool:
    return not line.lstrip().startswith(("#", "!")) and (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _end_of_open_quote(text: str, at: int, rest: str, dialect: Dialect) -> int:
    """Where a quoted value that goes on over several lines ends: what looks like a key inside is none."""
    if not dialect.continued or not dialect.quotes or rest[:1] not in ("'", '"') or rest.find(rest[0], 1) >= 0:
        return 0
    end = text.find(rest[0], at + len(rest))
    return len(text) if end < 0 else end


def _value(setting: _Setting, dialect: Dialect) -> Place:
    start, rest = setting.start, setting.rest
    if setting.goes_on:
        raise Permanent("the value goes on in the next line", remedy="Write it on one line")
    quoted = _QUOTED.match(rest) if dialect.quotes else None
    if quoted is not None and _only_comment(rest[quoted.end() :], dialect):
        style = Style.DOUBLE_BARE if quoted["mark"] == '"' else Style.SINGLE_BARE
        return Place(start, start + quoted.end(), quoted["inner"], style)
    if dialect.quotes and rest[:1] in ("'", '"'):
        raise Permanent("the value's quotes do not close at its end", remedy="Write it on one line, in plain quotes")
    cut = re.search(rf"(?:^|[ \t])[{dialect.comments}]", rest) if dialect.comments else None
    plain = (rest[: cut.start()] if cut else rest).rstrip(" \t")
    return Place(start, start + len(plain), plain)


def _only_comment(rest: str, dialect: Dialect) -> bool:
    return not rest.strip() or (rest[:1] in " \t" and rest.strip()[0] in dialect.comments)


def _not_there(text: str, dialect: Dialect, key: str, section: str | None) -> Permanent:
    there = list(_settings(text, dialect))
    sections = dict.fromkeys(setting.section or "" for setting in there)
    if section is not None and section not in sections:
        return Permanent(f"there is no section [{section}] with keys", remedy=missing(section, sections).remedy)
    elsewhere = [setting.section for setting in there if setting.key == key]
    if elsewhere:
        at = f"section: {elsewhere[0]}" if elsewhere[0] else "no section:"
        return Permanent(f"there is no key {key!r} in that section", remedy=f"It stands elsewhere: give {at}")
    return missing(key, [setting.key for setting in there if setting.section == section])
