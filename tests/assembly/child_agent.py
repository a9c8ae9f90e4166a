"""A real `trimtab run` in a child process, and the tiny HTTP service that it looks after; for the tests of assembly and cli."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil

YAML = """\
version: 1
storage: {{path: {data}}}
monitoring:
  interval_seconds: 0.2
  analysis_interval_seconds: 0.2
  optimization_interval_seconds: 0.4
  execution_interval_seconds: 0.2
corrective_action_cooldown_seconds: 1
api: {{host: "{host}", port: {port}}}
elements:
  - name: shop
    sensors: [{{type: http_json, url: "{url}/stats", metrics: {{shop_p95_seconds: p95, shop_error_ratio: errors}}}}]
    levers:
      - {{name: workers, type: http, url: "{url}/workers", kind: integer, bounds: [1, 16], settle_seconds: {settle}, {about}}}
      - {{name: cache, type: http, url: "{url}/cache", kind: integer, bounds: [1, 8], settle_seconds: {settle}, {about}}}
    guards: [{{metric_name: shop_error_ratio, max: 0.05}}]
goals: [{{metric_name: shop_p95_seconds, target_value: 0.2, direction: minimize}}]
"""

PLAIN_HTTP = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # `verify` of a client of http://, else httpx reads all certificates for it


class Service:
    """A shop behind HTTP, in a thread of the test's own process; `load` is the fault, `levers` what the agent has set."""

    def __init__(self, load: float = 2.0) -> None:
        self.load = load
        self.levers: dict[str, object] = {"workers": 2, "cache": 2}
        self.puts: list[tuple[str, object]] = []
        self.reads = 0

    def stats(self) -> dict[str, float]:
        self.reads += 1
        wobble = 1.0 + 0.01 * (self.reads * 7 % 5)
        return {"p95": 0.1 * max(1.0, self.load / float(self.levers["workers"])) ** 1.5 * wobble, "errors": 0.001 * wobble}  # type: ignore[arg-type]


@contextlib.contextmanager
def service(load: float = 2.0) -> Iterator[tuple[Service, str]]:
    """A service and its address."""
    shop = Service(load)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.strip("/")
            self._answer(shop.stats() if name == "stats" else {"value": shop.levers[name]})

        def do_PUT(self) -> None:
            value = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["value"]
            name = self.path.strip("/")
            shop.levers[name] = value
            shop.puts.append((name, value))
            self._answer({"value": value})

        def _answer(self, document: object) -> None:
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield shop, f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def write_config(folder: Path, url: str, *, name: str = "trimtab.yaml", port: int = 0, more: str = "", **about: object) -> Path:
    """A configuration in `folder`; the agent's data lie beside it."""
    given = {"host": "127.0.0.1", "settle": 1, "about": "autonomy: act", "data": "data", **about}
    path = folder / name
    path.write_text(YAML.format(url=url, port=port or free_port(), **given) + more)
    return path


def free_port() -> int:
    """A port that nothing listens on right now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def environment(**more: str) -> dict[str, str]:
    """The caller's environment without what would change how trimtab behaves."""
    mine = {
        key: value for key, value in os.environ.items() if not key.startswith(("TRIMTAB", "FORCE_COLOR", "NO_COLOR", "COLUMNS"))
    }
    return {**mine, **more}


def trimtab(*arguments: object, **how: object) -> subprocess.CompletedProcess[str]:
    """`trimtab` with these arguments, to its end."""
    command = [sys.executable, "-m", "trimtab", *map(str, arguments)]
    more = {"env": environment(), "timeout": 30, **how}
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, **more)  # type: ignore[call-overload,no-any-return]


@contextlib.contextmanager
def running(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The agent as a child in a session of its own, ready to answer; killed at the end if it still lives."""
    log = config.parent / "agent.log"
    with open(log, "ab") as output:
        command = [sys.executable, "-m", "trimtab", "run", "--config", str(config)]
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment(),
                                 start_new_session=True)  # fmt: skip
    try:
        until(lambda: b"Agent started" in log.read_bytes() or child.poll() is not None, 20.0)
        assert child.poll() is None, log.read_text()
        yield child
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(8.0)
        if child.poll() is None:
            child.kill()
            child.wait()


def until(condition: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait until `condition` holds; fail where it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.03)


def session_of(child: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Every process of the child's session that still lives."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if os.getsid(process.pid) == child.pid and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
