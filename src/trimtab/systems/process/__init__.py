"""Processes of this machine: what they take, and worker pools whose master adds and takes away a worker at a signal.

Reads: the operating system's view of a process and its children. Produces: readings; signals to the one process that is meant.
May import: domain, config, psutil. Never: a signal to anything that was not just looked at; another system's folder.
"""

from __future__ import annotations

from collections.abc import Mapping

from trimtab.domain.levers import LeverSpec
from trimtab.domain.ports import Lever, Sensor
from trimtab.systems.kinds import LeverType, SensorType
from trimtab.systems.net import Net
from trimtab.systems.process.options import ProcessLeverOptions, ProcessSensorOptions


def _build_sensor(options: ProcessSensorOptions, element: str, net: Net) -> Sensor:
    from trimtab.systems.process.sensor import ProcessSensor

    return ProcessSensor(options, element)


def _build_lever(options: ProcessLeverOptions, spec: LeverSpec, net: Net) -> Lever:
    from trimtab.systems.process.lever import PoolLever

    return PoolLever(options, spec)


SENSORS: Mapping[str, SensorType] = {"process": SensorType(ProcessSensorOptions, _build_sensor)}
LEVERS: Mapping[str, LeverType] = {"process": LeverType(ProcessLeverOptions, _build_lever)}
