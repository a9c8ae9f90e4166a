"""The signals of the process: SIGINT and SIGTERM end it, a second one at once; SIGHUP has the configuration read anew.

SIGHUP is also what a process gets whose terminal is closed. Then it ends, unless it was started to outlive that (nohup).
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from types import TracebackType

ENDS = (signal.SIGINT, signal.SIGTERM)


class Signals:
    """In force within the block."""

    def __init__(self, *, stop: Callable[[], None], reload: Callable[[], None]) -> None:
        self._stop, self._reload = stop, reload
        self._outlives = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        self._had_terminal = has_terminal()
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> Signals:
        for number in ENDS:
            self._loop.add_signal_handler(number, self._end)
        self._loop.add_signal_handler(signal.SIGHUP, self._hung_up)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number in (*ENDS, signal.SIGHUP):
            self._loop.remove_signal_handler(number)

    def _end(self) -> None:
        self._stop()
        for number in ENDS:
            self._loop.remove_signal_handler(number)

    def _hung_up(self) -> None:
        if self._had_terminal and not self._outlives and not has_terminal():
            self._stop()
        else:
            self._reload()


def has_terminal() -> bool:
    """Whether the process belongs to a terminal that is there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
