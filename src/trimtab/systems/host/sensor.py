"""The sensor of the machine itself. Called by `monitor` when it is due.

Shares and rates are means since the read before, so the first read has none of them: psutil's own first answer would be a
false 0. A disk that hangs (a network file system) cannot hold up the loop: the calls run aside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trimtab.domain.errors import SensorError
from trimtab.domain.metrics import Reading, Series
from trimtab.systems.aside import Aside, StillBusy

TIMEOUT_SECONDS = 5.0
CPU = "host_cpu_usage_percent"
MEMORY = "host_memory_usage_percent"
DISK = "host_disk_usage_percent"
LOAD = "host_load_1m"
RECEIVED = "host_network_receive_bytes_per_second"
SENT = "host_network_transmit_bytes_per_second"


@dataclass(frozen=True, slots=True)
class Counters:
    """Running totals of the machine at `at` (Unix seconds)."""

    at: float
    cpu_seconds: float  # over all processors, idle included
    cpu_busy_seconds: float
    received_bytes: float
    sent_bytes: float


@dataclass(frozen=True, slots=True)
class Levels:
    """What stands at a level by itself. `disks` leaves out the paths that could not be read."""

    memory_percent: float
    load_1m: float
    disks: tuple[tuple[str, float], ...]


class HostSensor:
    """Processor, memory, disk, load and network of this machine."""

    def __init__(self, paths: Sequence[str], element: str, *, name: str = "host", interval: float | None = None) -> None:
        self.name = name
        self.element = element
        self.interval = interval
        self._paths = tuple(paths)
        self._aside = Aside(name)
        self._before: Counters | None = None

    @property
    def metric_names(self) -> Sequence[str]:
        """All that is read; disk usage only where paths are given."""
        return [CPU, MEMORY, *([DISK] if self._paths else []), LOAD, RECEIVED, SENT]

    async def read(self, now: float) -> Sequence[Reading]:
        """Read once. Raises `SensorError` where the operating system does not tell."""
        try:
            counters, levels = await self._aside.run(lambda: _look(self._paths, now), TIMEOUT_SECONDS)
        except TimeoutError as error:
            raise SensorError(
                f"{self.name}: no answer within {TIMEOUT_SECONDS:g} s", remedy="A path under paths may hang"
            ) from error
        except (StillBusy, OSError, RuntimeError) as error:
            raise SensorError(f"{self.name}: {error}") from error
        before, self._before = self._before, counters
        return [*self._levels(levels, now), *self._since(before, counters)]

    def _levels(self, levels: Levels, now: float) -> Iterator[Reading]:
        yield self._reading(MEMORY, levels.memory_percent, now)
        yield self._reading(LOAD, levels.load_1m, now)
        for path, percent in levels.disks:
            yield self._reading(DISK, percent, now, {"path": path})

    def _since(self, before: Counters | None, after: Counters) -> Iterator[Reading]:
        if before is None or after.at <= before.at:
            return
        if after.cpu_seconds > before.cpu_seconds:
            busy = (after.cpu_busy_seconds - before.cpu_busy_seconds) / (after.cpu_seconds - before.cpu_seconds)
            yield self._reading(CPU, 100.0 * min(max(busy, 0.0), 1.0), after.at)
        for name, was, is_now in (
            (RECEIVED, before.received_bytes, after.received_bytes),
            (SENT, before.sent_bytes, after.sent_bytes),
        ):
            if is_now >= was:  # an interface that went away takes its bytes with it
                yield self._reading(name, (is_now - was) / (after.at - before.at), after.at)

    def _reading(self, name: str, value: float, now: float, labels: dict[str, str] | None = None) -> Reading:
        return Reading(Series.named(name, self.element, labels, source="host"), value, now)

    async def close(self) -> None:
        """Nothing is held."""


def _look(paths: Sequence[str], now: float) -> tuple[Counters, Levels]:
    """Ask the operating system. Runs aside: it blocks."""
    import psutil

    cpu = psutil.cpu_times()._asdict()
    total = sum(cpu.values()) - cpu.get("guest", 0.0) - cpu.get("guest_nice", 0.0)  # Linux counts guests in user and nice already
    network = psutil.net_io_counters()  # None on a machine without any interface
    received, sent = (float(network.bytes_recv), float(network.bytes_sent)) if network else (0.0, 0.0)
    counters = Counters(now, total, total - cpu["idle"] - cpu.get("iowait", 0.0), received, sent)
    return counters, Levels(float(psutil.virtual_memory().percent), float(psutil.getloadavg()[0]), tuple(_disks(paths)))


def _disks(paths: Sequence[str]) -> Iterator[tuple[str, float]]:
    import psutil

    for path in paths:
        try:
            yield path, float(psutil.disk_usage(path).percent)
        except OSError:
            continue  # that path is missing; the others are not
