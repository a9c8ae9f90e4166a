"""Paths into JSON documents, as the YAML writes them: `queue.length`, `workers[0].busy`, `["a.b"].c`. Pure.

Shared by every sensor that takes numbers out of JSON, whatever brought the document.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator

Step = str | int

_STEP = re.compile(r"""\.?(?P<name>[^.\[\]"]+)|\[(?P<index>-?\d+)\]|\.?\["(?P<quoted>[^"]*)"\]""")


class Absent(LookupError):
    """The document has nothing at that path."""


def parse_path(path: str) -> tuple[Step, ...]:
    """The steps of a path. Raises `ValueError` where it is none.

    >>> parse_path('pools[0]["a.b"].size')
    ('pools', 0, 'a.b', 'size')
    """
    steps: list[Step] = []
    place = 0
    while place < len(path):
        match = _STEP.match(path, place)
        if match is None or (match.group().startswith(".") and place == 0):
            raise ValueError(f'{path!r} is not a path; write it like queue.length, workers[0].busy or ["a.b"].c')
        steps.append(int(match["index"]) if match["index"] is not None else match["name"] or match["quoted"])
        place = match.end()
    if not steps or path.endswith("."):
        raise ValueError(f"{path!r} is not a path; write it like queue.length")
    return tuple(steps)


def follow(document: object, steps: Sequence[Step]) -> object:
    """What stands at the end of a path. Raises `Absent` where nothing does.

    >>> follow({"queue": {"length": 3}}, parse_path("queue.length"))
    3
    """
    for step in steps:
        document = _child(document, step)
    return document


def _child(document: object, step: Step) -> object:
    if isinstance(document, dict) and isinstance(step, str) and step in document:
        return document[step]
    if isinstance(document, list) and isinstance(step, int) and -len(document) <= step < len(document):
        return document[step]
    raise Absent(str(step))


def as_number(found: object) -> float:
    """A JSON number as a float; NaN for null, text, true, false, lists and objects, which `monitor` shows as invalid.

    >>> as_number(3), as_number("3"), as_number(None)
    (3.0, nan, nan)
    """
    if isinstance(found, bool) or not isinstance(found, int | float):
        return float("nan")
    try:
        return float(found)
    except OverflowError:  # JSON knows no largest number
        return float("inf") if found > 0 else float("-inf")


def _check_path(path: str) -> str:
    parse_path(path)
    return path


JsonPath = Annotated[str, AfterValidator(_check_path)]  # for options models
