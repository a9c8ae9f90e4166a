"""Values at the border of a lever: what goes out and what comes back is of the declared kind, or the lever says so. Pure."""

from __future__ import annotations

from trimtab.domain.errors import Permanent
from trimtab.domain.levers import LeverKind, LeverSpec, LeverValue


def as_kind(spec: LeverSpec, value: object) -> LeverValue:
    """A value to set, as one of the lever's kind; `Permanent` before anything is sent where it is none.

    >>> as_kind(LeverSpec("workers", "shop"), 4.0)
    4
    """
    try:
        return spec.coerce(value)
    except (ValueError, OverflowError) as error:
        raise Permanent(f"lever {spec.lever_id} takes {_article(spec)}: {error}", remedy="Nothing was set") from error


def read_as_kind(spec: LeverSpec, raw: object) -> LeverValue:
    """What a target sent, as a value of the lever's kind; `Permanent` naming what was received where it is none."""
    try:
        return spec.coerce(raw)
    except (ValueError, OverflowError) as error:
        words = f"lever {spec.lever_id} is declared {_article(spec)}, but reads otherwise: {str(error)[:200]}"
        raise Permanent(words, remedy="Correct kind in the configuration, or the target") from error


def read_json_as_kind(spec: LeverSpec, raw: object) -> LeverValue:
    """The same for what JSON carried, which has true and false of its own: who sends the number 1 may well hold a 2 next.

    >>> read_json_as_kind(LeverSpec("cache", "shop", LeverKind.BOOLEAN), True)
    True
    """
    if spec.kind is LeverKind.BOOLEAN and isinstance(raw, int | float) and not isinstance(raw, bool):
        words = f"lever {spec.lever_id} is declared {_article(spec)}, but reads the number {raw:g}"
        raise Permanent(words, remedy="Declare it kind: integer with bounds, or have the target send true or false")
    return read_as_kind(spec, raw)


def _article(spec: LeverSpec) -> str:
    return f"{'an' if spec.kind.value[0] in 'aeiou' else 'a'} {spec.kind.value}"
