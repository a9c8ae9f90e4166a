"""The demo's clients: an open-loop load generator in a process of its own, which measures what the users of the service feel.

`python -m trimtab.demo.load --url http://127.0.0.1:… --rate 120` sends requests at random (Poisson) instants whatever the service
does, and counts each latency from the instant at which the request was *due*: a generator that waits for a slow answer before it
asks again would hide the very slowness it is there to measure. Once a second it prints one line of JSON, a `ClientSecond`.
It ends with `--duration`, with its standard input, or with a signal; never more than `MOST_IN_FLIGHT` requests are under way.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from urllib.parse import urlsplit

from trimtab.demo.workload import end_with_stdin

MOST_IN_FLIGHT = 256
TIMEOUT_SECONDS = 10.0


@dataclass
class ClientSecond:
    """What the clients saw in about one second that ended at `at` (Unix seconds): latencies in seconds, of good answers only."""

    at: float
    latencies: list[float] = field(default_factory=list)
    errors: int = 0  # refused, failed or timed out
    unsent: int = 0  # given up before sending: too many under way


@dataclass(frozen=True)
class ClientView:
    """Several seconds of it as one: p95 latency in seconds (None without a good answer), good answers a second, failed share."""

    p95_seconds: float | None
    good_per_second: float
    error_ratio: float


def summarize(seconds: Iterable[ClientSecond], width: float = 1.0) -> ClientView | None:
    """Many seconds, each `width` long, as one view; None where there are none, or nothing was asked.

    >>> summarize([ClientSecond(at=1.0, latencies=[0.1, 0.3], errors=1, unsent=1)])
    ClientView(p95_seconds=0.3, good_per_second=2.0, error_ratio=0.5)
    """
    kept = list(seconds)
    latencies = sorted(latency for second in kept for latency in second.latencies)
    bad = sum(second.errors + second.unsent for second in kept)
    if not latencies and not bad:
        return None
    p95 = latencies[min(len(latencies) - 1, int(0.95 * len(latencies)))] if latencies else None
    return ClientView(p95, len(latencies) / (len(kept) * width), bad / (bad + len(latencies)))


def split(url: str) -> tuple[str, int, str]:
    """Host, port and path of a URL.

    >>> split("http://127.0.0.1:8080/item")
    ('127.0.0.1', 8080, '/item')
    """
    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or 80, parts.path or "/"


async def get(host: str, port: int, path: str) -> int:
    """Ask once over a connection of its own, as a new visitor would; returns the status code."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
    finally:
        writer.close()
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/") else 0


async def generate(url: str, rate: float, duration: float, rng: random.Random) -> None:
    """Send at `rate` a second for `duration` seconds, and print each second's view."""
    host, port, path = split(url)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    end_with_stdin(lambda: loop.call_soon_threadsafe(stop.set))
    current = ClientSecond(at=0.0)

    async def ask(due: float) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                status = await get(host, port, path)
        except (OSError, ValueError, TimeoutError):
            status = 0
        if status == HTTPStatus.OK:
            current.latencies.append(round(time.monotonic() - due, 6))
        else:
            current.errors += 1

    tasks: set[asyncio.Task[None]] = set()
    due = started = time.monotonic()
    report_at = started + 1.0
    while due < started + duration and not stop.is_set():
        due += rng.expovariate(rate)
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        if len(tasks) >= MOST_IN_FLIGHT:
            current.unsent += 1
        else:
            task = asyncio.create_task(ask(due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        if time.monotonic() >= report_at:
            finished, current = current, ClientSecond(at=0.0)
            finished.at = time.time()
            report_at += 1.0
            print(json.dumps(asdict(finished)), flush=True)  # noqa: T201 (its product)
    for task in tasks:
        task.cancel()


def main(arguments: list[str] | None = None) -> None:
    """The generator's command line."""
    parser = argparse.ArgumentParser(prog="trimtab.demo.load", description="Sends requests at a fixed mean rate.")
    parser.add_argument("--url", required=True)
    parser.add_argument("--rate", type=float, default=120.0, help="requests a second")
    parser.add_argument("--duration", type=float, default=600.0, help="seconds at most")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    rng = random.Random(options.seed)
    asyncio.run(generate(options.url, options.rate, options.duration, rng))


if __name__ == "__main__":
    main()
