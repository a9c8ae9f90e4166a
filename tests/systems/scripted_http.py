"""A real HTTP server on a free port of 127.0.0.1 whose answers a test scripts."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Request:
    """One request as it came in, and the connection to answer on."""

    def __init__(self, handler: BaseHTTPRequestHandler, body: bytes, ended: threading.Event) -> None:
        self.method, self.path, self.headers, self.body = handler.command, handler.path, dict(handler.headers), body
        self.ended = ended
        self._handler = handler

    def answer(self, body: bytes | str | object = b"", status: int = 200, **headers: str) -> None:
        if not isinstance(body, bytes | str):
            body = json.dumps(body)
        content = body.encode() if isinstance(body, str) else body
        self.raw(content, status, **{"Content-Length": str(len(content)), **headers})

    def hang(self) -> None:
        """Say nothing until the test is over."""
        self.ended.wait(30)

    def drip(self, seconds: float = 30.0) -> None:
        """Send a byte now and then, so that no single read ever times out."""
        self.raw(b"", Content_Length="100000")
        for _ in range(int(seconds / 0.02)):
            if self.ended.wait(0.02):
                return
            self._handler.wfile.write(b" ")

    def raw(self, content: bytes, status: int = 200, **headers: str) -> None:
        """Send the headers as given, so that they may lie."""
        self._handler.send_response(status)
        for name, value in headers.items():
            self._handler.send_header(name.replace("_", "-"), value)
        self._handler.end_headers()
        self._handler.wfile.write(content)


class Target:
    """The server, and every request that it received."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        self.requests: list[Request] = []
        self.respond: Callable[[Request], None] = lambda request: request.answer(status=404)
        self.ended = threading.Event()  # set when the test is over: what hangs on it lets go


@contextmanager
def http_target(respond: Callable[[Request], None] | None = None) -> Iterator[Target]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            request = Request(self, self.rfile.read(int(self.headers.get("Content-Length") or 0)), target.ended)
            target.requests.append(request)
            target.respond(request)

        do_GET = do_PUT = _serve

        def log_message(self, *_: Any) -> None:
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 64

        def handle_error(self, *_: Any) -> None:  # a client that went away is part of these tests
            return

    with Server(("127.0.0.1", 0), Handler) as server:
        target = Target(server)
        target.respond = respond or target.respond
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield target
        finally:
            target.ended.set()
            server.shutdown()
            thread.join()


def free_port_url() -> str:
    """A URL on 127.0.0.1 where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


class Setting:
    """A lever's server side: GET yields the value, PUT holds it."""

    def __init__(self, value: object) -> None:
        self.value = value
        self.puts = 0

    def __call__(self, request: Request) -> None:
        if request.method == "PUT":
            self.value = json.loads(request.body)["value"]
            self.puts += 1
            request.answer(status=204)
        else:
            request.answer({"value": self.value})
