"""Accounts of customers, from an SQLite database on disk: what is cheap to scan while it is small, and not once it has grown."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from concurrent.futures import Future
from pathlib import Path

from trimtab.demo.parts.pool import WorkerPool

START_ROWS = 4_000
CUSTOMERS = 400
CONNECTIONS = 1  # that ask the database: its scans take one processor core at most
QUEUE_LIMIT = 16
BUSY_SECONDS = 30.0  # how long to wait for another writer, such as one that builds an index

_TABLE = "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER, day INTEGER, amount INTEGER, state TEXT, note TEXT)"
_ROWS = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
INSERT INTO orders (customer_id, day, amount, state, note)
SELECT abs(random()) % ?, abs(random()) % 365, abs(random()) % 10000, iif(random() % 8, 'done', 'open'), hex(randomblob(16))
FROM n
"""
_ACCOUNT = (  # what the page of one account shows; every query looks for the customer
    "SELECT count(*), sum(amount) FROM orders WHERE customer_id = ?",
    "SELECT count(*) FROM orders WHERE customer_id = ? AND state = 'open'",
    "SELECT max(day), avg(amount) FROM orders WHERE customer_id = ?",
    "SELECT sum(amount) FROM orders WHERE customer_id = ? AND day > 300",
)


class Orders:
    """The database and those who ask it. SQLite releases the interpreter while it scans."""

    def __init__(self, path: Path, rows: int = START_ROWS) -> None:
        self._path = path
        self._local = threading.local()
        with contextlib.closing(self._connect()) as connection, connection:
            connection.execute("PRAGMA journal_mode = WAL")  # who reads never waits for who writes
            connection.execute(_TABLE)
        self.grow(rows)
        self._pool = WorkerPool(CONNECTIONS, QUEUE_LIMIT)

    def account(self, customer: int) -> Future[object]:
        """The account of a customer, as text, once a connection is free. Raises `QueueFull`."""
        return self._pool.submit(lambda: self._read(customer % CUSTOMERS))

    def grow(self, rows: int) -> None:
        """Import so many orders."""
        with contextlib.closing(self._connect()) as connection, connection:
            connection.execute(_ROWS, (rows, CUSTOMERS))

    def close(self) -> None:
        """Let the threads go."""
        self._pool.close()

    def _read(self, customer: int) -> str:
        if not hasattr(self._local, "connection"):  # one connection a thread, as SQLite asks
            self._local.connection = self._connect()
        connection: sqlite3.Connection = self._local.connection
        return " ".join(str(connection.execute(query, (customer,)).fetchone()) for query in _ACCOUNT)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS)
        connection.execute("PRAGMA synchronous = OFF")  # it is thrown away at the end: no disk need be waited for
        return connection
