"""The data folder: where one agent keeps all it knows, and the lock that keeps a second agent out of it.

Opened first by `assembly`. The lock is the kernel's (flock), so it is gone the moment its holder is, killed or not.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trimtab.domain.errors import AlreadyRunning, StoreError
from trimtab.storage import layout
from trimtab.storage.files import locked, replace_whole

IDENTITY_DIGITS = 64  # hexadecimal; earlier versions made 16, and published them


class DataFolder:
    """A folder for the owner only (0700), made where absent.

    `create` false is for commands that only look: a folder that is not there is then a `StoreError`, as is one that is no folder
    or may not be written to.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as parent, DataFolder(Path(parent) / "trimtab-data").lock():
    ...     sorted(path.name for path in Path(parent).rglob("*"))
    ['agent.lock', 'trimtab-data']
    """

    def __init__(self, path: Path | str, *, create: bool = True) -> None:
        self.path = Path(path)
        _make(self.path, create)
        effective = os.access in os.supports_effective_ids
        if create and not os.access(self.path, os.W_OK | os.X_OK, effective_ids=effective):
            raise _unusable(self.path, "may not be written to by this user")

    @property
    def journal_path(self) -> Path:
        """Where the journal is."""
        return self.path / layout.JOURNAL

    @property
    def metrics_path(self) -> Path:
        """Where the samples are."""
        return self.path / layout.METRICS

    @property
    def access_path(self) -> Path:
        """Where the tokens' digests are."""
        return self.path / layout.ACCESS

    @property
    def lock_path(self) -> Path:
        """What the running agent holds."""
        return self.path / layout.LOCK

    @property
    def pause_path(self) -> Path:
        """What pauses the agent while it is there: a switch that works whatever else does not."""
        return self.path / layout.PAUSE

    def switch_off(self, why: str) -> Path:
        """Pause whatever agent works here, now or later; returns the file that does. Raises `StoreError`."""
        try:
            with open(self.pause_path, "a", encoding="utf-8") as file:
                file.write(f"paused {why}\n")
        except OSError as exc:
            raise _unusable(self.path, f"does not take the file PAUSE: {exc.strerror}") from exc
        return self.pause_path

    def switch_on(self) -> Path | None:
        """Remove the file that pauses; returns it, or None where there was none. Raises `StoreError`."""
        try:
            self.pause_path.unlink()
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise StoreError(
                f"{self.pause_path} could not be removed: {exc.strerror}", remedy="Remove it as a user who may"
            ) from exc
        return self.pause_path

    def announce(self, url: str) -> None:
        """Leave word where the agent that holds the lock answers; it goes with the lock. Called by that agent only."""
        with contextlib.suppress(OSError, ValueError):  # who does not find it asks at the configured address
            holder = json.loads(self.lock_path.read_text())
            descriptor = os.open(self.lock_path, os.O_RDWR)
            try:
                _write(descriptor, {**holder, "url": url})
            finally:
                os.close(descriptor)

    def announced(self) -> str | None:
        """Where the agent on this folder answers, whatever the configuration says by now; None where none lives or told."""
        try:
            holder = json.loads(self.lock_path.read_text())
            url, pid = str(holder["url"]), int(holder["pid"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        try:
            os.kill(pid, 0)
        except PermissionError:  # it lives, as another user
            return url
        except (OSError, OverflowError):
            return None
        return url

    def held(self) -> bool:
        """Whether a living agent works here. Where that cannot be told, no is the answer."""
        with contextlib.suppress(OSError):
            descriptor = os.open(self.lock_path, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # for as long as it takes to let go of it
            except BlockingIOError:
                return True
            finally:
                os.close(descriptor)
        return False

    @property
    def identity_path(self) -> Path:
        """What proves that an agent works on this folder."""
        return self.path / layout.IDENTITY

    def identity(self, *, create: bool = False) -> str:
        """A secret of this folder's own (256 bit), by which the command line knows its agent; "" where there is none.

        It is shown to nobody: see `domain.access.proof`. With `create`, one that others may have read is replaced. Raises
        `StoreError` where it cannot be read or, with `create`, written.
        """
        try:
            word = self.identity_path.read_text(encoding="ascii").strip()
            private = self.identity_path.stat().st_mode & 0o077 == 0
            return word if len(word) == IDENTITY_DIGITS and private else self._sign(create)
        except FileNotFoundError:
            return self._sign(create)
        except (OSError, ValueError) as exc:
            raise _unusable(self.path, f"has an identity that cannot be read: {getattr(exc, 'strerror', exc)}") from exc

    def _sign(self, create: bool) -> str:
        if not create:
            return ""
        word = secrets.token_hex(IDENTITY_DIGITS // 2)
        try:
            replace_whole(self.identity_path, word + "\n")
        except OSError as exc:
            raise _unusable(self.path, f"could not be written to: {exc.strerror}") from exc
        return word

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Be the one agent of this folder. Raises `AlreadyRunning`, naming the other, where there is one."""
        with contextlib.ExitStack() as held:
            try:
                descriptor = held.enter_context(locked(self.lock_path, wait=False))
            except BlockingIOError as exc:
                raise AlreadyRunning(
                    f"{_holder(self.lock_path)} already works on the data folder {self.path.absolute()}",
                    remedy="Stop it first, or give this agent a folder of its own (storage.path)",
                ) from exc
            except OSError as exc:
                raise _unusable(self.path, f"could not be locked: {exc.strerror}") from exc
            _write(descriptor, {"pid": os.getpid(), "started_at": _started(os.getpid())})
            held.callback(os.ftruncate, descriptor, 0)  # runs before the lock goes: no stale name is left behind
            yield


def _make(path: Path, create: bool) -> None:
    try:
        if path.is_dir():
            return
        there = path.exists()
    except OSError as exc:
        raise _unusable(path, f"cannot be reached: {exc.strerror}") from exc
    if there:
        raise _unusable(path, "is not a folder")
    if not create:
        raise StoreError(
            f"there is no data folder {path.absolute()}", remedy="Run the agent once, or name its folder (storage.path)"
        )
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise _unusable(path, f"could not be made: {exc.strerror}") from exc


def _unusable(path: Path, why: str) -> StoreError:
    return StoreError(
        f"the data folder {path.absolute()} {why}", remedy="Name a folder that this user may write to (storage.path)"
    )


def _write(descriptor: int, holder: dict[str, Any]) -> None:
    written = os.pwrite(descriptor, json.dumps(holder).encode(), 0)
    os.ftruncate(descriptor, written)  # only now: who reads meanwhile does not meet an empty file


def _started(pid: int) -> float:
    import psutil  # 20 ms, and only the agent itself locks

    return float(psutil.Process(pid).create_time())


def _holder(path: Path) -> str:
    try:
        found = json.loads(path.read_text())
        since = datetime.fromtimestamp(found["started_at"], UTC)
        return f"an agent with process id {int(found['pid'])}, started at {since:%Y-%m-%d %H:%M:%S} UTC,"
    except (OSError, ValueError, KeyError, TypeError):  # it has the lock, but has not signed yet
        return "another agent"
