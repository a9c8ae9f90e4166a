"""What the models refuse, said to a person: which setting, what is wrong with it, what to do, and at which place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite
from typing import Any

from pydantic import BaseModel

from trimtab.config.document import Document
from trimtab.config.models import keys_at
from trimtab.config.parts import METRIC_FORM, NAME_FORM, TIME_FORM, URL_FORM, Context
from trimtab.config.relations import Path, suggest

WANTS_SCALAR = frozenset(
    {"int_type", "int_from_float", "float_type", "bool_type", "int_parsing", "float_parsing", "bool_parsing"}
)

_WANTED = {  # error type of pydantic → what is expected there
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "a text",
    "path_type": "a path",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "keys with values",
    "model_type": "keys with values",
    "model_attributes_type": "keys with values",
}
_LIMITS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}
_FORMS = {
    NAME_FORM: "use letters, digits, '_', '.' and '-' only",
    METRIC_FORM: "name the series without spaces, braces and quotes; labels go under where",
    URL_FORM: "write it as scheme://…",
    TIME_FORM: "write hours and minutes, such as 06:00",
}


def report_error(document: Document, error: Mapping[str, Any], root: type[BaseModel], context: Context) -> None:
    """Add one of the models' errors to the document's problems, unless its place was reported already."""
    kind, loc = str(error["type"]), tuple(error["loc"])
    at_key = kind == "extra_forbidden" or loc[-1:] == ("[key]",)
    path = document.existing(loc)
    if document.settled(path):
        return
    name = dotted((*path, loc[-1]) if kind == "missing" else path)
    if kind == "extra_forbidden":
        what, remedy = _unknown_key(document, path, root, context)
    elif kind == "missing":
        what, remedy = f"{name} is missing", "add it"
    else:
        what, remedy = _say(kind, error, hidden=path in document.hidden)
        if path in document.variables:
            remedy = remedy.removesuffix(" without quotes")  # nobody quoted anything there
        what = f"{name}: {what}" if name else what
    document.report(path, what, remedy, at_key=at_key)


def dotted(path: Path) -> str:
    """A path as people write it.

    >>> dotted(("elements", 0, "levers", 1, "bounds"))
    'elements[0].levers[1].bounds'
    """
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def _unknown_key(document: Document, path: Path, root: type[BaseModel], context: Context) -> tuple[str, str]:
    around = dotted(path[:-1])
    known = keys_at(root, document.tree, path[:-1], context)
    if path[-1] in known:  # of another model of the same union
        return f"{dotted(path)} does not go with the other keys here", "remove it, or those that exclude it"
    return f"unknown key '{path[-1]}'" + (f" in {around}" if around else ""), suggest(str(path[-1]), known)


def _say(kind: str, error: Mapping[str, Any], *, hidden: bool) -> tuple[str, str]:
    """What is wrong and what to do, for one error of the models. A hidden value is not quoted."""
    about, given = error.get("ctx", {}), error.get("input")
    got = "a value that is not shown" if hidden else shown(given)
    word = str(given) if isinstance(given, str) and not hidden else ""
    if kind in _WANTED:
        return f"expected {_WANTED[kind]}, got {got}", "correct what it refers to" if hidden else _retype(kind, given)
    if kind in ("enum", "literal_error"):
        known = re.findall(r"'([^']*)'", str(about.get("expected", ""))) or [str(about.get("expected"))]
        return f"{got} is not known here", suggest(word, known)
    if kind == "unknown_type":
        return f"there is no {about['noun']} of type {got}", suggest(word, about["known"])
    if kind == "unknown_timezone":
        return f"there is no time zone {got}", _zone(word)
    if kind in _LIMITS:
        phrase, key = _LIMITS[kind]
        return f"{got} is out of range", f"give {phrase} {shown(about[key])}"
    return _say_rest(kind, error, got)


def _say_rest(kind: str, error: Mapping[str, Any], got: str) -> tuple[str, str]:
    about = error.get("ctx", {})
    if kind == "rule":
        return str(about["what"]), str(about["remedy"])
    if kind == "value_error":
        what, semicolon, remedy = str(about.get("error", error["msg"])).partition("; ")
        return what, remedy if semicolon else "correct it"
    if kind == "string_pattern_mismatch":
        return f"{got} is not in the right form", _FORMS.get(about["pattern"], f"write it to match {about['pattern']}")
    if kind in ("too_short", "string_too_short"):
        return f"{got} is too short", f"give at least {about['min_length']}"
    if kind in ("too_long", "string_too_long"):
        return f"{got} is too long", f"give at most {about['max_length']}"
    if kind in ("missing_argument", "finite_number"):
        return f"{got} is not a finite number", "give a finite number"
    return f"{error['msg']} (got {got})", "correct it"


def _retype(kind: str, given: Any) -> str:
    if given is None:
        return "fill it in, or remove the key"
    if isinstance(given, str) and kind.startswith(("int", "float")):
        return "write the number without quotes" if _is_number(given) else "write a number in digits"
    if isinstance(given, str) and kind.startswith("bool"):
        meant = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}.get(given.lower())
        return f"write {meant} without quotes" if meant else "write true or false without quotes"
    if kind.startswith("bool"):
        return "write true or false"
    if kind == "string_type" and isinstance(given, bool | int | float):
        return "put it in quotes"
    return "see `trimtab config schema` for its form" if isinstance(given, dict | list) else f"give {_WANTED[kind]}"


def _is_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False


def _zone(word: str) -> str:
    from zoneinfo import available_timezones

    remedy = suggest(word, sorted(available_timezones()))
    return remedy if remedy.startswith("did you mean") else "give an IANA name such as Europe/Berlin or UTC"


def shown(value: Any) -> str:
    """A value as it may be quoted in a message: short, on one line.

    >>> shown("yes"), shown(True), shown([1, 2]), shown(1.0)
    ("'yes'", 'true', 'a list', '1')
    """
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:.12g}" if isinstance(value, float) else str(value)
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, str):
        return f"'{value}'" if len(value) <= 80 else f"'{value[:77]}…'"
    return "keys with values" if isinstance(value, Mapping) else "something else"
