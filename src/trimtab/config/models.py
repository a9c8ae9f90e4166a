"""Which model stands at a place of the tree: for "did you mean", and for the names of environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel

from trimtab.config.options import JobOptions, LeverOptions, SensorOptions
from trimtab.config.parts import Context
from trimtab.config.relations import Path, lookup


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models that a field of this annotation may hold, however they are wrapped.

    >>> from trimtab.config.settings import ApiSettings
    >>> [model.__name__ for model in models_in(tuple[ApiSettings, ...] | None)]
    ['ApiSettings']
    """
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in models_in(argument)]


def keys_at(root: type[BaseModel], tree: Mapping[str, Any], path: Path, context: Context) -> list[str]:
    """The keys that the mapping at `path` may have."""
    models: list[type[BaseModel]] = [root]
    for length, part in enumerate(path, start=1):
        if isinstance(part, str):
            fields = [model.model_fields[part] for model in models if part in model.model_fields]
            models = [found for field in fields for found in models_in(field.annotation)] if fields else models
        models = [_by_type(model, lookup(tree, path[:length]), context) for model in models]
    names = dict.fromkeys(field.alias or name for model in models for name, field in model.model_fields.items())
    return list(names)


def _by_type(model: type[BaseModel], item: Any, context: Context) -> type[BaseModel]:
    kind = item.get("type") if isinstance(item, Mapping) else None
    known = {SensorOptions: context.sensors, LeverOptions: context.levers, JobOptions: context.jobs}.get(model, {})
    return known.get(kind, model) if isinstance(kind, str) else model
