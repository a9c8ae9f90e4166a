"""The http_json sensor: paths as a table, and what it makes of documents and targets that misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from systems.scripted_http import Request, free_port_url, http_target
from trimtab.domain.errors import SensorError
from trimtab.domain.metrics import Reading
from trimtab.domain.ports import Sensor
from trimtab.systems.http import SENSORS
from trimtab.systems.net import Net
from trimtab.systems.paths import Absent, follow, parse_path
from trimtab.testing.sensors import SensorConformance

KIND = SENSORS["http_json"]
NAN = float("nan")


def build(net: Net, url: str, timeout_seconds: float = 30.0, **metrics: str) -> Sensor:
    options = {
        "type": "http_json",
        "url": url,
        "metrics": metrics or {"queue_length": "queue.length"},
        "timeout_seconds": timeout_seconds,
    }
    return KIND.build(KIND.options.model_validate(options), "shop", net)


def read(url: str, timeout_seconds: float = 30.0) -> list[Reading]:
    async def run() -> list[Reading]:
        async with Net() as net:
            return list(await build(net, url, timeout_seconds).read(1000.0))

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param('{"queue": {"length": 3}}', [3.0], id="integer"),
        pytest.param('{"queue": {"length": 0.5}}', [0.5], id="float"),
        pytest.param('{"queue": {"length": null}}', [NAN], id="null is invalid, not missing"),
        pytest.param('{"queue": {"length": "3"}}', [NAN], id="text"),
        pytest.param('{"queue": {"length": true}}', [NAN], id="boolean"),
        pytest.param('{"queue": {"length": {}}}', [NAN], id="object"),
        pytest.param('{"queue": {"length": NaN}}', [NAN], id="NaN"),
        pytest.param('{"queue": {"length": -1e999}}', [float("-inf")], id="infinity"),
        pytest.param('{"queue": {"length": 1' + "0" * 400 + "}}", [float("inf")], id="beyond floats"),
        pytest.param('{"queue": {}}', [], id="absent is missing"),
        pytest.param('{"queue": null}', [], id="nothing to look into"),
        pytest.param('{"queue": "length"}', [], id="text is not looked into"),
        pytest.param("[]", [], id="a list at the top"),
        pytest.param("3", [], id="a number at the top"),
    ],
)
def test_values(body: str, expected: list[float]) -> None:
    with http_target(lambda request: request.answer(body)) as target:
        readings = read(target.url)
    assert [reading.value for reading in readings] == pytest.approx(expected, nan_ok=True)
    assert all(reading.series.metric_id == "shop/queue_length" and reading.timestamp == 1000.0 for reading in readings)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("a", {"b": [10, {"c": 20}], "d.e": 30}, id="a key"),
        pytest.param("a.b[0]", 10, id="an index"),
        pytest.param("a.b[1].c", 20, id="a key after an index"),
        pytest.param("a.b[-1].c", 20, id="from the end"),
        pytest.param('a["d.e"]', 30, id="a key with a dot"),
        pytest.param("[a]", ValueError, id="no such syntax"),
        pytest.param("", ValueError, id="empty"),
        pytest.param(".a", ValueError, id="leading dot"),
        pytest.param("a.", ValueError, id="trailing dot"),
        pytest.param("a..b", ValueError, id="two dots"),
        pytest.param("a.b[2]", Absent, id="index beyond the end"),
        pytest.param("a.x", Absent, id="no such key"),
        pytest.param("a[0]", Absent, id="an index into an object"),
        pytest.param("a.b.c", Absent, id="a key into a list"),
    ],
)
def test_paths(path: str, expected: object) -> None:
    document = {"a": {"b": [10, {"c": 20}], "d.e": 30}}
    if isinstance(expected, type):
        with pytest.raises(expected):
            follow(document, parse_path(path))
    else:
        assert follow(document, parse_path(path)) == expected


@pytest.mark.parametrize(
    ("respond", "words"),
    [
        pytest.param(lambda request: request.answer("{}", status=500), "HTTP 500", id="HTTP 500"),
        pytest.param(lambda request: request.answer("<html>"), "did not answer with JSON", id="html"),
        pytest.param(lambda request: request.answer('{"queue": {"len'), "did not answer with JSON", id="truncated JSON"),
        pytest.param(lambda request: request.answer("[" * 100_000), "did not answer with JSON", id="deeper than any stack"),
        pytest.param(lambda request: request.answer(status=301, Location="http://127.0.0.1:1/"), "redirect", id="redirect"),
        pytest.param(Request.hang, "timed out after 0.2 s", id="hangs"),
    ],
)
def test_no_document_is_our_silence(respond: object, words: str) -> None:
    with http_target(respond) as target, pytest.raises(SensorError, match=words):  # type: ignore[arg-type]
        read(target.url, timeout_seconds=0.2 if "timed out" in words else 30.0)


@pytest.mark.parametrize(
    "metrics",
    [pytest.param({}, id="nothing to read"), pytest.param({"x": "a..b"}, id="not a path"), pytest.param({"x": ""}, id="empty")],
)
def test_options_that_cannot_be_used(metrics: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        KIND.options.model_validate({"type": "http_json", "url": "http://127.0.0.1/", "metrics": metrics})


class TestHttpJsonLaws(SensorConformance):
    @pytest.fixture(autouse=True)
    def _server(self) -> Iterator[None]:
        with http_target(lambda request: request.answer({"a": [{"b": 1}], "c": None})) as target:
            self.url, self.net = target.url, Net()
            yield

    async def make(self) -> Sensor:
        return build(self.net, self.url, first="a[0].b", second="c", third="absent")

    async def make_silent(self) -> Sensor:
        return build(self.net, free_port_url())

    async def release(self) -> None:
        await self.net.close()
