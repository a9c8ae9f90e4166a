"""What every sensor and lever may say in the YAML. Each system adds its own keys by subclassing.

`load` is told which model belongs to which `type:`; where it is told nothing, any type passes with any further keys.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, SerializeAsAny, ValidationInfo, WrapValidator, field_validator
from pydantic_core import PydanticCustomError

from trimtab.config.parts import Context, Duration, Finite, Fraction, MetricName, Name, Part, Period, plain, rule
from trimtab.domain.levers import ABSENT, DONE, ActionPriority, Autonomy, LeverKind, LeverSpec, Mode, Reversibility


class SensorOptions(Part):
    """Keys that every sensor has. Subclass it with the keys of one system.

    >>> SensorOptions(type="prometheus", interval_seconds=5).interval_seconds
    5.0
    """

    type: Annotated[str, Field(min_length=1)]
    name: Name | None = None
    interval_seconds: Period | None = None  # None: monitoring.interval_seconds

    @field_validator("type")
    @classmethod
    def _known(cls, value: str, info: ValidationInfo) -> str:
        return _known_type(value, "sensor", Context.of(info.context).sensors)


class ChangeOptions(Part):
    """Keys of whatever can be changed: what levers and jobs have in common."""

    type: Annotated[str, Field(min_length=1)]
    name: Name
    reversibility: Reversibility = Reversibility.REVERSIBLE
    autonomy: Autonomy | None = None  # None: act where safety.enable_automatic_actions is true, else ask
    risk_level: Fraction = 0.3
    priority: ActionPriority = ActionPriority.MEDIUM
    expected_improvement: Fraction = 0.1  # prior
    success_probability: Fraction = 0.5  # prior
    settle_seconds: Duration = 20.0
    moves: dict[MetricName, Literal["up", "down", "unknown"]] = Field(default_factory=dict)  # when raised, or done
    module: Literal["performance", "model", "pipeline", "infrastructure"] = "performance"
    locks: tuple[Name, ...] = ()

    def declared(self, element: str, locks: frozenset[str]) -> LeverSpec:
        """What is declared here, of a change to `element`, which is tied to the elements in `locks` (see `locks_of`)."""
        return LeverSpec(
            name=self.name,
            element=element,
            reversibility=self.reversibility,
            autonomy=self.autonomy or Autonomy.ACT,
            risk_level=self.risk_level,
            priority=self.priority,
            expected_improvement=self.expected_improvement,
            success_probability=self.success_probability,
            settle_seconds=self.settle_seconds,
            moves=tuple(sorted(self.moves.items())),
            module=self.module,
            locks=locks | {f"lock:{name}" for name in self.locks},
        )


class LeverOptions(ChangeOptions):
    """Keys that every lever has. Subclass it with the keys of one system, and turn it into a domain value by `spec`.

    Rules look at fields declared above theirs, so the order of the fields matters.
    """

    kind: LeverKind = LeverKind.INTEGER
    bounds: Annotated[tuple[Finite, Finite] | None, Field(validate_default=True)] = None  # inclusive
    step: Annotated[float, Field(gt=0, allow_inf_nan=False, validate_default=True)] = 1.0  # smallest step
    choices: Annotated[tuple[str, ...], Field(validate_default=True)] = ()
    mode: Mode = Mode.TUNED
    switchback: Annotated[bool, Field(validate_default=True)] = False  # cheap to move: trials may put it on and off to see
    follows: tuple[MetricName, ...] = ()  # of the load; none: the element's rates, see docs/regulation.md
    cost_per_second: Finite = 0.0  # of one unit of the lever, in any currency
    worth_per_request: Finite = 0.0  # what one unit brings in on each unit of the load, in the same currency

    @field_validator("type")
    @classmethod
    def _known(cls, value: str, info: ValidationInfo) -> str:
        return _known_type(value, "lever", Context.of(info.context).levers)

    @field_validator("bounds")
    @classmethod
    def _bounds(cls, value: tuple[float, float] | None, info: ValidationInfo) -> tuple[float, float] | None:
        kind = info.data.get("kind")
        if value is None:
            if kind in (LeverKind.INTEGER, LeverKind.FLOAT):
                raise rule(
                    f"a lever of kind {kind} needs bounds", "give the lowest and highest value allowed, e.g. bounds: [1, 16]"
                )
            return None
        if kind in (LeverKind.CHOICE, LeverKind.BOOLEAN):
            raise rule(f"a lever of kind {kind} has no bounds", "remove them, or make the kind integer or float")
        low, high = value
        if low >= high:
            raise rule(f"the low bound {plain(low)} is not below the high bound {plain(high)}", "write them as [low, high]")
        if kind is LeverKind.INTEGER and not (low.is_integer() and high.is_integer()):
            raise rule(
                f"an integer lever needs whole bounds, got [{plain(low)}, {plain(high)}]", "round them, or make the kind float"
            )
        return value

    @field_validator("step")
    @classmethod
    def _step(cls, value: float, info: ValidationInfo) -> float:
        kind, bounds = info.data.get("kind"), info.data.get("bounds")
        if kind is LeverKind.INTEGER and not value.is_integer():
            raise rule(f"an integer lever needs a whole step, got {plain(value)}", "round it, or make the kind float")
        if bounds is not None and value > bounds[1] - bounds[0]:
            raise rule(
                f"the step {plain(value)} is larger than the range {plain(bounds[1] - bounds[0])} between the bounds",
                "give a smaller step (it is 1 where none is given)",
            )
        return value

    @field_validator("choices")
    @classmethod
    def _choices(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        kind = info.data.get("kind")
        if kind is LeverKind.CHOICE and len(set(value)) < 2:
            raise rule("a lever of kind choice needs at least two different choices", "e.g. choices: [small, large]")
        if len(set(value)) < len(value):
            raise rule("a choice is there twice", "name each choice once")
        if value and kind is not None and kind is not LeverKind.CHOICE:
            raise rule(f"a lever of kind {kind} has no choices", "remove them, or make the kind choice")
        return value

    @field_validator("mode")
    @classmethod
    def _mode(cls, value: Mode, info: ValidationInfo) -> Mode:
        kind = info.data.get("kind")
        if value is Mode.REGULATED and kind in (LeverKind.CHOICE, LeverKind.BOOLEAN):
            raise rule(f"a lever of kind {kind} has no scale to follow load on", "use mode: tuned")
        return value

    @field_validator("follows", "cost_per_second", "worth_per_request")
    @classmethod
    def _of_regulated(cls, value: Any, info: ValidationInfo) -> Any:
        if value and info.data.get("mode") is Mode.TUNED:
            raise rule("only a regulated lever follows load", f"give it mode: regulated, or remove {info.field_name}")
        return value

    @field_validator("switchback")
    @classmethod
    def _switchback(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("reversibility") not in (None, Reversibility.REVERSIBLE):
            raise rule("only a reversible lever can be switched back and forth", "remove switchback, or declare it reversible")
        return value

    def spec(self, element: str, locks: frozenset[str]) -> LeverSpec:
        """The lever as the rest of trimtab knows it.

        `locks` are the elements it is tied to (see `locks_of`). That every lever asks where `safety.enable_automatic_actions`
        is false is decided in `plan`.

        >>> options = LeverOptions(type="http", name="workers", bounds=(1, 16), locks=("pool",))
        >>> sorted(options.spec("shop", frozenset({"shop", "db"})).locks)
        ['db', 'lock:pool', 'shop']
        """
        return replace(
            self.declared(element, locks),
            kind=self.kind,
            bounds=self.bounds,
            step=self.step,
            choices=self.choices,
            mode=self.mode,
            follows=self.follows,
            cost_per_second=self.cost_per_second,
            worth_per_request=self.worth_per_request,
        )


class JobOptions(ChangeOptions):
    """Keys that every job has: an effect that is run once, such as building an index. Subclass it with the keys of one system.

    >>> JobOptions(type="sqlite", name="index_items").spec("shop", frozenset()).choices
    ('absent', 'done')
    """

    action_type: Name | None = None  # what beliefs are kept by; None: the job's name
    takes_seconds: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] = 600.0  # then it is given up and undone

    @field_validator("type")
    @classmethod
    def _known(cls, value: str, info: ValidationInfo) -> str:
        return _known_type(value, "job", Context.of(info.context).jobs)

    def spec(self, element: str, locks: frozenset[str]) -> LeverSpec:
        """The job as a lever with two settings (docs/decisions/0009); see `LeverOptions.spec`."""
        return replace(
            self.declared(element, locks),
            kind=LeverKind.CHOICE,
            choices=(ABSENT, DONE),
            run_once=True,
            takes_seconds=self.takes_seconds,
            action_type=self.action_type or self.name,
        )


class OpenSensor(SensorOptions):
    """A sensor of a type whose keys are not known here."""

    model_config = ConfigDict(extra="allow")


class OpenLever(LeverOptions):
    """A lever of a type whose keys are not known here."""

    model_config = ConfigDict(extra="allow")


class OpenJob(JobOptions):
    """A job of a type whose keys are not known here."""

    model_config = ConfigDict(extra="allow")


def _known_type(value: str, noun: str, known: Any) -> str:
    if known and value not in known:
        raise PydanticCustomError("unknown_type", "{noun}", {"noun": noun, "known": sorted(known)})
    return value


def _pick(value: Any, model: type[Part], info: ValidationInfo) -> Any:
    if isinstance(value, Part):
        return value
    if info.mode == "json":  # strict, as the rest of the file: "5" is no number
        return model.model_validate_json(json.dumps(value), strict=True, context=info.context)
    return model.model_validate(value, context=info.context)


def _sensor(value: Any, handler: Any, info: ValidationInfo) -> Any:
    kind = value.get("type") if isinstance(value, dict) else None
    known = Context.of(info.context).sensors
    return _pick(value, known[kind] if isinstance(kind, str) and kind in known else OpenSensor, info)


def _lever(value: Any, handler: Any, info: ValidationInfo) -> Any:
    kind = value.get("type") if isinstance(value, dict) else None
    known = Context.of(info.context).levers
    return _pick(value, known[kind] if isinstance(kind, str) and kind in known else OpenLever, info)


def _job(value: Any, handler: Any, info: ValidationInfo) -> Any:
    kind = value.get("type") if isinstance(value, dict) else None
    known = Context.of(info.context).jobs
    return _pick(value, known[kind] if isinstance(kind, str) and kind in known else OpenJob, info)


AnySensor = Annotated[SerializeAsAny[SensorOptions], WrapValidator(_sensor)]
AnyLever = Annotated[SerializeAsAny[LeverOptions], WrapValidator(_lever)]
AnyJob = Annotated[SerializeAsAny[JobOptions], WrapValidator(_job)]
