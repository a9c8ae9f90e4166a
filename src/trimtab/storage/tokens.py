"""The tokens that open the api, of which only digests are kept.

Made and revoked from the command line, asked for by `api` at every request; a running agent sees a change at the next request.
A file that cannot be read lets nobody in.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import math
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from trimtab.domain.access import Grant, Role
from trimtab.domain.errors import Conflict, NotFound, StoreError
from trimtab.storage.files import locked, replace_whole

PREFIX = "tt_"  # lets scanners for leaked secrets recognise one
VERSION = 1


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """All that is known of a token; the token itself is shown once, when it is made."""

    name: str
    role: Role
    created_at: float
    expires_at: float | None = None


_Stamp = tuple[int, int, int]
_Entries = tuple[tuple[str, TokenInfo], ...]  # digest, and what is known of the token


class TokenStore:
    """Tokens of 256 random bits, kept as SHA-256 in one file for the owner only. A `TokenChecker`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = TokenStore(Path(folder) / "access.json")
    ...     token = store.create("ann", Role.OPERATOR, now=0.0, ttl=60.0)
    ...     store.check(token, now=59.0), store.check(token, now=60.0)
    (Grant(name='ann', role=<Role.OPERATOR: 'operator'>), None)
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        self._stamp: _Stamp | None = None
        self._entries: _Entries = ()

    def create(self, name: str, role: Role | str, now: float, ttl: float | None = None) -> str:
        """A new token, which cannot be shown again. `ttl` in seconds.

        Raises `Conflict` where the name is taken or empty, or the time to live is not positive; `StoreError` where the file
        cannot be written.
        """
        if not name.strip():
            raise Conflict("a token needs a name", remedy="Name the person or program that will use it")
        if ttl is not None and not ttl > 0:
            raise Conflict(
                f"a token cannot live for {ttl} seconds", remedy="Give a positive time, or none for one that does not expire"
            )
        info = TokenInfo(name, Role(role), now, None if ttl is None else now + ttl)
        token = PREFIX + secrets.token_urlsafe(32)
        with self._changing() as entries:
            if any(other.name == name for _, other in entries):
                raise Conflict(f"there is a token named {name} already", remedy="Revoke it first, or choose another name")
            self._save((*entries, (_digest(token), info)))
        return token

    def revoke(self, name: str) -> None:
        """Make the token of that name worthless. Raises `NotFound`."""
        with self._changing() as entries:
            rest = tuple(entry for entry in entries if entry[1].name != name)
            if len(rest) == len(entries):
                raise NotFound(f"there is no token named {name}", remedy="`trimtab token list` shows the names")
            self._save(rest)

    def list(self) -> tuple[TokenInfo, ...]:
        """Every token, expired ones too, in the order they were made."""
        return tuple(info for _, info in self._load())

    def check(self, token: str, now: float) -> Grant | None:
        """What `token` grants at `now`; None where it is unknown or has expired."""
        given, found = _digest(token), None
        for digest, info in self._load():  # to the end, whatever was found: the time taken tells nothing
            if hmac.compare_digest(digest, given):
                found = info
        if found is None or (found.expires_at is not None and now >= found.expires_at):
            return None
        return Grant(found.name, found.role)

    @property
    def empty(self) -> bool:
        """Whether no token was ever made, or all were revoked. An expired one still counts: somebody wanted the door closed."""
        return not self._load()

    def _load(self) -> _Entries:
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp != self._stamp:
                self._entries, self._stamp = _parse(self._path.read_text(encoding="utf-8")), stamp
        except FileNotFoundError:
            self._entries, self._stamp = (), None
        except OSError as exc:
            raise StoreError(
                f"{self._path} cannot be read: {exc.strerror}", remedy="Give this user the right to read it"
            ) from exc
        except (ValueError, KeyError, TypeError) as exc:
            raise StoreError(
                f"{self._path} is damaged, so nobody is let in",
                remedy="Restore it from a backup, or remove it and make new tokens with `trimtab token create`",
            ) from exc
        return self._entries

    @contextlib.contextmanager
    def _changing(self) -> Iterator[_Entries]:
        """One change at a time, whichever processes make it."""
        try:
            with locked(self._path.with_suffix(".lock"), wait=True):
                yield self._load()
        except OSError as exc:
            remedy = "Free some space, or name a data folder that this user may write to; the tokens are as they were"
            raise StoreError(f"{self._path} could not be written: {exc.strerror}", remedy=remedy) from exc

    def _save(self, entries: _Entries) -> None:
        tokens = [{"sha256": digest, **asdict(info)} for digest, info in entries]
        replace_whole(self._path, json.dumps({"version": VERSION, "tokens": tokens}, indent=1) + "\n")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _parse(text: str) -> _Entries:
    document = json.loads(text)
    if document["version"] != VERSION:
        raise ValueError(f"version {document['version']}")
    return tuple(
        (
            str(entry["sha256"]),
            TokenInfo(str(entry["name"]), Role(entry["role"]), float(entry["created_at"]), _time(entry["expires_at"])),
        )
        for entry in document["tokens"]
    )


def _time(value: float | None) -> float | None:
    if value is None:
        return None
    if not math.isfinite(float(value)):
        raise ValueError(f"not a time: {value}")  # would never expire
    return float(value)
