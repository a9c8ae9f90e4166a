"""What the demo stands on: a temporary folder, a configuration, the service and its clients, each in a process of its own.

Entered by `story` before anything else. Leaving it, in whatever way, ends both processes and removes the folder; they also end by
themselves when this process is killed, because their standard input does.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from trimtab.demo.load import ClientSecond, ClientView, summarize
from trimtab.domain.errors import TrimtabError

REQUESTS_PER_SECOND = 120.0
TARGET_SECONDS = 0.2  # of the p95 of request durations
MOST_ERRORS = 0.05  # the guard's limit, a ratio
START_SECONDS = 20.0  # what a process may take to start

CONFIG = """\
version: 1
storage: {{path: "{folder}/data"}}
api: {{host: 127.0.0.1, port: {api_port}}}
log: {{level: critical}}
monitoring: {{interval_seconds: 1, analysis_interval_seconds: 1, optimization_interval_seconds: 1, execution_interval_seconds: 1}}
corrective_action_cooldown_seconds: 5
elements:
  - name: shop
    sensors:
      - type: prometheus
        url: "{url}/metrics"
        derive:
          - {{name: shop_p95_seconds, quantile: 0.95, of: http_request_duration_seconds}}
          - {{name: shop_requests_per_second, rate: http_requests_total}}
          - {{name: shop_error_ratio, ratio: [http_errors_total, http_requests_total]}}
    levers:
      - {{name: workers, type: http, url: "{url}/levers/workers", kind: integer, bounds: [1, 16], step: 1, autonomy: act,
         risk_level: 0.2, priority: high, expected_improvement: 0.3, settle_seconds: 4, moves: {{shop_p95_seconds: down}}}}
      - {{name: log_level, type: http, url: "{url}/levers/log_level", kind: choice, choices: [debug, info, warning],
         autonomy: act, risk_level: 0.1, priority: low, settle_seconds: 4}}
      - {{name: prefetch_pages, type: http, url: "{url}/levers/prefetch_pages", kind: integer, bounds: [0, 24], step: 1,
         autonomy: act, risk_level: 0.3, priority: low, settle_seconds: 4, moves: {{shop_p95_seconds: up}}}}
    guards:
      - {{metric_name: shop_error_ratio, max: {errors}}}
goals:
  - {{metric_name: shop_p95_seconds, target_value: {target}, direction: minimize}}
"""


class Clients:
    """What the load generator reports, kept as it comes."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._seconds: list[ClientSecond] = []
        threading.Thread(target=self._follow, args=(lines,), daemon=True).start()

    def between(self, start: float, end: float) -> ClientView | None:
        """What clients saw from `start` to `end` (Unix seconds); None where nothing is known of that time."""
        return summarize(second for second in list(self._seconds) if start < second.at <= end)

    def last(self, seconds: float) -> ClientView | None:
        """What clients saw lately."""
        return self.between(time.time() - seconds, time.time())

    def _follow(self, lines: Iterator[str]) -> None:
        with contextlib.suppress(ValueError, OSError):  # the pipe closes when the scene ends
            for line in lines:
                self._seconds.append(ClientSecond(**json.loads(line)))


@dataclass(frozen=True)
class Scene:
    """The folder, the service, its configuration, its clients."""

    folder: Path
    service_url: str
    agent_url: str
    config: Path
    clients: Clients

    def read_lever(self, name: str) -> object:
        """What the service itself says that a lever holds, asked without the agent."""
        import httpx

        return httpx.get(f"{self.service_url}/levers/{name}", timeout=5.0, trust_env=False).json()["value"]


@contextlib.contextmanager
def scene(duration: float, workers: int = 1) -> Iterator[Scene]:
    """Set everything up, hand it over, and clear it all away. `duration` (seconds) bounds the life of the processes too."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trimtab-demo-", ignore_cleanup_errors=True)))
        service = stack.enter_context(_process(["workload", "--workers", str(workers), "--duration", str(duration)], folder))
        url = f"http://127.0.0.1:{_first_line(service)['port']}"
        rate = ["--rate", str(REQUESTS_PER_SECOND), "--duration", str(duration)]
        load = stack.enter_context(_process(["load", "--url", f"{url}/item", *rate], folder))
        if load.stdout is None:
            raise TrimtabError("the load generator has no output")
        config = folder / "trimtab.yaml"
        port = _free_port()
        config.write_text(CONFIG.format(folder=folder, url=url, errors=MOST_ERRORS, target=TARGET_SECONDS, api_port=port))
        yield Scene(folder, url, f"http://127.0.0.1:{port}", config, Clients(iter(load.stdout)))


@contextlib.contextmanager
def _process(arguments: Sequence[str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A module of this package as a child process, which ends with the block.

    It gets a session of its own, so that Ctrl-C reaches only us: the agent may still need the service to undo what is unproven.
    """
    command = [sys.executable, "-m", f"trimtab.demo.{arguments[0]}", *arguments[1:]]
    with open(folder / f"{arguments[0]}.log", "w") as log:
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        )
        try:
            yield child
        finally:
            _end(child)


def _end(child: subprocess.Popen[str]) -> None:
    """At once: there is nothing in it to lose, and Ctrl-C must not take long."""
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _first_line(child: subprocess.Popen[str]) -> dict[str, int]:
    """The line of JSON that a child prints when it is ready."""
    watchdog = threading.Timer(START_SECONDS, child.kill)
    watchdog.start()
    try:
        line = child.stdout.readline() if child.stdout is not None else ""
    finally:
        watchdog.cancel()
    if not line:
        raise TrimtabError("the demo's service did not start", remedy="Run `python -m trimtab.demo.workload` to see why.")
    document: dict[str, int] = json.loads(line)
    return document
