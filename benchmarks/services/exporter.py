"""An exporter as one finds them: `series` gauges, half as many counters and histogram buckets, labels, values that change.

`python benchmarks/services/exporter.py --gauges 200` prints {"port": port}. `GET /metrics` is the page; `GET` and `PUT` on
`/levers/workers` read and set one setting, which changes nothing: the overhead of watching is measured, not that of acting.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

FAMILIES = (  # name, label beside those that all share, middle, spread
    ("process_open_connections", "pool", 120.0, 9.0),
    ("queue_length", "queue", 40.0, 6.0),
    ("cache_fill_ratio", "shard", 0.7, 0.01),
    ("worker_busy_ratio", "worker", 0.5, 0.05),
    ("heap_used_bytes", "space", 3.2e8, 4e6),
    ("disk_queue_depth", "device", 2.0, 0.4),
    ("replica_lag_seconds", "replica", 0.8, 0.05),
    ("threads_busy", "pool", 64.0, 3.0),
)
ROUTES = ("/", "/pay", "/cart", "/search", "/items/{id}")
BUCKETS = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf")
COMMON = 'instance="web-3.example:9100",job="checkout",zone="eu-central-1a"'


class Page:
    """The page: what of a line does not change is written once."""

    def __init__(self, gauges: int, seed: int) -> None:
        self._rng = random.Random(seed)
        self._gauges = [self._gauge(i) for i in range(gauges)]
        self._gauges.sort(key=lambda one: one[0])
        self._others = max(len(ROUTES) * 2, gauges // 2)
        self.served = 0
        self._requests = 0.0

    def _gauge(self, i: int) -> tuple[str, str, float, float]:
        name, label, middle, spread = FAMILIES[i % len(FAMILIES)]
        return name, f'{name}{{{COMMON},{label}="{label}-{i // len(FAMILIES)}"}} ', middle, spread

    def render(self) -> bytes:
        """The page as it stands: gauges wander, counters grow."""
        self.served += 1
        self._requests += 40.0 + self._rng.random() * 5.0
        return "\n".join([*self._gauge_lines(), *self._counter_lines(), *self._histogram_lines(), ""]).encode()

    def _gauge_lines(self) -> Iterator[str]:
        family = ""
        slow = 0.2 * math.sin(self.served / 40.0)
        for name, start, middle, spread in self._gauges:
            if name != family:
                family = name
                yield f"# HELP {name} Of the service, right now."
                yield f"# TYPE {name} gauge"
            yield f"{start}{max(0.0, self._rng.gauss(middle, spread) + slow * spread)!r}"

    def _counter_lines(self) -> Iterator[str]:
        for name, share in (("http_requests_total", 1.0), ("http_errors_total", 0.002)):
            yield f"# HELP {name} Since the start."
            yield f"# TYPE {name} counter"
            for i in range(self._others // 4):
                route, pod = ROUTES[i % len(ROUTES)], i // len(ROUTES)
                yield f'{name}{{{COMMON},route="{route}",pod="web-{pod}"}} {self._requests * share * (1 + i % 7):.0f}'

    def _histogram_lines(self) -> Iterator[str]:
        name = "http_request_duration_seconds"
        yield f"# HELP {name} Time to answer."
        yield f"# TYPE {name} histogram"
        for i in range(max(1, self._others // (2 * (len(BUCKETS) + 2)))):
            labels = f'{COMMON},route="{ROUTES[i % len(ROUTES)]}",pod="web-{i // len(ROUTES)}"'
            for n, bound in enumerate(BUCKETS):
                yield f'{name}_bucket{{{labels},le="{bound}"}} {self._requests * min(1.0, 0.3 + 0.1 * n):.0f}'
            yield f"{name}_sum{{{labels}}} {self._requests * 0.03!r}"
            yield f"{name}_count{{{labels}}} {self._requests:.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gauges", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    page, setting = Page(arguments.gauges, arguments.seed), {"value": 4}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            lever = self.path.startswith("/levers/")
            self._answer(json.dumps(setting).encode() if lever else page.render(), "application/json" if lever else "text/plain")

        def do_PUT(self) -> None:
            setting.update(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._answer(json.dumps(setting).encode(), "application/json")

        def _answer(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(json.dumps({"port": server.server_address[1]}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
