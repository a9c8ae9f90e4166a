"""Doctor's look at the data folder and what lies in it. Opens for reading only, takes no lock, makes nothing."""

from __future__ import annotations

import json
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from trimtab.config import Settings
from trimtab.doctor.findings import Finding, Mark, Standing, fails, of_error, ok, warning
from trimtab.domain.actions import ActionRecord
from trimtab.domain.errors import StoreError
from trimtab.domain.metrics import Unit
from trimtab.domain.words import format_quantity
from trimtab.storage.layout import ACCESS, JOURNAL, LOCK, METRICS, is_there
from trimtab.storage.reader import JournalReader, Older, check_metrics
from trimtab.storage.standing import what_is_left
from trimtab.storage.tokens import TokenStore

LEAST_FREE, LITTLE_FREE = 50e6, 500e6  # bytes: below the first the stores may stop at any time
AHEAD = 60.0  # seconds that a file may be ahead of the clock


def look_at_folder(settings: Settings) -> Iterator[Finding]:
    """Whether an agent of this user can live there."""
    folder = settings.storage.path
    check = "data folder"
    try:
        there = is_there(folder)
    except StoreError as error:
        yield of_error(check, error)
        return
    if not there:
        yield (finding := _not_there(folder))
        if finding.mark is not Mark.OK:
            return  # the space elsewhere is of no use
    elif not folder.is_dir():
        yield fails(check, f"{folder} is not a folder", "set storage.path to another path")
        return
    elif folder.stat().st_uid != os.geteuid():
        yield fails(check, f"{folder} belongs to another user", f"run as that user, or `chown -R {os.geteuid()} {folder}`")
    elif not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield fails(check, f"{folder} may not be written to", f"`chmod u+rwx {folder}`, or set storage.path to another")
    elif stat.S_IMODE(folder.stat().st_mode) & 0o077:
        yield warning(check, f"{folder} can be looked into by others", f"`chmod 700 {folder}`")
    else:
        yield ok(check, f"{folder}: {_size(sum(_sizes(folder)))} in it, open to its owner only")
    yield from _space(folder)


def look_at_holder(settings: Settings, standing: Standing) -> Iterator[Finding]:
    """Who works on the folder, from what the holder of its lock signed; the lock itself is not touched."""
    holder = holder_of(settings.storage.path / LOCK)
    if standing.running:
        state = standing.status["state"] if standing.status else "running, and does not tell more"
        yield ok("agent", f"{state}; it answers at {standing.address}" + (f" (process {holder[0]})" if holder else ""))
        if standing.status is None:
            yield warning("agent", standing.why, standing.remedy)
    elif holder is not None and holder[1]:
        if settings.api.enabled:
            yield fails("agent", f"process {holder[0]} holds the data folder, but does not answer at {standing.address}",
                        f"look at its log; `kill {holder[0]}` ends it cleanly, then `trimtab run`")  # fmt: skip
        else:
            yield ok("agent", f"process {holder[0]} works on the data folder; api.enabled is false, so it cannot be asked")
    elif holder is not None:
        yield warning(
            "agent", f"not running; process {holder[0]}, the last one, was killed", "`trimtab run` sees to what it left"
        )
    else:
        yield ok("agent", "not running; `trimtab run` starts it")


def holder_of(path: Path) -> tuple[int, bool] | None:
    """The process that signed the lock file, and whether it still lives; None where it is signed by nobody."""
    import psutil

    try:
        signed = json.loads(path.read_text())
        pid, started = int(signed["pid"]), float(signed["started_at"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    try:
        return pid, abs(psutil.Process(pid).create_time() - started) < 2.0
    except psutil.Error:
        return pid, False


async def look_at_journal(settings: Settings, told: Callable[[int], None]) -> list[Finding]:
    """Check the whole chain. `told` hears how many rows were checked so far."""
    path = settings.storage.path / JOURNAL
    try:
        if not is_there(path):
            return [ok("journal", "none yet: the first run makes it")]
        journal = reader_of(settings, told)
        try:
            rows = await journal.verify()
            newest = (await journal.recent(1), rows)
        finally:
            await journal.close()
    except Older as error:
        return [warning("journal", error.message, error.remedy)]
    except StoreError as error:
        return [of_error("journal", error)]
    keyed = "keyed" if settings.storage.journal_key is not None else "not keyed"
    found = [ok("journal", f"the chain of {rows:,} rows holds ({keyed}, {_size(path.stat().st_size)})")]
    if newest[0] and newest[0][0].since > time.time() + AHEAD:
        found.append(warning("clock", "the journal's last row lies in the future: the clock was set back since",
                             "set the clock right (NTP), or wait: nothing is decided on times that run backwards"))  # fmt: skip
    return found


def look_at_metrics(settings: Settings) -> Finding:
    """SQLite's own check of the metric store."""
    path = settings.storage.path / METRICS
    try:
        if not is_there(path):
            return ok("metric store", "none yet: the first run makes it")
        count = check_metrics(path)
    except Older as error:
        return warning("metric store", error.message, error.remedy)
    except StoreError as error:
        return of_error("metric store", error)
    return ok("metric store", f"sound: {count:,} series, {_size(path.stat().st_size)}, kept for {settings.retention_days} days")


def look_at_tokens(settings: Settings, loopback: bool) -> Iterator[Finding]:
    """Who may use the REST interface, and whether anybody else can read who may."""
    path = settings.storage.path / ACCESS
    try:
        tokens = TokenStore(path).list()
    except StoreError as error:
        yield of_error("tokens", error)
        return
    if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
        yield warning("tokens", f"{path} can be read by others", f"`chmod 600 {path}`")
    old = [token.name for token in tokens if token.expires_at is not None and token.expires_at <= time.time()]
    if old:
        yield warning(
            "tokens", f"expired: {', '.join(old)}", f"`trimtab token revoke {old[0]}`, then `trimtab token create {old[0]}`"
        )
    if not tokens and not loopback and settings.api.enabled:
        yield fails("tokens", f"none, and api.host {settings.api.host} is open to others: the agent will not start",
                    "`trimtab token create NAME`, or set api.host to 127.0.0.1")  # fmt: skip
    elif not old:
        yield ok("tokens", f"{len(tokens)}, all valid" if tokens else "none; on loopback none is needed")


async def stored_standing(settings: Settings) -> tuple[dict[str, Any], list[ActionRecord]]:
    """What `GET /agent/status` would say that outlives the agent, and the actions that it left unfinished."""
    folder = settings.storage.path
    if not is_there(folder / JOURNAL):
        return (await what_is_left(folder, None)).status, []
    journal = reader_of(settings)
    try:
        left = await what_is_left(folder, journal)
    finally:
        await journal.close()
    return left.status, [record for record in left.unfinished if record.state.in_flight]


def reader_of(settings: Settings, told: Callable[[int], None] | None = None) -> JournalReader:
    """The journal, to be looked at. Raises `StoreError`."""
    return JournalReader(settings.storage.path / JOURNAL, key=settings.storage.hmac_key, told=told)


def _not_there(folder: Path) -> Finding:
    parent = _nearest(folder)
    if not parent.is_dir():
        return fails("data folder", f"{folder} cannot be made: {parent} is not a folder", "set storage.path to another path")
    if _holds_nothing(parent):
        return fails("data folder", f"{folder} cannot be made: nothing can be kept in {parent}",
                     "set storage.path to a folder on a disk")  # fmt: skip
    if not os.access(parent, os.W_OK | os.X_OK):
        return fails("data folder", f"{folder} is not there and cannot be made: {parent} may not be written to",
                     "set storage.path to a folder of this user's")  # fmt: skip
    return ok("data folder", f"{folder} is not there yet: the first run makes it")


def _holds_nothing(folder: Path) -> bool:
    """Whether it lies in a file system that the kernel makes up, such as /proc."""
    try:
        return shutil.disk_usage(folder).total == 0
    except OSError:
        return False


def _space(folder: Path) -> Iterator[Finding]:
    try:
        usage = shutil.disk_usage(_nearest(folder))
    except OSError as error:
        yield warning("disk", f"the space left for {folder} cannot be read: {error.strerror}", "look at the file system")
        return
    what = f"{_size(usage.free)} free where the data lie"
    if usage.free < LEAST_FREE:
        yield fails("disk", what, "free some space: without it nothing can be journalled, and nothing is done")
    elif usage.free < LITTLE_FREE:
        yield warning("disk", what, "free some space, or lower retention_days")
    else:
        yield ok("disk", what)


def _nearest(path: Path) -> Path:
    return next((each for each in (path, *path.absolute().parents) if each.exists()), Path("/"))


def _sizes(folder: Path) -> Iterator[float]:
    for path in folder.iterdir():
        if path.is_file():
            yield path.stat().st_size


def _size(count: float) -> str:
    return format_quantity(count, Unit.BYTES)
