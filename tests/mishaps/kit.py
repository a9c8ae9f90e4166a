"""What the mishaps need: a target that can vanish and come back, a real agent on it, and the questions asked afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx

from assembly.child_agent import PLAIN_HTTP, Service, environment, free_port, until
from trimtab.domain.actions import ActionRecord
from trimtab.storage.journal import SqliteJournal

YAML = """\
version: 1
storage: {{path: {data}}}
monitoring:
  interval_seconds: 0.1
  analysis_interval_seconds: 0.1
  optimization_interval_seconds: 0.2
  execution_interval_seconds: 0.1
corrective_action_cooldown_seconds: 1
api: {{port: {port}}}
elements:
  - name: shop
    sensors: [{{type: http_json, url: "{stats}/stats", metrics: {{shop_p95_seconds: p95}}}}]
    levers:
      - {{name: workers, type: http, url: "{levers}/workers", kind: integer, bounds: [1, 16], settle_seconds: {settle},
         autonomy: act, timeout_seconds: 1}}
goals: [{{metric_name: shop_p95_seconds, target_value: 0.2, direction: minimize}}]
"""


class Target:
    """A service of the test's own: statistics on one port, its lever on another, each of which can be switched off for real."""

    def __init__(self) -> None:
        self.shop = Service(load=6.0)
        self._servers: dict[str, tuple[ThreadingHTTPServer, threading.Thread]] = {}
        self.ports = {name: free_port() for name in ("stats", "levers")}

    def start(self, name: str) -> None:
        server = ThreadingHTTPServer(("127.0.0.1", self.ports[name]), self._handler())
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        self._servers[name] = server, thread

    def stop(self, name: str) -> None:
        """From now on connections are refused."""
        server, thread = self._servers.pop(name)
        server.shutdown()
        server.server_close()
        thread.join()

    def stop_all(self) -> None:
        for name in list(self._servers):
            self.stop(name)

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        shop = self.shop

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
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        return Handler


@dataclass
class Site:
    """One configuration, its data folder, and the agents that run on it."""

    folder: Path
    target: Target
    port: int = field(default_factory=free_port)
    data: Path = Path("data")
    settle: float = 1.0
    more: str = ""

    @property
    def config(self) -> Path:
        return self.folder / "trimtab.yaml"

    @property
    def store(self) -> Path:
        return self.folder / self.data

    def write(self) -> Path:
        text = YAML.format(data=self.data, port=self.port, settle=self.settle, stats=self.target.url("stats"),
                           levers=self.target.url("levers"))  # fmt: skip
        self.config.write_text(text + self.more)
        return self.config

    def run(self, **how: Any) -> subprocess.CompletedProcess[str]:
        """`trimtab run` to its end, which is soon where it refuses."""
        return command("run", "--config", self.config, **how)

    @contextlib.contextmanager
    def agent(self, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
        """The agent as a child, answering; ended in order where the test did not end it."""
        err = self.folder / "stderr.txt"
        with open(err, "ab") as output:
            said_before = err.stat().st_size
            words = [sys.executable, "-m", "trimtab", "run", "--config", str(self.config)]
            child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment(**variables))
        try:
            until(lambda: b"Agent started" in err.read_bytes()[said_before:] or child.poll() is not None, 30.0)
            assert child.poll() is None, err.read_text()
            yield child
        finally:
            if child.poll() is None:
                child.send_signal(signal.SIGINT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(10.0)
            if child.poll() is None:
                child.kill()
                child.wait()

    def ask(self, path: str, method: str = "GET", **how: Any) -> Any:
        """What the running agent says."""
        answer = httpx.request(method, f"http://127.0.0.1:{self.port}{path}", trust_env=False, timeout=10.0,
                               verify=PLAIN_HTTP, **how)  # fmt: skip
        return answer.json()

    def holds(self) -> str:
        """Why the agent stands still, in its own words."""
        return " | ".join(self.ask("/agent/status")["holds"])

    def said(self) -> str:
        """All that went to standard error and to the log's files."""
        files = [self.folder / "stderr.txt", *self.store.glob("trimtab.log*")]
        return "\n".join(path.read_text(errors="replace") for path in files if path.exists())

    def actions(self) -> list[ActionRecord]:
        """Every action, oldest first, from a journal whose whole chain holds."""

        async def read() -> list[ActionRecord]:
            journal = SqliteJournal(self.store / "journal.db")
            try:
                await journal.verify()
                return list(reversed(await journal.recent(1000)))
            finally:
                await journal.close()

        return asyncio.run(read())

    def until_set(self, times: int = 1) -> None:
        """Until the agent has set the lever so often."""
        until(lambda: len(self.target.shop.puts) >= times, 30.0)

    def check_nothing_lost(self) -> None:
        """The agent is stopped: every action has ended, no effect was doubled, and the lever holds what the journal says."""
        records, puts = self.actions(), self.target.shop.puts
        assert [record.action_id for record in records if not record.state.terminal] == []
        assert [pair for pair, following in pairwise(puts) if pair == following] == [], f"set twice: {puts}"
        expected: object = 2
        for record in records:
            if record.state.value in ("kept", "kept_on_probation"):
                expected = record.action.to_value
        assert self.target.shop.levers["workers"] == expected
        assert "Traceback" not in self.said()


def command(*arguments: object, **how: Any) -> subprocess.CompletedProcess[str]:
    """`trimtab` with these arguments, to its end."""
    more = {"env": environment(**how.pop("variables", {})), "timeout": 40, **how}
    words = [sys.executable, "-m", "trimtab", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, **more)


def refused(answer: subprocess.CompletedProcess[str], *said: str) -> None:
    """It ended with 1 and one sentence that has all of this in it, and no traceback."""
    assert answer.returncode == 1, answer.stderr
    assert [part for part in said if part not in answer.stderr] == [], answer.stderr
    assert "Traceback" not in answer.stderr + answer.stdout


def soon(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until `condition` holds; what cannot be asked right now does not hold yet."""

    def holds() -> object:
        with contextlib.suppress(httpx.HTTPError):
            return condition()
        return False

    until(holds, seconds)
