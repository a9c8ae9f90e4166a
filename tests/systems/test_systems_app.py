"""Sensors and levers of a program that uses the SDK: over a real socket, a port, and in this process."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trimtab import sdk
from trimtab.domain.errors import Permanent, Retryable, SensorError
from trimtab.domain.levers import LeverKind, LeverSpec, LeverValue
from trimtab.domain.metrics import Unit
from trimtab.domain.ports import Lever, Sensor
from trimtab.systems.app import LEVERS, SENSORS
from trimtab.systems.app.adapters import AppLever, AppSensor
from trimtab.systems.app.channels import Channel, InProcessChannel, SocketChannel
from trimtab.systems.net import Net
from trimtab.testing.levers import LeverConformance
from trimtab.testing.sensors import SensorConformance

SHAPES: dict[LeverKind, dict[str, object]] = {
    LeverKind.INTEGER: {"bounds": (1, 16)},
    LeverKind.FLOAT: {"bounds": (0.0, 1.0)},
    LeverKind.CHOICE: {"choices": ("debug", "info")},
    LeverKind.BOOLEAN: {"kind": "boolean"},
}


class Program:
    """A host program with one setting and a few numbers."""

    def __init__(self, kind: LeverKind, found: LeverValue) -> None:
        self.value: LeverValue = found
        self.app = sdk.App()
        self.app.lever("knob", read=lambda: self.value, set=self._hold, **SHAPES[kind])  # type: ignore[call-overload]
        self.app.sensor("queue_length")(lambda: 3)
        self.app.sensor("wait", unit="seconds")(lambda: 0.5)
        self.app.sensor("broken")(lambda: 1 / 0)
        self.app.sensor("resting")(lambda: None)
        self.app.sensor("unknown_number")(lambda: float("nan"))

    def _hold(self, value: LeverValue) -> None:
        self.value = value


class AppLeverLaws(LeverConformance):
    kind: LeverKind
    found: LeverValue

    @pytest.fixture(autouse=True)
    def _program(self, tmp_path: Path) -> Iterator[None]:
        self.path = str(tmp_path / "app.sock")
        self.spec = LeverSpec("knob", "shop", self.kind, step=0.01)
        self.program = Program(self.kind, self.found)
        with self.program.app.expose(self.path):
            yield

    async def make(self) -> Lever:
        return AppLever(SocketChannel(self.path), self.spec)

    async def make_unreachable(self) -> Lever:
        return AppLever(SocketChannel(self.path + ".gone"), self.spec)


class TestInteger(AppLeverLaws):
    kind, found, values = LeverKind.INTEGER, 99, (2, 5)


class TestFloat(AppLeverLaws):
    kind, found, values = LeverKind.FLOAT, 0.5, (0.25, 0.75)


class TestChoice(AppLeverLaws):
    kind, found, values = LeverKind.CHOICE, "trace", ("debug", "info")


class TestBoolean(AppLeverLaws):
    kind, found, values = LeverKind.BOOLEAN, False, (True, False)


class TestInProcess(AppLeverLaws):
    kind, found, values = LeverKind.INTEGER, 99, (2, 5)

    async def make(self) -> Lever:
        return AppLever(InProcessChannel(self.program.app), self.spec)

    async def make_unreachable(self) -> Lever:
        return AppLever(InProcessChannel(sdk.App()), self.spec)


class TestAppSensorLaws(SensorConformance):
    @pytest.fixture(autouse=True)
    def _program(self, tmp_path: Path) -> Iterator[None]:
        self.path = str(tmp_path / "app.sock")
        with Program(LeverKind.INTEGER, 1).app.expose(self.path):
            yield

    async def make(self) -> Sensor:
        return AppSensor(SocketChannel(self.path), "shop")

    async def make_silent(self) -> Sensor:
        return AppSensor(SocketChannel(self.path + ".gone"), "shop")


@contextmanager
def channels(app: sdk.App, way: str, tmp_path: Path) -> Iterator[Channel]:
    if way == "in process":
        yield InProcessChannel(app)
        return
    with app.expose(str(tmp_path / "app.sock") if way == "socket" else "127.0.0.1:0") as exposure:
        yield SocketChannel(exposure.address)


@pytest.mark.parametrize("way", ["socket", "port", "in process"])
def test_each_number_arrives_as_what_it_is(way: str, tmp_path: Path) -> None:
    with channels(Program(LeverKind.INTEGER, 1).app, way, tmp_path) as channel:
        sensor = AppSensor(channel, "shop")
        readings = {reading.series.name: reading for reading in asyncio.run(sensor.read(1000.0))}  # type: ignore[arg-type]
    assert set(readings) == {"queue_length", "wait", "unknown_number"}
    assert readings["queue_length"].value == 3.0 and readings["queue_length"].timestamp == 1000.0
    assert readings["wait"].series.unit is Unit.SECONDS
    assert readings["unknown_number"].value != readings["unknown_number"].value
    assert set(sensor.metric_names) == {*readings, "broken", "resting"}  # the silent ones count as missing


@pytest.mark.parametrize(
    ("names", "words"),
    [
        pytest.param(("broken",), "broken: ZeroDivisionError", id="all fail"),
        pytest.param(("not_there",), "no such sensor", id="not exposed"),
    ],
)
def test_nothing_at_all_is_silence(names: tuple[str, ...], words: str, tmp_path: Path) -> None:
    with channels(Program(LeverKind.INTEGER, 1).app, "socket", tmp_path) as channel, pytest.raises(SensorError, match=words):
        asyncio.run(AppSensor(channel, "shop", metrics=names).read(1000.0))  # type: ignore[arg-type]


def test_a_program_that_exposes_nothing_is_silence() -> None:
    with pytest.raises(SensorError, match="exposes no sensor"):
        asyncio.run(AppSensor(InProcessChannel(sdk.App()), "shop").read(1000.0))  # type: ignore[arg-type]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=st.integers(-(2**53), 2**53), wanted=st.integers(1, 16))
def test_rollback_after_apply_is_the_identity_even_beyond_the_bounds(found: int, wanted: int) -> None:
    program = Program(LeverKind.INTEGER, found)
    lever = AppLever(InProcessChannel(program.app), LeverSpec("knob", "shop"))

    async def run() -> None:
        snapshot = await lever.read()
        await lever.set(wanted)
        assert program.value == wanted
        await lever.set(snapshot)

    asyncio.run(run())
    assert program.value == found


def raising(error: BaseException) -> Callable[..., object]:
    def function(*_: object) -> object:
        raise error

    return function


@pytest.mark.parametrize(
    ("read", "setter", "act", "expected", "words"),
    [
        pytest.param(lambda: 4, raising(ValueError("too busy")), "set", Permanent, "too busy", id="the setter refuses"),
        pytest.param(
            lambda: 4, raising(OSError("disk")), "set", Retryable, "OSError: disk", id="the setter breaks: effect in doubt"
        ),
        pytest.param(lambda: 4, raising(SystemExit(1)), "set", Retryable, "SystemExit", id="the setter tries to exit"),
        pytest.param(raising(KeyError("x")), None, "read", Retryable, "KeyError", id="the getter breaks"),
        pytest.param(raising(ValueError("x")), None, "read", Retryable, "ValueError", id="the getter breaks with a ValueError"),
        pytest.param(lambda: "many", None, "read", Permanent, "kind integer, got 'many'", id="the getter talks nonsense"),
        pytest.param(lambda: 4, None, "set", Permanent, "has no setter", id="read only"),
        pytest.param(lambda: 4, lambda value: None, "beyond", Permanent, r"beyond \[1, 16\]", id="beyond the bounds"),
    ],
)
def test_what_the_program_raises_stays_an_error_of_the_lever(
    read: Callable[[], object], setter: Callable[[object], object] | None, act: str, expected: type[Exception], words: str
) -> None:
    app = sdk.App()
    app.lever("knob", read=read, set=setter, bounds=(1, 16))  # type: ignore[call-overload]
    lever = AppLever(InProcessChannel(app), LeverSpec("knob", "shop"))
    with pytest.raises(expected, match=words):
        asyncio.run(lever.read() if act == "read" else lever.set(99 if act == "beyond" else 5))  # type: ignore[arg-type]


def test_a_function_that_hangs_is_in_doubt_and_then_busy() -> None:
    let_go = threading.Event()
    app = sdk.App()
    app.lever("knob", read=lambda: let_go.wait(30) and 4, set=lambda value: None)
    lever = AppLever(InProcessChannel(app, timeout_seconds=0.05), LeverSpec("knob", "shop"))

    async def run() -> None:
        for words in ("did not return within", "still has not returned"):
            with pytest.raises(Retryable, match=words):
                await lever.read()

    asyncio.run(run())
    let_go.set()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        pytest.param(b"", "broke the connection", id="hangs up"),
        pytest.param(b'{"ok": true', "broke the connection", id="truncated"),
        pytest.param(b"hello\n", "did not answer with JSON", id="another service"),
        pytest.param(b"[]\n", "does not speak the protocol", id="no object"),
        pytest.param(b'{"ok": 1}\n', "does not speak the protocol", id="no yes or no"),
        pytest.param(b"x" * (3 * 2**20), "broke the connection", id="endless line"),
        pytest.param(None, "timed out after 0.2 s", id="says nothing"),
    ],
)
def test_whoever_else_listens_there_is_not_believed(said: bytes | None, words: str, tmp_path: Path) -> None:
    path = str(tmp_path / "other.sock")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1000)
                try:
                    connection.sendall(said or b"")
                except OSError:
                    return
                if said is None:
                    connection.recv(1)

        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(Retryable, match=words):
            asyncio.run(
                AppLever(SocketChannel(path, timeout_seconds=0.2 if said is None else 30), LeverSpec("knob", "shop")).read()
            )  # type: ignore[arg-type]


def test_an_answer_without_sensors_is_silence() -> None:
    class Odd:
        name = "odd"

        async def ask(self, request: object) -> dict[str, object]:
            return json.loads('{"ok": true, "sensors": 3}')  # type: ignore[no-any-return]

    with pytest.raises(SensorError, match="no sensors"):
        asyncio.run(AppSensor(Odd(), "shop").read(1000.0))  # type: ignore[arg-type]


def test_built_from_options_in_process_it_reads_the_default_app() -> None:
    sdk.lever("test_systems_app_knob", bounds=(1, 16), read=lambda: 7, set=lambda value: None)
    options = LEVERS["app"].options.model_validate(
        {"type": "app", "app": "in-process", "name": "test_systems_app_knob", "bounds": (1, 16)}
    )
    lever = LEVERS["app"].build(options, options.spec("shop", frozenset()), Net())
    assert asyncio.run(lever.read()) == 7  # type: ignore[arg-type]
    sensor_options = SENSORS["app"].options.model_validate({"type": "app", "app": "in-process", "metrics": ["x"]})
    assert SENSORS["app"].build(sensor_options, "shop", Net()).metric_names == ("x",)
