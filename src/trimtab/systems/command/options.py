"""What can be said of `type: command` sensors, levers and jobs in the YAML."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from trimtab.config import JobOptions, LeverOptions, SensorOptions
from trimtab.config.parts import Context, MetricName, Part, rule
from trimtab.domain.levers import Reversibility
from trimtab.systems.command.arguments import fill, fills
from trimtab.systems.net import DEFAULT_TIMEOUT_SECONDS
from trimtab.systems.paths import JsonPath


def _check_list(value: Any) -> Any:
    if isinstance(value, str):
        raise rule("a command is a list of words, for no shell reads it", "write it like [./tool, --flag, word]")
    return tuple(value) if isinstance(value, list) else value  # behind a validator of our own a list is no tuple any more


def _check_words(argv: tuple[str, ...]) -> tuple[str, ...]:
    if not argv or not argv[0]:
        raise rule("there is no program to run", "write a command like [./tool, --flag, word]")
    if any("\0" in word for word in argv):
        raise rule("no word of a command can hold a NUL", "remove it")
    return argv


def _check_fill(name: str, *, needed: bool) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    def check(argv: tuple[str, ...]) -> tuple[str, ...]:
        try:
            there = fills(argv, name)
        except ValueError as error:
            what, _, remedy = str(error).partition("; ")
            raise rule(what, remedy) from None
        if fill(argv[:1], name, "") != fill(argv[:1], name, "x"):
            raise rule("the program itself cannot be filled in", f"write {{{name}}} in one of the words that follow")
        if needed and not there:
            raise rule(f"no word says {{{name}}}", f"write it where the {name} belongs: [./tool, --set, '{{{name}}}']")
        return argv

    return check


Argv = Annotated[tuple[str, ...], BeforeValidator(_check_list), AfterValidator(_check_words)]
ValueArgv = Annotated[Argv, AfterValidator(_check_fill("value", needed=True))]
KeyArgv = Annotated[Argv, AfterValidator(_check_fill("key", needed=False))]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class Surroundings(Part):
    """Where and with what a command runs."""

    cwd: str = Field(".", validate_default=True, description="Where it runs; from this file's folder.")
    env: dict[Variable, str] = Field(default_factory=dict, description="Variables, beside PATH, HOME and LANG. Secrets go here.")
    timeout_seconds: float = Field(DEFAULT_TIMEOUT_SECONDS, gt=0, le=60, description="Then it is killed.")

    @field_validator("cwd")
    @classmethod
    def _from_the_file(cls, value: str, info: ValidationInfo) -> str:
        return str(Context.of(info.context).locate(Path(value)))

    @field_validator("env")
    @classmethod
    def _texts(cls, value: dict[str, str]) -> dict[str, str]:
        if any("\0" in text for text in value.values()):
            raise rule("no variable can hold a NUL", "remove it")
        return value

    def hide(self, text: str) -> str:
        """`text` without what came in through `${env:}` and `${file:}`, and without the variables given here."""
        for secret in sorted(self.env.values(), key=len, reverse=True):
            if len(secret) >= 8:  # a shorter one is a setting such as "prod" or "8080", and a message without it says nothing
                text = text.replace(secret, "***")
        return self._secrets.redact(text)


class CommandSensorOptions(SensorOptions, Surroundings):
    """A program that prints a number, or a JSON document with several."""

    type: Literal["command"] = "command"
    argv: Argv = Field(description="The program and its arguments. No shell.")
    metric: MetricName | None = Field(None, description="It prints one number: the series' name.")
    metrics: dict[MetricName, JsonPath] = Field(
        default_factory=dict, description="It prints JSON: series name → path in the document, such as queue.length."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.metric is None) == (not self.metrics):
            raise rule("a command prints one number or one JSON document", "give either metric: name, or metrics: {name: path}")
        return self


class CommandLeverOptions(LeverOptions, Surroundings):
    """A setting that one program prints and another sets."""

    type: Literal["command"] = "command"
    read: Argv = Field(description="Prints the value, and nothing else.")
    set: ValueArgv = Field(description="Sets the value that stands for {value} in it; {{ is a brace.")


class CommandJobOptions(JobOptions, Surroundings):
    """A run-once effect that programs start, look after and undo."""

    type: Literal["command"] = "command"
    start: KeyArgv = Field(description="Starts it and returns within a few seconds. {key} is filled in, here and below.")
    probe: KeyArgv = Field(description="Prints absent, running, done or broken.")
    undo: KeyArgv | None = Field(None, description="Takes it back. May be left out of what is irreversible.")

    @model_validator(mode="after")
    def _a_way_back(self) -> Self:
        if self.undo is None and self.reversibility is Reversibility.REVERSIBLE:
            raise rule("a job that is reversible needs a way back", "give undo, or say reversibility: irreversible")
        return self
