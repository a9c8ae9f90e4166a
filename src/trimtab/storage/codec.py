"""The JSON of an action record, and the one canonical form that hashes are taken over.

Called by the journals at every write. Equal values always give equal bytes: keys and sets are sorted, no spaces. NaN and ±inf are
written as Python's `json` writes them, since a record must survive whatever a broken target sent.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from trimtab.domain.actions import ActionRecord
from trimtab.domain.errors import StoreError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_IN_THE_ROW = ("state", "since", "reason", "actor")  # columns of the row already: not repeated in its data


def canonical(value: object) -> str:
    """`value` as canonical JSON.

    Raises `ValueError` naming the offender where something in it has no JSON form. Half a surrogate pair becomes "?": neither
    UTF-8 nor SQLite can hold one.

    >>> canonical({"b": frozenset({"y", "x"}), "a": (1, 1.0, True)})
    '{"a":[1,1.0,true],"b":["x","y"]}'
    """
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)
    except TypeError as exc:
        raise ValueError(f"not something that JSON can hold: {exc}") from exc
    return clean(text)


def clean(text: str) -> str:
    """`text` as it reads back from UTF-8."""
    return text.encode("utf-8", "replace").decode()


def digest(text: str) -> str:
    """The SHA-256 of `text`, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def encode(record: ActionRecord) -> str:
    """`record` as canonical JSON.

    >>> from trimtab.testing.records import a_record
    >>> decode(encode(a_record("a1"))) == a_record("a1")
    True
    """
    return canonical(_adapter().dump_python(record, warnings=False))


def decode(text: str) -> ActionRecord:
    """The record that `encode` wrote: values of levers keep their exact type. Raises `StoreError` where it is none."""
    try:
        return _adapter().validate_python(_fields(text))
    except ValueError as exc:  # pydantic's error is one
        raise _unreadable(exc) from exc


def row_data(text: str, before: str | None) -> dict[str, object]:
    """What a transition's row carries: the fields that `changed` since `before`, and the digest of the whole record.

    With the changes in it the chain alone can tell every value an action ever had, its undo snapshot above all; with the digest,
    `verify` can tell that the stored record is the one that was written.
    """
    new, old = _fields(text), _fields(before) if before is not None else {}
    changed = {name: new[name] for name in new if name not in _IN_THE_ROW and (name not in old or differ(new[name], old[name]))}
    return {"changed": changed, "record": digest(text)}


def differ(a: object, b: object) -> bool:
    """Whether two JSON values differ, in type too: 1, 1.0 and true are three settings."""
    return canonical(a) != canonical(b)


def _fields(text: str) -> dict[str, object]:
    try:
        return dict(json.loads(text))
    except (ValueError, TypeError) as exc:
        raise _unreadable(exc) from exc


def _unreadable(exc: Exception) -> StoreError:
    return StoreError(
        f"a stored action cannot be read: {' '.join(str(exc).split())[:300]}",
        remedy="Restore the last backup of the data folder, and find out who wrote to it",
    )


@cache
def _adapter() -> TypeAdapter[ActionRecord]:
    from pydantic import TypeAdapter  # 0.1 s, and only a store needs it

    return TypeAdapter(ActionRecord)


def _plain(value: object) -> Any:
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{value!r} of type {type(value).__name__}")
