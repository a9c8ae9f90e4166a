"""`trimtab init`: look at this machine, and write a first configuration in which every lever asks. Overwrites nothing unasked."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab.cli import show
from trimtab.domain.errors import ConfigError, Conflict, StoreError

if TYPE_CHECKING:
    from trimtab.discovery.look import Found, Port
    from trimtab.discovery.machine import Machine

PORTS = range(8642, 8700)


def init(output: Path, force: bool, probe: bool | None, json: bool) -> int:
    """Look, write, load what was written, and say what comes next."""
    _refuse_to_overwrite(output, force)
    from trimtab.discovery.machine import look_at_machine

    machine = look_at_machine()
    found = _look_around(output.absolute().parent, probe, quiet=json)
    port = _free_port(output)
    kept = _write(output, _text(machine, found, output, port))
    if json:
        show.as_json(_document(machine, found, output, kept, port))
    else:
        _tell(machine, found, output, kept)
    return 0


def _refuse_to_overwrite(output: Path, force: bool) -> None:
    if output.is_dir():
        raise Conflict(f"{output} is a folder", remedy="Name the file to write: --output trimtab.yaml")
    if output.exists() and not force:
        raise Conflict(
            f"{output} is there already, and was left as it is",
            remedy="--force replaces it and keeps a copy; --output names another",
        )


def _look_around(folder: Path, probe: bool | None, *, quiet: bool) -> Found:
    from trimtab.discovery.look import NOT_HTTP, Found, discover, listening, runtime_folder, sockets_of_programs

    ports = listening()
    asked = [port for port in ports if port.number not in NOT_HTTP]
    if probe is None:
        probe = _may_ask(asked)
    if not probe:
        return Found()
    run = runtime_folder()
    sockets = sockets_of_programs(dict.fromkeys(each for each in (folder, Path.cwd(), run) if each is not None))
    with show.busy(f"looking at {len(asked)} local ports", hidden=quiet):
        return asyncio.run(discover(ports, sockets))


def _may_ask(ports: list[Port]) -> bool:
    """On a terminal a person is asked first; elsewhere a GET on loopback needs nobody's leave."""
    if not ports or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return True
    import typer

    return typer.confirm(f"Ask {len(ports)} ports of this machine for GET /metrics, to find services?", default=True)


def _free_port(output: Path) -> int:
    """The first port that the agent could listen on, or the one that this folder's agent has already."""
    import socket

    from trimtab.cli.client import works_on
    from trimtab.storage.folder import DataFolder

    ours = ""
    with suppress(StoreError):
        ours = DataFolder(output.absolute().parent / "trimtab-data", create=False).identity()
    for port in PORTS:
        if ours and works_on(ours, f"http://127.0.0.1:{port}"):
            return port
        with suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    return PORTS[0]


def _text(machine: Machine, found: Found, output: Path, port: int) -> str:
    from datetime import UTC, datetime

    from trimtab.discovery.draft import draft

    return draft(machine, found, folder=output.absolute().parent, port=port, day=datetime.now(UTC).date().isoformat())


def _write(output: Path, text: str) -> Path | None:
    """Put the file in its place once it loads; returns where the one that was there is kept."""
    from trimtab.assembly.process import load_settings

    folder = output.absolute().parent
    try:
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=f".{output.name}.", suffix=".yaml")
    except OSError as error:
        raise ConfigError(f"{output} cannot be written: {error.strerror}", remedy="Name another place: --output") from None
    draft = Path(name)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        load_settings(draft)
        kept = _keep(output)
        draft.chmod(0o666 & ~_umask())
        os.replace(draft, output)
    except OSError as error:
        raise ConfigError(
            f"{output} cannot be written: {error.strerror}", remedy="Free some space, or name another place: --output"
        ) from None
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()
    return kept


def _keep(output: Path) -> Path | None:
    """Move what is there aside, over no earlier copy."""
    if not output.exists():
        return None
    name = output.with_name(output.name + ".bak")
    number = 1
    while name.exists():
        number += 1
        name = output.with_name(f"{output.name}.bak{number}")
    import shutil

    shutil.copy2(output, name)
    return name


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _next(output: Path) -> list[tuple[str, str]]:
    where = "" if str(output) == "trimtab.yaml" else f" --config {output}"
    return [
        (f"trimtab doctor{where}", "is everything in place?"),
        (f"trimtab run{where}", "start; Ctrl-C stops, and undoes what is unproven"),
        (f"trimtab status{where}", "from another terminal: how it stands"),
    ]


def _tell(machine: Machine, found: Found, output: Path, kept: Path | None) -> None:
    from trimtab.discovery.draft import has_lever
    from trimtab.discovery.summary import summary

    show.line("Found", "bold")
    show.facts(summary(machine, found))
    if not found.services and not found.programs:
        none = "No service with a metrics page, and no program that uses trimtab.sdk" if found.asked else "Nothing was asked"
        show.line(f"{none}: only the host is watched for now.")
        show.line(f"The examples in {output} show how to add one.")
    kept_as = f"; what was there is kept as {kept}" if kept else ""
    show.line("")
    add = (f"edit {output}", "add a lever: without one nothing can be done; examples are in it")
    levers, first = ("Every lever in it asks before it moves", []) if has_lever(found) else ("It has no lever yet", [add])
    show.line(f"Wrote {output}, and loaded it: it is valid{kept_as}. {levers}. Next:", "bold")
    show.facts([*first, *_next(output)])


def _document(machine: Machine, found: Found, output: Path, kept: Path | None, port: int) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "written": str(output),
        "kept": str(kept) if kept else None,
        "port": port,
        "machine": asdict(machine),
        "services": [
            {
                "name": service.name,
                "url": service.url,
                "derived": [{"name": each.made.name, "role": each.role, "now": each.now} for each in service.offer.suggestions],
                "gauges": [name for name, _ in service.offer.gauges],
            }
            for service in found.services
        ],
        "programs": [
            {
                "name": each.name,
                "socket": each.socket,
                "sensors": list(each.sensors),
                "levers": [lever.name for lever in each.levers],
            }
            for each in found.programs
        ],
        "ports_asked": [port.number for port in found.asked],
        "ports_left_alone": [port.number for port in found.left_alone],
        "next": [command for command, _ in _next(output)],
    }
