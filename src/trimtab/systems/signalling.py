"""What every signal to a managed program needs: that it catches it, and that no later process with the same id gets it.

Shared by the systems that signal (`process`, `file`). USR1 ends a program that has no handler for it, TTIN stops it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler for a signal, or blocks it, as those do that take it from a thread or a descriptor.

    Where the system does not tell (it is not Linux), it is taken to.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True
    masks = [int(line.split()[1], 16) for line in status.splitlines() if line.startswith(("SigCgt:", "SigBlk:"))]
    return not masks or any(mask >> (number - 1) & 1 for mask in masks)


@contextmanager
def held(pid: int) -> Iterator[Callable[[int], None]]:
    """A way to signal a process that cannot hit a later one with the same id, where the system has such a thing.

    What is looked at within the block is therefore the process that gets the signal. Raises `ProcessLookupError`.
    """
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        raise
    except (AttributeError, OSError):  # not Linux, an old kernel, a sandbox
        yield lambda number: os.kill(pid, number)
        return
    try:
        yield lambda number: signal.pidfd_send_signal(handle, number)
    finally:
        os.close(handle)
