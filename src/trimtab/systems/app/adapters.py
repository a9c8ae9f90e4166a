"""Sensor and lever of a program that uses `trimtab.sdk`. Called by `monitor` and `execute`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trimtab.domain.errors import Permanent, Retryable, SensorError
from trimtab.domain.levers import LeverSpec, LeverValue
from trimtab.domain.metrics import Reading, Series, Unit
from trimtab.systems.app.channels import Channel
from trimtab.systems.net import NoAnswer
from trimtab.systems.values import as_kind, read_json_as_kind

_UNITS = frozenset(unit.value for unit in Unit)


class AppSensor:
    """Reads every sensor that a program exposes, or those named. One whose function fails is missing; the others are read."""

    def __init__(
        self, channel: Channel, element: str, *, name: str = "app", metrics: Sequence[str] = (), interval: float | None = None
    ) -> None:
        self.name = name
        self.element = element
        self.interval = interval
        self._channel = channel
        self._metrics = tuple(metrics)
        self._seen: tuple[str, ...] = ()

    @property
    def metric_names(self) -> Sequence[str]:
        """The sensors named in the options, or those that the program exposed when it was last read."""
        return self._metrics or self._seen

    async def read(self, now: float) -> Sequence[Reading]:
        """Ask once. Raises `SensorError` where the program does not answer, or every one of its functions fails."""
        try:
            answer = await self._channel.ask({"op": "read", "sensors": list(self._metrics)})
            values, errors = self._taken_apart(answer)
        except NoAnswer as error:
            raise SensorError(f"{self.name}: {error.message}", remedy=error.remedy) from error
        self._seen = (*values, *errors)
        if not values:
            why = "; ".join(f"{name}: {words}" for name, words in errors.items()) or "the program exposes no sensor"
            raise SensorError(f"{self.name}: {why}")
        return list(self._readings(values, now))

    def _taken_apart(self, answer: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        values, errors = answer.get("sensors"), answer.get("errors")
        if not answer["ok"]:
            raise NoAnswer(str(answer.get("error")))
        if not isinstance(values, dict) or not isinstance(errors, dict):
            raise NoAnswer("the answer has no sensors")
        return values, errors

    def _readings(self, values: Mapping[str, Any], now: float) -> Iterator[Reading]:
        for name, entry in values.items():
            value, unit = (entry.get("value"), entry.get("unit")) if isinstance(entry, dict) else (None, "")
            if value is None:
                continue
            known = unit if isinstance(unit, str) and unit in _UNITS else ""
            yield Reading(Series.named(name, self.element, source=self.name, unit=known), _number(value), now)

    async def close(self) -> None:
        """Nothing is held."""


class AppLever:
    """A lever that a program exposes, under the name of its spec."""

    def __init__(self, channel: Channel, spec: LeverSpec) -> None:
        self.spec = spec
        self._channel = channel

    async def read(self) -> LeverValue:
        """What the program's getter says."""
        return read_json_as_kind(self.spec, (await self._ask({"op": "get"})).get("value"))

    async def set(self, value: LeverValue) -> None:
        """Call the program's setter. `Permanent` where it refuses; `Retryable` where it breaks, for it may have done half."""
        await self._ask({"op": "set", "value": as_kind(self.spec, value)})

    async def _ask(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            answer = await self._channel.ask({**request, "lever": self.spec.name})
        except NoAnswer as error:
            raise Retryable(f"lever {self.spec.lever_id}: {error.message}", remedy=error.remedy) from error
        if answer["ok"]:
            return answer
        kind = Permanent if answer.get("refused") is True else Retryable
        raise kind(f"lever {self.spec.lever_id}: {answer.get('error')}")

    async def close(self) -> None:
        """Nothing is held."""


def _number(value: object) -> float:
    """A number as it travelled: NaN and infinity by name, anything else that is none as NaN."""
    try:
        return float("nan") if isinstance(value, bool) else float(value)  # type: ignore[arg-type]  # what is none raises
    except (TypeError, ValueError, OverflowError):
        return float("nan")
