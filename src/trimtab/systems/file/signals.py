"""Tell a program to read its file again, by a signal to the process that its pid file names."""

from __future__ import annotations

import os
import signal

from trimtab.domain.errors import Retryable
from trimtab.systems.file.options import NotifyOptions
from trimtab.systems.signalling import catches, held

_SLACK_SECONDS = 5.0  # a pid file's time and a process's are told by different clocks


def send(notify: NotifyOptions) -> None:
    """Send the signal. Raises `Retryable` where it could not be: the file is replaced, and only the telling is to be repeated."""
    import psutil

    try:
        written = notify.pid_file.stat().st_mtime
        pid, number = _pid(notify), signal.Signals[f"SIG{notify.signal}"]
        with held(pid) as deliver:
            born = psutil.Process(pid).create_time()
            if born > written + _SLACK_SECONDS:
                raise _failed(notify, f"process {pid} is younger than the file: the program ended, and another has its number")
            if not catches(pid, number):
                raise _failed(notify, f"process {pid} does not catch it, and would be ended by it")
            deliver(number)
    except (OSError, psutil.Error) as error:
        raise _failed(notify, f"{error}") from error


def _pid(notify: NotifyOptions) -> int:
    words = notify.pid_file.read_text(errors="replace").split()[:1]
    if not words or not words[0].isascii() or not words[0].isdigit() or len(words[0]) > 10 or int(words[0]) <= 1:
        raise _failed(notify, "it names no process")
    if int(words[0]) == os.getpid():
        raise _failed(notify, "it names the agent itself")
    return int(words[0])


def _failed(notify: NotifyOptions, why: str) -> Retryable:
    words = f"the file holds the value, but {notify.signal} was not sent to the process of {notify.pid_file}: {why}"
    return Retryable(words, remedy="Is the program running, may the agent signal it, and is pid_file: right?")
