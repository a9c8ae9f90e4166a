"""Run a program once, within bounds. Shared by the sensor, the lever and the job of this folder.

No shell, nothing on standard input, little of our environment, at most so much output and so much time; and whatever it leaves
running in its process group ends with it. A program that is to go on must leave that group (setsid, systemd-run, at).
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from trimtab.domain.errors import TrimtabError

MAX_OUTPUT_BYTES = 64 * 1024  # of standard output; of standard error so much is kept
MAX_ERRORS_BYTES = 4 * 1024 * 1024  # of standard error: a talkative program ends well, one that never stops is stopped
EX_TEMPFAIL = 75  # sysexits.h: "temporary failure, indicating something that is not really an error"
INHERITED = ("PATH", "HOME", "LANG")
_REAP_SECONDS = 1.0  # a killed program is gone at once, unless the kernel holds it
_TOLD_CHARACTERS = 200  # of a program's own words, in a message


class Trouble(TrimtabError):
    """A program did not do what it should. `passing`: it may do so later, and may have done half of it now."""

    def __init__(self, message: str, *, passing: bool, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.passing = passing


class TooMuch(Trouble):
    """It wrote more than it may. Whether it did something beside that is in doubt where it was killed in its midst: `passing`."""


class Runner:
    """Runs programs in `folder` with `env` beside the few variables that are inherited; `hide` takes secrets out of a message."""

    def __init__(
        self, folder: str, env: Mapping[str, str], timeout_seconds: float, hide: Callable[[str], str] = lambda text: text
    ) -> None:
        self._folder = folder
        self._env = dict(env)
        self._timeout_seconds = timeout_seconds
        self._hide = hide
        self._running: set[int] = set()

    async def run(self, argv: Sequence[str]) -> str:
        """What `argv` wrote to standard output. Raises `Trouble` unless it ended well."""
        try:
            with _Tap(MAX_OUTPUT_BYTES) as output, _Tap(MAX_ERRORS_BYTES) as errors:
                status = await self._to_its_end(argv, output, errors)
                output.drain()
                errors.drain()
        except OSError as error:
            raise self._not_started(argv[0], error) from error
        if output.over.is_set():
            raise _too_much(argv[0], output, killed=False)
        if status != 0:
            raise self._failure(argv[0], status, errors)
        return self._text(argv[0], output)

    def close(self) -> None:
        """Kill whatever still runs. Never raises."""
        for pid in tuple(self._running):
            _end_group(pid)

    async def _to_its_end(self, argv: Sequence[str], output: _Tap, errors: _Tap) -> int:
        """The exit status. However this is left, by cancellation too, nothing of the program's group is left running."""
        child = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output.sink,
            stderr=errors.sink,
            cwd=self._folder,
            env=_environment(self._env),
            start_new_session=True,
        )
        self._running.add(child.pid)
        try:
            output.close_sink()
            errors.close_sink()
            async with asyncio.timeout(self._timeout_seconds):
                status = await _ended(child, output, errors)
            if status is None:
                raise _too_much(argv[0], output if output.over.is_set() else errors, killed=True)
            return status
        except TimeoutError as error:
            raise Trouble(
                f"{argv[0]} did not end within {self._timeout_seconds:g} s and was killed",
                passing=True,
                remedy="Make it quicker, or raise timeout_seconds",
            ) from error
        finally:
            _end_group(child.pid)
            await _reaped(child)
            self._running.discard(child.pid)

    def _not_started(self, program: str, error: OSError) -> Trouble:
        if error.filename == self._folder:
            return Trouble(f"cwd {self._folder}: {error.strerror}", passing=False, remedy="Correct cwd, or make the folder")
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            if self._is_there(program):
                words = f"{program} names an interpreter that is not there"
                return Trouble(words, passing=False, remedy="Correct its first line")
            remedy = "Install it, or write its path; a path is taken from cwd, a bare name is looked up in PATH"
            return Trouble(f"{program} was not found", passing=False, remedy=remedy)
        if isinstance(error, PermissionError):
            remedy = f"chmod +x {program}, and let the agent's user reach it"
            return Trouble(f"{program} is not executable", passing=False, remedy=remedy)
        if error.errno == errno.ENOEXEC:
            return Trouble(f"{program} is no program", passing=False, remedy="Give it a first line such as #!/bin/sh")
        if error.errno == errno.E2BIG:
            return Trouble(f"{program} was given arguments that are too long", passing=False)
        return Trouble(f"{program} could not be started: {error.strerror or error}", passing=True)

    def _is_there(self, program: str) -> bool:
        if "/" in program:
            return os.path.exists(os.path.join(self._folder, program))
        return shutil.which(program, path=_environment(self._env).get("PATH")) is not None

    def _failure(self, program: str, status: int, errors: _Tap) -> Trouble:
        words = self._told(errors.last_line())
        said = f": {words}" if words else " and wrote nothing to standard error"
        if status < 0:
            return Trouble(f"{program} was ended by {_signal_name(-status)}{said}", passing=True)
        return Trouble(f"{program} failed with exit status {status}{said}", passing=status == EX_TEMPFAIL)

    def _text(self, program: str, output: _Tap) -> str:
        try:
            return output.kept.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Trouble(f"{program} wrote bytes that are not UTF-8 text", passing=False) from error

    def glimpse(self, text: str) -> str:
        """What a program wrote, for a message to a person."""
        return repr(self._told(text)) if text.strip() else "nothing"

    def _told(self, text: str) -> str:
        words = "".join(letter if letter.isprintable() else "?" for letter in " ".join(self._hide(text).split()))
        return words[:_TOLD_CHARACTERS] + ("…" if len(words) > _TOLD_CHARACTERS else "")


class _Tap:
    """A pipe whose read end is emptied by the event loop; it keeps the last `MAX_OUTPUT_BYTES`. `over`: more than `limit` came.

    A pipe of our own, because asyncio's wait for their end: a program that left a daemon behind, which holds them open, would
    seem to run for ever.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.kept = bytearray()
        self.over = asyncio.Event()
        self._taken = 0  # bytes
        self._source, self.sink = os.pipe()
        os.set_blocking(self._source, False)

    def __enter__(self) -> _Tap:
        asyncio.get_running_loop().add_reader(self._source, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._source)
        os.close(self._source)
        self.close_sink()

    def close_sink(self) -> None:
        """Give up our copy of the end that the program writes to."""
        sink, self.sink = self.sink, -1
        if sink >= 0:
            os.close(sink)

    def drain(self) -> None:
        """Take what is still in the pipe. Bounded: somebody may go on writing."""
        for _ in range(32):
            if not self._take():
                return

    def last_line(self) -> str:
        """The last line that is not empty."""
        lines = self.kept.decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""

    def _take(self) -> bool:
        try:
            chunk = os.read(self._source, MAX_OUTPUT_BYTES)
        except OSError:  # nothing there yet
            return False
        if not chunk:  # the end: a reader left in place would be called without pause
            asyncio.get_running_loop().remove_reader(self._source)
            return False
        self.kept += chunk
        self._taken += len(chunk)
        if self._taken > self.limit:
            self.over.set()
        del self.kept[:-MAX_OUTPUT_BYTES]
        return True


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    return {name: os.environ[name] for name in INHERITED if name in os.environ} | dict(more)


def _too_much(program: str, tap: _Tap, *, killed: bool) -> TooMuch:
    words = f"{program} wrote more than {tap.limit // 1024} KiB{' and was killed' if killed else ''}"
    return TooMuch(words, passing=killed, remedy="Let it write only what is asked for")


async def _ended(child: asyncio.subprocess.Process, *taps: _Tap) -> int | None:
    """The exit status; None as soon as one of `taps` is over its limit, whether it has ended or not."""
    ending = asyncio.ensure_future(child.wait())
    waiting = [ending, *(asyncio.ensure_future(tap.over.wait()) for tap in taps)]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        return ending.result() if ending.done() else None
    finally:
        for each in waiting:
            each.cancel()


def _end_group(pid: int) -> None:
    """Kill what is left of a program's process group, which bears the program's id."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


async def _reaped(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        waiting = asyncio.ensure_future(child.wait())
        await asyncio.wait({waiting}, timeout=_REAP_SECONDS)
        waiting.cancel()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
