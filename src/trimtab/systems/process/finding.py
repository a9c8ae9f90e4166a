"""Find the one process that is meant, and make sure that it is still the same one. Called by the sensor and by the pool.

A process id says little: the process may be gone and its id given to another. `psutil.Process` holds the id with the moment the
process began, and compares both. A pid file that is older than the process it names is a leftover. All of this blocks, and so
runs aside.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import psutil

from trimtab.domain.errors import TrimtabError
from trimtab.systems.process.options import Target

CLOCK_TOLERANCE_SECONDS = 2.0  # the kernel gives the time of boot in whole seconds, from which a process's beginning is told


class Gone(TrimtabError):
    """There is no such process now: it has ended, or not begun."""


class Unclear(TrimtabError):
    """It cannot be told which process is meant, and it will not become clear by itself."""


class Finder:
    """Finds the target of one sensor or lever, anew at each call: a server that was restarted is found again."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._given: psutil.Process | None = None  # what stood behind `pid` when it was first seen

    def find(self) -> psutil.Process:
        """The process. Raises `Gone` or `Unclear`, and whatever psutil does where it may not look."""
        if self._target.pid_file is not None:
            return _by_file(Path(self._target.pid_file))
        if self._target.match is not None:
            return _by_pattern(self._target.match)
        return self._by_id(self._target.pid or 0)

    def _by_id(self, pid: int) -> psutil.Process:
        process = _alive(pid)
        if process is None:
            raise Gone(f"no process has the id {pid}", remedy="Start it, and name its new id, or find it by pid_file or match")
        if self._given is not None and process != self._given:
            raise Gone(
                f"process {pid} has ended, and its id belongs to another now", remedy="Name the new id, or use pid_file or match"
            )
        self._given = process
        return process


def children(process: psutil.Process, pattern: str | None) -> list[psutil.Process]:
    """The direct children that live (a zombie does not), and whose command line `pattern` finds. Raises `Gone`."""
    try:
        living = [child for child in process.children() if lives(child)]
    except psutil.NoSuchProcess as error:
        raise Gone(f"process {process.pid} has ended") from error
    return [child for child in living if pattern is None or re.search(pattern, command_line(child))]


def command_line(process: psutil.Process) -> str:
    """The words of its command line with a space between them; empty where it is gone or may not be read."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def lives(process: psutil.Process) -> bool:
    """Whether it is there, and is more than a zombie."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _by_file(file: Path) -> psutil.Process:
    pid, written_at = _pid_in(file)
    process = _alive(pid)
    if process is None:
        raise Gone(f"{file} names process {pid}, which has ended", remedy="Start it again; it writes the file anew")
    if process.create_time() > written_at + CLOCK_TOLERANCE_SECONDS:
        raise Gone(
            f"{file} is a leftover: process {pid} began after it was written, so it is another one",
            remedy="Start the server again; it writes the file anew",
        )
    return process


def _pid_in(file: Path) -> tuple[int, float]:
    try:
        with file.open("rb") as opened:
            text, written_at = opened.read(64), os.fstat(opened.fileno()).st_mtime
    except FileNotFoundError as error:
        raise Gone(f"{file} is not there", remedy="Start the server, or correct pid_file") from error
    except OSError as error:
        raise Unclear(f"{file} cannot be read: {error.strerror}", remedy="Let the agent's user read it") from error
    words = text.split()
    if not words:  # it is being written right now, or was cut short
        raise Gone(f"{file} is empty", remedy="Start the server again; it writes the file anew")
    if not words[0].isdigit() or not 1 < int(words[0]) <= 2**22:  # 2**22: the largest id of Linux, PID_MAX_LIMIT
        raise Unclear(f"{file} holds {words[0][:40]!r}, which is no process's id", remedy="Correct pid_file")
    return int(words[0]), written_at


def _by_pattern(pattern: str) -> psutil.Process:
    """The one process whose command line matches. Workers share their master's, so a child of a match is none."""
    matching = {process.pid: process for process in _others() if re.search(pattern, command_line(process))}
    chosen = [process for process in matching.values() if _parent_id(process) not in (None, *matching)]
    if not chosen:
        raise Gone(f"no process has a command line like {pattern!r}", remedy="Start it, or correct match")
    if len(chosen) > 1:
        ids = ", ".join(str(pid) for pid in sorted(process.pid for process in chosen)[:8])
        raise Unclear(
            f"{len(chosen)} processes have a command line like {pattern!r}: {ids}",
            remedy="Make match find one of them only, or use pid_file",
        )
    return chosen[0]


def _others() -> Iterator[psutil.Process]:
    """Every living process but ourselves, whose own command line may well quote the pattern."""
    return (process for process in psutil.process_iter() if process.pid != os.getpid() and lives(process))


def _parent_id(process: psutil.Process) -> int | None:
    try:
        return process.ppid()
    except psutil.Error:
        return None


def _alive(pid: int) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        return process if lives(process) else None
    except psutil.NoSuchProcess:
        return None
