"""`trimtab backup`: a copy of all that an agent keeps, taken while it runs or not, and proven before it is called done.

Called by the command line. The databases are copied with SQLite's online backup, each from one snapshot and in small steps, so
that the agent goes on writing. The file appears under its name only when it is whole, durable, and was read back.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from trimtab.domain.errors import StoreError
from trimtab.storage.archive import CONFIG, Manifest, measure, pack, unpack
from trimtab.storage.database import explained
from trimtab.storage.files import sync_folder
from trimtab.storage.folder import DataFolder
from trimtab.storage.journal import SqliteJournal
from trimtab.storage.layout import ACCESS, JOURNAL, METRICS, is_there
from trimtab.storage.metrics import SqliteMetricStore

STEP_PAGES, STEP_REST = 512, 0.002  # two megabytes, then two milliseconds in which others have the disk
SUFFIXES = (".tar.gz", ".tgz")


def back_up(
    folder: DataFolder, target: Path, *, config: Path | None, key: bytes | None, version: str, now: float, force: bool = False
) -> tuple[Path, Manifest]:
    """Back up `folder`, and the configuration file where one is given; returns where to, and what it holds.

    `target` is the file, or a folder in which one with the time in its name is made. Raises `StoreError`, `JournalCorrupt`: then
    there is no new file, and an earlier one of that name is as it was.
    """
    target = _named(target, now)
    _check_target(folder, target, force)
    with _scratch(target) as scratch:
        members = _copy(folder, scratch, config)
        rows, head = check(scratch, key)
        manifest = Manifest(now, version, rows, head, {name: measure(scratch / name) for name in members})
        whole = scratch / "whole"
        with open(os.open(whole, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600), "wb") as file:
            pack(scratch, manifest, file)
            file.flush()
            os.fsync(file.fileno())
        _read_back(whole, manifest, key)
        _publish(whole, target, force)
    return target, manifest


def check(folder: Path, key: bytes | None) -> tuple[int, str]:
    """The last row of the journal in `folder`, once both databases were opened and found whole, and the chain to hold.

    Leaves each database one file that needs nothing beside it. Raises `StoreDamaged`, `JournalCorrupt`.
    """
    journal = SqliteJournal(folder / JOURNAL, key=key)
    with contextlib.closing(journal._database):
        journal._database.check()
        asyncio.run(journal.verify())
        head = asyncio.run(journal.head())
    if (folder / METRICS).exists():
        metrics = SqliteMetricStore(folder / METRICS)
        with contextlib.closing(metrics._database):
            metrics._database.check()
        _settle(folder / METRICS)
    _settle(folder / JOURNAL)
    return head


def _copy(folder: DataFolder, scratch: Path, config: Path | None) -> list[str]:
    """Copy everything into `scratch`; the journal last, so that no sample is newer than what was done about it."""
    if not is_there(folder.journal_path):
        raise StoreError(f"there is no {folder.journal_path}", remedy="No agent has run with this configuration yet")
    members = []
    for name, path in ((METRICS, folder.metrics_path), (JOURNAL, folder.journal_path)):
        if path.exists():
            copy_database(path, scratch / name)
            members.append(name)
    for name, file in ((ACCESS, folder.access_path), (CONFIG, config)):
        if file is not None and file.exists():
            _copy_file(file, scratch / name)
            members.append(name)
    return members


def copy_database(source: Path, target: Path) -> None:
    """Copy a database as it is now, whoever writes to it meanwhile, and change nothing. Raises `StoreError`."""
    closing = contextlib.closing
    with explained(source, "backed up"), closing(_snapshot(source)) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy, pages=STEP_PAGES, sleep=STEP_REST)


def _snapshot(path: Path) -> sqlite3.Connection:
    """A connection that sees the file as it is now, whoever writes to it, and cannot change it."""
    for how in ("mode=ro", "mode=ro&immutable=1"):  # the latter where the folder may not be written to: nobody else can, either
        connection = sqlite3.connect(f"file:{quote(str(path.absolute()))}?{how}", uri=True, isolation_level=None)
        try:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError:
            connection.close()
            if how != "mode=ro" or os.access(path.parent, os.W_OK):
                raise
        except BaseException:
            connection.close()
            raise
        else:
            break
    return connection


def _copy_file(source: Path, target: Path) -> None:
    try:
        target.write_bytes(source.read_bytes())
    except OSError as exc:
        raise StoreError(f"{source} could not be copied: {exc.strerror}", remedy="Give this user the right to read it") from exc


def _settle(path: Path) -> None:
    with explained(path, "closed"), contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=DELETE")


def _read_back(whole: Path, manifest: Manifest, key: bytes | None) -> None:
    """Do with the file what a restore would do."""
    with tempfile.TemporaryDirectory(dir=whole.parent) as again:
        unpack(whole, Path(again))
        if check(Path(again), key) != (manifest.rows, manifest.head):
            raise StoreError("the backup does not read back as it was written", remedy="Check the disk, and try again")


def _named(target: Path, now: float) -> Path:
    if is_there(target, "Name a file in a folder that this user may write to") and target.is_dir():
        return target / f"trimtab-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}.tar.gz"
    if not target.name.endswith(SUFFIXES):
        raise StoreError(
            f"{target} is neither a folder that there is, nor a name that ends in .tar.gz",
            remedy="Make the folder, or name a file: trimtab backup trimtab.tar.gz",
        )
    return target


def _check_target(folder: DataFolder, target: Path, force: bool) -> None:
    if target.exists() and not force:
        raise StoreError(f"{target} exists", remedy="Name another file, or use --force to replace it")
    if not target.parent.is_dir():
        raise StoreError(f"there is no folder {target.parent}", remedy="Make it first, or name another file")
    if target.parent.resolve().is_relative_to(folder.path.resolve()):
        raise StoreError(
            f"{target} would lie in the data folder itself, and be lost with it",
            remedy="Name a place elsewhere, best on another disk",
        )


def _publish(whole: Path, target: Path, force: bool) -> None:
    """Give the file its name; without `force` not over one that has appeared meanwhile."""
    if force:
        os.replace(whole, target)
    else:
        try:
            os.link(whole, target)
        except FileExistsError:
            raise StoreError(f"{target} exists", remedy="Name another file, or use --force to replace it") from None
        except OSError:  # a file system without hard links
            os.replace(whole, target)
    sync_folder(target.parent)


@contextlib.contextmanager
def _scratch(target: Path) -> Iterator[Path]:
    """A folder of ours on the same file system, gone afterwards whatever happens."""
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as made:
            yield Path(made)
    except OSError as exc:
        raise StoreError(
            f"{target} could not be written: {exc.strerror or exc}",
            remedy="Free some space, or name a folder that this user may write to; no backup was made",
        ) from exc
