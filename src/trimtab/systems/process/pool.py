"""A master process with its workers: how many there are, and one signal at a time. Used by the lever; blocks, so it runs aside.

A signal to the wrong process is the worst that this folder can do: TTIN and TTOU stop a program that does not catch them, USR1
ends it. So it goes only to a process that was looked at a moment before, that is neither we nor one of ours, and that catches it.
"""

from __future__ import annotations

import os
import signal

import psutil

from trimtab.domain.errors import Permanent, Retryable
from trimtab.systems.process.finding import Finder, Gone, Unclear, children, command_line, lives
from trimtab.systems.process.options import Target
from trimtab.systems.signalling import catches, held


class Pool:
    """The workers of one master. Every call raises `Retryable` or `Permanent`, in words that begin with `name`."""

    def __init__(self, target: Target, name: str) -> None:
        self._target = target
        self._name = name
        self._finder = Finder(target)

    def look(self) -> tuple[psutil.Process, int]:
        """The master as it is found now, and how many workers it has."""
        try:
            master = self._finder.find()
            return master, len(children(master, self._target.child_match))
        except Gone as error:
            raise Retryable(f"{self._name}: {error.message}", remedy=error.remedy) from error
        except Unclear as error:
            raise Permanent(f"{self._name}: {error.message}", remedy=error.remedy) from error
        except (psutil.Error, OSError) as error:
            raise Retryable(f"{self._name}: its processes could not be looked at: {error}") from error

    def send(self, master: psutil.Process, name: str) -> None:
        """Send the signal `name`, such as TTIN, to `master` and to nobody else."""
        number = signal.Signals[f"SIG{name}"]
        try:
            with held(master.pid) as deliver:
                self._require_fit(master, number)
                deliver(number)
        except (psutil.NoSuchProcess, ProcessLookupError) as error:
            raise Retryable(f"{self._name}: process {master.pid} has ended", remedy="Nothing was sent") from error
        except (PermissionError, psutil.AccessDenied) as error:
            raise Permanent(
                f"{self._name}: process {master.pid} belongs to {_owner(master)}, and we may not signal it",
                remedy="Run the agent as that user",
            ) from error

    def _require_fit(self, master: psutil.Process, number: signal.Signals) -> None:
        """Refuse whoever must not have the signal."""
        if not lives(master):
            raise psutil.NoSuchProcess(master.pid)
        if master.pid <= 1 or master.pid == os.getpid():
            raise Permanent(f"{self._name}: process {master.pid} is never signalled", remedy="Correct pid_file, match or pid")
        if os.getpgid(master.pid) == os.getpgrp():
            raise Permanent(
                f"{self._name}: process {master.pid} is in the agent's own process group, which is never signalled",
                remedy="Start one of the two apart: by setsid, a service manager, or from another terminal",
            )
        if not catches(master.pid, number):
            raise Permanent(
                f"{self._name}: process {master.pid} ({command_line(master)[:120]}) does not catch {number.name}",
                remedy="Is it the master? Correct pid_file, match or pid, or the signals. Nothing was sent",
            )


def _owner(process: psutil.Process) -> str:
    try:
        return process.username()
    except (psutil.Error, KeyError):
        return "another user"
