"""The SDK's server on real sockets: who may connect, what a client can and cannot do, and that nothing is left behind."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from trimtab import sdk_server
from trimtab.sdk import App
from trimtab.sdk_server import Exposure, parse_address


@pytest.fixture
def app() -> App:
    app, held = App(), [4]
    app.lever("workers", bounds=(1, 16), read=lambda: held[0], set=lambda value: held.__setitem__(0, value))
    app.sensor("queue_length")(lambda: 3)
    return app


@pytest.fixture(params=["socket", "port"])
def exposure(request: pytest.FixtureRequest, app: App, tmp_path: Path) -> Iterator[Exposure]:
    with app.expose(str(tmp_path / "shop.sock") if request.param == "socket" else "127.0.0.1:0") as exposure:
        yield exposure


def connect(address: str) -> socket.socket:
    place = parse_address(address)
    connection = socket.socket(socket.AF_UNIX if isinstance(place, str) else socket.AF_INET)
    connection.settimeout(5)
    connection.connect(place)
    return connection


def says(connection: socket.socket, line: bytes) -> dict[str, Any] | None:
    """The answer to a line, None where the connection ended."""
    received = b""
    try:
        connection.sendall(line)
        while not received.endswith(b"\n"):
            more = connection.recv(65536)
            if not more:
                return None
            received += more
    except ConnectionError:
        return None
    return json.loads(received)  # type: ignore[no-any-return]


def test_one_connection_may_ask_many_things(exposure: Exposure) -> None:
    with connect(exposure.address) as client:
        assert says(client, b'{"op": "get", "lever": "workers"}\n') == {"ok": True, "value": 4}
        assert says(client, b'{"op": "set", "lever": "workers", "value": 8}\n') == {"ok": True}
        assert says(client, b'{"op": "set", "lever": "workers", "value": 99}\n')["ok"] is False  # type: ignore[index]
        assert says(client, b'{"op": "get", "lever": "workers"}\n') == {"ok": True, "value": 8}
        assert says(client, b'{"op": "read"}\n')["sensors"]["queue_length"]["value"] == 3.0  # type: ignore[index]


def test_several_clients_at_once(exposure: Exposure) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(exposure.address)) for _ in range(8)]
        for client in clients:
            client.sendall(b'{"op": "get", "lever": "workers"}\n')
        assert all(json.loads(client.recv(1000)) == {"ok": True, "value": 4} for client in clients)


def test_more_clients_than_there_is_room_for_are_told(exposure: Exposure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdk_server, "MAX_CONNECTIONS", 1)
    with connect(exposure.address) as first:
        assert says(first, b'{"op": "get", "lever": "workers"}\n')
        with connect(exposure.address) as second:
            assert json.loads(second.recv(1000)) == {"ok": False, "error": "too many connections", "refused": False}
        assert says(first, b'{"op": "get", "lever": "workers"}\n') == {"ok": True, "value": 4}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        pytest.param(b"hello\n", "not a line of JSON", id="no JSON"),
        pytest.param(b'{"op": "set", "lever": "workers", "value"\n', "not a line of JSON", id="truncated"),
        pytest.param(b"[" * 60_000 + b"\n", "not a line of JSON", id="deeper than any stack"),
        pytest.param(b"\xff\xfe\n", "not a line of JSON", id="binary"),
        pytest.param(b"[1]\n", "JSON object", id="no object"),
        pytest.param(b"x" * (sdk_server.MAX_LINE_BYTES + 1), "at most 65536 bytes", id="too long"),
    ],
)
def test_what_is_no_request_ends_the_connection(said: bytes, words: str, exposure: Exposure) -> None:
    with connect(exposure.address) as client:
        answer = says(client, said)
        assert answer is not None and answer["refused"] is True and words in answer["error"]
        assert says(client, b"") is None
    with connect(exposure.address) as another:  # the server goes on
        assert says(another, b'{"op": "get", "lever": "workers"}\n') == {"ok": True, "value": 4}


def test_a_web_page_cannot_talk_its_way_in(exposure: Exposure, app: App) -> None:
    form = b'POST / HTTP/1.1\r\nContent-Type: text/plain\r\n\r\n{"op": "set", "lever": "workers", "value": 16}\n'
    with connect(exposure.address) as browser:
        says(browser, form)
    assert app.answer({"op": "get", "lever": "workers"})["value"] == 4


def test_a_host_function_that_fails_does_not_end_the_connection(exposure: Exposure, app: App) -> None:
    app.lever("broken", read=lambda: 1 / 0, set=lambda value: None)
    with connect(exposure.address) as client:
        answer = says(client, b'{"op": "get", "lever": "broken"}\n')
        assert answer == {"ok": False, "error": "ZeroDivisionError: division by zero", "refused": False}
        assert says(client, b'{"op": "get", "lever": "workers"}\n') == {"ok": True, "value": 4}


def test_close_ends_everything_and_may_be_repeated(app: App, tmp_path: Path) -> None:
    path = str(tmp_path / "shop.sock")
    threads = threading.active_count()
    exposure = app.expose(path)
    with connect(path) as client:
        assert says(client, b'{"op": "list"}\n')
        exposure.close()
        exposure.close()
        assert says(client, b"") is None
    assert os.listdir(tmp_path) == []
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and "process_request" in thread.name:
            thread.join(5)
    assert threading.active_count() == threads


def test_only_this_user_may_connect(app: App, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with app.expose(str(tmp_path / "shop.sock")) as exposure:
            assert stat.S_IMODE(os.stat(exposure.address).st_mode) == 0o600
    finally:
        os.umask(before)


def test_a_socket_left_behind_by_a_killed_program_is_replaced(app: App, tmp_path: Path) -> None:
    path = str(tmp_path / "shop.sock")
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(path)
    with app.expose(path), connect(path) as client:
        assert says(client, b'{"op": "get", "lever": "workers"}\n') == {"ok": True, "value": 4}


def test_a_socket_in_use_and_a_file_are_left_alone(app: App, tmp_path: Path) -> None:
    path, file = str(tmp_path / "shop.sock"), tmp_path / "notes.txt"
    file.write_text("mine")
    with app.expose(path), pytest.raises(OSError, match="served by another program"):
        App().expose(path)
    with pytest.raises(OSError, match="is no socket"):
        app.expose(str(file))
    assert file.read_text() == "mine" and os.listdir(tmp_path) == ["notes.txt"]


def test_closing_leaves_a_successors_socket(app: App, tmp_path: Path) -> None:
    path = str(tmp_path / "shop.sock")
    first = app.expose(path)
    os.unlink(path)
    with app.expose(path):
        first.close()
        with connect(path) as client:
            assert says(client, b'{"op": "list"}\n')


@pytest.mark.parametrize(
    "path",
    [pytest.param("no/such/folder/shop.sock", id="no folder"), pytest.param("x" * 200, id="longer than a socket's path may be")],
)
def test_a_path_that_cannot_be_served_is_named(path: str, app: App, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="cannot serve on"):
        app.expose(str(tmp_path / path))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        pytest.param("127.0.0.1:9200", ("127.0.0.1", 9200), id="loopback"),
        pytest.param("localhost:9200", ("127.0.0.1", 9200), id="localhost"),
        pytest.param("[::1]:9200", ("::1", 9200), id="IPv6"),
        pytest.param("/run/shop.sock", "/run/shop.sock", id="path"),
        pytest.param("0.0.0.0:9200", None, id="every interface"),
        pytest.param("192.168.1.5:9200", None, id="another address"),
        pytest.param("example.com:9200", None, id="a name"),
        pytest.param("127.0.0.1:99999", None, id="no such port"),
    ],
)
def test_addresses(address: str, expected: object) -> None:
    if expected is None:
        with pytest.raises(ValueError, match="not an address of this machine"):
            parse_address(address)
    else:
        assert parse_address(address) == expected


def test_the_programs_end_is_not_held_up_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "shop.sock"
    code = f"import trimtab.sdk as sdk; sdk.expose({str(path)!r}); import os; print(os.path.exists({str(path)!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=20)
    assert done.stdout.strip() == "True" and done.stderr == "" and not path.exists()
