"""Looking around, on real ports and sockets: what is asked, what is found, and what is left alone."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from trimtab.discovery import look as looking
from trimtab.discovery.look import NOT_HTTP, Port, discover, listening, sockets_of_programs
from trimtab.sdk import App

PAGE = "# TYPE http_requests_total counter\nhttp_requests_total 3\n"


@contextlib.contextmanager
def served(
    answer: str | None, *, content_type: str = "text/plain", status: int = 200
) -> Iterator[tuple[Port, list[tuple[str, str, str]]]]:
    """A server with this metrics page, and every request that it got; with None it never answers."""
    asked: list[tuple[str, str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            super().handle_one_request()

        def do_GET(self) -> None:
            asked.append((self.command, self.path, self.headers.get("Content-Length") or ""))
            if answer is None:
                time.sleep(2.0)
                return
            body = answer.encode()
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield Port(server.server_address[1], program="shop"), asked
        server.shutdown()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(looking, "BETWEEN_SECONDS", 0.05)


def look(*ports, sockets=()):
    return asyncio.run(discover(ports, sockets))


def test_a_metrics_page_is_found_by_two_gets_and_nothing_else():
    with served(PAGE) as (port, asked):
        found = look(port)
    assert [(service.name, service.url) for service in found.services] == [("shop", port.url)]
    assert asked == [("GET", "/metrics", "")] * 2


@pytest.mark.parametrize(
    ("answer", "how"),
    [
        ("<html>hello</html>", {"content_type": "text/html"}),
        ('{"a": 1}', {"content_type": "application/json"}),
        (PAGE, {"status": 404}),
        ("", {}),
        ("plain words\n", {}),
    ],
    ids=["a page for people", "JSON", "not found", "nothing", "words"],
)
def test_what_speaks_another_language_is_no_service(answer, how):
    with served(answer, **how) as (port, asked):
        assert look(port).services == ()
    assert len(asked) == 1, "asked once, and not again"


def test_a_port_that_never_answers_holds_up_nothing():
    with served(None) as (silent, _), served(PAGE) as (port, _):
        began = time.monotonic()
        found = look(silent, port)
    assert [service.url for service in found.services] == [port.url]
    assert time.monotonic() - began < 1.9, "half a second of patience, not the two that it takes"


def test_a_port_that_is_a_database_by_custom_is_not_asked():
    port = Port(next(iter(NOT_HTTP)))
    found = look(port)
    assert (found.asked, found.left_alone) == ((), (port,))


def test_at_most_so_many_ports_are_asked():
    ports = [Port(1), *(Port(number) for number in range(60_000, 60_040))]  # nobody listens there
    found = look(*ports)
    assert len(found.asked) == looking.MOST_PORTS and found.more == len(ports) - looking.MOST_PORTS


def test_an_agent_is_told_from_a_service():
    with served('# TYPE trimtab_agent_state gauge\ntrimtab_agent_state{state="running"} 1\n') as (port, _):
        found = look(port)
    assert (found.services, found.agents) == ((), (port,))


def test_listening_ports_are_those_that_loopback_reaches():
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("0.0.0.0", 0)) as other:
        found = {port.number: port for port in listening()}
        mine = {one.getsockname()[1], other.getsockname()[1]}
    assert mine <= found.keys()
    assert {found[number].host for number in mine} == {"127.0.0.1"}
    assert all(found[number].program for number in mine), "a process of one's own has a name"


def test_a_program_with_the_sdk_is_found_with_its_levers_and_their_values(tmp_path):
    app, held = App(), {"workers": 4}
    app.sensor("queue_length")(lambda: 37.0)
    app.sensor("broken")(lambda: 1 / 0)
    app.lever("workers", read=lambda: held["workers"], set=lambda value: held.update(workers=value), bounds=(1, 8))
    with app.expose(str(tmp_path / "program.sock")), served(PAGE) as (port, _):
        (tmp_path / "plain.sock").touch()
        paths = sockets_of_programs([tmp_path, tmp_path / "absent"])
        assert [path.name for path in paths] == ["program.sock"], "a file is no socket"
        found = look(port, sockets=paths)
    (program,) = found.programs
    assert (program.name, dict(program.sensors)) == ("program", {"queue_length": 37.0, "broken": None})
    assert [(lever.name, lever.bounds, lever.now) for lever in program.levers] == [("workers", (1.0, 8.0), 4)]
    assert held == {"workers": 4}, "nothing was set"
    assert [service.name for service in found.services] == ["shop"]


def test_a_socket_of_something_else_is_passed_over(tmp_path):
    path = tmp_path / "other.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        assert look(sockets=[path]).programs == ()
