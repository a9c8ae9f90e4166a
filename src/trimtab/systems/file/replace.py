"""Replace a file whole: readers see the old one or the new one, and a crash at any instant leaves one of the two.

The new content goes to a file beside it, is written to disk, gets mode, owner and attributes of the old one, and takes its place
in one step. Symbolic links stay and lead to the new file. What somebody else wrote meanwhile is noticed and never overwritten.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from trimtab.domain.errors import LeverError, Permanent, Retryable

MAX_BYTES = 16 * 1024 * 1024  # far beyond any configuration file
_LEFT_BEHIND_SECONDS = 600.0  # a file of ours that old was left by a process that died
_REFUSED = frozenset(
    {errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG}
)


@dataclass(frozen=True, slots=True)
class Original:
    """A file as it was read: where it really is, what it holds, and what tells it from another."""

    path: Path
    content: bytes
    about: os.stat_result

    def is_still(self, other: Original) -> bool:
        """Whether the file is the same and untouched."""
        mine, theirs = self.about, other.about
        same = (mine.st_dev, mine.st_ino, mine.st_mtime_ns) == (theirs.st_dev, theirs.st_ino, theirs.st_mtime_ns)
        return same and self.path == other.path and self.content == other.content


def read(path: Path) -> Original:
    """The file that `path` leads to. Raises `LeverError`."""
    try:
        real = Path(os.path.realpath(path, strict=True))
        descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise Permanent(f"{path} is no regular file", remedy="Correct path: in the configuration")
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _in_words(error, path, "cannot be read") from error
    if len(content) > MAX_BYTES:
        raise Permanent(f"{path} is larger than {MAX_BYTES // 1024 // 1024} MiB", remedy="Is it the file that you mean?")
    return Original(real, content, about)


def replace(original: Original, content: bytes) -> None:
    """Put `content` in its place. Raises `LeverError`; then the old file is as it was."""
    if original.about.st_nlink > 1:
        words = (
            f"{original.path} has {original.about.st_nlink} hard links: replacing it would leave the others with the old content"
        )
        raise Permanent(words, remedy="Make symbolic links of them")
    folder, prefix = original.path.parent, f".{original.path.name[:100]}.trimtab-"
    new: Path | None = None
    try:
        _sweep(folder, prefix)
        descriptor, name = tempfile.mkstemp(prefix=prefix, dir=folder)
        new = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            _resemble(file.fileno(), original)
            file.flush()
            os.fsync(file.fileno())
        if not read(original.path).is_still(original):
            raise Retryable(f"{original.path} was changed by somebody else at the same moment", remedy="Nothing was written")
        os.replace(new, original.path)
        new = None
        _sync(folder)
    except OSError as error:
        raise _in_words(error, original.path, "cannot be replaced") from error
    finally:
        if new is not None:
            new.unlink(missing_ok=True)


def _resemble(descriptor: int, original: Original) -> None:
    """Give the new file owner, mode and extended attributes (access lists among them) of the old one."""
    mine, theirs = os.fstat(descriptor), original.about
    if (mine.st_uid, mine.st_gid) != (theirs.st_uid, theirs.st_gid):
        try:
            os.fchown(descriptor, theirs.st_uid, theirs.st_gid)
        except PermissionError as error:
            words = f"{original.path} belongs to user {theirs.st_uid}, group {theirs.st_gid}; a new file of ours would not"
            raise Permanent(words, remedy="Run the agent as that user, or give it the file") from error
    os.fchmod(descriptor, stat.S_IMODE(theirs.st_mode))
    if hasattr(os, "listxattr"):
        _copy_attributes(descriptor, original.path)


def _copy_attributes(descriptor: int, path: Path) -> None:
    try:
        names = os.listxattr(path)
    except OSError:
        return  # this file system has none
    for name in names:
        value = os.getxattr(path, name)
        if name not in os.listxattr(descriptor) or os.getxattr(descriptor, name) != value:
            os.setxattr(descriptor, name, value)


def _sweep(folder: Path, prefix: str) -> None:
    """Remove what a process that was killed left behind."""
    for file in folder.glob(f"{prefix.translate(_LITERAL)}*"):
        with suppress(OSError):
            if time.time() - file.lstat().st_mtime > _LEFT_BEHIND_SECONDS:
                file.unlink()


_LITERAL = str.maketrans({"[": "[[]", "*": "[*]", "?": "[?]"})


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _in_words(error: OSError, path: Path, what: str) -> LeverError:
    why = error.strerror or str(error)
    if error.errno == errno.ENOENT and not path.exists():
        return Permanent(f"there is no file {path}", remedy="Correct path:, or start the program that writes it")
    if error.errno in _REFUSED:
        remedy = "Let the agent's user read the file, and write its folder: the file is replaced by a new one"
        return Permanent(f"{path} {what}: {why}", remedy=remedy)
    return Retryable(f"{path} {what}: {why}", remedy="Look at the free space and the quota of that disk")
