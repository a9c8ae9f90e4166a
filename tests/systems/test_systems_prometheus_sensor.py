"""The prometheus sensor against real servers: scraping, deriving, asking a Prometheus server, and targets that misbehave."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import ValidationError

from systems.scripted_http import Request, free_port_url, http_target
from trimtab.domain.errors import SensorError
from trimtab.domain.metrics import Reading, Unit
from trimtab.domain.ports import Sensor, TellsAbsence
from trimtab.systems.net import Net
from trimtab.systems.prometheus import SENSORS
from trimtab.testing.sensors import SensorConformance

KIND = SENSORS["prometheus"]
DERIVE = [
    {"name": "shop_p95_seconds", "quantile": 0.95, "of": "http_request_duration_seconds", "where": {"route": "/pay"}},
    {"name": "shop_requests_per_second", "rate": "http_requests_total"},
    {"name": "shop_error_ratio", "ratio": ["http_errors_total", "http_requests_total"]},
]


def page(requests: int, errors: int = 0, queue: object = 3) -> str:
    return "\n".join(
        [
            "# HELP http_requests_total Requests.",
            "# TYPE http_requests_total counter",
            f'http_requests_total{{route="/pay"}} {requests}',
            "# TYPE http_errors_total counter",
            f"http_errors_total {errors}",
            "# TYPE queue_length gauge",
            f'queue_length{{pool="a"}} {queue}',
            'queue_length{pool="b"} 1',
            "# TYPE http_request_duration_seconds histogram",
            f'http_request_duration_seconds_bucket{{route="/pay",le="0.1"}} {requests}',
            f'http_request_duration_seconds_bucket{{route="/pay",le="+Inf"}} {requests}',
            f'http_request_duration_seconds_count{{route="/pay"}} {requests}',
            "# no type",
            "build_info 1",
            "",
        ]
    )


def build(net: Net, **options: object) -> Sensor:
    return KIND.build(KIND.options.model_validate({"type": "prometheus", **options}), "shop", net)


def reads(*nows: float, **options: object) -> list[list[Reading]]:
    async def run() -> list[list[Reading]]:
        async with Net() as net:
            sensor = build(net, **options)
            return [list(await sensor.read(now)) for now in nows]

    return asyncio.run(run())


def values(readings: list[Reading]) -> dict[str, float]:
    return {reading.series.metric_id: reading.value for reading in readings}


def test_two_scrapes_yield_what_goals_speak_of() -> None:
    pages = iter([page(100), page(160, errors=3)])
    with http_target(lambda request: request.answer(next(pages))) as target:
        first, second = reads(1000.0, 1030.0, url=f"{target.url}/metrics", metrics=[], derive=DERIVE)
    assert values(first) == {"shop/up": 1.0}
    assert values(second) == pytest.approx(
        {"shop/up": 1.0, "shop/shop_p95_seconds": 0.095, "shop/shop_requests_per_second": 2.0, "shop/shop_error_ratio": 0.05}
    )
    units = {reading.series.name: reading.series.unit for reading in second}
    assert units["shop_p95_seconds"] is Unit.SECONDS and units["shop_error_ratio"] is Unit.RATIO
    assert all(reading.timestamp == 1030.0 for reading in second)


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        pytest.param(None, {"shop/build_info", 'shop/queue_length{pool="a"}', 'shop/queue_length{pool="b"}'}, id="every gauge"),
        pytest.param(["queue_length"], {'shop/queue_length{pool="a"}', 'shop/queue_length{pool="b"}'}, id="allow-list"),
        pytest.param(["http_errors_total"], {"shop/http_errors_total"}, id="a counter, when named"),
        pytest.param([], set(), id="none"),
        pytest.param(["not_there"], set(), id="absent is missing"),
    ],
)
def test_gauges_come_with_their_labels(metrics: list[str] | None, expected: set[str]) -> None:
    with http_target(lambda request: request.answer(page(1))) as target:
        (readings,) = reads(1000.0, url=target.url, metrics=metrics)
    assert set(values(readings)) - {"shop/up"} == expected


def test_a_gauge_that_is_nan_is_passed_on() -> None:
    with http_target(lambda request: request.answer(page(1, queue="NaN"))) as target:
        (readings,) = reads(1000.0, url=target.url, metrics=["queue_length"])
    assert math.isnan(values(readings)['shop/queue_length{pool="a"}'])


def test_refusing_the_connection_is_evidence() -> None:
    (readings,) = reads(1000.0, url=free_port_url(), derive=DERIVE)
    assert values(readings) == {"shop/up": 0.0}
    assert readings[0].series.labels == () and readings[0].timestamp == 1000.0


def test_why_something_is_absent_is_told() -> None:
    async def run() -> list[str]:
        async with Net() as net:
            with http_target(lambda request: request.answer(page(100))) as target:
                sensor = build(net, url=target.url, metrics=["not_there"], derive=DERIVE)
                assert isinstance(sensor, TellsAbsence)
                told = [sensor.why_absent("shop_p95_seconds")]
                for now in (1000.0, 1030.0):
                    await sensor.read(now)
                    told += [sensor.why_absent("shop_p95_seconds"), sensor.why_absent("not_there")]
            await sensor.read(1060.0)  # nobody is there any more
            told += [sensor.why_absent("shop_p95_seconds"), sensor.why_absent("not_there")]
        return ["" if why is None else f"{why.health.value}: {why.reason.replace(target.url, 'it')}" for why in told]

    early, gone = "warming_up: needs a second reading", "missing: it refused the connection: nothing listens there"
    assert [told.replace("it/ ", "it ") for told in asyncio.run(run())] == ["", early, "", "", "", gone, gone]


def truncate(request: Request) -> None:
    request.raw(page(1)[:-20].encode(), Content_Length=str(len(page(1))))


def end_inside_a_number(request: Request) -> None:
    request.raw(b"http_requests_total 12")  # of 1234; no length announced, so that only the missing line end tells


@pytest.mark.parametrize(
    ("respond", "words"),
    [
        pytest.param(lambda request: request.answer("oops", status=500), "HTTP 500", id="HTTP 500"),
        pytest.param(lambda request: request.answer(status=404), "HTTP 404", id="HTTP 404"),
        pytest.param(Request.hang, "timed out after 0.2 s", id="hangs"),
        pytest.param(Request.drip, "timed out after 0.2 s", id="drips"),
        pytest.param(lambda request: request.answer("<html>hello</html>"), "not in the Prometheus text format", id="html"),
        pytest.param(lambda request: request.answer(""), "not in the Prometheus text format", id="empty"),
        pytest.param(lambda request: request.answer(b"\xff\xfe\x00"), "not UTF-8", id="binary"),
        pytest.param(lambda request: request.answer("g 1 2 x{"), "not in the Prometheus text format", id="garbage"),
        pytest.param(
            lambda request: request.answer("other 1\n<html>"), "not in the Prometheus text format", id="garbage in between"
        ),
        pytest.param(lambda request: request.answer("a" * (8 * 2**20 + 1)), "over 8 MiB", id="huge"),
        pytest.param(truncate, "broke the connection", id="truncated"),
        pytest.param(end_inside_a_number, "middle of a line", id="ends inside a number"),
        pytest.param(
            lambda request: request.answer(b"\x1f\x8b", Content_Encoding="gzip"), "not asked for", id="compressed unasked"
        ),
        pytest.param(
            lambda request: request.answer("\n".join(f'g{{n="{index}"}} 1' for index in range(5001))),
            "more than 5,000",
            id="too many",
        ),
    ],
)
def test_no_usable_answer_is_our_silence(respond: Callable[[Request], None], words: str) -> None:
    with http_target(respond) as target, pytest.raises(SensorError, match=words):
        reads(1000.0, url=target.url, timeout_seconds=0.2 if "timed out" in words else 30)


def test_a_redirect_is_not_followed() -> None:
    with http_target(lambda request: request.answer(page(1))) as other:
        with (
            http_target(lambda request: request.answer(status=302, Location=other.url)) as target,
            pytest.raises(SensorError, match="redirect"),
        ):
            reads(1000.0, url=target.url)
        assert other.requests == []


def test_a_failed_scrape_in_between_does_not_break_rates() -> None:
    pages = iter([page(100), None, page(160)])

    def respond(request: Request) -> None:
        text = next(pages)
        request.answer(text or "", status=200 if text else 500)

    async def run() -> list[Reading]:
        async with Net() as net:
            sensor = build(net, url=target.url, metrics=[], derive=DERIVE)
            await sensor.read(1000.0)
            with pytest.raises(SensorError):
                await sensor.read(1030.0)
            return list(await sensor.read(1060.0))

    with http_target(respond) as target:
        assert values(asyncio.run(run()))["shop/shop_requests_per_second"] == 1.0


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        pytest.param({"resultType": "scalar", "result": [1, "2.5"]}, {"shop/lag": 2.5}, id="scalar"),
        pytest.param({"resultType": "vector", "result": []}, {}, id="empty is missing"),
        pytest.param(
            {"resultType": "vector", "result": [{"metric": {"__name__": "x", "topic": "a"}, "value": [1, "7"]}]},
            {'shop/lag{topic="a"}': 7.0},
            id="vector with labels",
        ),
        pytest.param(
            {"resultType": "vector", "result": [{"metric": {}, "value": [1, "NaN"]}]}, {"shop/lag": math.nan}, id="NaN passes"
        ),
        pytest.param(
            {"resultType": "vector", "result": [{"metric": {}, "value": [1, "+Inf"]}]}, {"shop/lag": math.inf}, id="+Inf passes"
        ),
    ],
)
def test_asking_a_server(result: object, expected: dict[str, float]) -> None:
    with http_target(lambda request: request.answer({"status": "success", "data": result})) as target:
        (readings,) = reads(1000.0, server=f"{target.url}/", query="max(lag) by (topic)", name="lag")
        asked = urlsplit(target.requests[0].path)
    assert asked.path == "/api/v1/query" and parse_qs(asked.query)["query"] == ["max(lag) by (topic)"]
    assert values(readings) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        pytest.param({"status": "error", "error": "parse error: unexpected <eof>"}, 400, "parse error", id="its own words"),
        pytest.param({"status": "success", "data": {"resultType": "matrix", "result": []}}, 200, "matrix", id="a range"),
        pytest.param({"status": "success"}, 200, "not Prometheus' own", id="no data"),
        pytest.param([1, 2], 200, "not Prometheus' own", id="a list"),
        pytest.param(
            {"status": "success", "data": {"resultType": "vector", "result": [{"value": []}]}},
            200,
            "not Prometheus' own",
            id="odd",
        ),
        pytest.param("<html>", 502, "HTTP 502", id="a proxy"),
    ],
)
def test_a_server_that_cannot_answer_is_silence(body: object, status: int, words: str) -> None:
    kind = "text/html" if isinstance(body, str) else "application/json"
    with (
        http_target(lambda request: request.answer(body, status=status, Content_Type=kind)) as target,
        pytest.raises(SensorError, match=words),
    ):
        reads(1000.0, server=target.url, query="lag", name="lag")


def test_a_server_that_refuses_tells_nothing_of_the_element() -> None:
    with pytest.raises(SensorError, match="refused"):
        reads(1000.0, server=free_port_url(), query="lag", name="lag")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({}, "either url", id="no source"),
        pytest.param({"url": "http://a", "server": "http://b", "query": "x", "name": "y"}, "either url", id="two sources"),
        pytest.param({"server": "http://b", "query": "x"}, "server needs query and name", id="no name"),
        pytest.param(
            {"server": "http://b", "query": "x", "name": "y", "derive": DERIVE}, "say it in PromQL", id="derive of a query"
        ),
        pytest.param({"url": "ftp://a"}, "whole URL", id="not http"),
        pytest.param({"url": "http://a:99999"}, "whole URL", id="port out of range"),
        pytest.param({"url": "http://a", "derive": [{"name": "x"}]}, "exactly one of", id="derived from nothing"),
        pytest.param(
            {"url": "http://a", "derive": [{"name": "x", "rate": "a", "quantile": 0.5, "of": "b"}]},
            "exactly one of",
            id="two ways",
        ),
        pytest.param(
            {"url": "http://a", "derive": [{"name": "x", "quantile": 0.5}]}, "belong together", id="quantile of nothing"
        ),
        pytest.param(
            {"url": "http://a", "derive": [{"name": "x", "quantile": 95, "of": "b"}]}, "less than or equal to 1", id="percent"
        ),
        pytest.param({"url": "http://a", "metrics": ["shop_error_ratio"], "derive": DERIVE}, "two series", id="one name twice"),
        pytest.param(
            {"url": "http://a", "derive": [{"name": "p95_bytes", "quantile": 0.95, "of": "pay_seconds"}]},
            "the histogram pay_seconds is in seconds; call it p95_seconds",
            id="a unit that the source is not in",
        ),
    ],
)
def test_options_that_cannot_be_used(options: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        KIND.options.model_validate({"type": "prometheus", **options})


def test_options_read_from_json_as_strictly_as_the_config_does() -> None:
    text = json.dumps({"type": "prometheus", "url": "http://127.0.0.1:1/metrics", "metrics": ["queue_length"], "derive": DERIVE})
    assert KIND.options.model_validate_json(text, strict=True)


class TestScrapeSensorLaws(SensorConformance):
    @pytest.fixture(autouse=True)
    def _server(self) -> Iterator[None]:
        count = iter(range(1000))
        with http_target(lambda request: request.answer(page(100 * next(count)))) as target:
            self.url, self.silent, self.net = target.url, target, Net()
            yield

    async def make(self) -> Sensor:
        return build(self.net, url=self.url, derive=DERIVE)

    async def make_silent(self) -> Sensor:
        self.silent.respond = lambda request: request.answer(status=500)
        return build(self.net, url=self.silent.url, derive=DERIVE)

    async def release(self) -> None:
        await self.net.close()
