"""Bounded background work: reading sensors and moving actions on, so that one slow target never stops the loop.

A piece of work has a key, and no key is worked on twice at once. The loop waits a moment (`patience`) for what it has started and
goes on; what is late reports by itself. With `patience=None`, as in virtual time, it waits for all: every run is the same run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

DISMISS_SECONDS = 1.0  # for work that swallows its cancellation


class Crew:
    """The work under way, by key."""

    def __init__(self, patience: float | None = 0.25) -> None:
        self._patience = patience
        self._tasks: dict[str, asyncio.Task[Any]] = {}

    def busy(self, key: str) -> bool:
        """Whether work under `key` is still going on."""
        return key in self._tasks

    def start(self, key: str, work: Coroutine[Any, Any, None]) -> bool:
        """Begin `work` unless something under `key` is still going on; returns whether it was begun."""
        if key in self._tasks:
            work.close()
            return False
        task = asyncio.ensure_future(work)
        self._tasks[key] = task
        task.add_done_callback(lambda done: self._done(key, done))
        return True

    async def settle(self, patience: float | None = None) -> None:
        """Wait for what is under way, for at most `patience` seconds (by default the crew's own)."""
        limit = self._patience if patience is None else patience
        if self._tasks:
            await asyncio.wait(tuple(self._tasks.values()), timeout=limit)
            await asyncio.sleep(0)  # let the callbacks of what has ended run

    async def wait_for(self, key: str, seconds: float) -> None:
        """Wait until the work under `key` has ended, for at most `seconds`."""
        if key in self._tasks:
            await asyncio.wait((self._tasks[key],), timeout=seconds)
            await asyncio.sleep(0)

    async def dismiss(self) -> None:
        """Cancel whatever is still going on, and wait until it has stopped, or for a second where it will not."""
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=DISMISS_SECONDS)

    def _done(self, key: str, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(key, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            structlog.get_logger("trimtab").error("Background work failed", work=key, error=f"{type(error).__name__}: {error}")
