"""How a value is written where a program wrote it before: with the words and the type that it used. Pure.

A program that reads `on` may not understand `true`, nor a number where it had a text. Used by levers whose values stand in files
and tables.
"""

from __future__ import annotations

from trimtab.domain.levers import LeverKind, LeverValue

_WORDS = (("false", "true"), ("off", "on"), ("no", "yes"), ("0", "1"))  # (not set, set); the first is for what has none of them


def meant(kind: LeverKind, found: object) -> object:
    """What a text means to a lever of `kind`: the words for true and false as booleans, all else as it is.

    >>> meant(LeverKind.BOOLEAN, "Yes"), meant(LeverKind.BOOLEAN, "0"), meant(LeverKind.CHOICE, "yes")
    (True, False, 'yes')
    """
    if kind is LeverKind.BOOLEAN and isinstance(found, str):
        return next((bool(pair.index(found.lower())) for pair in _WORDS if found.lower() in pair), found)
    return found


def like(found: object, value: LeverValue) -> LeverValue:
    """`value` as the type that `found` has: a text stays a text, and a whole number stays one where nothing is lost.

    >>> like("off", True), like("8", 4), like(8, 4.0), like(True, False), like(1, False)
    ('on', '4', 4, False, 0)
    """
    if isinstance(found, str):
        return as_text(value, found)
    if isinstance(value, bool):
        return value if isinstance(found, bool) else int(value)
    if isinstance(value, float) and isinstance(found, int) and not isinstance(found, bool) and value.is_integer():
        return int(value)
    return value


def as_text(value: LeverValue, found: str = "") -> str:
    """`value` as a text, in the manner of `found`.

    >>> as_text(False, "On"), as_text(True, "FALSE"), as_text(0.25), as_text(2.0, "8"), as_text(1e-7)
    ('Off', 'TRUE', '0.25', '2', '1.0e-07')
    """
    if isinstance(value, bool):
        return _boolean(found, value)
    if isinstance(value, float):
        if value.is_integer() and abs(value) < 1e15 and found.lstrip("+-").isdigit():
            return str(int(value))
        digits, power, exponent = repr(value).partition("e")
        return digits + (power and ("e" if "." in digits else ".0e")) + exponent  # without a point YAML 1.1 takes it for a word
    return str(value)


def _boolean(found: str, value: bool) -> str:
    word = next((pair for pair in _WORDS if found.lower() in pair), _WORDS[0])[value]
    return word.upper() if found.isupper() else word.capitalize() if found[:1].isupper() else word
