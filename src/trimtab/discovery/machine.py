"""What the machine is that trimtab runs on: cores, memory, disks, container or not, time zone. Used by `init` and `doctor`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

CGROUP = Path("/sys/fs/cgroup")
_MOST_DISKS = 8
_NO_DISKS = ("/boot", "/snap", "/proc", "/sys", "/dev", "/run")  # read-only, tiny or no disk at all


@dataclass(frozen=True, slots=True)
class Disk:
    """A mount point and how full it is."""

    path: str
    used_percent: float
    total_bytes: float


@dataclass(frozen=True, slots=True)
class Machine:
    """What was found. The limits are those of the container, None where there is none."""

    cores: int
    memory_bytes: float
    memory_percent: float
    disks: tuple[Disk, ...]
    timezone: str
    container: bool = False
    limit_cores: float | None = None
    limit_memory_bytes: float | None = None


def look_at_machine() -> Machine:
    """Look once; takes some milliseconds."""
    import psutil

    memory = psutil.virtual_memory()
    return Machine(
        cores=os.cpu_count() or 1,
        memory_bytes=float(memory.total),
        memory_percent=float(memory.percent),
        disks=tuple(_disks()),
        timezone=time_zone(),
        container=_in_container(),
        limit_cores=_cpu_limit(_text(CGROUP / "cpu.max")),
        limit_memory_bytes=_memory_limit(_text(CGROUP / "memory.max"), float(memory.total)),
    )


def time_zone() -> str:
    """The machine's time zone by its IANA name, UTC where it has none that is known."""
    link = os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2]
    known = available_timezones()
    for name in (os.environ.get("TZ", "").lstrip(":"), _text(Path("/etc/timezone")), link.removeprefix("posix/")):
        if name in known:
            return "UTC" if str(ZoneInfo(name)) in ("Etc/UTC", "UCT", "Etc/UCT", "Zulu", "Universal") else name
    return "UTC"


def _disks() -> Iterator[Disk]:
    """The root and what else is mounted on folders of its own, each device once."""
    import psutil

    seen: set[int] = set()
    mounted = [part.mountpoint for part in psutil.disk_partitions(all=False) if not part.mountpoint.startswith(_NO_DISKS)]
    for path in dict.fromkeys(["/", *sorted(mounted)]):
        try:
            device, usage = os.stat(path).st_dev, psutil.disk_usage(path)
        except OSError:
            continue
        if os.path.isdir(path) and device not in seen and usage.total and len(seen) < _MOST_DISKS:
            seen.add(device)
            yield Disk(path, float(usage.percent), float(usage.total))


def _in_container() -> bool:
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists() or "KUBERNETES_SERVICE_HOST" in os.environ:
        return True
    return "container=" in _text(Path("/proc/1/environ")).replace("\0", "\n")


def _cpu_limit(text: str) -> float | None:
    """Processors that a cgroup may use, from its cpu.max.

    >>> _cpu_limit("150000 100000"), _cpu_limit("max 100000"), _cpu_limit("")
    (1.5, None, None)
    """
    quota, _, period = text.partition(" ")
    return float(quota) / float(period) if quota.isdigit() and period.isdigit() and int(period) else None


def _memory_limit(text: str, total: float) -> float | None:
    """Bytes that a cgroup may use, from its memory.max; None where it may use all.

    >>> _memory_limit("1000000", 4e9), _memory_limit("max", 4e9)
    (1000000.0, None)
    """
    return float(text) if text.isdigit() and float(text) < total else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
