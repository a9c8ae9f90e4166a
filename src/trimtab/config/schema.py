"""The JSON schema of `trimtab.yaml`, for editors and `trimtab config schema`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import or_
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field, create_model

from trimtab.config.options import JobOptions, LeverOptions, SensorOptions
from trimtab.config.settings import ElementSettings, Settings


def json_schema(
    sensors: Mapping[str, type[SensorOptions]],
    levers: Mapping[str, type[LeverOptions]],
    jobs: Mapping[str, type[JobOptions]] = MappingProxyType({}),
) -> dict[str, Any]:
    """The schema, in which sensors, levers and jobs are told apart by their `type`.

    >>> json_schema({}, {})["properties"]["retention_days"]["default"]
    30
    """
    overrides: dict[str, Any] = {}
    for noun, models in (("sensors", sensors), ("levers", levers), ("jobs", jobs)):
        if models:
            overrides[noun] = (_many(_told_apart(models, noun)), ())
    element: Any = create_model("ElementSettings", __base__=ElementSettings, **overrides)
    whole: type[Settings] = create_model("Settings", __base__=Settings, elements=(_many(element), ()))
    schema = whole.model_json_schema(mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "trimtab.yaml"}


def _told_apart(models: Mapping[str, type[Any]], noun: str) -> Any:
    """A union of `models`, each with its `type` pinned to the one word that stands for it."""
    pinned: list[Any] = []
    for name, model in sorted(models.items()):
        word: Any = Literal[name]
        pinned.append(create_model(f"{noun}_{name}", __base__=model, __doc__=model.__doc__, type=(word, ...)))
    return pinned[0] if len(pinned) == 1 else Annotated[reduce(or_, pinned), Field(discriminator="type")]


def _many(item: Any) -> Any:
    return tuple[item, ...]
