"""A small HTTP service to try trimtab on: standard library only, with a metrics page, one lever, and its own clients.

    python examples/shop.py [--port 8651] [--rate 60]

It starts with one worker, which is too few for the load, so that `trimtab run --config examples/trimtab.yaml` has something to
find. Read it as the answer to "what does my service need?": a page in the Prometheus text format, and for each setting a URL that
yields {"value": …} on GET and takes the same on PUT.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WORK_SECONDS = 0.02  # what one request needs of a worker: 50 requests a second each
QUEUE_LIMIT = 25
LOW, HIGH = 1, 8
BUCKETS = (0.025, 0.03, 0.04, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 2.0)


class Shop:
    """The service's state: how many workers, how many are busy, and what has been counted."""

    def __init__(self) -> None:
        self.workers, self.busy, self.waiting = 1, 0, 0
        self.requests, self.errors, self.seconds = 0, 0, 0.0
        self.buckets = [0] * len(BUCKETS)
        self._changed = threading.Condition()

    def serve_one(self) -> bool:
        """Do the work of one request; False where the queue is full."""
        began = time.perf_counter()
        with self._changed:
            self.requests += 1
            if self.waiting >= QUEUE_LIMIT:
                self.errors += 1
                return False
            self.waiting += 1
            self._changed.wait_for(lambda: self.busy < self.workers)
            self.waiting -= 1
            self.busy += 1
        time.sleep(WORK_SECONDS)
        took = time.perf_counter() - began
        with self._changed:
            self.busy -= 1
            self.seconds += took
            self.buckets = [n + (took <= bound) for n, bound in zip(self.buckets, BUCKETS, strict=True)]
            self._changed.notify()
        return True

    def resize(self, workers: int) -> None:
        """Hold this many workers from now on."""
        with self._changed:
            self.workers = workers
            self._changed.notify_all()

    def metrics(self) -> Iterator[str]:
        """The page that a sensor scrapes."""
        good = self.requests - self.errors
        yield "# TYPE http_requests_total counter"
        yield f"http_requests_total {self.requests}"
        yield "# TYPE http_errors_total counter"
        yield f"http_errors_total {self.errors}"
        yield "# TYPE http_request_duration_seconds histogram"
        for bound, count in zip(BUCKETS, self.buckets, strict=True):
            yield f'http_request_duration_seconds_bucket{{le="{bound}"}} {count}'
        yield f'http_request_duration_seconds_bucket{{le="+Inf"}} {good}'
        yield f"http_request_duration_seconds_sum {self.seconds}"
        yield f"http_request_duration_seconds_count {good}"


shop = Shop()


class Handler(BaseHTTPRequestHandler):
    """GET /item (the work), GET /metrics, GET and PUT /levers/workers."""

    def do_GET(self) -> None:
        if self.path == "/item":
            self._answer(200 if shop.serve_one() else 503, "done\n")
        elif self.path == "/metrics":
            self._answer(200, "\n".join(shop.metrics()) + "\n", "text/plain; version=0.0.4")
        elif self.path == "/levers/workers":
            self._answer(200, json.dumps({"value": shop.workers}), "application/json")
        else:
            self._answer(404, "there is nothing here\n")

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            value = json.loads(body)["value"]
        except (ValueError, TypeError, KeyError):
            value = None
        if self.path != "/levers/workers" or type(value) is not int or not LOW <= value <= HIGH:
            self._answer(422, f'send {{"value": n}}, n from {LOW} to {HIGH}, to /levers/workers\n')
            return
        shop.resize(value)
        self._answer(200, json.dumps({"value": shop.workers}), "application/json")

    def _answer(self, status: int, text: str, content_type: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def send_load(url: str, per_second: float) -> None:
    """Clients who do not wait for each other: a request every 1 / `per_second` s, answered or not."""

    def ask() -> None:
        try:
            urllib.request.urlopen(url, timeout=5).read()
        except OSError:
            return

    due = time.monotonic()
    while True:
        threading.Thread(target=ask, daemon=True).start()
        due += 1.0 / per_second
        time.sleep(max(0.0, due - time.monotonic()))


def main() -> None:
    parser = argparse.ArgumentParser(description="A small HTTP service to try trimtab on.")
    parser.add_argument("--port", type=int, default=8651)
    parser.add_argument("--rate", type=float, default=60.0, help="requests a second that its own clients send")
    options = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    url = f"http://127.0.0.1:{server.server_address[1]}"
    print(f"serving on {url}: /item /metrics /levers/workers", flush=True)
    threading.Thread(target=send_load, args=(f"{url}/item", options.rate), daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    main()
