"""Stock of an item, asked of a service downstream by a pool of workers.

The wait for downstream is a sleep, as a worker sleeps that waits for the network; everything around it is real.
"""

from __future__ import annotations

import hashlib
import logging
import random
import time
from concurrent.futures import Future

from trimtab.demo.parts.pool import WorkerPool

START_WORKERS = 2
DOWNSTREAM_SECONDS = 0.020  # that downstream takes for an answer
AHEAD_SECONDS = 0.008  # that each further item fetched ahead takes
QUEUE_LIMIT = 64


class Items:
    """`ahead` items are fetched along with the one asked for; `downstream_seconds` is how downstream fares."""

    def __init__(self, workers: int = START_WORKERS) -> None:
        self.pool = WorkerPool(workers, QUEUE_LIMIT)
        self.ahead = 0
        self.downstream_seconds = DOWNSTREAM_SECONDS
        self._rng = random.Random(7)
        self._log = logging.getLogger("shop")

    def stock(self, item: int) -> Future[object]:
        """The stock of an item, once a worker has asked. Raises `QueueFull`."""
        return self.pool.submit(lambda: self._ask(item))

    def close(self) -> None:
        """Let the workers go."""
        self.pool.close()

    def _ask(self, item: int) -> str:
        time.sleep(self.downstream_seconds * self._rng.uniform(0.8, 1.2) + AHEAD_SECONDS * self.ahead)
        digest = hashlib.sha256(f"item {item}".encode() * 16).hexdigest()
        self._log.debug("asked for %s: %s", item, digest)
        return digest
