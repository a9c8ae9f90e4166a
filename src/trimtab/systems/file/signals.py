"""Tell a program to read its file again, by a signal to the process that its pid file names.

Whether it can be told is asked before the file is replaced: a value that nobody loads is no change.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from trimtab.domain.errors import LeverError, Permanent, Retryable
from trimtab.systems.file.options import NotifyOptions
from trimtab.systems.signalling import catches, held

_SLACK_SECONDS = 5.0  # a pid file's time and a process's are told by different clocks
_EXISTS = 0  # POSIX: signal 0 sends nothing, and fails where another would


class Absent(Retryable):
    """There is no such process now. Once it starts it reads the file as it is then."""


def check(notify: NotifyOptions) -> None:
    """Find whom `send` would tell. Raises `Absent` where nobody is there, `Permanent` where no signal must or may be sent."""
    try:
        with _addressee(notify) as deliver:
            deliver(_EXISTS)
    except LeverError as error:
        raise type(error)(f"nothing was written: {error.message}", remedy=error.remedy) from error


def send(notify: NotifyOptions) -> None:
    """Send the signal. Raises as `check` does."""
    with _addressee(notify) as deliver:
        deliver(signal.Signals[f"SIG{notify.signal}"])


@contextmanager
def _addressee(notify: NotifyOptions) -> Iterator[Callable[[int], None]]:
    """A way to signal the process that is meant, which is there and has a handler."""
    import psutil

    try:
        written, pid = notify.pid_file.stat().st_mtime, _pid(notify)
        with held(pid) as deliver:
            process = psutil.Process(pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                raise _failed(Absent, notify, f"process {pid} has ended")
            if process.create_time() > written + _SLACK_SECONDS:
                why = f"process {pid} is younger than the file: the program ended, and another has its number"
                raise _failed(Absent, notify, why)
            if not catches(pid, signal.Signals[f"SIG{notify.signal}"]):
                raise _failed(Permanent, notify, f"process {pid} does not catch it, and would be ended by it")
            yield deliver
    except (FileNotFoundError, ProcessLookupError, psutil.NoSuchProcess) as error:
        raise _failed(Absent, notify, f"{error}") from error
    except (OSError, psutil.Error) as error:
        raise _failed(Permanent, notify, f"{error}") from error


def _pid(notify: NotifyOptions) -> int:
    words = notify.pid_file.read_text(errors="replace").split()[:1]
    if not words:  # it is being written right now, or was cut short
        raise _failed(Absent, notify, "it names no process")
    if not words[0].isascii() or not words[0].isdigit() or len(words[0]) > 10 or int(words[0]) <= 1:
        raise _failed(Permanent, notify, "it names no process")
    if int(words[0]) == os.getpid():
        raise _failed(Permanent, notify, "it names the agent itself")
    return int(words[0])


def _failed(kind: type[LeverError], notify: NotifyOptions, why: str) -> LeverError:
    words = f"{notify.signal} was not sent to the process of {notify.pid_file}: {why}"
    return kind(words, remedy="Is the program running, may the agent signal it, and is pid_file: right?")
