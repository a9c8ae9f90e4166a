"""Doctor's look at where trimtab runs: versions, plug-ins, clock, log, port, and what waits for a person."""

from __future__ import annotations

import errno
import os
import socket
import sqlite3
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from trimtab.config import Settings
from trimtab.doctor.findings import Finding, Standing, fails, ok, warning
from trimtab.domain.actions import ActionRecord

OLDEST_SQLITE = (3, 35)  # RETURNING
EARLIEST = 1_735_689_600.0  # 2025-01-01: this version is younger
AHEAD = 60.0  # seconds that a file may be ahead of the clock
LOADING = 1.0  # seconds that a file system's time may be off from the clock
STEP = 1.0  # seconds that the clock may jump while doctor looks


def look_at_versions(problems: Sequence[str]) -> Iterator[Finding]:
    """Python, SQLite, and plug-ins that were left out."""
    versions = f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}"
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        yield fails("versions", f"{versions}: SQLite is too old", "use a Python that brings SQLite 3.35 or newer")
    else:
        yield ok("versions", versions)
    for problem in problems:
        what, _, remedy = problem.partition(". ")
        yield warning("plug-ins", what, remedy or "mend or remove that package")


def look_at_clock(settings: Settings, began: tuple[float, float]) -> Iterator[Finding]:
    """`began`: the system's and the monotonic clock when doctor began."""
    import psutil

    from trimtab.discovery.machine import time_zone

    now = time.time()
    jump = (now - began[0]) - (time.monotonic() - began[1])
    remedy = "set the clock right, and keep it so (NTP)"
    newest = max((path.stat().st_mtime for path in _files(settings.storage.path)), default=now)
    if now < EARLIEST or now < psutil.boot_time() - AHEAD:
        yield fails("clock", f"the system clock says {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(now))} UTC", remedy)
    elif abs(jump) > STEP:
        yield warning("clock", f"the system clock jumped by {jump:+.1f} s just now", remedy)
    elif newest > now + AHEAD:
        yield warning("clock", f"files in the data folder are {newest - now:.0f} s ahead of the system clock", remedy)
    else:
        yield ok("clock", f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(now))} UTC, steady")
    machine = time_zone()
    if settings.timezone == machine:
        yield ok("time zone", settings.timezone)
    else:
        yield ok("time zone", f"{settings.timezone} for what people plan by; this machine's is {machine}")


def look_at_log(settings: Settings) -> Finding:
    """Whether the log file can be written."""
    path = settings.log_file
    if path is None:
        return ok("log", f"to standard error, level {settings.log.level}")
    reached = os.path.exists  # which is never refused
    there = path if reached(path) else next((each for each in path.absolute().parents if reached(each)), Path("/"))
    if os.path.isdir(path) or not (there.is_file() if there == path else there.is_dir()) or not os.access(there, os.W_OK):
        return fails("log", f"{path} cannot be written", "set log.file to a place of this user's")
    return ok("log", f"to {path}, level {settings.log.level}")


def look_at_port(settings: Settings, standing: Standing) -> Finding:
    """Whether the agent can listen, or does."""
    place = f"{settings.api.host}:{settings.api.port}"
    if not settings.api.enabled:
        return ok("port", "none: api.enabled is false")
    if standing.running:
        return ok("port", f"{place}: held by this configuration's agent")
    if standing.stranger:
        return fails("port", standing.why, standing.remedy)
    return _try_to_listen(settings, place)


def _try_to_listen(settings: Settings, place: str) -> Finding:
    """Bind and let go, without listening: nobody can connect meanwhile."""
    try:
        found = socket.getaddrinfo(settings.api.host.strip("[]") or None, settings.api.port, type=socket.SOCK_STREAM,
                                   flags=socket.AI_PASSIVE)  # fmt: skip
        with socket.socket(found[0][0], socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(found[0][4][:2])
    except OSError as error:
        remedy = {
            errno.EADDRINUSE: "stop what holds it, or set api.port to a free one",
            errno.EACCES: "set api.port above 1023",
        }.get(error.errno or 0, "set api.host to an address of this machine, such as 127.0.0.1")
        return fails("port", f"{place} cannot be had: {error.strerror or error}", remedy)
    return ok("port", f"{place} is free")


def look_at_notifications(settings: Settings) -> Finding:
    """Who is told."""
    count = len(settings.notifications)
    if count:
        return warning(
            "notifications", f"{count} configured; in this version what would be sent is only in the log", "follow the log"
        )
    return ok("notifications", "none configured; what people should know is in the log")


def look_at_waiting(told: Mapping[str, Any], left: Sequence[ActionRecord], running: bool) -> Iterator[Finding]:
    """What waits for a person: frozen levers, questions, a pause, and what a dead agent left half done."""
    yield from _config_in_use(dict(told.get("config") or {}))
    for lever, why in dict(told.get("frozen_levers") or {}).items():
        yield fails(
            f"lever {lever}", f"frozen: {why}", "mend it, then `trimtab rollback ID` tries again; `trimtab history` has the id"
        )
    waiting = list(told.get("awaiting_approval") or ())
    if waiting:
        some = ", ".join(waiting[:3]) + (", …" if len(waiting) > 3 else "")
        yield warning("questions", f"{len(waiting)} await approval: {some}", "`trimtab actions` shows them and how to answer")
    if told.get("paused"):
        yield warning("pause", "paused: nothing new is started", "`trimtab resume` ends it")
    for record in left if not running else ():
        yield warning("leftovers", f"{record.action_id} was {record.state.value.replace('_', ' ')} when the agent died",
                      "`trimtab run` looks at the lever first, and undoes what is unproven")  # fmt: skip


def _config_in_use(config: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether the running agent goes by what is in the file now."""
    if not config:
        return
    since = str(config["loaded_at"])
    if config.get("problem"):
        yield warning(
            "config", f"the agent goes on with what it loaded at {since}: {config['problem']}", "`trimtab reload` once mended"
        )
        return
    try:
        changed = Path(config["path"]).stat().st_mtime > datetime.fromisoformat(since).timestamp() + LOADING
    except (OSError, ValueError):
        return
    if changed:
        yield warning(
            "config", f"{config['path']} has changed since the agent loaded it at {since}", "`trimtab reload` takes it up"
        )


def _files(folder: Path) -> Iterator[Path]:
    try:
        yield from (path for path in folder.iterdir() if path.is_file())
    except OSError:
        return
