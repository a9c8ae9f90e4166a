"""What can be said of `type: process` sensors and levers in the YAML."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from trimtab.config import LeverOptions, SensorOptions
from trimtab.config.parts import Context, Duration, Part, Period, plain, rule
from trimtab.domain.levers import LeverKind, LeverSpec


def _check_pattern(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise rule(f"not a regular expression ({error})", "escape what is meant literally with a backslash") from None
    return pattern


def _short_name(value: Any) -> Any:
    return value.upper().removeprefix("SIG") if isinstance(value, str) else value


Pattern = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_check_pattern)]
# Those that servers give a meaning of their own. What ends or stops a program for certain is not among them.
SignalName = Annotated[Literal["TTIN", "TTOU", "USR1", "USR2", "HUP", "WINCH"], BeforeValidator(_short_name)]


class Target(Part):
    """Which process is meant, and which of its children count."""

    pid_file: str | None = Field(None, description="A file with the process's id, as servers write one.")
    match: Pattern | None = Field(None, description="A regular expression that finds one command line: 'gunicorn shop:app'.")
    pid: int | None = Field(None, gt=1, description="The process's id, where something else has put it here.")
    child_match: Pattern | None = Field(None, description="Children count whose command line it finds. Default: all.")

    @field_validator("pid_file")
    @classmethod
    def _from_the_file(cls, value: str | None, info: ValidationInfo) -> str | None:
        return None if value is None else str(Context.of(info.context).locate(Path(value)))

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(way is not None for way in (self.pid_file, self.match, self.pid)) != 1:
            raise rule("a process is found in one way", "give one of pid_file: ./shop.pid, match: 'gunicorn shop:app', pid: 4711")
        return self


class ProcessSensorOptions(SensorOptions, Target):
    """Processor, memory, threads and files of a process and its children."""

    type: Literal["process"] = "process"


class ProcessLeverOptions(LeverOptions, Target):
    """How many workers a master process keeps, moved by the signals that add and take away one."""

    type: Literal["process"] = "process"
    count: Literal["children"] = Field("children", description="What is counted.")
    raise_signal: SignalName = Field("TTIN", description="Adds one worker.")
    lower_signal: SignalName = Field("TTOU", description="Takes one away.")
    pace_seconds: Duration = Field(0.1, description="Rest between two signals.")
    takes_seconds: Period = Field(60.0, description="How long the pool may take to get there, or back.")

    @model_validator(mode="after")
    def _a_count(self) -> Self:
        if self.kind is not LeverKind.INTEGER or (self.bounds is not None and self.bounds[0] < 0):
            low = plain(self.bounds[0]) if self.bounds is not None else "none"
            what = f"workers are counted, and this is a lever of kind {self.kind} from {low}"
            raise rule(what, "use kind: integer, from 0 or more")
        if self.raise_signal == self.lower_signal:
            raise rule(f"{self.raise_signal} cannot both raise and lower", "give two signals")
        return self

    def spec(self, element: str, locks: frozenset[str]) -> LeverSpec:
        """As `LeverOptions.spec`; a pool passes through the counts in between, and may be cut off there."""
        return replace(super().spec(element, locks), gradual=True, takes_seconds=self.takes_seconds)
