"""What differs between two configurations, by name. Values are never told: one of them may be a secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trimtab.config.parts import Part
from trimtab.config.relations import Path
from trimtab.config.settings import Settings
from trimtab.config.wording import dotted


def changes(old: Settings, new: Settings) -> tuple[str, ...]:
    """The settings that differ, as people write them; a list that has grown or shrunk is named as a whole.

    >>> changes(Settings(), Settings(retention_days=7, api={"port": 9000}))
    ('retention_days', 'api.port')
    """
    return tuple(dict.fromkeys(dotted(path) for path in _differing(old, new, ())))


def _differing(old: Any, new: Any, path: Path) -> Iterator[Path]:
    if isinstance(old, Part) and type(old) is type(new):
        for name in type(old).model_fields:
            yield from _differing(getattr(old, name), getattr(new, name), (*path, name))
    elif isinstance(old, tuple) and isinstance(new, tuple) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _differing(one, other, (*path, index) if isinstance(one, Part) else path)
    elif isinstance(old, Mapping) and isinstance(new, Mapping) and old.keys() == new.keys():
        for key in old:
            yield from _differing(old[key], new[key], (*path, str(key)) if isinstance(old[key], Part) else path)
    elif old != new:
        yield path
