"""The data folder: where one agent keeps all it knows, and the lock that keeps a second agent out of it.

Opened first by `assembly`. The lock is the kernel's (flock), so it is gone the moment its holder is, killed or not.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from trimtab.domain.errors import AlreadyRunning, StoreError
from trimtab.storage.files import locked


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
        return self.path / "journal.db"

    @property
    def metrics_path(self) -> Path:
        """Where the samples are."""
        return self.path / "metrics.db"

    @property
    def access_path(self) -> Path:
        """Where the tokens' digests are."""
        return self.path / "access.json"

    @property
    def lock_path(self) -> Path:
        """What the running agent holds."""
        return self.path / "agent.lock"

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
    if path.is_dir():
        return
    if path.exists():
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


def _write(descriptor: int, holder: dict[str, float]) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(holder).encode(), 0)


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
