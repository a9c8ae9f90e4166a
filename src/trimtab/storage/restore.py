"""`trimtab restore`: put a backup in the place of the data folder, at one stroke; what was there is moved aside, never deleted.

Called by the command line. Everything is unpacked and proven beside the folder first. Then the two folders change names in one
call to the kernel, so that whenever the power goes, either the old data or the new are there. No agent may hold them meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from trimtab.domain.errors import AlreadyRunning, Conflict, StoreError
from trimtab.storage.archive import CONFIG, MANIFEST, Manifest, manifest_of, unpack
from trimtab.storage.backup import check
from trimtab.storage.files import sync_folder
from trimtab.storage.folder import DataFolder
from trimtab.storage.layout import ACCESS, JOURNAL, METRICS, is_there
from trimtab.storage.reader import JournalReader

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h
_RENAME_SWAP = 2  # macOS: sys/stdio.h


def restore(archive: Path, folder: Path, *, key: bytes | None, now: float, force: bool = False) -> tuple[Manifest, Path | None]:
    """Put what `archive` holds in the place of `folder`; returns what that is, and where the data that were there are now.

    Raises `Conflict` where there are data and not `force`, `AlreadyRunning` where an agent holds them, `StoreError` where the
    backup cannot be used: then nothing was changed. A disk that does not confirm what was done is a `StoreError` that says so.
    """
    folder = folder.resolve()
    manifest_of(archive)
    _check_place(folder)
    with contextlib.ExitStack() as held:
        if is_there(folder):
            held.enter_context(_locked(folder))
            _check_data(folder, force)
        with _unpacked(archive, folder, key) as (fresh, manifest):
            if there := folder.exists():
                _carry_over(folder, fresh, key)
                exchange(fresh, folder)
            else:
                os.rename(fresh, folder)
        aside = _moved_aside(fresh, folder, now) if there else None  # from here on the backup is in its place
        _confirm(folder, aside)
    return manifest, aside


def _check_place(folder: Path) -> None:
    if not is_there(folder):
        return
    if os.path.ismount(folder):
        raise StoreError(
            f"{folder} is where a file system is mounted: it cannot be exchanged as a whole",
            remedy="Let storage.path name a folder inside of it, and restore again",
        )
    if not folder.is_dir():
        raise StoreError(f"{folder} is not a folder", remedy="Move it away, or name a folder (storage.path)")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(DataFolder(folder).lock())
        except AlreadyRunning as exc:
            raise AlreadyRunning(exc.message, remedy="Stop it first, then restore") from exc
        yield


def _check_data(folder: Path, force: bool) -> None:
    if has_data(folder) and not force:
        raise Conflict(
            f"there are data in {folder} already",
            remedy="With --force they are moved aside, to a folder beside it, and the backup takes their place",
        )


def has_data(folder: Path) -> bool:
    """Whether an agent has worked there."""
    return any(is_there(folder / name) for name in (JOURNAL, METRICS, ACCESS))


@contextlib.contextmanager
def _unpacked(archive: Path, folder: Path, key: bytes | None) -> Iterator[tuple[Path, Manifest]]:
    """The backup as a data folder beside `folder`, proven; taken away again where it was not used."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.restoring-"))  # 0700 by definition
    except OSError as exc:
        raise StoreError(
            f"{folder.parent} cannot be written to: {exc.strerror}", remedy="Give this user the right to, or name another folder"
        ) from exc
    ours = fresh.stat().st_ino
    try:
        manifest = unpack(archive, fresh)
        if check(fresh, key) != (manifest.rows, manifest.head):
            raise StoreError(f"the journal in {archive} is not the one of its manifest", remedy="Name another backup")
        for name in (CONFIG, MANIFEST):  # a configuration is never replaced behind somebody's back
            (fresh / name).unlink(missing_ok=True)
        sync_folder(fresh)
        yield fresh, manifest
    except OSError as exc:
        raise StoreError(f"{archive} could not be restored: {exc.strerror or exc}", remedy="Nothing was changed") from exc
    finally:
        with contextlib.suppress(FileNotFoundError):
            if fresh.stat().st_ino == ours:  # else these are the data that were there
                shutil.rmtree(fresh, ignore_errors=True)


def _carry_over(old: Path, fresh: Path, key: bytes | None) -> None:
    """What says something about this place rather than about its past: who it is, and that it is to stand still."""
    place = DataFolder(old)
    for path in (place.identity_path, place.pause_path):
        if path.is_file():
            shutil.copy(path, fresh / path.name)
    if not (fresh / place.pause_path.name).exists() and (why := _stands_still(place, key)) is not None:
        DataFolder(fresh).switch_off(f"by `trimtab restore`: {why}")
    sync_folder(fresh)


def _stands_still(place: DataFolder, key: bytes | None) -> str | None:
    """Why what is restored must not start by itself: somebody paused the agent that was here, in its journal or by the file."""
    if os.path.lexists(place.pause_path):  # no plain file, but it pauses all the same
        return f"{place.pause_path} was there"
    if not is_there(place.journal_path):
        return None
    try:
        journal = JournalReader(place.journal_path, key=key)
        with contextlib.closing(journal._database):
            latest = asyncio.run(journal.notes(["paused", "resumed"], 1))
    except StoreError as exc:  # who cannot tell must not go on
        return f"whether it was paused before cannot be told ({exc.message})"
    return f"it was {latest[0].reason} before" if latest and latest[0].kind == "paused" else None


def _moved_aside(old: Path, folder: Path, now: float) -> Path:
    """Give the data that were there a name that tells of it; where that cannot be done they keep the one that they have."""
    aside = _free_name(folder, now)
    with contextlib.suppress(OSError):
        os.rename(old, aside)
        old = aside
    return old


def _confirm(folder: Path, aside: Path | None) -> None:
    try:
        sync_folder(folder.parent)
    except OSError as exc:
        where = f"; what was there is in {aside}" if aside is not None else ""
        raise StoreError(
            f"{folder} holds the backup, but the disk did not confirm it: {exc.strerror or exc}",
            remedy=f"Check the disk before the agent starts{where}",
        ) from exc


def _free_name(folder: Path, now: float) -> Path:
    name = f"{folder.name}.before-restore-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}"
    found, count = folder.with_name(name), 1
    while found.exists():
        count += 1
        found = folder.with_name(f"{name}-{count}")
    return found


def exchange(one: Path, other: Path) -> None:
    """Let two folders change names, at one stroke where the system can; else in three steps."""
    libc = ctypes.CDLL(None, use_errno=True)
    paths = os.fsencode(one), os.fsencode(other)
    if sys.platform == "darwin" and hasattr(libc, "renamex_np"):
        done = libc.renamex_np(*paths, _RENAME_SWAP)
    elif hasattr(libc, "renameat2"):
        done = libc.renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE)
    else:
        done = -1
        ctypes.set_errno(errno.ENOSYS)
    if done == 0:
        return
    if ctypes.get_errno() not in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(other))
    _exchange_in_steps(one, other)


def _exchange_in_steps(one: Path, other: Path) -> None:
    between = one.with_name(one.name + ".old")
    os.rename(other, between)
    try:
        os.rename(one, other)
    except BaseException:
        os.rename(between, other)
        raise
    os.rename(between, one)
