"""Python programs that expose sensors and levers with `trimtab.sdk`, over a local socket or in this process.

Reads: what their sensors say. Produces: readings; values set by their own setters. May import: domain, config, sdk. Never:
another system's folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from trimtab.config import LeverOptions, SensorOptions
from trimtab.config.parts import Context, MetricName, rule
from trimtab.domain.levers import LeverSpec
from trimtab.domain.ports import Lever, Sensor
from trimtab.systems.kinds import LeverType, SensorType
from trimtab.systems.net import DEFAULT_TIMEOUT_SECONDS, Net

if TYPE_CHECKING:
    from trimtab.systems.app.channels import Channel


def _check_address(address: str, info: ValidationInfo) -> str:
    from trimtab.sdk_server import parse_address

    try:
        place = parse_address(address)
    except ValueError:
        raise rule("not an address of this machine", "give a path such as ./shop.sock, or 127.0.0.1:port") from None
    return str(Context.of(info.context).locate(Path(address))) if isinstance(place, str) else address


def _check_place(socket: str | None, app: str | None) -> None:
    if (socket is None) == (app is None):
        raise rule("the program is in one place", "give either socket: ./shop.sock, or app: in-process")


Address = Annotated[str, AfterValidator(_check_address)]
_SOCKET = "Where the program serves: a path, or 127.0.0.1:port."
_APP = "in-process: the program that the agent itself runs in."


class AppSensorOptions(SensorOptions):
    """The sensors that a program exposes: all of them, or those named."""

    type: Literal["app"] = "app"
    socket: Address | None = Field(None, description=_SOCKET)
    app: Literal["in-process"] | None = Field(None, description=_APP)
    metrics: tuple[MetricName, ...] = Field((), description="Which sensors to read. Default: all.")
    timeout_seconds: float = Field(DEFAULT_TIMEOUT_SECONDS, gt=0, le=60)

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        _check_place(self.socket, self.app)
        return self


class AppLeverOptions(LeverOptions):
    """A lever that a program exposes under the same name."""

    type: Literal["app"] = "app"
    socket: Address | None = Field(None, description=_SOCKET)
    app: Literal["in-process"] | None = Field(None, description=_APP)
    timeout_seconds: float = Field(DEFAULT_TIMEOUT_SECONDS, gt=0, le=60)

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        _check_place(self.socket, self.app)
        return self


def _build_sensor(options: AppSensorOptions, element: str, net: Net) -> Sensor:
    from trimtab.systems.app.adapters import AppSensor

    name = options.name or f"app {options.socket or options.app}"
    return AppSensor(_channel(options), element, name=name, metrics=options.metrics, interval=options.interval_seconds)


def _build_lever(options: AppLeverOptions, spec: LeverSpec, net: Net) -> Lever:
    from trimtab.systems.app.adapters import AppLever

    return AppLever(_channel(options), spec)


def _channel(options: AppSensorOptions | AppLeverOptions) -> Channel:
    from trimtab.systems.app.channels import InProcessChannel, SocketChannel

    if options.socket is not None:
        return SocketChannel(options.socket, options.timeout_seconds)
    return InProcessChannel(timeout_seconds=options.timeout_seconds)


SENSORS: Mapping[str, SensorType] = {"app": SensorType(AppSensorOptions, _build_sensor)}
LEVERS: Mapping[str, LeverType] = {"app": LeverType(AppLeverOptions, _build_lever)}
