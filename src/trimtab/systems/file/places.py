"""Where a value stands in a text, and the text with another value there: all else stays as it is, byte for byte. Pure.

Each format is only a way to find a place (`find_…`). A value is put there in the manner of the one before, and found again: what
does not read back as itself is never written.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from trimtab.domain.errors import Permanent
from trimtab.domain.levers import LeverValue
from trimtab.systems.paths import Step
from trimtab.systems.spelling import as_text, like

_SPACE = re.compile(r"[ \t\r\n]*")


class Style(StrEnum):
    """How a value is written down."""

    PLAIN = "plain"
    SINGLE = "single"  # 'value', a quote inside doubled
    SINGLE_BARE = "single_bare"  # 'value', no quote inside
    DOUBLE_BARE = "double_bare"  # "value", without any escapes
    JSON = "json"  # a text in quotes with escapes, all else without
    FLOW = "flow"  # YAML: plain, in quotes only where it has to be


@dataclass(frozen=True, slots=True)
class Place:
    """`text[start:end]` is the value, and means `found`."""

    start: int
    end: int
    found: object
    style: Style = Style.PLAIN


Find = Callable[[str], Place]


def changed(text: str, find: Find, value: LeverValue) -> str:
    """`text` with `value` at the place that `find` finds. `Permanent` where there is none, or the value cannot stand there."""
    place = find(text)
    wanted = like(place.found, value)
    for words in _spellings(place, wanted):
        new = text[: place.start] + words + text[place.end :]
        if _reads_back(new, find, wanted):
            return new
    raise Permanent(
        f"{value!r} cannot be written where {place.found!r} stands", remedy="Put the value in the file in quotes, once"
    )


def _spellings(place: Place, wanted: LeverValue) -> Iterable[str]:
    text = as_text(wanted)
    if re.search(r"[\0-\x08\x0a-\x1f\x7f]", text) and place.style is not Style.JSON:
        return ()
    if place.style is Style.JSON:
        return (json.dumps(wanted, ensure_ascii=False),) if not isinstance(wanted, float) else (text,)
    if place.style is Style.FLOW:
        return (text, json.dumps(wanted, ensure_ascii=False)) if isinstance(wanted, str) else (text,)
    if place.style is Style.SINGLE:
        return ("'" + text.replace("'", "''") + "'",)
    mark = {Style.SINGLE_BARE: "'", Style.DOUBLE_BARE: '"'}.get(place.style, "")
    return (mark + text + mark,)


def _reads_back(new: str, find: Find, wanted: LeverValue) -> bool:
    try:
        found = find(new).found
    except Permanent:
        return False
    return type(found) is type(wanted) and found == wanted


def find_text(text: str) -> Place:
    """The whole file but for the space around.

    >>> find_text("8\\n")
    Place(start=0, end=1, found='8', style=<Style.PLAIN: 'plain'>)
    """
    inner = text.strip()
    start = text.index(inner)
    return Place(start, start + len(inner), inner)


def find_json(text: str, steps: tuple[Step, ...]) -> Place:
    """The value at the end of a path in a JSON document.

    >>> find_json('{"pool": {"size": 8}}', ("pool", "size")).found
    8
    """
    base = 1 if text.startswith("\ufeff") else 0
    try:
        json.loads(text[base:])
    except (ValueError, RecursionError) as error:
        raise Permanent(f"the file is no JSON: {error}", remedy="Mend it, or correct format:") from error
    return _in_json(text, _SPACE.match(text, base).end(), steps)  # type: ignore[union-attr]


def _in_json(text: str, at: int, steps: tuple[Step, ...]) -> Place:
    value, end = json.JSONDecoder().raw_decode(text, at)
    if not steps:
        if isinstance(value, dict | list):
            raise Permanent("there is an object or a list at that key, not one value", remedy="Let key: go further, to one value")
        return Place(at, end, value, Style.JSON)
    step, rest = steps[0], steps[1:]
    if isinstance(value, dict) and isinstance(step, str):
        children: dict[Step, int] = dict(_members(text, at, len(value) > 0))
    elif isinstance(value, list) and isinstance(step, int):
        starts = list(_items(text, at, len(value) > 0))
        children = {place: starts[place] for place in range(-len(starts), len(starts))}
    else:
        children = {}
    if step not in children:
        raise missing(step, children)
    return _in_json(text, children[step], rest)


def _members(text: str, at: int, some: bool) -> Iterable[tuple[Step, int]]:
    """(key, where its value starts) of an object; of a key that is there twice the last one counts, as everywhere."""
    while some:
        key, at = json.JSONDecoder().raw_decode(text, text.index('"', at + 1))
        start = _skip(text, _skip(text, at) + 1)
        yield key, start
        at = _skip(text, json.JSONDecoder().raw_decode(text, start)[1])
        some = text[at] == ","


def _items(text: str, at: int, some: bool) -> Iterable[int]:
    while some:
        start = _skip(text, at + 1)
        yield start
        at = _skip(text, json.JSONDecoder().raw_decode(text, start)[1])
        some = text[at] == ","


def _skip(text: str, at: int) -> int:
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]


def missing(key: Step, there: Iterable[Step]) -> Permanent:
    """The error of a key that is not there, with the nearest that is."""
    names = [str(name) for name in there]
    near = difflib.get_close_matches(str(key), names, n=1, cutoff=0.6)
    known = ", ".join(names[:12]) or "nothing"
    return Permanent(f"there is no key {key!r}", remedy=f"Did you mean {near[0]}?" if near else f"There is: {known}")
