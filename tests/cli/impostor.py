"""A program that has the port of an agent, for the tests of who is spoken to."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextlib.contextmanager
def impostor(port: int = 0, **answers: object) -> Iterator[tuple[int, list[str]]]:
    """A program that answers GET of these paths with JSON; and every token or request to change that it got to see.

    An answer may be a function of the path with its query.
    """
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.command != "GET" or "Authorization" in self.headers:
                seen.append(f"{self.command} {self.headers.get('Authorization')}")
            answer = answers.get(self.path.partition("?")[0].strip("/"))
            answer = answer(self.path) if callable(answer) else answer
            body = json.dumps(answer).encode() if not isinstance(answer, str) else answer.encode()
            self.send_response(404 if answer is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server.server_address[1], seen
        server.shutdown()
