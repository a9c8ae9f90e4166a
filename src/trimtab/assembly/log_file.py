"""The log's file: rotated, for its owner only, and never in the way. Made by `logs` for `trimtab run`.

A full disk, a removed folder, rights that were taken: the agent goes on, the lines go to standard error as they always do, one
line says what is wrong, and once the file can be written again one says how many lines it lacks.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

MAX_BYTES = 5_000_000  # of the file in use; with its predecessor at most 10 MB: requirement A12
QUIET_SECONDS = 600.0  # between two complaints
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class ErrorStream(logging.StreamHandler[Any]):
    """Standard error, as far as it can be written: a line that cannot is no reason for a traceback."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Let it go."""


class LogFile(logging.Handler):
    """Appends to `path`; what was there before is `path`.1. Raises `OSError` where the file cannot be had at the start.

    Each line is one write to the file, so that two processes never mix theirs, and nothing waits in a buffer for a crash to lose.
    """

    def __init__(self, path: Path, max_bytes: int | None = None) -> None:
        super().__init__()
        self.path, self._max = path, max_bytes or MAX_BYTES
        self._file: int | None = None
        self._size = self._missed = 0
        self._quiet_until = 0.0
        self._open()

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; never raises."""
        try:
            line = (_COLOUR.sub("", self.format(record)) + "\n").encode("utf-8", "replace")
            self._reopen_where_moved()
            if self._size + len(line) > self._max and self._size:
                self._rotate()
            if self._missed:
                note = f"{self._missed} lines before this one could not be written here; they went to standard error\n".encode()
                self._write(note)
                self._missed = 0
            self._write(line)
        except OSError as error:
            self._say_once(error)
            self._missed += 1
        except Exception:
            self._missed += 1

    def close(self) -> None:
        """Release the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        super().close()

    def _open(self) -> None:
        self._file = os.open(self.path, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._file).st_size

    def _reopen_where_moved(self) -> None:
        """Where somebody has removed or rotated the file, go on in the one that bears its name."""
        if self._file is not None:
            mine = os.fstat(self._file)
            try:
                there = os.stat(self.path)
            except FileNotFoundError:
                there = None
            if there is not None and (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino):
                return
            os.close(self._file)
            self._file = None
        self._open()

    def _rotate(self) -> None:
        assert self._file is not None
        os.close(self._file)
        self._file = None
        os.replace(self.path, self.path.with_name(self.path.name + ".1"))
        self._open()

    def _write(self, line: bytes) -> None:
        assert self._file is not None
        written = os.write(self._file, line)
        if written < len(line):  # the disk is full in mid-line: take the piece back
            os.ftruncate(self._file, self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size += written

    def _say_once(self, error: OSError) -> None:
        if time.monotonic() >= self._quiet_until:  # a disk that is all but full fails and works by turns
            self._quiet_until = time.monotonic() + QUIET_SECONDS
            said = f"trimtab: the log file {self.path} cannot be written: {error.strerror}. The agent goes on without it"
            with contextlib.suppress(OSError):
                print(said, file=sys.stderr)  # noqa: T201
