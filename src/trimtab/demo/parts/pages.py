"""Rendered pages behind a cache that keeps those asked for last. What is not in it is read, rendered and compressed anew."""

from __future__ import annotations

import random
import sqlite3
import threading
import zlib
from collections import OrderedDict
from concurrent.futures import Future
from pathlib import Path

from trimtab.demo.parts.pool import WorkerPool

START_PAGES = 64  # that the cache holds
PRODUCTS = 4_000
ON_A_PAGE = 150  # products: makes a page of about 60 kB, a few milliseconds to render and to compress
RENDERERS = 2
QUEUE_LIMIT = 64


class Pages:
    """`capacity` pages at most are kept. `get` answers at once for a page in the cache, else once it has been made."""

    def __init__(self, path: Path, capacity: int = START_PAGES) -> None:
        self.hits = 0
        self._path = path
        self._capacity = capacity
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()
        self._local = threading.local()
        self._fill()
        self._pool = WorkerPool(RENDERERS, QUEUE_LIMIT)

    @property
    def capacity(self) -> int:
        """How many pages are kept at most."""
        return self._capacity

    def resize(self, capacity: int) -> None:
        """Keep so many from now on; what no longer fits is dropped, the longest unused first."""
        with self._lock:
            self._capacity = capacity
            while len(self._kept) > capacity:
                self._kept.popitem(last=False)

    def get(self, number: int) -> bytes | Future[object]:
        """A page, or the promise of one. Raises `QueueFull`."""
        with self._lock:
            page = self._kept.get(number)
            if page is not None:
                self._kept.move_to_end(number)
                self.hits += 1
                return page
        return self._pool.submit(lambda: self.make(number))

    def make(self, number: int) -> bytes:
        """Render a page, and keep it."""
        first = number * ON_A_PAGE % (PRODUCTS - ON_A_PAGE)
        rows = self._products().execute(
            "SELECT name, note FROM products WHERE id BETWEEN ? AND ?", (first, first + ON_A_PAGE - 1)
        )
        body = "".join(f"<li><b>{name}</b><p>{note}</p></li>" for name, note in rows)
        page = zlib.compress(f"<h1>page {number}</h1><ul>{body}</ul>".encode(), level=9)
        with self._lock:
            self._kept[number] = page
            while len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
        return page

    def close(self) -> None:
        """Let the threads go."""
        self._pool.close()

    def _fill(self) -> None:
        rng = random.Random(11)
        with sqlite3.connect(self._path) as connection:
            connection.execute("CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT, note TEXT)")
            rows = ((n, f"product {n}", rng.randbytes(200).hex()) for n in range(PRODUCTS))
            connection.executemany("INSERT INTO products VALUES (?, ?, ?)", rows)
        connection.close()

    def _products(self) -> sqlite3.Connection:
        if not hasattr(self._local, "connection"):
            self._local.connection = sqlite3.connect(self._path)
        connection: sqlite3.Connection = self._local.connection
        return connection
