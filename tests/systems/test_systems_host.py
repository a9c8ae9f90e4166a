"""The host sensor on this machine, and the calls that run aside."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from trimtab.domain.errors import SensorError
from trimtab.domain.metrics import MetricType, Unit
from trimtab.domain.ports import Sensor
from trimtab.systems.aside import Aside, StillBusy
from trimtab.systems.host import SENSORS, sensor
from trimtab.systems.net import Net
from trimtab.testing.sensors import SensorConformance


def build(**options: object) -> Sensor:
    kind = SENSORS["host"]
    return kind.build(kind.options.model_validate({"type": "host", **options}), "box", Net())


def test_the_first_read_has_levels_and_the_second_rates() -> None:
    async def run() -> None:
        host = build()
        first = {reading.series.name: reading.value for reading in await host.read(1000.0)}
        sum(range(2_000_000))  # something for the processor counters to move
        second = {reading.series.name: reading.value for reading in await host.read(1001.0)}
        assert set(first) == {sensor.MEMORY, sensor.LOAD, sensor.DISK}
        assert set(second) - {sensor.CPU} == set(host.metric_names) - {sensor.CPU}
        for name in (sensor.CPU, sensor.MEMORY, sensor.DISK):
            assert 0.0 <= second.get(name, 0.0) <= 100.0
        assert second[sensor.RECEIVED] >= 0.0 and second[sensor.SENT] >= 0.0

    asyncio.run(run())


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [
        pytest.param((100.0, 20.0), (110.0, 25.0), 50.0, id="half busy"),
        pytest.param((100.0, 20.0), (110.0, 20.0), 0.0, id="idle"),
        pytest.param((100.0, 20.0), (110.0, 31.0), 100.0, id="rounding beyond all"),
        pytest.param((100.0, 20.0), (100.0, 20.0), None, id="no time has passed: missing"),
        pytest.param((100.0, 20.0), (50.0, 10.0), None, id="the counters went back: missing"),
    ],
)
def test_processor_share(
    was: tuple[float, float], now: tuple[float, float], expected: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter([was, now])

    def look(paths: object, at: float) -> tuple[sensor.Counters, sensor.Levels]:
        total, busy = next(looks)
        return sensor.Counters(at, total, busy, 0.0, 0.0), sensor.Levels(50.0, 1.0, ())

    monkeypatch.setattr(sensor, "_look", look)

    async def run() -> dict[str, float]:
        host = build()
        await host.read(1000.0)
        return {reading.series.name: reading.value for reading in await host.read(1030.0)}

    assert asyncio.run(run()).get(sensor.CPU) == expected


def test_series_say_their_type_and_unit() -> None:
    readings = asyncio.run(build(paths=["/"]).read(1000.0))
    memory = next(reading.series for reading in readings if reading.series.name == sensor.MEMORY)
    disk = next(reading.series for reading in readings if reading.series.name == sensor.DISK)
    assert (memory.metric_type, memory.unit) == (MetricType.MEMORY_USAGE, Unit.PERCENT)
    assert disk.labels == (("path", "/"),)


@pytest.mark.parametrize(
    ("paths", "disks"),
    [pytest.param((), 0, id="none"), pytest.param(("/", "/no/such/path"), 1, id="one is missing, the other is not")],
)
def test_disks(paths: tuple[str, ...], disks: int) -> None:
    readings = asyncio.run(build(paths=paths).read(1000.0))
    assert sum(reading.series.name == sensor.DISK for reading in readings) == disks


def test_a_disk_that_hangs_is_silence_and_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    let_go = threading.Event()
    monkeypatch.setattr(sensor, "TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(sensor, "_look", lambda *_: let_go.wait(30))

    async def run() -> None:
        host = build()
        with pytest.raises(SensorError, match="no answer within"):
            await host.read(1000.0)
        with pytest.raises(SensorError, match="earlier call has not returned"):
            await host.read(1030.0)

    started = time.monotonic()
    asyncio.run(run())
    let_go.set()
    assert time.monotonic() - started < 5.0


@pytest.mark.parametrize(
    ("raised", "seen"),
    [
        pytest.param(ValueError("no"), ValueError, id="an error"),
        pytest.param(SystemExit(3), RuntimeError, id="an exit must not end the agent"),
        pytest.param(StopIteration(), RuntimeError, id="no future can hold StopIteration"),
    ],
)
def test_what_a_call_raises_reaches_its_caller(raised: BaseException, seen: type[Exception]) -> None:
    def call() -> None:
        raise raised

    with pytest.raises(seen):
        asyncio.run(Aside("test").run(call, 5.0))


def test_a_place_is_free_again_after_each_call() -> None:
    async def run() -> list[int]:
        aside = Aside("test")
        return [await aside.run(lambda index=index: index, 5.0) for index in range(3)]  # type: ignore[misc]

    assert asyncio.run(run()) == [0, 1, 2]
    assert issubclass(StillBusy, Exception)


class TestHostLaws(SensorConformance):
    async def make(self) -> Sensor:
        return build(paths=["/"])
