"""Environment variables over the file: `TRIMTAB_API__PORT=9000` is `api.port: 9000`.

Any scalar outside lists can be set; lists have no names to call their items by.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from trimtab.config.document import Document, Problem
from trimtab.config.models import models_in
from trimtab.config.references import is_sensitive
from trimtab.config.relations import TWINS, Path
from trimtab.domain.metrics import MetricType

PREFIX = "TRIMTAB_"
_LISTS = frozenset({"elements", "goals", "notifications", "maintenance_windows", "change_freezes"})
NOT_SETTINGS = frozenset({"TRIMTAB_TOKEN", "TRIMTAB_CONFIG", "TRIMTAB_REQUIRE_SERVICES"})  # read elsewhere


def override(document: Document, environ: Mapping[str, str], root: type[BaseModel]) -> None:
    """Lay the variables of `environ` over the document; report those that name no setting."""
    known = dict(variables(root))
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in NOT_SETTINGS:
            continue
        if name in known:
            _set(document, known[name], name, environ[name])
        else:
            document.problems.append(Problem(None, "there is no such setting", _remedy(name, known), variable=name))
    _yield_twins(document)


def variables(model: type[BaseModel], above: Path = ()) -> Iterator[tuple[str, Path]]:
    """Every variable that is known, with the path of the setting that it overrides.

    >>> class Model(BaseModel):
    ...     port: int = 1
    >>> list(variables(Model))
    [('TRIMTAB_PORT', ('port',))]
    """
    for key, field in model.model_fields.items():
        path, annotation = (*above, key), field.annotation
        nested = models_in(annotation)
        if get_origin(annotation) is tuple:
            continue
        if get_origin(annotation) is dict and get_args(annotation)[0] is MetricType:
            for kind in MetricType:
                yield from (found for item in nested for found in variables(item, (*path, kind.value)))
        elif nested:
            yield from (found for item in nested for found in variables(item, path))
        else:
            yield PREFIX + "__".join(str(part) for part in path).upper(), path


def _set(document: Document, path: Path, name: str, text: str) -> None:
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        document.problems.append(Problem(None, "the value is not UTF-8", "give it as UTF-8", variable=name))
        return
    here: Any = document.tree
    for part in path[:-1]:
        here = here.setdefault(part, {})
        if not isinstance(here, dict):
            return  # the file has something else there, which is reported by itself
    here[path[-1]] = text
    document.variables[path] = name
    document.refused.discard(path)
    document.soft.add(path)
    document.hidden.discard(path)
    if is_sensitive(path):
        document.secrets.add(text)
        document.hidden.add(path)


def _yield_twins(document: Document) -> None:
    """A variable for one name of a setting overrides the file's other name for it, too."""
    for pair in TWINS:
        for mine, other in (pair, pair[::-1]):
            if mine in document.variables and other not in document.variables:
                parent: Any = document.tree
                for part in other[:-1]:
                    parent = parent.get(part) if isinstance(parent, dict) else None
                if isinstance(parent, dict):
                    parent.pop(other[-1], None)


def _remedy(name: str, known: Mapping[str, Path]) -> str:
    if name.split("__")[0].removeprefix(PREFIX).lower() in _LISTS:
        return "lists are set in the file only"
    close = difflib.get_close_matches(name.upper(), [*known, *NOT_SETTINGS], n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else "remove it, or see `trimtab config schema` for what there is"
