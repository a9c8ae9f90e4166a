"""Run a blocking call beside the event loop, one at a time and within a time limit.

Used by sensors and levers that call code which may hang: a host program's functions, a network file system. The thread is a
daemon: one that hangs is left behind, never waited for at exit, and no second one is started until it returns.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from trimtab.domain.errors import LeverError, SensorError

Result = TypeVar("Result")


class StillBusy(Exception):
    """An earlier call has not returned."""


class Aside:
    """A place for one blocking call at a time."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._busy = threading.Lock()

    async def run(self, call: Callable[[], Result], timeout_seconds: float) -> Result:
        """What `call` returns or raises. `TimeoutError` where that takes too long, `StillBusy` where an earlier call hangs."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Result] = loop.create_future()
        if not self._busy.acquire(blocking=False):
            raise StillBusy(f"{self._name}: an earlier call has not returned yet")

        def work() -> None:
            settle = _attempt(call, done)
            self._busy.release()
            _tell(loop, done, settle)

        threading.Thread(target=work, name=f"trimtab {self._name}", daemon=True).start()
        async with asyncio.timeout(timeout_seconds):
            return await done

    async def look(self, call: Callable[[], Result], timeout_seconds: float) -> Result:
        """`run`, for a sensor: what goes wrong is a `SensorError` that begins with the name given here."""
        try:
            return await self.run(call, timeout_seconds)
        except TimeoutError:
            raise SensorError(f"{self._name}: no answer within {timeout_seconds:g} s") from None
        except LeverError as error:
            raise SensorError(f"{self._name}: {error.message}", remedy=error.remedy) from error
        except StillBusy as error:
            raise SensorError(str(error)) from error


def _attempt(call: Callable[[], Result], done: asyncio.Future[Result]) -> Callable[[], None]:
    """Make the call; what is to be told of it. A SystemExit raised by a host's function must not end the agent."""
    try:
        return partial(done.set_result, call())
    except BaseException as error:
        catchable = isinstance(error, Exception) and not isinstance(error, StopIteration)
        return partial(done.set_exception, error if catchable else RuntimeError(repr(error)))


def _tell(loop: asyncio.AbstractEventLoop, done: asyncio.Future[Result], settle: Callable[[], None]) -> None:
    try:
        loop.call_soon_threadsafe(lambda: None if done.done() else settle())
    except RuntimeError:  # the loop closed while the call hung: nobody waits any more
        return
