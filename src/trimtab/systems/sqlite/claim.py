"""Which of our processes builds what: a lock file that the operating system releases when its holder dies, however it dies.

Only so that a second process can say *running*; what keeps two from building one thing is the database's own write lock.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import tempfile
from pathlib import Path


class Claim:
    """Held until released."""

    def __init__(self, path: Path | None, descriptor: int | None) -> None:
        self._path = path
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go. Releasing twice is harmless."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None and self._path is not None:
            self._path.unlink(missing_ok=True)
            os.close(descriptor)


def take(database: Path, name: str) -> Claim | None:
    """The claim to build `name`, None where another of our processes has it."""
    try:
        path = file_of(database, name, "lock")
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
    except OSError:
        return Claim(None, None)  # no place for such files: then nobody claims
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return Claim(path, descriptor)


def held(database: Path, name: str) -> bool:
    """Whether one of our processes has the claim."""
    try:
        descriptor = os.open(file_of(database, name, "lock"), os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def file_of(database: Path, name: str, suffix: str) -> Path:
    """Where a small file about an effect lies: with this user's temporary files. Raises `OSError` where no such can be."""
    folder = Path(tempfile.gettempdir(), f"trimtab-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    about = folder.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid():
        raise PermissionError(f"{folder} is somebody else's")
    return folder / (hashlib.sha256(f"{database.resolve()}\0{name}".encode()).hexdigest()[:32] + f".{suffix}")
