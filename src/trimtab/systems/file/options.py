"""What can be said of sensors and levers of `type: file` in the YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from trimtab.config import LeverOptions, Part, SensorOptions
from trimtab.config.parts import Context, MetricName, rule
from trimtab.systems.paths import parse_path

LINES = ("ini", "properties", "env")


def _locate(path: Path, info: ValidationInfo) -> Path:
    return Context.of(info.context).locate(path)


def _check_key(form: str, key: str | None) -> None:
    if (key is None) != (form == "text"):
        raise rule(
            f"format {form} {'needs a key' if key is None else 'has no key: the whole file is the value'}",
            "give both, e.g. format: json and key: pool.size, or neither",
        )
    if key is None:
        return
    if form in ("json", "yaml"):
        try:
            parse_path(key)
        except ValueError as error:
            raise rule(str(error), "e.g. key: pool.size") from None
    elif not key.strip() or key != key.strip() or set(key) & set("=\r\n"):
        raise rule(f"{key!r} is no key of a line KEY=value", "write the key alone, as it stands in the file")


File = Annotated[Path, AfterValidator(_locate)]


class NotifyOptions(Part):
    """The signal that makes a program read its file again."""

    pid_file: File = Field(description="Holds the program's process id.")
    signal: Literal["HUP", "USR1", "USR2"] = "HUP"


class FileLeverOptions(LeverOptions):
    """A value in a file, which is replaced as a whole."""

    type: Literal["file"] = "file"
    path: File = Field(description="The file, from the folder of this configuration.")
    format: Literal["text", "json", "yaml", "ini", "properties", "env"] = "text"
    key: str | None = Field(
        None, description="Where the value stands: pool.size in json and yaml, the key in ini, properties and env."
    )
    section: str | None = Field(None, description="Of an ini file. Default: the lines before the first section.")
    notify: NotifyOptions | None = Field(None, description="Whom to tell after the file was replaced.")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        _check_key(self.format, self.key)
        if self.section is not None and self.format != "ini":
            raise rule(f"format {self.format} has no sections", "remove section, or make the format ini")
        return self


class FileSensorOptions(SensorOptions):
    """The age and size of a file, and a number in it."""

    type: Literal["file"] = "file"
    path: File = Field(description="The file, from the folder of this configuration.")
    metric: MetricName | None = Field(
        None, description="What the number in the file is called. Default: only age and size are read."
    )
    format: Literal["text", "json"] = "text"
    key: str | None = Field(None, description="Where the number stands in JSON, such as queue.length.")

    @model_validator(mode="after")
    def _one_number(self) -> Self:
        if self.metric is not None or self.format != "text" or self.key is not None:
            _check_key(self.format, self.key)
        if self.metric is None and self.key is not None:
            raise rule("the number has no name", "give metric: the name of its series")
        return self
