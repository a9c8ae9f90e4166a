"""Plants, simulated elements in this process, behind the same ports as real ones.

Reads: the metrics that a plant's step yields. Produces: readings; values set at the plant. May import: domain, config. Never: a
clock; another system's folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from trimtab.config import LeverOptions, SensorOptions
from trimtab.config.parts import Period
from trimtab.domain.errors import ConfigError
from trimtab.domain.levers import LeverSpec
from trimtab.domain.ports import Lever, Plant, Sensor
from trimtab.systems.kinds import LeverType, SensorType
from trimtab.systems.net import Net


class PlantSensorOptions(SensorOptions):
    """The metrics of a plant; reading it moves the plant's time forward."""

    type: Literal["plant"] = "plant"
    plant: str | None = Field(None, description="Which plant. Default: the one named as the element, or the only one.")
    step_seconds: Period | None = Field(None, description="Virtual time that one step covers. Default: the interval.")


class PlantLeverOptions(LeverOptions):
    """A lever of a plant."""

    type: Literal["plant"] = "plant"
    plant: str | None = Field(None, description="Which plant. Default: the one named as the element, or the only one.")


def find_plant(plants: Mapping[str, Plant], name: str | None, element: str) -> Plant:
    """The plant that is meant. Raises `ConfigError` where there is none, or more than one that it could be."""
    wanted = name or element
    if wanted in plants:
        return plants[wanted]
    if name is None and len(plants) == 1:
        return next(iter(plants.values()))
    known = ", ".join(sorted(plants)) or "none; a Python program gives them, by assemble(settings, plants={name: plant})"
    raise ConfigError(f"element {element}: no plant is called {wanted!r}", remedy=f"Known plants: {known}")


def _build_sensor(options: PlantSensorOptions, element: str, net: Net) -> Sensor:
    from trimtab.systems.plant.adapters import PlantSensor, PlantTime

    plant = find_plant(net.plants, options.plant, element)
    time = net.shared.setdefault(
        ("plant", id(plant)), PlantTime(plant, options.step_seconds or options.interval_seconds or net.step_seconds)
    )
    return PlantSensor(time, element, name=options.name or f"plant {options.plant or element}", interval=options.interval_seconds)


def _build_lever(options: PlantLeverOptions, spec: LeverSpec, net: Net) -> Lever:
    from trimtab.systems.plant.adapters import PlantLever

    return PlantLever(find_plant(net.plants, options.plant, spec.element), spec)


SENSORS: Mapping[str, SensorType] = {"plant": SensorType(PlantSensorOptions, _build_sensor)}
LEVERS: Mapping[str, LeverType] = {"plant": LeverType(PlantLeverOptions, _build_lever)}
