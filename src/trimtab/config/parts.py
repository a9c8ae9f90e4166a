"""The base of every settings model, and the number types they share: ranges live here, once.

Called by `settings`, `elements` and `options`. Models are frozen, know their keys, and never show a secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SerializerFunctionWrapHandler, model_serializer
from pydantic_core import PydanticCustomError

from trimtab.config.secrets import Secrets

_YEAR = 31_622_400.0  # seconds; nothing in a control loop waits longer

Period = Annotated[float, Field(gt=0, le=_YEAR, allow_inf_nan=False)]  # seconds between two turns of something
Duration = Annotated[float, Field(ge=0, le=_YEAR, allow_inf_nan=False)]  # seconds, 0 = not at all
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
NAME_FORM = r"^[A-Za-z0-9_.-]+$"
METRIC_FORM = r"^[^\s{}\"']+$"
URL_FORM = r"^[A-Za-z][A-Za-z0-9+.-]*://\S+$"
TIME_FORM = r"^(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"
Name = Annotated[str, Field(pattern=NAME_FORM, max_length=200)]
MetricName = Annotated[str, Field(pattern=METRIC_FORM, max_length=500)]


@dataclass(frozen=True)
class Context:
    """What a load hands to the models: where the file lies, and which options model belongs to which `type`."""

    secrets: Secrets = field(default_factory=Secrets)
    folder: Path | None = None
    home: str | None = None
    sensors: Mapping[str, type[Any]] = field(default_factory=dict)
    levers: Mapping[str, type[Any]] = field(default_factory=dict)
    jobs: Mapping[str, type[Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, context: object) -> Context:
        """The context of a validation, an empty one where a model is built in Python."""
        return context if isinstance(context, Context) else cls()

    def locate(self, path: Path) -> Path:
        """`path` from the folder of the config file, so that it does not matter where a command is started."""
        if self.home and path.parts[:1] == ("~",):
            return Path(self.home, *path.parts[1:])
        return (self.folder / path).resolve() if self.folder is not None else path


class Part(BaseModel):
    """A part of the configuration.

    Attributes hold the real values; `repr` and `model_dump` show secrets as `***`, so build nothing from a dump.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)
    _secrets: Secrets = PrivateAttr(default_factory=Secrets)

    def model_post_init(self, context: Any, /) -> None:
        """Remember what must not be shown."""
        if isinstance(context, Context):
            self._secrets = context.secrets

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for key, value in super().__repr_args__():
            yield key, self._secrets.mask(value)

    @model_serializer(mode="wrap")
    def _masked(self, handler: SerializerFunctionWrapHandler) -> Any:
        return self._secrets.mask(handler(self))


def rule(what: str, remedy: str) -> PydanticCustomError:
    """The error of a rule that is broken: what is wrong, and what to do."""
    return PydanticCustomError("rule", "{text}", {"text": f"{what}; {remedy}", "what": what, "remedy": remedy})


def plain(number: float) -> str:
    """A number as a person would write it.

    >>> plain(30.0), plain(0.05)
    ('30', '0.05')
    """
    return f"{number:.12g}"
