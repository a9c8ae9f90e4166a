"""The lever on a worker pool: a count, reached by signals that add or take away one worker each. Called by `execute` alone.

Classic signals do not queue: a second one that arrives while its equal is pending is lost. So one is sent, the count is awaited,
and only then the next. A signal that was sent and has not shown yet stays remembered from one `set` to the next, which waits for
it before it sends another: a slow master never gets more than it was meant to.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import psutil

from trimtab.domain.errors import Permanent, Retryable
from trimtab.domain.levers import LeverSpec, LeverValue
from trimtab.domain.words import format_number
from trimtab.systems.aside import Aside, StillBusy
from trimtab.systems.process.options import ProcessLeverOptions
from trimtab.systems.process.pool import Pool
from trimtab.systems.values import as_kind

SET_SECONDS = 4.0  # the executor gives an effect five; what is left is for the last look
LOOK_SECONDS = 3.0  # for one look at the processes
LOST_AFTER_SECONDS = 30.0  # a signal that shows no effect for so long is taken for lost: gunicorn lets a worker finish that long
STILL_SECONDS = 0.25  # a count that moved by itself (a worker died) is believed once it has stood still for so long
POLL_SECONDS = 0.02

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class _Sent:
    """A signal whose effect has not been seen yet."""

    master: psutil.Process
    step: int  # +1 or -1
    count: int  # of workers when it was sent
    at: float  # monotonic seconds

    def shows(self, count: int) -> bool:
        return (count - self.count) * self.step > 0


class PoolLever:
    """The number of workers that a master keeps."""

    def __init__(self, options: ProcessLeverOptions, spec: LeverSpec) -> None:
        self.spec = spec
        self._name = f"lever {spec.lever_id}"
        self._signals = {1: options.raise_signal, -1: options.lower_signal}
        self._pace = options.pace_seconds
        self._pool = Pool(options, self._name)
        self._aside = Aside(self._name)
        self._sent: _Sent | None = None
        self._sent_at = float("-inf")

    async def read(self) -> LeverValue:
        """How many workers live now."""
        return (await self._run(self._pool.look))[1]

    async def set(self, value: LeverValue) -> None:
        """Signal until there are `value` workers. `Retryable`, with the count reached, where that takes too long."""
        wanted = as_kind(self.spec, value)
        if isinstance(wanted, str) or wanted < 0:
            raise Permanent(f"{self._name} takes a count, not {value!r:.80}", remedy="Nothing was set")
        deadline = time.monotonic() + SET_SECONDS
        expected, changed_at = -1, 0.0  # the count that needs no second look, and since when it is what it is
        while True:
            master, count = await self._run(self._pool.look)
            now = time.monotonic()
            if self._heard(master, count, now) or expected < 0:
                expected, changed_at = count, now
            elif count != expected:
                expected, changed_at = count, now + STILL_SECONDS  # it moved by itself: see first whether it moves back
            if self._sent is None and count == wanted and now >= changed_at + STILL_SECONDS:
                return
            if now >= deadline:
                raise self._unfinished(int(wanted), count)
            if self._sent is None and count != wanted and now >= max(changed_at, self._sent_at + self._pace):
                await self._step(master, count, 1 if wanted > count else -1)
            await asyncio.sleep(POLL_SECONDS)

    def _heard(self, master: psutil.Process, count: int, now: float) -> bool:
        """Whether the signal under way has shown, or will not any more: then the next may be sent."""
        sent = self._sent
        if sent is None:
            return False
        if sent.shows(count) or sent.master != master or now - sent.at > LOST_AFTER_SECONDS:
            self._sent = None
            return True
        return False

    async def _step(self, master: psutil.Process, count: int, step: int) -> None:
        self._sent_at = time.monotonic()
        self._sent = _Sent(master, step, count, self._sent_at)  # before it is sent: a call cut short must not forget it
        try:
            await self._run(lambda: self._pool.send(master, self._signals[step]))
        except Permanent:  # refused: nothing was sent. In doubt it stays remembered
            self._sent = None
            raise

    def _unfinished(self, wanted: int, count: int) -> Retryable:
        words = f"{self._name}: {count} of {wanted} workers after {format_number(SET_SECONDS)} s"
        if self._sent is None:
            return Retryable(words, remedy="Setting it again goes on from there")
        name = f"SIG{self._signals[self._sent.step]}"
        return Retryable(
            f"{words}; {name} to process {self._sent.master.pid} has not shown yet",
            remedy="The master may be slow, or a worker may be finishing its work. Setting it again waits for it first",
        )

    async def _run(self, call: Callable[[], Result]) -> Result:
        try:
            return await self._aside.run(call, LOOK_SECONDS)
        except TimeoutError as error:
            raise Retryable(f"{self._name}: the system did not tell of its processes within {LOOK_SECONDS:g} s") from error
        except StillBusy as error:
            raise Retryable(f"{self._name}: the system has not answered yet about its processes") from error

    async def close(self) -> None:
        """Nothing is held."""
