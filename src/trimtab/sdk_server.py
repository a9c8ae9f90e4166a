"""The daemon thread that answers for a program's sensors and levers. Runs inside that program; standard library only.

Started by `trimtab.sdk.expose`. Threads of its own for each connection, bounded in number and in what a line may hold.
"""

from __future__ import annotations

import atexit
import contextlib
import ipaddress
import json
import os
import re
import socket
import socketserver
import stat
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trimtab.sdk import App

MAX_LINE_BYTES = 64 * 1024
MAX_CONNECTIONS = 16
IDLE_SECONDS = 60.0
_HOST_PORT = re.compile(r"(?P<host>\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):(?P<port>\d{1,5})")


def parse_address(address: str) -> tuple[str, int] | str:
    """(host, port) of this machine, or the path of a Unix socket. Raises `ValueError` for any other machine.

    >>> parse_address("localhost:9200"), parse_address("./shop.sock")
    (('127.0.0.1', 9200), './shop.sock')
    """
    match = _HOST_PORT.fullmatch(address)
    if match is None:
        return address
    host = match["host"].strip("[]")
    host = "127.0.0.1" if host == "localhost" else host
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local or int(match["port"]) > 65_535:
        raise ValueError(f"{address} is not an address of this machine alone: use a path, or 127.0.0.1:port")
    return host, int(match["port"])


class Exposure:
    """A program's sensors and levers, being served. Ends with `close()`, with its `with` block, or with the program."""

    def __init__(self, app: App, address: str) -> None:
        place = parse_address(address)
        self._path = place if isinstance(place, str) else None
        self._server = _listen_on_path(place) if isinstance(place, str) else _listen_on_port(place)
        self._server.app = app
        bound = self._server.server_address
        self.address = self._path if self._path is not None else _written(bound)
        self._inode = os.stat(self._path).st_ino if self._path is not None else None
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, name=f"trimtab sdk {self.address}", daemon=True
        )
        self._thread.start()
        atexit.register(self.close)

    def close(self) -> None:
        """Stop serving, end every connection, remove the socket file. Closing twice is harmless."""
        atexit.unregister(self.close)
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server.end_connections()
        if self._path is not None:
            with contextlib.suppress(OSError):  # gone already
                if os.stat(self._path).st_ino == self._inode:  # somebody else's may stand there by now
                    os.unlink(self._path)

    def __enter__(self) -> Exposure:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Connection(socketserver.StreamRequestHandler):
    """One client: a line asked, a line answered, until it goes or says something that is no request."""

    server: _Server
    timeout = IDLE_SECONDS

    def handle(self) -> None:
        with contextlib.suppress(OSError), self.server.admitted(self.connection) as welcome:
            while welcome:
                line = self.rfile.readline(MAX_LINE_BYTES + 1)
                if not line:
                    return
                answer, welcome = self._answer(line)
                self.wfile.write(json.dumps(answer).encode() + b"\n")

    def _answer(self, line: bytes) -> tuple[dict[str, Any], bool]:
        if len(line) > MAX_LINE_BYTES:
            return _refusal(f"a request is at most {MAX_LINE_BYTES} bytes"), False
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            return _refusal("not a line of JSON"), False
        return self.server.app.answer(request), isinstance(request, dict)


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 4 * MAX_CONNECTIONS  # connecting while it is full fails at once on a Unix socket
    app: App

    def __init__(self, address: Any, family: int) -> None:
        self.address_family = family
        self._open: set[socket.socket] = set()
        self._ending = False
        self._table = threading.Lock()
        super().__init__(address, _Connection, bind_and_activate=False)

    @contextlib.contextmanager
    def admitted(self, connection: socket.socket) -> Any:
        """Whether there is room for one more connection; it is counted while the block lasts."""
        with self._table:
            room = len(self._open) < MAX_CONNECTIONS and not self._ending
            if room:
                self._open.add(connection)
        try:
            if not room:
                connection.sendall(json.dumps({"ok": False, "error": "too many connections", "refused": False}).encode() + b"\n")
            yield room
        finally:
            with self._table:
                self._open.discard(connection)

    def end_connections(self) -> None:
        """Hang up on every client, and on those whose thread has only just begun."""
        with self._table:
            self._ending = True
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def server_bind(self) -> None:
        """Bind as it is: TCPServer would look up host names, or treat a path as a host."""
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that went away is not the program's affair."""


def _listen_on_port(place: tuple[str, int]) -> _Server:
    server = _Server(place, socket.AF_INET6 if ":" in place[0] else socket.AF_INET)
    try:
        server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.server_bind()
        server.server_activate()
    except OSError:
        server.server_close()
        raise
    return server


def _listen_on_path(path: str) -> _Server:
    """A socket that only this user can connect to. Nobody can before its mode is set: it is not listening until then."""
    _make_way(path)
    unready = f"{path}.{os.getpid()}"
    server = _Server(unready, socket.AF_UNIX)
    try:
        server.server_bind()
        os.chmod(unready, 0o600)
        server.server_activate()
        os.rename(unready, path)  # only now: whoever finds the name finds it answering
    except OSError as error:
        server.server_close()
        with contextlib.suppress(OSError):
            os.unlink(unready)
        raise OSError(f"cannot serve on {path}: {error}") from error
    return server


def _make_way(path: str) -> None:
    """Accept a socket left behind by a program that was killed; refuse one in use, and any other kind of file."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(f"{path} exists and is no socket: remove it, or serve elsewhere")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        with contextlib.suppress(ConnectionRefusedError, FileNotFoundError):
            probe.connect(path)
            raise FileExistsError(f"{path} is served by another program: end that, or serve elsewhere")


def _refusal(error: str) -> dict[str, Any]:
    return {"ok": False, "error": error, "refused": True}


def _written(bound: Any) -> str:
    return f"[{bound[0]}]:{bound[1]}" if ":" in bound[0] else f"{bound[0]}:{bound[1]}"
