"""The demo's clients: an open-loop load generator in a process of its own.

`python -m trimtab.demo.load --url http://127.0.0.1:…` asks each part of the service at a rate of its own, whatever the service
does: a generator that waits for a slow answer before it asks again would hide the very slowness that it is there to cause. Each
line of its standard input changes what clients want: `{"scoring": 90}` requests a second, or `{"popular_pages": 240}` different
pages. It ends with `--duration`, with its standard input, or with a signal.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from trimtab.demo.workload import follow_stdin

MOST_IN_FLIGHT = 256  # of each part; beyond it clients give up before they ask
TIMEOUT_SECONDS = 10.0
IDLE_SECONDS = 0.5  # how long a part that nobody wants waits to be asked for again
ROUTES = {"orders": "/orders", "pages": "/page", "scoring": "/score", "items": "/item"}
RATES = {"orders": 4.0, "pages": 60.0, "scoring": 8.0, "items": 65.0}  # requests a second
POPULAR_PAGES = 40
RARE = 0.04  # of the pages wanted are none of the popular ones
OTHERS = 10_000  # customers, items, further pages

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Demand:
    """What clients want now; changed from outside while they ask."""

    rates: dict[str, float] = field(default_factory=lambda: dict(RATES))
    popular_pages: int = POPULAR_PAGES

    def hear(self, world: Mapping[str, float]) -> None:
        """Let the world change.

        >>> demand = Demand(); demand.hear({"scoring": 90.0, "popular_pages": 240.0}); demand.rates["scoring"]
        90.0
        """
        for name, value in world.items():
            if name == "popular_pages":
                self.popular_pages = int(value)
            else:
                self.rates[name] = value

    def waits(self, part: str, rng: random.Random) -> Iterator[float]:
        """Seconds from each request to the next: about evenly spread, as many independent clients with a rhythm are."""
        while True:
            rate = self.rates[part]
            yield rng.uniform(0.5, 1.5) / rate if rate > 0.0 else IDLE_SECONDS

    def number(self, part: str, rng: random.Random) -> int:
        """What the next request of a part asks for."""
        if part == "pages" and rng.random() > RARE:
            return rng.randrange(self.popular_pages)
        return rng.randrange(OTHERS)


class Browser:
    """Connections to one service, kept open and used again."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._idle: list[Connection] = []

    async def get(self, path: str) -> int:
        """Ask once; returns the status code. Raises OSError, ValueError, EOFError."""
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(_length(head))
        except BaseException:
            writer.close()
            raise
        self._idle.append((reader, writer))
        return int(head.split(b" ", 2)[1])


def _length(head: bytes) -> int:
    """The body's length, from the head of an answer.

    >>> _length(b"HTTP/1.1 200 OK\\r\\nContent-Length: 12\\r\\n\\r\\n")
    12
    """
    fields = (line.split(b":", 1) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return int(next(fields)[1])


async def ask_on(part: str, browser: Browser, demand: Demand, rng: random.Random) -> None:
    """Ask one part for ever."""
    under_way: set[asyncio.Task[None]] = set()

    async def ask(path: str) -> None:
        with suppress(OSError, ValueError, EOFError, TimeoutError, asyncio.LimitOverrunError):  # the service counts its errors
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await browser.get(path)

    due = time.monotonic()
    for wait in demand.waits(part, rng):
        due = max(due + wait, time.monotonic() - 1.0)  # what this process itself was late for is not made up in a burst
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        if demand.rates[part] > 0.0 and len(under_way) < MOST_IN_FLIGHT:
            task = asyncio.create_task(ask(f"{ROUTES[part]}?n={demand.number(part, rng)}"))
            under_way.add(task)
            task.add_done_callback(under_way.discard)


async def generate(url: str, duration: float, seed: int) -> None:
    """Ask every part, until `duration` seconds are over or standard input ends."""
    demand, over, loop = Demand(), asyncio.Event(), asyncio.get_running_loop()
    follow_stdin(demand.hear, lambda: loop.call_soon_threadsafe(over.set))
    browser = Browser(url)
    asking = [asyncio.create_task(ask_on(part, browser, demand, random.Random(f"{seed} {part}"))) for part in ROUTES]
    with suppress(TimeoutError):
        await asyncio.wait_for(over.wait(), duration)
    for task in asking:
        task.cancel()


def main(arguments: list[str] | None = None) -> None:
    """The generator's command line."""
    parser = argparse.ArgumentParser(prog="trimtab.demo.load", description="Asks a service, whatever it answers.")
    parser.add_argument("--url", required=True)
    parser.add_argument("--duration", type=float, default=600.0, help="seconds at most")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    asyncio.run(generate(options.url, options.duration, options.seed))


if __name__ == "__main__":
    main()
