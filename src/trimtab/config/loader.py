"""From a file to `Settings`, with every mistake at once. The one way in for the command line and for `assembly`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from trimtab.config.document import Document
from trimtab.config.environment import override
from trimtab.config.options import JobOptions, LeverOptions, SensorOptions
from trimtab.config.parts import Context
from trimtab.config.references import fill_in
from trimtab.config.relations import mistakes
from trimtab.config.scalars import NotAValue, typed
from trimtab.config.settings import DATA_FOLDER, Settings
from trimtab.config.wording import WANTS_SCALAR, dotted, report_error
from trimtab.config.yaml_source import read_yaml
from trimtab.domain.errors import ConfigError

_NO_SENSORS: Mapping[str, type[SensorOptions]] = {}
_NO_LEVERS: Mapping[str, type[LeverOptions]] = {}
_NO_JOBS: Mapping[str, type[JobOptions]] = {}


def load(
    path: str | PathLike[str],
    *,
    environ: Mapping[str, str],
    sensors: Mapping[str, type[SensorOptions]] = _NO_SENSORS,
    levers: Mapping[str, type[LeverOptions]] = _NO_LEVERS,
    jobs: Mapping[str, type[JobOptions]] = _NO_JOBS,
) -> Settings:
    """The settings in the YAML file `path`, with `TRIMTAB_…` variables of `environ` on top.

    `sensors`, `levers` and `jobs` say which options model belongs to which `type:`; where one is empty, any type passes with
    any keys.
    Raises `ConfigError` with all mistakes found, each as `file:line:column: what; what to do`.
    """
    file = FilePath(path)
    document = read_yaml(file)
    context = Context(document.secrets, file.absolute().parent, environ.get("HOME"), sensors, levers, jobs)
    settings = None
    if document.values:  # there is something to look at
        fill_in(document, environ, context)
        override(document, environ, Settings)
        settings = _validate(document, context)
        _relate(document)
    if settings is None or document.problems:
        raise _error(document)
    return settings


def load_part(path: str | PathLike[str], *, environ: Mapping[str, str], keys: Sequence[str]) -> Settings:
    """Only these settings of the top level, the others at their defaults, whatever is wrong with them in the file.

    For commands that have to reach the agent while somebody edits. Raises `ConfigError` where these themselves cannot be used.
    """
    document = read_yaml(FilePath(path))
    context = Context(document.secrets, FilePath(path).absolute().parent, environ.get("HOME"))
    document.problems.clear()
    document.tree = {key: document.tree[key] for key in keys if key in document.tree}
    fill_in(document, environ, context)
    override(document, environ, Settings)
    document.tree = {key: document.tree[key] for key in keys if key in document.tree}
    document.problems.clear()  # of other parts
    settings = _validate(document, context) if document.values else None
    if settings is None:
        raise _error(document)
    return settings


def _validate(document: Document, context: Context) -> Settings | None:
    """The models' view of the document. As strict as JSON: a quoted number is no number, `yes` is no boolean."""
    storage = document.tree.setdefault("storage", {})
    if isinstance(storage, dict):
        storage.setdefault("path", DATA_FOLDER)  # so that the default, too, is found from the file's folder
    while True:
        try:
            return Settings.model_validate_json(json.dumps(document.tree), strict=True, context=context)
        except ValidationError as error:
            errors: Sequence[Mapping[str, Any]] = error.errors(include_url=False)
        if not _give_types(document, errors):
            break
    for each in errors:
        report_error(document, each, Settings, context)
    return None


def _give_types(document: Document, errors: Sequence[Mapping[str, Any]]) -> bool:
    """Where the models want a number or a boolean and the text came from a variable, read the text as one."""
    changed = False
    for error in errors:
        path = document.existing(tuple(error["loc"]))
        if error["type"] not in WANTS_SCALAR or path not in document.soft:
            continue
        document.soft.discard(path)
        try:
            value = typed(str(error["input"]))
        except NotAValue:
            continue
        if not isinstance(value, str):
            changed = True
            document.replace(path, value)
            if path in document.hidden and not isinstance(value, bool):
                document.secrets.add_number(value)
    return changed


def _relate(document: Document) -> None:
    for mistake in mistakes(document.tree):
        if not document.settled(mistake.path):
            document.report(mistake.path, f"{dotted(mistake.path)}: {mistake.what}", mistake.remedy, see=mistake.see)


def _error(document: Document) -> ConfigError:
    if document.absent:
        here = "" if len(FilePath(document.file).parts) > 1 else " here"
        return ConfigError(f"there is no {document.file}{here}", remedy="`trimtab init` writes one; or name yours with --config")
    found = sorted(document.problems, key=lambda problem: (problem.variable or "", problem.place is not None, problem.place))
    lines = tuple(dict.fromkeys(problem.line(document.file, document.secrets) for problem in found))
    count = "one mistake" if len(lines) == 1 else f"{len(lines)} mistakes"
    return ConfigError(f"The configuration {document.file} cannot be used: {count}", problems=lines)
