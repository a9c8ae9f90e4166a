"""Files on this machine: numbers in them, their age and size, and settings that stand in configuration files of other programs.

Reads: files. Produces: readings; a file replaced whole, and a signal to the program that reads it. May import: domain, config,
psutil and ruamel.yaml inside the functions that need them. Never: another system's folder, a file that is not there, half a file.
"""

from __future__ import annotations

from collections.abc import Mapping

from trimtab.domain.levers import LeverSpec
from trimtab.domain.ports import Lever, Sensor
from trimtab.systems.file.options import FileLeverOptions, FileSensorOptions
from trimtab.systems.kinds import LeverType, SensorType
from trimtab.systems.net import Net


def _build_sensor(options: FileSensorOptions, element: str, net: Net) -> Sensor:
    from trimtab.systems.file.sensor import FileSensor

    return FileSensor(options, element)


def _build_lever(options: FileLeverOptions, spec: LeverSpec, net: Net) -> Lever:
    from trimtab.systems.file.lever import FileLever

    return FileLever(options, spec)


SENSORS: Mapping[str, SensorType] = {"file": SensorType(FileSensorOptions, _build_sensor)}
LEVERS: Mapping[str, LeverType] = {"file": LeverType(FileLeverOptions, _build_lever)}
