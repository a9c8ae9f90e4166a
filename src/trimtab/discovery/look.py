"""Look at what runs on this machine that trimtab could look after. Used by `trimtab init`.

Reads: listening ports, by GET /metrics on loopback and nothing else; sockets of programs that use `trimtab.sdk`, by list, read
and get. Produces: `Found`. Never: leaves the machine, sends a body, sets anything. Ports of databases and the like are left
alone: to them a request of HTTP is a mistake that they log.
"""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trimtab.discovery.families import Offer, offer
from trimtab.discovery.naming import element_of, prefix_of, program_of, told_apart
from trimtab.systems.app.channels import SocketChannel
from trimtab.systems.net import Net, NoAnswer
from trimtab.systems.prometheus.exposition import Scrape, parse

SECONDS = 0.5  # for one request
MOST_PORTS = 30
BETWEEN_SECONDS = 1.0  # two looks at a page: what grows between them is a rate
MOST_BYTES = 2_000_000
NOT_HTTP: Mapping[int, str] = {
    21: "FTP", 22: "SSH", 23: "Telnet", 25: "SMTP", 53: "DNS", 111: "RPC", 139: "SMB", 143: "IMAP", 389: "LDAP", 445: "SMB",
    465: "SMTP", 587: "SMTP", 631: "printing", 993: "IMAP", 1433: "SQL Server", 1521: "Oracle", 1883: "MQTT", 2181: "ZooKeeper",
    2379: "etcd", 3306: "MySQL", 3389: "RDP", 4222: "NATS", 5432: "PostgreSQL", 5433: "PostgreSQL", 5672: "AMQP", 5900: "VNC",
    6379: "Redis", 6380: "Redis", 7000: "Cassandra", 9042: "Cassandra", 9092: "Kafka", 9300: "Elasticsearch",
    11211: "memcached", 26379: "Redis", 27017: "MongoDB",
}  # fmt: skip
_LOOPBACK, _ALL = ("127.0.0.1", "::1"), ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


@dataclass(frozen=True, slots=True, order=True)
class Port:
    """A listening port of this machine that loopback reaches, with the name of its program where that can be seen."""

    number: int
    host: str = "127.0.0.1"
    program: str = ""

    @property
    def url(self) -> str:
        """Its metrics page, if it has one."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.number}/metrics"


@dataclass(frozen=True, slots=True)
class Service:
    """A port that speaks the Prometheus text format."""

    name: str
    url: str
    offer: Offer


@dataclass(frozen=True, slots=True)
class ProgramLever:
    """A lever that a program exposes, as it describes it, with its present value."""

    name: str
    kind: str
    bounds: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    now: Any = None


@dataclass(frozen=True, slots=True)
class Program:
    """A program that serves `trimtab.sdk` on a socket."""

    name: str
    socket: str
    sensors: Mapping[str, float | None]
    levers: tuple[ProgramLever, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """All that was found. `asked` are the ports that got a request, `left_alone` those that by custom speak something else."""

    services: tuple[Service, ...] = ()
    programs: tuple[Program, ...] = ()
    asked: tuple[Port, ...] = ()
    left_alone: tuple[Port, ...] = ()
    agents: tuple[Port, ...] = ()  # trimtab itself, which needs no second one to look after it
    more: int = 0  # ports beyond the limit


def listening() -> list[Port]:
    """Every TCP port that loopback reaches. Empty where the operating system does not tell."""
    import psutil

    found: dict[int, Port] = {}
    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.Error, OSError):
        return []
    for each in connections:
        if each.status != psutil.CONN_LISTEN or not each.laddr:
            continue
        host, number = each.laddr[0], int(each.laddr[1])
        if host in _LOOPBACK or host in _ALL:
            reached = "::1" if host == "::1" else "127.0.0.1"
            found.setdefault(number, Port(number, reached, program_of(each.pid)))
    return sorted(found.values())


async def discover(ports: Sequence[Port], sockets: Iterable[Path]) -> Found:
    """Ask each port for its metrics page, twice, and each socket for what it exposes."""
    quiet = tuple(port for port in ports if port.number in NOT_HTTP)
    asked = [port for port in ports if port.number not in NOT_HTTP]
    within, more = tuple(asked[:MOST_PORTS]), len(asked[MOST_PORTS:])
    async with Net() as net:
        before = await _pages(net, within)
        programs = [program for path in sockets if (program := await _ask(path)) is not None]
        agents = tuple(port for port, page in before.items() if _is_trimtab(page))
        targets = [port for port in before if port not in agents]
        if targets:
            await asyncio.sleep(BETWEEN_SECONDS)
        after = await _pages(net, targets)
    names = told_apart([*(port.program or f"service-{port.number}" for port in targets), *(program.name for program in programs)])
    services = tuple(
        Service(name, port.url, offer(prefix_of(name), before[port], after.get(port, before[port])))
        for name, port in zip(names, targets, strict=False)
    )
    named = tuple(
        Program(name, each.socket, each.sensors, each.levers) for name, each in zip(names[len(targets) :], programs, strict=True)
    )
    return Found(services, named, within, quiet, agents, more)


def sockets_of_programs(folders: Iterable[Path]) -> list[Path]:
    """Sockets of this user called `*.sock` in these folders: where programs that use `trimtab.sdk` are told to serve."""
    found = []
    for folder in folders:
        for path in sorted(folder.glob("*.sock"))[:20] if folder.is_dir() else ():
            try:
                state = path.stat()
            except OSError:
                continue
            if stat.S_ISSOCK(state.st_mode) and state.st_uid == os.geteuid():
                found.append(path)
    return found


def runtime_folder() -> Path | None:
    """Where programs of this user keep sockets: `trimtab` in XDG_RUNTIME_DIR."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    return Path(base) / "trimtab" if base else None


async def _pages(net: Net, ports: Sequence[Port]) -> dict[Port, Scrape]:
    """The pages of those that speak the format."""
    pages = await asyncio.gather(*(_page(net, port) for port in ports))
    return {port: page for port, page in zip(ports, pages, strict=True) if page is not None}


async def _page(net: Net, port: Port) -> Scrape | None:
    try:
        asked = {"Accept": "text/plain;version=0.0.4"}
        answer = await net.fetch(port.url, headers=asked, timeout_seconds=SECONDS, max_bytes=MOST_BYTES)
        at = time.time()
        if not answer.ok or answer.headers.get("content-type", "text/plain").partition(";")[0] == "text/html":
            return None
        return await asyncio.to_thread(parse, answer.text(), at)
    except (NoAnswer, ValueError, IndexError, KeyError):
        return None


async def _ask(path: Path) -> Program | None:
    channel = SocketChannel(str(path), SECONDS)
    try:
        listed = await channel.ask({"op": "list"})
        if not listed["ok"] or not isinstance(listed.get("levers"), dict) or not isinstance(listed.get("sensors"), dict):
            return None
        read = await channel.ask({"op": "read"}) if listed["sensors"] else {}
        values = {str(name): _number(read.get("sensors", {}).get(name)) for name in listed["sensors"]}
        levers = [await _lever(channel, str(name), about) for name, about in listed["levers"].items()]
    except (NoAnswer, KeyError, TypeError, AttributeError):
        return None
    return Program(element_of(path.stem), str(path), values, tuple(levers))


async def _lever(channel: SocketChannel, name: str, about: Mapping[str, Any]) -> ProgramLever:
    answer = await channel.ask({"op": "get", "lever": name})
    bounds = about.get("bounds")
    pair = (float(bounds[0]), float(bounds[1])) if isinstance(bounds, list) and len(bounds) == 2 else None
    return ProgramLever(name, str(about.get("kind", "integer")), pair, tuple(about.get("choices") or ()), answer.get("value"))


def _number(entry: object) -> float | None:
    value = entry.get("value") if isinstance(entry, dict) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _is_trimtab(page: Scrape) -> bool:
    return any(name.startswith("trimtab_agent") for name in page.samples)
