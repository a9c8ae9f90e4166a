"""Programs: what they print is read, and they set what is to be set. A list of words each, never a shell.

Reads: standard output and exit status of programs. Produces: readings; whatever the programs that set, start and undo do.
May import: domain, config, what `systems` shares. Never: a shell; another system's folder.
"""

from __future__ import annotations

from collections.abc import Mapping

from trimtab.domain.levers import LeverSpec
from trimtab.domain.ports import Job, Lever, Sensor
from trimtab.systems.command.options import CommandJobOptions, CommandLeverOptions, CommandSensorOptions
from trimtab.systems.kinds import JobType, LeverType, SensorType
from trimtab.systems.net import Net


def _build_sensor(options: CommandSensorOptions, element: str, net: Net) -> Sensor:
    from trimtab.systems.command.adapters import CommandSensor

    return CommandSensor(options, element)


def _build_lever(options: CommandLeverOptions, spec: LeverSpec, net: Net) -> Lever:
    from trimtab.systems.command.adapters import CommandLever

    return CommandLever(options, spec)


def _build_job(options: CommandJobOptions, element: str, net: Net) -> Job:
    from trimtab.systems.command.adapters import CommandJob

    return CommandJob(options, element)


SENSORS: Mapping[str, SensorType] = {"command": SensorType(CommandSensorOptions, _build_sensor)}
LEVERS: Mapping[str, LeverType] = {"command": LeverType(CommandLeverOptions, _build_lever)}
JOBS: Mapping[str, JobType] = {"command": JobType(CommandJobOptions, _build_job)}
