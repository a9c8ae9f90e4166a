"""The http lever against a real server: its laws for each kind, and what it makes of targets that misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from systems.scripted_http import Request, Setting, Target, free_port_url, http_target
from trimtab.domain.errors import LeverError, Permanent, Retryable
from trimtab.domain.levers import LeverKind, LeverSpec
from trimtab.domain.ports import Lever
from trimtab.systems.http import LEVERS
from trimtab.systems.net import Net
from trimtab.systems.simulated import SimulatedLever
from trimtab.testing.levers import LeverConformance

SPECS = {
    LeverKind.INTEGER: LeverSpec("workers", "shop", LeverKind.INTEGER, (1, 16)),
    LeverKind.FLOAT: LeverSpec("ratio", "shop", LeverKind.FLOAT, (0.0, 1.0), step=0.05),
    LeverKind.CHOICE: LeverSpec("log_level", "shop", LeverKind.CHOICE, choices=("debug", "info", "warning")),
    LeverKind.BOOLEAN: LeverSpec("cache", "shop", LeverKind.BOOLEAN),
}


def build(url: str, spec: LeverSpec, net: Net, **more: object) -> Lever:
    lever_type = LEVERS["http"]
    shape: dict[str, object] = {"kind": spec.kind, "bounds": spec.bounds, "step": spec.step, "choices": spec.choices}
    options = lever_type.options.model_validate({"name": spec.name, "type": "http", "url": url, **shape, **more})
    return lever_type.build(options, spec, net)


class HttpLeverLaws(LeverConformance):
    kind: LeverKind
    found: object

    @pytest.fixture(autouse=True)
    def _server(self) -> Iterator[None]:
        self.setting = Setting(self.found)
        with http_target(self.setting) as target:
            self.target = target
            self.net = Net()
            yield

    async def make(self) -> Lever:
        return build(f"{self.target.url}/lever", SPECS[self.kind], self.net)

    async def make_unreachable(self) -> Lever:
        return build(f"{free_port_url()}/lever", SPECS[self.kind], self.net)

    async def release(self) -> None:
        await self.net.close()


class TestInteger(HttpLeverLaws):
    kind, found, values = LeverKind.INTEGER, 99, (2, 5)  # found outside of the bounds, and restored to it


class TestFloat(HttpLeverLaws):
    kind, found, values = LeverKind.FLOAT, 0.3, (0.25, 0.75)


class TestChoice(HttpLeverLaws):
    kind, found, values = LeverKind.CHOICE, "trace", ("info", "debug")


class TestBoolean(HttpLeverLaws):
    kind, found, values = LeverKind.BOOLEAN, False, (True, False)


class TestSimulated(HttpLeverLaws):
    """Simulation mode keeps the same laws, and the target never hears of it."""

    kind, found, values = LeverKind.INTEGER, 3, (2, 5)

    @pytest.fixture(autouse=True)
    def _untouched(self, _server: None) -> Iterator[None]:
        yield
        assert self.setting.puts == 0 and self.setting.value == 3

    async def make(self) -> Lever:
        return SimulatedLever(await super().make())

    async def make_unreachable(self) -> None:  # type: ignore[override]
        return None


def within(target: Target, act: Callable[[Lever], object], spec: LeverSpec = SPECS[LeverKind.INTEGER], **more: object) -> object:
    """Do something with a lever in an event loop of its own."""

    async def run() -> object:
        async with Net() as net:
            return await act(build(f"{target.url}/lever", spec, net, **more))  # type: ignore[misc]

    return asyncio.run(run())


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[Target, Setting]]:
    setting = Setting(0)
    with http_target(setting) as target:
        yield target, setting


@pytest.fixture(scope="module")
def runner() -> Iterator[tuple[asyncio.Runner, Net]]:
    """One event loop and one client for many examples."""
    with asyncio.Runner() as runner:
        net = Net()
        yield runner, net
        runner.run(net.close())


def kind_and_values() -> st.SearchStrategy[tuple[LeverSpec, object, object]]:
    values = {
        LeverKind.INTEGER: st.integers(-(2**53), 2**53),
        LeverKind.FLOAT: st.floats(allow_nan=False, allow_infinity=False),
        LeverKind.CHOICE: st.text(st.characters(exclude_categories=("Cs",))),
        LeverKind.BOOLEAN: st.booleans(),
    }
    return st.sampled_from(list(values)).flatmap(lambda kind: st.tuples(st.just(SPECS[kind]), values[kind], values[kind]))


@given(kind_and_values())
@settings(max_examples=40, deadline=None)
def test_rollback_after_apply_is_the_identity(
    shared: tuple[Target, Setting], runner: tuple[asyncio.Runner, Net], case: tuple[LeverSpec, object, object]
) -> None:
    (target, setting), (loop, net), (spec, found, wanted) = shared, runner, case
    setting.value = found

    async def apply_and_roll_back() -> None:
        lever = build(f"{target.url}/lever", spec, net)
        snapshot = await lever.read()
        await lever.set(wanted)  # type: ignore[arg-type]
        assert setting.value == wanted
        await lever.set(snapshot)

    loop.run(apply_and_roll_back())
    assert setting.value == found and type(setting.value) is type(found)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(400, Permanent, id="bad request"),
        pytest.param(403, Permanent, id="forbidden"),
        pytest.param(404, Permanent, id="no such lever"),
        pytest.param(405, Permanent, id="read only"),
        pytest.param(422, Permanent, id="value refused"),
        pytest.param(301, Permanent, id="redirect"),
        pytest.param(408, Retryable, id="request timed out"),
        pytest.param(409, Retryable, id="conflict"),
        pytest.param(423, Retryable, id="locked"),
        pytest.param(429, Retryable, id="too many requests"),
        pytest.param(500, Retryable, id="server error"),
        pytest.param(503, Retryable, id="unavailable"),
    ],
)
@pytest.mark.parametrize("method", ["read", "set"])
def test_a_status_other_than_2xx(status: int, expected: type[LeverError], method: str) -> None:
    with (
        http_target(lambda request: request.answer("workers are fixed", status=status)) as target,
        pytest.raises(expected) as caught,
    ):
        within(target, lambda lever: lever.read() if method == "read" else lever.set(4))
    assert type(caught.value) is expected
    assert str(status) in str(caught.value) and "shop/workers" in str(caught.value)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        pytest.param("", "empty body", id="empty"),
        pytest.param("<html>Login</html>", "<html>", id="html"),
        pytest.param('{"value": 4', '{"value": 4', id="truncated"),
        pytest.param("[4]", "[4]", id="list"),
        pytest.param('{"val": 4}', '{"val": 4}', id="no value"),
        pytest.param('{"value": null}', "None", id="null"),
        pytest.param('{"value": "many"}', "many", id="text"),
        pytest.param('{"value": true}', "True", id="boolean"),
        pytest.param('{"value": 2.5}', "2.5", id="fraction"),
        pytest.param('{"value": NaN}', "nan", id="NaN"),
        pytest.param('{"value": 1e999}', "inf", id="infinite"),
        pytest.param('{"value": 1' + "0" * 400 + "}", "too large", id="beyond floats"),
        pytest.param(b"\xff\xfe", "UTF-8", id="binary"),
    ],
)
def test_a_malformed_value_is_permanent_and_named(body: bytes | str, named: str) -> None:
    with http_target(lambda request: request.answer(body)) as target, pytest.raises(Permanent) as caught:
        within(target, lambda lever: lever.read())
    assert named in str(caught.value)


@pytest.mark.parametrize("number", ["1", "0", "1.0", "2"])
def test_a_number_is_no_boolean_and_nothing_is_set(number: str) -> None:
    spec = SPECS[LeverKind.BOOLEAN]
    with http_target(lambda request: request.answer(f'{{"value": {number}}}')) as target, pytest.raises(Permanent) as caught:
        within(target, lambda lever: lever.read(), spec)
    assert f"is declared a boolean, but reads the number {float(number):g}" in str(caught.value)
    assert "kind: integer" in str(caught.value)


def break_off(request: Request) -> None:
    request.raw(b'{"value": 4', Content_Length="400")


def swell(request: Request) -> None:
    request.answer(b'{"value": "' + b"x" * 100_000 + b'"}')


@pytest.mark.parametrize(
    ("respond", "words"),
    [
        pytest.param(Request.hang, "timed out after 0.2 s", id="hangs"),
        pytest.param(Request.drip, "timed out after 0.2 s", id="drips"),
        pytest.param(break_off, "broke the connection", id="breaks off"),
        pytest.param(swell, "over 0.0625 MiB", id="too much"),
    ],
)
@pytest.mark.parametrize("method", ["read", "set"])
def test_no_whole_answer_leaves_the_effect_in_doubt(respond: Callable[[Request], None], words: str, method: str) -> None:
    with http_target(respond) as target, pytest.raises(Retryable, match=words):
        within(
            target,
            lambda lever: lever.read() if method == "read" else lever.set(4),
            timeout_seconds=0.2 if "timed out" in words else 30,
        )


def test_headers_are_sent_and_never_shown() -> None:
    with http_target(lambda request: request.answer(status=401)) as target, pytest.raises(Permanent) as caught:
        within(target, lambda lever: lever.set(4), headers={"Authorization": "Bearer s3cret"})
    assert target.requests[0].headers["Authorization"] == "Bearer s3cret"
    assert "s3cret" not in str(caught.value)


def test_nothing_is_sent_for_a_value_of_another_kind(shared: tuple[Target, Setting]) -> None:
    target, setting = shared
    before = setting.puts
    with pytest.raises(Permanent, match="takes an integer"):
        within(target, lambda lever: lever.set("many"))
    assert setting.puts == before
