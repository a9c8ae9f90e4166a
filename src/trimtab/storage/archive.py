"""The file that a backup is: a tar.gz with a manifest first, and how it is written and taken apart without trusting it.

Called by `backup` and `restore`. Members are plain files with names from a fixed list; each is as long as the manifest says and
has its SHA-256, or the archive is refused. A link, a path, a device, a second member of one name: refused. Whatever an archive
says of its own size, no more of it is read into memory than a header of ours needs, and no more written than its manifest says.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import tarfile
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, cast

from trimtab.domain.errors import StoreDamaged, StoreError
from trimtab.storage.layout import ACCESS, JOURNAL, METRICS

FORMAT = 1  # of the archive
MANIFEST, CONFIG = "manifest.json", "trimtab.yaml"
MEMBERS = (JOURNAL, METRICS, ACCESS, CONFIG)
MANIFEST_BYTES = 1_000_000  # a manifest has less than two thousand
HEADER_BYTES = 64 * 1024  # what stands before a member; ours have less than two thousand
CHUNK = 1 << 20
_ANOTHER = "Name another backup; nothing was changed"
_ODD = (tarfile.TarError, EOFError, zlib.error, ValueError, ArithmeticError, LookupError, RecursionError)  # a header that is none


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a backup."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds. `made_at` in Unix seconds, `rows` and `head` are the number and the hash of the journal's last row."""

    made_at: float
    trimtab: str  # the version that made it
    rows: int
    head: str
    members: Mapping[str, Member]
    format: int = FORMAT

    def text(self) -> str:
        """As it stands in the archive."""
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def parse(cls, text: str, path: Path) -> Manifest:
        """Raises `StoreError` where this is no manifest, or that of a newer trimtab."""
        try:
            found = json.loads(text)
            version = int(found["format"])
            if version > FORMAT:
                raise StoreError(
                    f"{path} was made by a newer trimtab ({found.get('trimtab', 'unknown')}): its format is {version}, "
                    f"this one reads {FORMAT}",
                    remedy="Restore it with that version; nothing was changed",
                )
            members = {str(name): Member(int(each["bytes"]), str(each["sha256"])) for name, each in found["members"].items()}
            time.gmtime(float(found["made_at"]))  # a moment that people can be told
            return cls(float(found["made_at"]), str(found["trimtab"]), int(found["rows"]), str(found["head"]), members, version)
        except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, OSError, RecursionError) as exc:
            raise _no_backup(path, f"its manifest cannot be read ({exc})") from exc


def measure(path: Path) -> Member:
    """Length and SHA-256 of a file."""
    digest, length = hashlib.sha256(), 0
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            length += len(chunk)
    return Member(length, digest.hexdigest())


def pack(folder: Path, manifest: Manifest, target: IO[bytes]) -> None:
    """Write the members of `folder` behind the manifest; whoever calls makes `target` durable."""
    (folder / MANIFEST).write_text(manifest.text(), encoding="utf-8")
    with tarfile.open(fileobj=target, mode="w:gz", compresslevel=4) as archive:
        for name in (MANIFEST, *manifest.members):
            archive.add(folder / name, arcname=name, recursive=False, filter=_plain)


def unpack(path: Path, folder: Path) -> Manifest:
    """Take `path` apart into the empty `folder`; every member is as the manifest says. Raises `StoreError`."""
    with _opened(path) as (archive, source):
        manifest = _manifest(archive, source, path)
        _check_room(manifest, folder, path)
        seen = set()
        while (member := _next(archive, source)) is not None:
            expected = manifest.members.get(member.name)
            if expected is None or member.name not in MEMBERS or member.name in seen or not member.isreg():
                raise _no_backup(path, f"it holds {member.name!r}, which does not belong into one")
            if member.size != expected.bytes:
                raise _altered(path, member.name)
            seen.add(member.name)
            source.allow(member.size)
            _extract(archive, member, folder / member.name)
            if measure(folder / member.name) != expected:
                raise _altered(path, member.name)
    missing = {JOURNAL, *manifest.members} - seen
    if missing:
        raise _no_backup(path, f"it lacks {', '.join(sorted(missing))}")
    return manifest


def manifest_of(path: Path) -> Manifest:
    """What the file says that it holds; nothing of it is proven yet. Raises `StoreError` where it is no backup, or not there."""
    with _opened(path) as (archive, source):
        return _manifest(archive, source, path)


class _Sips:
    """A stream that gives no more than was allowed. tarfile reads a header at once, however long the header before calls it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._allowed = 0
        self.seek, self.tell = stream.seek, stream.tell

    def allow(self, size: int) -> None:
        """From here on `size` bytes."""
        self._allowed = size

    def read(self, size: int) -> bytes:
        """What tarfile asks for. Raises `tarfile.ReadError` where that is more than is left."""
        if not 0 <= size <= self._allowed:
            raise tarfile.ReadError(f"a header in it asks for {size} bytes")
        self._allowed -= size
        return self._stream.read(size)


def _next(archive: tarfile.TarFile, source: _Sips) -> tarfile.TarInfo | None:
    source.allow(HEADER_BYTES)
    return archive.next()


def _manifest(archive: tarfile.TarFile, source: _Sips, path: Path) -> Manifest:
    first = _next(archive, source)
    if first is None or first.name != MANIFEST or not first.isreg() or first.size > MANIFEST_BYTES:
        raise _no_backup(path, "it does not begin with a manifest")
    source.allow(first.size)
    file = archive.extractfile(first)
    assert file is not None
    return Manifest.parse(file.read().decode("utf-8", "replace"), path)


def _check_room(manifest: Manifest, folder: Path, path: Path) -> None:
    needed, free = sum(max(0, each.bytes) for each in manifest.members.values()), shutil.disk_usage(folder).free
    if needed > free:
        raise StoreError(
            f"{path} holds {needed / 1e6:.0f} MB, and there are only {free / 1e6:.0f} MB free in {folder.parent}",
            remedy="Free some space; nothing was changed",
        )


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    source = archive.extractfile(member)
    assert source is not None  # a regular file
    with open(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        shutil.copyfileobj(source, file, CHUNK)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _opened(path: Path) -> Iterator[tuple[tarfile.TarFile, _Sips]]:
    try:
        with gzip.open(path) as stream:
            source = _Sips(cast("IO[bytes]", stream))
            source.allow(HEADER_BYTES)
            with tarfile.TarFile(fileobj=cast("IO[bytes]", source)) as archive:
                yield archive, source
    except FileNotFoundError as exc:
        raise StoreError(f"there is no {path}", remedy="Name a file that `trimtab backup` made") from exc
    except OSError as exc:  # gzip's own error is one
        raise _no_backup(path, f"it cannot be read ({exc.strerror or exc})") from exc
    except MemoryError as exc:
        raise _no_backup(path, "it asks for more memory than there is") from exc
    except _ODD as exc:
        raise _no_backup(path, f"it is damaged or something else ({exc})") from exc


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


def _no_backup(path: Path, why: str) -> StoreDamaged:
    return StoreDamaged(f"{path} is no backup that can be used: {why}", remedy=_ANOTHER)


def _altered(path: Path, name: str) -> StoreDamaged:
    return _no_backup(path, f"{name} in it is not what was written")
