"""Threads behind a bounded queue, as a web server or a database client has them. Used by every part that waits for something.

With too few workers the queue fills, waiting time is what clients feel, and what does not fit is refused: the pool neither grows
without limit nor hides that it is full.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future


class QueueFull(Exception):
    """The queue holds as many jobs as it may: try later."""


class WorkerPool:
    """`workers` threads that take jobs in order of arrival from a queue of at most `queue_limit`.

    >>> pool = WorkerPool(workers=1, queue_limit=4)
    >>> pool.submit(lambda: 6 * 7).result(timeout=5.0)
    42
    >>> pool.resize(3); pool.workers
    3
    >>> pool.close()
    """

    def __init__(self, workers: int, queue_limit: int) -> None:
        self._queue_limit = queue_limit
        self._jobs: deque[tuple[Callable[[], object], Future[object]]] = deque()
        self._changed = threading.Condition()
        self._wanted = 0
        self._threads: set[threading.Thread] = set()
        self.resize(workers)

    @property
    def workers(self) -> int:
        """How many workers there should be; one that is to go finishes its job first."""
        return self._wanted

    @property
    def queued(self) -> int:
        """How many jobs wait."""
        return len(self._jobs)

    def resize(self, workers: int) -> None:
        """Have `workers` threads from now on."""
        with self._changed:
            self._wanted = workers
            while len(self._threads) < workers:
                thread = threading.Thread(target=self._work, name="worker", daemon=True)
                self._threads.add(thread)
                thread.start()
            self._changed.notify_all()

    def submit(self, job: Callable[[], object]) -> Future[object]:
        """Queue a job. Raises `QueueFull` where there is no room."""
        future: Future[object] = Future()
        with self._changed:
            if len(self._jobs) >= self._queue_limit:
                raise QueueFull(f"{self._queue_limit} jobs are waiting already")
            self._jobs.append((job, future))
            self._changed.notify()
        return future

    def close(self) -> None:
        """Let the workers go when they have finished what they hold; waiting jobs are cancelled."""
        self.resize(0)
        with self._changed:
            threads = list(self._threads)
            while self._jobs:
                self._jobs.popleft()[1].cancel()
        for thread in threads:
            thread.join(timeout=1.0)

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            job, future = taken
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(job())
            except Exception as error:
                future.set_exception(error)

    def _take(self) -> tuple[Callable[[], object], Future[object]] | None:
        """The next job; None tells this worker to leave."""
        with self._changed:
            while True:
                if len(self._threads) > self._wanted:
                    self._threads.discard(threading.current_thread())
                    return None
                if self._jobs:
                    return self._jobs.popleft()
                self._changed.wait()
