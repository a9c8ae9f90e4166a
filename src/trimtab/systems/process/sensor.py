"""The sensor of a process and its children. Called by `monitor` when it is due.

A target that is gone has told something: `process_up` reads 0, and the rest is missing. Where it cannot be told which process is
meant, or the system does not answer, that is our silence and an error.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import psutil

from trimtab.domain.errors import SensorError
from trimtab.domain.metrics import MetricType, Reading, Series
from trimtab.systems.aside import Aside, StillBusy
from trimtab.systems.process.finding import Finder, Gone, Unclear, children, lives
from trimtab.systems.process.options import ProcessSensorOptions

TIMEOUT_SECONDS = 5.0
UP = "process_up"
CPU = "process_cpu_usage_percent"
MEMORY = "process_memory_bytes"
CHILDREN = "process_children"
THREADS = "process_threads"
OPEN_FILES = "process_open_files"


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of a process with its children. A figure is None where the system does not tell it to us."""

    at: float  # the agent's time, Unix seconds
    clock: float  # the system's time, Unix seconds: what processes' beginnings are told in
    memory_bytes: float | None
    children: int  # direct ones that count
    threads: float | None
    open_files: float | None
    cpu_seconds: dict[psutil.Process, float] = field(default_factory=dict)  # of each, since it began


class ProcessSensor:
    """Whether a process is up, and what it and its children take."""

    def __init__(self, options: ProcessSensorOptions, element: str) -> None:
        self.name = options.name or f"process {options.pid_file or options.match or options.pid}"
        self.element = element
        self.interval = options.interval_seconds
        self._child_match = options.child_match
        self._finder = Finder(options)
        self._aside = Aside(self.name)
        self._before: Look | None = None

    @property
    def metric_names(self) -> Sequence[str]:
        """All that is read while the process is up."""
        return [UP, CPU, MEMORY, CHILDREN, THREADS, OPEN_FILES]

    async def read(self, now: float) -> Sequence[Reading]:
        """Look once. Raises `SensorError` where it cannot be told which process is meant, or nothing can be seen of it."""
        try:
            look = await self._aside.run(lambda: self._look(now), TIMEOUT_SECONDS)
        except (Gone, psutil.NoSuchProcess):
            self._before = None
            return [self._reading(UP, 0.0, now)]
        except Unclear as error:
            raise SensorError(f"{self.name}: {error.message}", remedy=error.remedy) from error
        except TimeoutError as error:
            raise SensorError(f"{self.name}: no answer from the system within {TIMEOUT_SECONDS:g} s") from error
        except (StillBusy, psutil.Error, OSError) as error:
            raise SensorError(f"{self.name}: {error}") from error
        before, self._before = self._before, look
        return list(self._readings(before, look))

    def _look(self, now: float) -> Look:
        process = self._finder.find()
        family = [process, *(child for child in process.children(recursive=True) if lives(child))]
        return Look(
            at=now,
            clock=time.time(),
            memory_bytes=_sum(family, lambda one: one.memory_info().rss),
            children=len(children(process, self._child_match)),
            threads=_sum(family, psutil.Process.num_threads),
            open_files=_sum(family, psutil.Process.num_fds),
            cpu_seconds=dict(_cpu_seconds(family)),
        )

    def _readings(self, before: Look | None, look: Look) -> Iterator[Reading]:
        yield self._reading(UP, 1.0, look.at)
        yield self._reading(CHILDREN, float(look.children), look.at)
        for name, value in (
            (MEMORY, look.memory_bytes),
            (THREADS, look.threads),
            (OPEN_FILES, look.open_files),
            (CPU, _percent(before, look)),
        ):
            if value is not None:
                yield self._reading(name, value, look.at)

    def _reading(self, name: str, value: float, now: float) -> Reading:
        # Of one core and over many processes: the limits of cpu_usage, which speak of a whole machine, do not fit.
        series = Series.named(name, self.element, source=self.name, metric_type=MetricType.CUSTOM.value)
        return Reading(series, value, now)

    async def close(self) -> None:
        """Nothing is held."""


def _sum(family: Iterable[psutil.Process], figure: Callable[[psutil.Process], float]) -> float | None:
    """The sum over a family. What ended meanwhile counts nothing; what may not be looked at makes the whole unknown."""
    total = 0.0
    for process in family:
        try:
            total += figure(process)
        except psutil.AccessDenied:
            return None
        except psutil.NoSuchProcess:
            continue
    return total


def _cpu_seconds(family: Iterable[psutil.Process]) -> Iterator[tuple[psutil.Process, float]]:
    for process in family:
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        yield process, times.user + times.system


def _percent(before: Look | None, after: Look) -> float | None:
    """Processor time between two looks, in percent of one core; None where there is no look before.

    Who is new counts from its beginning, if that lies between the two; who has ended takes its last moments with it.
    """
    if before is None or after.at <= before.at:
        return None
    used = 0.0
    for process, seconds in after.cpu_seconds.items():
        if process in before.cpu_seconds:
            used += max(0.0, seconds - before.cpu_seconds[process])
        elif process.create_time() >= before.clock - 1.0:
            used += seconds
    return 100.0 * used / (after.at - before.at)
