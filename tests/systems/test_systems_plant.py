"""Plants behind the ports of real systems."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from trimtab.domain.errors import ConfigError, Permanent, Retryable, SensorError
from trimtab.domain.levers import LeverKind, LeverSpec
from trimtab.domain.ports import Lever, Plant, Sensor
from trimtab.systems.net import Net
from trimtab.systems.plant import LEVERS, SENSORS, find_plant
from trimtab.testing.levers import LeverConformance
from trimtab.testing.sensors import SensorConformance


class Tank:
    """The smallest plant: it remembers, and counts the time it was given."""

    def __init__(self) -> None:
        self.levers: dict[str, float | str] = {"valve": 3, "colour": "red"}
        self.seconds = 0.0
        self.breaks: Exception | None = None

    def get(self, lever: str) -> float | str:
        self._maybe_break()
        return self.levers[lever]

    def set(self, lever: str, value: float | str) -> None:
        self._maybe_break()
        self.levers[lever] = value

    def step(self, now: float, dt: float) -> Mapping[str, float]:
        self._maybe_break()
        self.seconds += dt
        return {"level": self.seconds}

    def _maybe_break(self) -> None:
        if self.breaks:
            raise self.breaks


def lever_of(tank: Plant, **options: object) -> Lever:
    kind = LEVERS["plant"]
    read = kind.options.model_validate({"type": "plant", "name": "valve", "bounds": (0, 9), **options})
    return kind.build(read, read.spec("shop", frozenset()), Net({"tank": tank}))


def sensor_of(tank: Plant, **options: object) -> Sensor:
    kind = SENSORS["plant"]
    return kind.build(kind.options.model_validate({"type": "plant", **options}), "shop", Net({"tank": tank}))


class TestPlantLeverLaws(LeverConformance):
    values = (2, 5)

    async def make(self) -> Lever:
        return lever_of(Tank())

    async def make_unreachable(self) -> Lever:
        tank = Tank()
        tank.breaks = RuntimeError("leak")
        return lever_of(tank)


class TestPlantChoiceLaws(LeverConformance):
    values = ("blue", "green")

    async def make(self) -> Lever:
        return lever_of(Tank(), name="colour", kind=LeverKind.CHOICE, bounds=None, choices=("blue", "green"))


class TestPlantSensorLaws(SensorConformance):
    async def make(self) -> Sensor:
        return sensor_of(Tank())

    async def make_silent(self) -> Sensor:
        tank = Tank()
        tank.breaks = RuntimeError("leak")
        return sensor_of(tank)


def test_reading_moves_time_forward_once() -> None:
    tank = Tank()
    sensor = sensor_of(tank, interval_seconds=10)

    async def run() -> list[float]:
        return [(await sensor.read(now))[0].value for now in (100.0, 130.0, 130.0, 120.0, 140.0)]

    # the first step is one interval; the same instant again, or an earlier one, moves nothing
    assert asyncio.run(run()) == [10.0, 40.0, 40.0, 40.0, 50.0]
    assert sensor.metric_names == ["level"]


@pytest.mark.parametrize(
    ("name", "element", "expected"),
    [
        pytest.param("a", "x", "a", id="by name"),
        pytest.param(None, "b", "b", id="by the element's name"),
        pytest.param("c", "a", None, id="no such plant"),
        pytest.param(None, "x", None, id="could be either"),
    ],
)
def test_which_plant_is_meant(name: str | None, element: str, expected: str | None) -> None:
    plants: dict[str, Plant] = {"a": Tank(), "b": Tank()}
    if expected is None:
        with pytest.raises(ConfigError, match="Known plants: a, b"):
            find_plant(plants, name, element)
    else:
        assert find_plant(plants, name, element) is plants[expected]


def test_without_plants_the_remedy_is_named() -> None:
    with pytest.raises(ConfigError, match="none; a Python program gives them"):
        find_plant({}, None, "shop")


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        pytest.param(KeyError("valve"), Permanent, id="unknown"),
        pytest.param(Retryable("stuck"), Retryable, id="its own lever errors pass"),
    ],
)
def test_what_a_plant_raises(raised: Exception, expected: type[Exception]) -> None:
    tank = Tank()
    tank.breaks = raised
    lever = lever_of(tank)
    for attempt in (lever.read, lambda: lever.set(4)):
        with pytest.raises(expected):
            asyncio.run(attempt())  # type: ignore[arg-type]
    with pytest.raises(SensorError, match="the plant broke"):
        asyncio.run(sensor_of(tank).read(1.0))  # type: ignore[arg-type]


def test_a_spec_of_another_kind_reads_as_permanent() -> None:
    with pytest.raises(Permanent, match="reads otherwise"):
        asyncio.run(lever_of(Tank(), name="colour").read())  # type: ignore[arg-type]
    assert LeverSpec("colour", "shop").kind is LeverKind.INTEGER
