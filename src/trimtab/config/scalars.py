"""Scalars of YAML 1.2's core schema: what a word in the file, or in a variable, means.

`yes` and `012` are what they look like (a text, twelve); NaN and infinities are refused, since no setting can mean them.
"""

from __future__ import annotations

import math
import re

_TAG = "tag:yaml.org,2002:"
_LARGEST = 2**63 - 1
_INTEGER = re.compile(r"[-+]?(?:0o[0-7]+|0x[0-9a-fA-F]+|[0-9]+)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool] = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


class NotAValue(ValueError):
    """A scalar that no setting can hold."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


def scalar(tag: str, text: str) -> bool | int | float | str | None:
    """The value of a scalar node. Raises `NotAValue`."""
    kind = tag.removeprefix(_TAG)
    if kind == "int":
        return _integer(text)
    if kind == "float":
        return _float(text)
    if kind == "bool" and text in _WORDS:
        return _WORDS[text]
    if kind == "null":
        return None
    if kind in ("str", "timestamp", "merge", "value", "bool"):  # dates are texts in YAML 1.2
        return _text(text)
    raise NotAValue(f"the tag {tag.replace(_TAG, '!!')} means nothing here", "remove it")


def typed(text: str) -> bool | int | float | str:
    """What `text`, which was given where only text can be given, means. Raises `NotAValue`.

    >>> typed("8642"), typed("0.5"), typed("true"), typed("yes")
    (8642, 0.5, True, 'yes')
    """
    word = text.strip()
    if word in _WORDS:
        return _WORDS[word]
    if _INTEGER.fullmatch(word):
        return _integer(word)
    if _FLOAT.fullmatch(word) or re.fullmatch(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", word):
        return _float(word)
    return _text(text)


def _integer(text: str) -> int:
    digits = text.replace("_", "")
    if len(digits) > 64:
        raise NotAValue("the number is too large", "give one below 2^63")
    sign, digits = (-1, digits[1:]) if digits[:1] == "-" else (1, digits.removeprefix("+"))
    base = {"0x": 16, "0o": 8, "0b": 2}.get(digits[:2].lower(), 10)
    try:
        number = sign * int(digits if base == 10 else digits[2:], base)
    except ValueError:
        raise NotAValue(f"'{text}' is not a number", "write it in digits, or in quotes where a text is meant") from None
    if abs(number) > _LARGEST:
        raise NotAValue("the number is too large", "give one below 2^63")
    return number


def _float(text: str) -> float:
    plain = text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan")
    try:
        number = float(plain)
    except ValueError:
        raise NotAValue(f"'{text}' is not a number", "write it in digits, or in quotes where a text is meant") from None
    if not math.isfinite(number):
        raise NotAValue(f"{text} is not a number that a setting can have", "give a finite number, or remove the key")
    return number


def _text(text: str) -> str:
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise NotAValue("the text holds half a character (a lone \\ud… escape)", "remove it")
    return text
