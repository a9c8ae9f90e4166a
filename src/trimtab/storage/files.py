"""What plain files need: a lock that the kernel releases whatever happens, and a replacement that is whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def locked(path: Path, *, wait: bool) -> Iterator[int]:
    """Hold the lock on `path`, made where absent; yields its descriptor.

    Raises `BlockingIOError` where another holds it and `wait` is false. The file stays:
    removing it would let two hold "the" lock.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield descriptor
    finally:
        os.close(descriptor)


def replace_whole(path: Path, text: str) -> None:
    """Put `text` in the place of `path`, readable by the owner only: a crash leaves the old file or the new one, never half."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # 0600 by definition
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    sync_folder(path.parent)


class Mark:
    """How far a journal was written, beside its file. Not synced, so it may lag behind; it is never ahead of what is durable."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, head: tuple[int, str]) -> None:
        """Note that rows up to `head` are durable. What cannot be noted is not: the journal itself is what counts."""
        with contextlib.suppress(OSError):
            descriptor = os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o600)
            try:
                os.pwrite(descriptor, f"{head[0]:<20}{head[1]:<64}\n".encode(), 0)
            finally:
                os.close(descriptor)

    def read(self) -> tuple[int, str] | None:
        """What was noted last; None where nothing was, or nothing that can be read."""
        try:
            number, sealed = self.path.read_text(encoding="ascii").split()
            return int(number), sealed
        except (OSError, ValueError):
            return None


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # the name is on disk only after this
    finally:
        os.close(descriptor)
