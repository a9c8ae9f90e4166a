"""The shared client: nothing of the environment, no cookies, no secrets in words, and an end to everything."""

from __future__ import annotations

import asyncio
import socket
import time

import httpcore
import pytest

from systems.scripted_http import Request, free_port_url, http_target
from trimtab.systems.net import Answer, Net, NoAnswer, _explain, check_url, clean_url


def fetch(url: str, **more: object) -> Answer:
    async def run() -> Answer:
        async with Net() as net:
            return await net.fetch(url, **more)  # type: ignore[arg-type]

    return asyncio.run(run())


def test_the_environment_does_not_redirect_us(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, free_port_url())
    with http_target(lambda request: request.answer("here")) as target:
        assert fetch(target.url).text() == "here"


def test_no_cookie_is_kept() -> None:
    async def run() -> None:
        async with Net() as net:
            await net.fetch(target.url)
            await net.fetch(target.url)

    with http_target(lambda request: request.answer(Set_Cookie="session=1; Path=/")) as target:
        asyncio.run(run())
        assert [request.headers.get("Cookie") for request in target.requests] == [None, None]


def test_secrets_in_a_url_are_used_and_not_shown() -> None:
    with http_target(lambda request: request.answer(status=500)) as target:
        url = target.url.replace("http://", "http://bob:hunter22@") + "/metrics?token=t0ken"
        with pytest.raises(NoAnswer) as caught:
            fetch(url).require_ok()
        assert target.requests[0].headers["Authorization"].startswith("Basic ") and "t0ken" in target.requests[0].path
    assert "hunter22" not in str(caught.value) and "t0ken" not in str(caught.value) and "/metrics" in str(caught.value)


@pytest.mark.parametrize(
    ("path", "params", "sent"),
    [
        pytest.param("", None, "/", id="no path"),
        pytest.param("/a b/ü?q=x y#part", None, "/a%20b/%C3%BC?q=x%20y", id="what must be quoted is"),
        pytest.param("/a%20b?q=%2B", None, "/a%20b?q=%2B", id="and only once"),
        pytest.param("/query?old=1", {"query": 'up{a="b"} + 1'}, "/query?query=up%7Ba%3D%22b%22%7D+%2B+1", id="parameters"),
    ],
)
def test_a_url_arrives_as_it_was_meant(path: str, params: dict[str, str] | None, sent: str) -> None:
    with http_target(lambda request: request.answer("ok")) as target:
        fetch(target.url + path, params=params)
    (request,) = target.requests
    assert request.path == sent
    assert request.headers["Host"] == target.url.removeprefix("http://")


@pytest.mark.parametrize(("method", "payload", "length"), [("PUT", {"value": 8}, "12"), ("PUT", None, "0"), ("GET", None, None)])
def test_a_body_is_announced(method: str, payload: object, length: str | None) -> None:
    with http_target(lambda request: request.answer("ok")) as target:
        fetch(target.url, method=method, payload=payload, headers={"x-own": "1", "host": "other"})
    (request,) = target.requests
    received = {name.lower(): value for name, value in request.headers.items()}
    assert received.get("content-length") == length
    assert (received["x-own"], received["host"]) == ("1", "other")


def test_many_at_once_and_again_after_closing() -> None:
    async def run() -> list[int]:
        net = Net()
        first = await asyncio.gather(*(net.fetch(target.url) for _ in range(40)))
        await net.close()
        await net.close()
        again = await net.fetch(target.url)
        await net.close()
        return [answer.status for answer in (*first, again)]

    with http_target(lambda request: request.answer("ok")) as target:
        assert asyncio.run(run()) == [200] * 41


def test_a_target_that_drips_is_cut_off_in_time_and_leaves_others_alone() -> None:
    def respond(request: Request) -> None:
        if request.path == "/slow":
            request.drip()
        else:
            request.answer("ok")

    async def run() -> tuple[object, Answer]:
        async with Net() as net:
            slow = asyncio.create_task(net.fetch(f"{target.url}/slow", timeout_seconds=0.3))
            quick = await net.fetch(f"{target.url}/quick")
            (error,) = await asyncio.gather(slow, return_exceptions=True)
            return error, quick

    started = time.monotonic()
    with http_target(respond) as target:
        error, quick = asyncio.run(run())
    assert isinstance(error, NoAnswer) and "timed out after 0.3 s" in str(error) and not error.refused
    assert quick.ok and time.monotonic() - started < 5.0


def test_only_a_refusal_is_evidence() -> None:
    with pytest.raises(NoAnswer) as caught:
        fetch(free_port_url())
    assert caught.value.refused and "refused the connection" in str(caught.value)


@pytest.mark.parametrize(
    ("cause", "words", "refused"),
    [
        pytest.param(socket.gaierror(-2, "Name or service not known"), "host name is not known", False, id="unknown host"),
        pytest.param(ConnectionRefusedError(111, "Connection refused"), "refused", True, id="refused"),
        pytest.param(
            ExceptionGroup("attempts", [OSError(101, "Network is unreachable"), ConnectionRefusedError(111, "no")]),
            "refused",
            True,
            id="group",
        ),
        pytest.param(ConnectionResetError(104, "Connection reset by peer"), "broke the connection", False, id="reset"),
        pytest.param(OSError(113, "No route to host"), "No route to host", False, id="no route"),
    ],
)
def test_causes_become_sentences(cause: Exception, words: str, refused: bool) -> None:
    error = httpcore.ConnectError(str(cause))
    error.__cause__ = cause
    said = _explain("http://shop", error)
    assert words in str(said) and said.refused is refused and str(said).startswith("http://shop")


@pytest.mark.parametrize(
    "url", ["", "shop", "ftp://shop", "http://", "http://[::1", "http://shop:x", "http://shop:70000", "//shop/x"]
)
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(ValueError, match="not a whole URL"):
        check_url(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@shop:8443/a?b#c", "https://shop:8443/a"),
        ("http://[::1]:80/x", "http://[::1]:80/x"),
        ("http://[::1", "the URL"),
    ],
)
def test_urls_fit_to_show(url: str, shown: str) -> None:
    assert clean_url(url) == shown


@pytest.mark.parametrize(
    ("body", "glimpse"),
    [
        pytest.param(b"", "an empty body", id="empty"),
        pytest.param(b"a\n\x1b[31m b", "'a ?[31m b'", id="one line without control characters"),
        pytest.param(b"x" * 500, "'" + "x" * 120 + "…'", id="cut"),
    ],
)
def test_a_glimpse_is_fit_for_a_terminal(body: bytes, glimpse: str) -> None:
    assert Answer("u", 200, body).glimpse() == glimpse
