"""The process sensor on real processes, and what options it refuses."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from pydantic import ValidationError

from systems.test_systems_process_lever import SLEEPER, master, running
from trimtab.domain.errors import SensorError
from trimtab.domain.metrics import MetricType, Unit
from trimtab.domain.ports import Sensor
from trimtab.systems.net import Net
from trimtab.systems.process import LEVERS, SENSORS, sensor
from trimtab.testing.sensors import SensorConformance

ALL = {sensor.UP, sensor.CPU, sensor.MEMORY, sensor.CHILDREN, sensor.THREADS, sensor.OPEN_FILES}
BUSY = "import threading, time\nprint('ready', flush=True)\nwhile True: pass"


def build(**target: object) -> Sensor:
    kind = SENSORS["process"]
    return kind.build(kind.options.model_validate({"type": "process", **target}), "shop", Net())


def values(one: Sensor, *times: float) -> list[dict[str, float]]:
    async def run() -> list[dict[str, float]]:
        return [{reading.series.name: reading.value for reading in await one.read(now)} for now in times]

    return asyncio.run(run())


class TestProcessLaws(SensorConformance):
    @pytest.fixture(autouse=True)
    def _master(self) -> Iterator[None]:
        with master(2) as process:
            self.pid = process.pid
            yield

    async def make(self) -> Sensor:
        return build(pid=self.pid)

    async def make_silent(self) -> Sensor:
        return build(match="python")  # this process's own children, and the master, at least


def test_the_first_read_has_levels_and_the_second_the_processor() -> None:
    with master(3) as process:
        first, second = values(build(pid=process.pid), 1000.0, 1030.0)
        own = psutil.Process(process.pid)
        assert set(first) == ALL - {sensor.CPU} and set(second) == ALL
        assert (first[sensor.UP], first[sensor.CHILDREN]) == (1.0, 3.0)
        assert first[sensor.THREADS] == 2.0 + 3.0  # one of the master's waits for its input
        assert first[sensor.MEMORY] > own.memory_info().rss and first[sensor.OPEN_FILES] > own.num_fds()


def test_a_busy_process_uses_one_core_at_most_and_some() -> None:
    with running(sys.executable, "-c", BUSY) as process:
        one = build(pid=process.pid)

        async def run() -> float:
            await one.read(1000.0)
            before = psutil.Process(process.pid).cpu_times()
            await asyncio.sleep(0.3)
            after = psutil.Process(process.pid).cpu_times()
            read = {reading.series.name: reading.value for reading in await one.read(1000.5)}[sensor.CPU]
            assert read >= 100.0 * (after.user + after.system - before.user - before.system) / 0.5 - 1e-6
            return read

        assert asyncio.run(run()) > 0.0


def test_processor_time_of_the_new_counts_and_of_the_ended_is_not_subtracted() -> None:
    with running(*SLEEPER) as old, running(*SLEEPER) as new:
        a, b = psutil.Process(old.pid), psutil.Process(new.pid)
        before = sensor.Look(1000.0, b.create_time(), None, 0, None, None, {a: 5.0})
        after = sensor.Look(1010.0, b.create_time() + 10.0, None, 0, None, None, {b: 2.0})
        assert sensor._percent(before, after) == pytest.approx(20.0)
        late = sensor.Look(1000.0, b.create_time() + 60.0, None, 0, None, None, {})  # b is older than the look before
        assert sensor._percent(late, sensor.Look(1010.0, 0.0, None, 0, None, None, {b: 2.0})) == 0.0
        assert sensor._percent(None, after) is None


def test_a_target_that_is_gone_is_evidence(tmp_path: Path) -> None:
    file = tmp_path / "shop.pid"
    one = build(pid_file=str(file))
    assert values(one, 1000.0) == [{sensor.UP: 0.0}]
    with master(1, "--pid-file", str(file)) as process:
        assert values(one, 1030.0)[0][sensor.UP] == 1.0
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert values(one, 1060.0) == [{sensor.UP: 0.0}]
    with master(1, "--pid-file", str(file)):
        (back,) = values(one, 1090.0)
        assert back[sensor.UP] == 1.0 and sensor.CPU not in back


def test_a_zombie_is_not_up() -> None:
    with subprocess.Popen(["true"]) as process:
        while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
            pass
        assert values(build(pid=process.pid), 1000.0) == [{sensor.UP: 0.0}]


def test_a_target_that_cannot_be_told_is_our_silence(tmp_path: Path) -> None:
    name = str(tmp_path / "twin.pid")
    with master(1, "--pid-file", name), master(1, "--pid-file", name), pytest.raises(SensorError, match="2 processes"):
        values(build(match="twin[.]pid"), 1000.0)


def test_what_may_not_be_looked_at_is_missing_and_the_rest_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(process: psutil.Process) -> int:
        raise psutil.AccessDenied(process.pid)

    monkeypatch.setattr(psutil.Process, "num_fds", refuse)
    with running(*SLEEPER) as process:
        (read,) = values(build(pid=process.pid), 1000.0)
    assert set(read) == ALL - {sensor.CPU, sensor.OPEN_FILES}


def test_units_and_types() -> None:
    with running(*SLEEPER) as process:

        async def run() -> dict[str, Any]:
            one = build(pid=process.pid)
            await one.read(1000.0)
            return {reading.series.name: reading.series for reading in await one.read(1030.0)}

        series = asyncio.run(run())
    assert series[sensor.MEMORY].unit is Unit.BYTES and series[sensor.CPU].unit is Unit.PERCENT
    assert {one.metric_type for one in series.values()} == {MetricType.CUSTOM}  # 300 % of one core is no alarm


LEVER = {"name": "workers", "bounds": (1, 16)}


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        pytest.param(SENSORS["process"], {}, "found in one way", id="no way"),
        pytest.param(SENSORS["process"], {"pid": 7, "match": "x"}, "found in one way", id="two ways"),
        pytest.param(SENSORS["process"], {"match": "("}, "not a regular expression", id="no pattern"),
        pytest.param(SENSORS["process"], {"pid": 1}, "greater than 1", id="init"),
        pytest.param(LEVERS["process"], {**LEVER, "pid": 7, "raise_signal": "KILL"}, "TTIN", id="a signal that ends"),
        pytest.param(LEVERS["process"], {**LEVER, "pid": 7, "raise_signal": "TTOU"}, "cannot both", id="one signal for both"),
        pytest.param(LEVERS["process"], {"name": "w", "pid": 7, "kind": "boolean"}, "workers are counted", id="no count"),
        pytest.param(LEVERS["process"], {"name": "w", "pid": 7, "bounds": (-1, 4)}, "workers are counted", id="below zero"),
    ],
)
def test_options_that_cannot_be_used(kind: Any, options: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        kind.options.model_validate({"type": "process", **options})


def test_a_signal_may_be_written_as_people_do() -> None:
    options = LEVERS["process"].options.model_validate({"type": "process", **LEVER, "pid": 7, "raise_signal": "SIGUSR1"})
    assert options.raise_signal == "USR1"  # type: ignore[attr-defined]
