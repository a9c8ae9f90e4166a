"""The machine that the agent runs on, as psutil tells of it.

Reads: the operating system's counters. Produces: readings. May import: domain, config, psutil. Never: another system's folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from trimtab.config import SensorOptions
from trimtab.domain.ports import Sensor
from trimtab.systems.kinds import LeverType, SensorType
from trimtab.systems.net import Net


class HostOptions(SensorOptions):
    """Processor, memory, disks, load and network of this machine."""

    type: Literal["host"] = "host"
    paths: tuple[str, ...] = Field(("/",), description="Where disk usage is read; one series a path.")


def _build(options: HostOptions, element: str, net: Net) -> Sensor:
    from trimtab.systems.host.sensor import HostSensor

    return HostSensor(options.paths, element, name=options.name or "host", interval=options.interval_seconds)


SENSORS: Mapping[str, SensorType] = {"host": SensorType(HostOptions, _build)}
LEVERS: Mapping[str, LeverType] = {}
