"""The two things that samples lie in, read and written with their checksums: hot rows and sealed blocks.

Used by `metrics` and `sealing`, always within a transaction or a snapshot of theirs. What does not have the bytes that were
written is left out, and told: `Shelves.spoiled` collects it until it is set aside.
"""

from __future__ import annotations

import math
import sqlite3
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trimtab.storage import metrics_sql as sql
from trimtab.storage.merging import Piece, clipped, count, scattered
from trimtab.storage.section import Floats, Integers, Section, encode
from trimtab.storage.unpacking import Block, Packed, decode, unpacked

DAY = 86_400.0
WIDTH = (512, 32, 32, 32)  # series in a block, by level
TURNED = 16  # hot rows that become columns at once
LAST_DAY = 1_000_000  # some time after the year 4700


@dataclass(frozen=True, slots=True)
class Ticks:
    """Hot rows of the same series, one moment each, that follow each other: `picked` are the wanted ones of each row."""

    slots: Integers
    picked: Integers | None
    ticks: list[float]
    values: list[bytes]

    @property
    def times(self) -> Floats:
        """(n,)."""
        return np.array(self.ticks)

    def add(self, at: float, values: bytes) -> None:
        """The row of a later moment."""
        self.ticks.append(at)
        self.values.append(values)

    def fill(self, out: Floats) -> None:
        """Write the samples to `out` (k, n), some rows at a time: one would write to as many places far apart."""
        for at in range(0, len(self.values), TURNED):
            some = self.values[at : at + TURNED]
            turned = np.frombuffer(b"".join(some), np.float64).reshape(len(some), -1).T
            out[:, at : at + TURNED] = turned if self.picked is None else turned[self.picked]


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

    def hot(
        self, rows: Iterable[Sequence[Any]], wanted: Integers | None = None, start: float = -math.inf, end: float = math.inf
    ) -> list[Piece]:
        """The samples of hot rows in a range, of the series `wanted` only; slots are the numbers of series."""
        pieces: list[Piece] = []
        seen: dict[bytes, tuple[Integers, Integers | None]] = {}
        before = b""
        for number, checksum, *blobs in rows:
            if not self.sound_hot(number, checksum, *blobs):
                continue
            if blobs[0] != before:  # most rows are of the same series as the one before
                before = blobs[0]
                if before not in seen:
                    seen[before] = _picked(np.frombuffer(before, "<i4").astype(np.int64), wanted)
                ids, picked = seen[before]
            times = np.frombuffer(blobs[1], np.float64)
            if not ids.size:
                continue
            if times.size > 1:
                values = np.frombuffer(blobs[2], np.float64)
                some = (ids, times, values) if picked is None else (ids, times[picked], values[picked])
                pieces += [inside for one in scattered(*some) if (inside := clipped(one, start, end)) is not None]
            elif pieces and isinstance(last := pieces[-1], Ticks) and last.slots is ids and last.ticks[-1] < times[0]:
                last.add(times[0], blobs[2])
            elif start <= times[0] <= end:
                pieces.append(Ticks(ids, picked, [times[0]], [blobs[2]]))
        return pieces

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
    ) -> list[Packed]:
        """What blocks of one level hold of these series in a range, later parts behind. `columns` rows make up a series."""
        return unpacked(self._blocks(connection, level, np.sort(ids), start, end, columns), start, end)

    def _blocks(
        self, connection: sqlite3.Connection, level: int, ids: Integers, start: float, end: float, columns: int
    ) -> Iterator[Block]:
        width, days = WIDTH[level], (day_of(start), day_of(end))
        shelves = (ids - 1) // width
        for mine in np.split(ids, np.flatnonzero(np.diff(shelves)) + 1):
            shelf = int(mine[0] - 1) // width
            base = shelf * width + 1
            wanted = None
            if mine.size < width:
                wanted = np.zeros(width, np.bool_)
                wanted[mine - base] = True
                wanted = wanted.repeat(columns)
            for row in connection.execute(sql.SELECT_BLOCKS, (level, shelf, *days, end, start)):
                if self.sound_block(row):
                    yield Block((row[3], row[4]), base * columns, wanted, row[6])

    def opened(
        self, row: Sequence[Any], slots: Integers | None = None, start: float = -math.inf, end: float = math.inf
    ) -> list[Section]:
        """The sections of a block, as far as they lie in the range; none where it is damaged."""
        _, level, shelf, _, _, _, body = row
        if not self.sound_block(row):
            return []
        base = (shelf * WIDTH[level] + 1) * (1 if level <= sql.DAYS else 5)
        return [Section(one.times, one.slots + base, one.values) for one in decode(body, slots, start, end)]

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
    body = b"".join(encode(Section(one.times, one.slots - base, one.values), quick=level == sql.PARTS) for one in sections)
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


def _picked(ids: Integers, wanted: Integers | None) -> tuple[Integers, Integers | None]:
    """Those of `ids` that are wanted, rising where they can be, and where they stand; None: as they are."""
    picked = np.arange(ids.size) if wanted is None else np.flatnonzero(np.isin(ids, wanted))
    picked = picked[np.argsort(ids[picked], kind="stable")]
    return (ids, None) if np.array_equal(picked, np.arange(ids.size)) else (ids[picked], picked)


def _sum_of(*parts: int | bytes) -> int:
    checksum = 0
    for part in parts:
        checksum = zlib.crc32(part if isinstance(part, bytes) else struct.pack("<q", part), checksum)
    return checksum
