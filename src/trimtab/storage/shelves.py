"""The two things that samples lie in, read and written with their checksums: hot rows and sealed blocks.

Used by `metrics` and `sealing`, always within a transaction or a snapshot of theirs. What does not have the bytes that were
written is left out, and told: `Shelves.spoiled` collects it until it is set aside.
"""

from __future__ import annotations

import sqlite3
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.storage import metrics_sql as sql
from trimtab.storage.merging import clipped, count, joined, scattered
from trimtab.storage.section import Floats, Integers, Section, decode, encode

DAY = 86_400.0
WIDTH = (512, 32, 32, 32)  # series in a block, by level
LAST_DAY = 1_000_000  # some time after the year 4700


class Shelves:
    """Reads and writes rows. `spoiled` holds (table, key, sentence) of what was found damaged."""

    def __init__(self) -> None:
        self.spoiled: list[tuple[str, int, str]] = []

    def put_hot(self, connection: sqlite3.Connection, number: int, ids: Integers, times: Floats, values: Floats) -> None:
        """Append one write: `times` is (n,), or (1,) where all samples have the same, each of another series."""
        if times.size == 1 and not (np.diff(ids) > 0).all() and np.unique(ids).size < ids.size:
            times = np.repeat(times, ids.size)  # one series twice in a tick: the later one counts, as among late samples
        blobs = ids.astype("<i4").tobytes(), times.tobytes(), values.tobytes()
        first, last = (times[0], times[0]) if times.size == 1 else (times.min(), times.max())
        connection.execute(sql.INSERT_HOT, (number, float(first), float(last), values.size, _sum_of(number, *blobs), *blobs))

    def hot(self, rows: Iterable[Sequence[Any]], wanted: Integers | None = None) -> list[Section]:
        """The samples of hot rows, of the series `wanted` only, joined; slots are the numbers of series."""
        sections: list[Section] = []
        seen: dict[bytes, tuple[Integers, NDArray[np.bool_] | None]] = {}  # most rows are of the same series
        for number, checksum, *blobs in rows:
            if not self.sound_hot(number, checksum, *blobs):
                continue
            if blobs[0] not in seen:
                seen[blobs[0]] = _picked(np.frombuffer(blobs[0], "<i4").astype(np.int64), wanted)
            ids, picked = seen[blobs[0]]
            if not ids.size:
                continue
            times, values = (np.frombuffer(blob, np.float64) for blob in blobs[1:])
            if picked is not None:
                values, times = values[picked], times if times.size == 1 else times[picked]
            if times.size == 1:
                sections.append(Section(times, ids, values[:, None]))
            else:
                sections += scattered(ids, times, values)
        return joined(sections)

    def sound_hot(self, number: int, checksum: int, *blobs: bytes) -> bool:
        """Whether a hot row is what was written."""
        if checksum == _sum_of(number, *blobs):
            return True
        self.spoiled.append(("hot", number, f"the samples of one write (number {number})"))
        return False

    def put(
        self, connection: sqlite3.Connection, level: int, shelf: int, day: int, part: int, sections: Sequence[Section]
    ) -> None:
        """Seal `sections`, whose slots are numbers of series (times five in a roll-up), as one block."""
        connection.execute(sql.INSERT_BLOCK, sealed(level, shelf, day, part, sections))

    def blocks(
        self, connection: sqlite3.Connection, level: int, ids: Integers, start: float, end: float, columns: int = 1
    ) -> Iterator[Section]:
        """What blocks of one level hold of these series in a range, in order of their parts. `columns` rows make up a series."""
        width, days = WIDTH[level], (day_of(start), day_of(end))
        for shelf in np.unique((ids - 1) // width).tolist():
            mine = ids[(ids - 1) // width == shelf]
            slots = ((mine - 1 - shelf * width)[:, None] * columns + np.arange(columns)).ravel()
            whole = slots.size == width * columns
            for row in connection.execute(sql.SELECT_BLOCKS, (level, shelf, *days, end, start)):
                for section in self.opened(row, None if whole else slots, columns):
                    if (inside := clipped(section, start, end)) is not None:
                        yield inside

    def opened(self, row: Sequence[Any], slots: Integers | None = None, columns: int = 1) -> list[Section]:
        """The sections of a block; none where it is damaged."""
        _, level, shelf, _, _, _, body = row
        base = (shelf * WIDTH[level] + 1) * columns
        if not self.sound_block(row):
            return []
        return [Section(one.times, one.slots + base, one.values) for one in decode(body, slots)]

    def sound_block(self, row: Sequence[Any]) -> bool:
        """Whether a block is what was sealed."""
        rowid, level, shelf, day, part, checksum, body = row
        if checksum == _sum_of(level, shelf, day, part, body):
            return True
        self.spoiled.append(("blocks", rowid, block_name(level, shelf, day)))
        return False


def sealed(level: int, shelf: int, day: int, part: int, sections: Sequence[Section]) -> tuple[Any, ...]:
    """The row of a block. Slots are the numbers of series; in a roll-up five for each."""
    columns = 1 if level <= sql.DAYS else 5
    base = (shelf * WIDTH[level] + 1) * columns
    body = b"".join(encode(Section(one.times, one.slots - base, one.values)) for one in sections)
    first, last = min(float(one.times[0]) for one in sections), max(float(one.times[-1]) for one in sections)
    return level, shelf, day, part, first, last, count(sections), _sum_of(level, shelf, day, part, body), body


def spoiled_rows(connection: sqlite3.Connection) -> list[str]:
    """The names of all writes and blocks whose checksums do not hold."""
    shelves = Shelves()
    for row in connection.execute("SELECT number, checksum, ids, times, numbers FROM hot"):
        shelves.sound_hot(*row)
    for row in connection.execute("SELECT rowid, level, shelf, day, part, checksum, body FROM blocks"):
        shelves.sound_block(row)
    return [name for *_, name in shelves.spoiled]


def block_name(level: int, shelf: int, day: int) -> str:
    """How people are told of a block."""
    date = np.datetime64(day, "D")
    what = ("samples", "samples", "five-minute roll-ups", "hourly roll-ups")[level]
    return f"the {what} of series {shelf * WIDTH[level] + 1} to {(shelf + 1) * WIDTH[level]} on {date}"


def by_shelf_and_day(sections: Iterable[Section], width: int) -> Iterator[tuple[int, int, list[Section]]]:
    """Cut sections into (shelf, day, sections)."""
    cut: dict[tuple[int, int], list[Section]] = {}
    for section in sections:
        shelves = (section.slots - 1) // width
        days = _days(section.times)
        for shelf in np.unique(shelves).tolist():
            rows = shelves == shelf
            for day in np.unique(days).tolist():
                ticks = days == day
                cut.setdefault((shelf, int(day)), []).append(
                    Section(section.times[ticks], section.slots[rows], section.values[rows][:, ticks])
                )
    for (shelf, day), found in cut.items():
        yield shelf, day, found


def day_of(timestamp: float) -> int:
    """The day that a moment lies in, counted from 1970 on, UTC. A moment beyond all calendars counts to the last one.

    >>> day_of(86_399.9), day_of(-1.0), day_of(1e300) == day_of(1e299)
    (0, -1, True)
    """
    return int(min(max(min(max(timestamp, -1e12), 1e12) // DAY, -LAST_DAY), LAST_DAY))


def _days(times: Floats) -> Floats:
    return np.clip(np.clip(times, -1e12, 1e12) // DAY, -LAST_DAY, LAST_DAY)


def _picked(ids: Integers, wanted: Integers | None) -> tuple[Integers, NDArray[np.bool_] | None]:
    picked = None if wanted is None else np.isin(ids, wanted)
    return (ids, None) if picked is None or picked.all() else (ids[picked], picked)


def _sum_of(*parts: int | bytes) -> int:
    checksum = 0
    for part in parts:
        checksum = zlib.crc32(part if isinstance(part, bytes) else struct.pack("<q", part), checksum)
    return checksum
