"""What would the agent have done? The very same loop over recorded data. Called by `trimtab simulate --recording`.

Sensors yield what was recorded when it was recorded, levers hold what they held then, and nothing can be set: every action ends
as `simulated`, and the metric goes on as it did without it. So a replay shows what would have been noticed, decided and tried,
and never claims what would have come of it.
"""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from trimtab.assembly.simulation import Simulation, Totals, live_through
from trimtab.assembly.wiring import Stores, assemble
from trimtab.config import Settings, locks_of
from trimtab.config.settings import MonitoringSettings
from trimtab.domain.errors import ConfigError
from trimtab.domain.lever_series import as_number, lever_series
from trimtab.domain.levers import LeverSpec, LeverValue
from trimtab.domain.metrics import Aggregate, Reading, Samples, Series, StoredSample
from trimtab.domain.ports import MetricStore
from trimtab.loop.clocks import VirtualClock
from trimtab.storage.backup import copy_database
from trimtab.storage.layout import METRICS, is_there
from trimtab.storage.memory import MemoryJournal, MemoryMetricStore
from trimtab.storage.metrics import SqliteMetricStore
from trimtab.systems.recorded import RecordedLever, RecordedSensor, Recording

ALWAYS = (0.0, 1e11)  # Unix seconds: all that a recording may hold
LATEST = ALWAYS[1]  # Unix seconds; whoever writes milliseconds is beyond it
LONGEST_SECONDS = 3_660 * 86_400.0  # that are replayed: ten years; a recording that is longer has a wrong time in it
LOOK_BACK_SECONDS = 86_400.0  # what a lever held last, within a day before the start, it held at the start
OWN = "trimtab_"  # series of an agent about itself, which are no part of what it watched


class ReadOnly:
    """A `MetricStore` that is read and never written: the agent remembers from it what was before its start."""

    def __init__(self, inner: MetricStore) -> None:
        self._inner = inner

    async def query(self, metric_id: str, start: float, end: float) -> Sequence[tuple[float, float]]:
        """As recorded."""
        return await self._inner.query(metric_id, start, end)

    async def read(self, metric_ids: Sequence[str], start: float, end: float) -> Mapping[str, Samples]:
        """As recorded."""
        return await self._inner.read(metric_ids, start, end)

    async def downsampled(
        self, metric_id: str, start: float, end: float, step: float, aggregate: Aggregate
    ) -> Sequence[tuple[float, float]]:
        """As recorded."""
        return await self._inner.downsampled(metric_id, start, end, step, aggregate)

    async def samples(self, metric_id: str, start: float, end: float) -> Sequence[StoredSample]:
        """As recorded."""
        return await self._inner.samples(metric_id, start, end)

    async def series(self) -> Sequence[Series]:
        """As recorded."""
        return await self._inner.series()

    async def write(self, readings: Sequence[Reading]) -> None:
        """What is replayed is recorded already."""

    async def write_columns(
        self, series: Sequence[Series], times: float | NDArray[np.float64], values: NDArray[np.float64]
    ) -> None:
        """What is replayed is recorded already."""

    async def tidy(self, now: float) -> None:
        """Nothing is moved."""

    async def prune(self, before: float) -> int:
        """Nothing is forgotten."""
        return 0

    async def close(self) -> None:
        """The recording stays open: whoever opened it closes it."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """From when to when a recording reaches, or is replayed; Unix seconds."""

    start: float
    end: float


async def replay(
    settings: Settings,
    recording: MetricStore,
    stretch: Stretch,
    *,
    assumed: Mapping[str, LeverValue] | None = None,
    progress: Callable[[float], None] = lambda done: None,
) -> Simulation:
    """Let the agent that `settings` describe live through `stretch` of `recording`.

    `assumed` tells what levers held, by id, where that was not recorded; a lever that is neither recorded nor assumed cannot be
    read, so that nothing is proposed for it.
    """
    safety = settings.safety.model_copy(update={"simulation_mode": True})
    spacing = await _spacing(settings, recording, stretch)
    monitoring = (
        settings.monitoring if spacing < 1.1 * settings.monitoring.interval_seconds else _no_faster(settings.monitoring, spacing)
    )
    settings = settings.model_copy(update={"safety": safety, "monitoring": monitoring})
    clock, totals = VirtualClock(stretch.start), Totals()
    known = await recording.series()
    specs = _specs(settings)
    agent = assemble(
        settings,
        clock=clock,
        stores=(stores := Stores(MemoryJournal(), ReadOnly(recording))),
        sensors=_sensors(settings, recording, known, stretch.start, totals),
        levers=[
            RecordedLever(
                Recording(recording, [lever_series(spec)], stretch.start - LOOK_BACK_SECONDS),
                spec,
                clock,
                (assumed or {}).get(spec.lever_id),
            )
            for spec in specs
        ],
        serve=False,
    )
    return await live_through(agent, clock, stores, stretch.end - stretch.start, totals, progress)


async def extent(settings: Settings, recording: MetricStore) -> Stretch:
    """From the first to the last sample of the metrics that the goals speak of. Raises `ConfigError` where there is none."""
    wanted = {goal.metric_name for goal in settings.goals}
    known = await recording.series()
    found = [await recording.query(series.metric_id, *ALWAYS) for series in known if series.name in wanted]
    times = [(samples[0][0], samples[-1][0]) for samples in found if samples]
    if not times:
        there = ", ".join(sorted({series.name for series in known})[:10]) or "nothing"
        raise ConfigError(
            f"the recording holds nothing of {', '.join(sorted(wanted)) or 'any goal: the configuration has none'}",
            remedy=f"It holds {there}",
        )
    return Stretch(min(start for start, _ in times), max(end for _, end in times))


def _no_faster(monitoring: MonitoringSettings, seconds: float) -> MonitoringSettings:
    """The same periods, none shorter than `seconds`: nobody looks more often than was recorded, nor calls that stale."""
    periods = ("interval_seconds", "analysis_interval_seconds", "optimization_interval_seconds", "execution_interval_seconds")
    return monitoring.model_copy(update={name: max(getattr(monitoring, name), seconds) for name in periods})


async def _spacing(settings: Settings, recording: MetricStore, stretch: Stretch) -> float:
    """Seconds from one sample to the next in the stretch: the median of the goal's series that is recorded most rarely."""
    wanted = {goal.metric_name for goal in settings.goals}
    seen = [
        await recording.query(one.metric_id, stretch.start, stretch.end) for one in await recording.series() if one.name in wanted
    ]
    gaps = [float(np.median(np.diff([at for at, _ in samples]))) for samples in seen if len(samples) > 2]
    return max(gaps, default=0.0)


def opened(path: Path, settings: Settings) -> AbstractAsyncContextManager[MetricStore]:
    """The recording at `path`: a data folder, of which a copy is read whether its agent runs or not, or a CSV file."""
    if not path.is_dir():
        return nullcontext(read_csv(path, settings))
    if not is_there(path / METRICS):
        raise ConfigError(f"{path} holds no metrics", remedy="Give the folder that storage.path names, or a CSV file")
    return _copied(path / METRICS)


@asynccontextmanager
async def _copied(path: Path) -> AsyncIterator[MetricStore]:
    with TemporaryDirectory(prefix="trimtab-replay-") as scratch:
        copy = Path(scratch) / METRICS
        copy_database(path, copy)
        store = SqliteMetricStore(copy)
        try:
            yield store
        finally:
            await store.close()


def assumed_levers(settings: Settings, told: Sequence[str]) -> dict[str, LeverValue]:
    """What `shop/workers=4` and the like say of levers, by id. Raises `ConfigError` where it cannot be understood."""
    specs = {spec.lever_id: spec for spec in _specs(settings)}
    found: dict[str, LeverValue] = {}
    for each in told:
        lever_id, equals, text = each.partition("=")
        if not equals:
            raise ConfigError(f"{each!r} says nothing of a lever", remedy="Write it as shop/workers=4")
        if lever_id not in specs:
            raise ConfigError(f"there is no lever {lever_id}", remedy=f"Known are {', '.join(sorted(specs)) or 'none'}")
        try:
            value = specs[lever_id].coerce(text)
        except ValueError as error:
            raise ConfigError(f"{lever_id}: {error}") from None
        if not specs[lever_id].allows(value):
            raise ConfigError(f"{lever_id} cannot have held {text}: it takes {specs[lever_id].domain_in_words}")
        found[lever_id] = value
    return found


async def stretch_of(settings: Settings, recording: MetricStore, start: str | None, seconds: float | None) -> Stretch:
    """What is to be replayed: everything, or `seconds` from `start` on (ISO 8601 in the settings' time zone, or Unix seconds).

    Raises `ConfigError` where nothing was recorded then.
    """
    whole = await extent(settings, recording)
    begin = whole.start if start is None else _moment(start, settings.timezone)
    end = whole.end if seconds is None else begin + seconds
    if not (begin < whole.end and end > whole.start):
        there = " to ".join(f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M}" for at in (whole.start, whole.end))
        raise ConfigError("nothing was recorded in that time", remedy=f"The recording reaches from {there}, UTC")
    if end - begin > LONGEST_SECONDS:
        years = f"{(end - begin) / (365.25 * 86_400.0):.0f} years"
        raise ConfigError(
            f"that are {years}: a time in the recording is wrong",
            remedy="Mend it, or choose a stretch with --start and --duration",
        )
    return Stretch(begin, end)


def _moment(text: str, timezone: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{text!r} is no time", remedy="Write it as 2026-11-20T08:00, or in Unix seconds") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(timezone))).timestamp()


def _specs(settings: Settings) -> list[LeverSpec]:
    specs = []
    for element in settings.elements:
        locks = locks_of(settings, element.name)
        specs += [lever.spec(element.name, locks) for lever in element.levers]
        specs += [job.spec(element.name, locks) for job in element.jobs]
    return specs


def _sensors(
    settings: Settings, recording: MetricStore, known: Sequence[Series], begin: float, totals: Totals
) -> list[RecordedSensor]:
    """One for each element of which something was recorded. An element without sensors of its own has none here either."""
    sensors = []
    for element in settings.elements:
        mine = [series for series in known if series.element == element.name and not series.name.startswith(OWN)]
        if mine:
            heard = partial(_count, totals)
            sensors.append(RecordedSensor(Recording(recording, mine, begin), element.name, [each.name for each in mine], heard))
    return sensors


def _count(totals: Totals, readings: Sequence[Reading]) -> None:
    totals.steps += 1
    totals.last.update({reading.series.metric_id: reading.value for reading in readings})


def read_csv(path: Path, settings: Settings) -> MemoryMetricStore:
    """A recording from a table with a column `timestamp` (Unix seconds or ISO 8601) and one for each metric.

    Empty cells are gaps. A column is named as the metric, or `element/metric` where there are several elements; one named as
    a lever's id holds what that lever held. Raises `ConfigError` naming the line and the column of what cannot be read.
    """
    store = MemoryMetricStore()
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:  # spreadsheets begin a file with a mark of its encoding
            store.take(_readings(path, csv.DictReader(lines), settings))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    return store


def _readings(path: Path, table: csv.DictReader[str], settings: Settings) -> Iterator[Reading]:
    names = [name for name in table.fieldnames or () if name != "timestamp"]
    if "timestamp" not in (table.fieldnames or ()) or not names:
        raise ConfigError(f"{path} is no recording", remedy="Its first line names a column timestamp, and one for each metric")
    if twice := [name for name in names if names.count(name) > 1]:
        raise ConfigError(f"{path}: there are two columns {twice[0]}", remedy="Leave one of them out")
    levers = {spec.lever_id: spec for spec in _specs(settings)}
    series = {name: lever_series(levers[name]) if name in levers else _series(name, settings) for name in names}
    for row in table:
        where = f"{path}, line {table.line_num}"
        at = _number(row["timestamp"], f"{where}, timestamp", settings.timezone)
        if not 0.0 <= at <= LATEST:
            raise ConfigError(
                f"{where}, timestamp: {row['timestamp']} is no time in Unix seconds", remedy="Are these milliseconds?"
            )
        for name in names:
            text = row[name]
            if text not in ("", None):
                yield Reading(series[name], _sample(text, levers.get(name), f"{where}, {name}"), at)


def _series(column: str, settings: Settings) -> Series:
    element, slash, name = column.rpartition("/")
    if not slash and len(settings.elements) == 1:
        element = settings.elements[0].name
    if element not in {each.name for each in settings.elements}:
        known = ", ".join(each.name for each in settings.elements)
        raise ConfigError(f"the column {column} belongs to no element", remedy=f"Name it element/metric; elements are {known}")
    return Series.named(name, element)


def _sample(text: str, lever: LeverSpec | None, where: str) -> float:
    if lever is None:
        return _number(text, where)
    try:
        number = as_number(lever, lever.coerce(text))
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None
    if number is None:
        raise ConfigError(f"{where}: {text!r} is none of {lever.domain_in_words}")
    return number


def _number(text: str, where: str, timezone: str | None = None) -> float:
    """The number in a cell; where a `timezone` is given, a moment in ISO 8601 serves too, as Unix seconds."""
    try:
        number = float(text) if timezone is None else _moment(text, timezone)
    except (TypeError, ValueError, ConfigError):
        what = "no number" if timezone is None else "no time: write Unix seconds, or 2026-11-20T08:00:00"
        raise ConfigError(f"{where}: {text!r} is {what}") from None
    if not isfinite(number):
        raise ConfigError(f"{where}: {text} is no finite number; leave the cell empty where nothing was measured")
    return number
