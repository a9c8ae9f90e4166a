"""Put sections together: what was written later replaces what was there at the same moment of the same series. Pure.

Called for reading and for sealing. What nearly always comes, ticks of the same series one after the other, is joined as matrices;
late, doubled and irregular samples take the longer way and give the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trimtab.storage.section import Floats, Integers, Section


class Piece(Protocol):
    """What becomes a part of a section: `Section` itself, or what writes its samples to their place only when that is known."""

    @property
    def times(self) -> Floats:
        """(n,), strictly rising."""

    @property
    def slots(self) -> Integers:
        """(k,)."""

    def fill(self, out: Floats) -> None:
        """Write the samples to `out` (k, n)."""


def joined(pieces: Sequence[Piece]) -> list[Section]:
    """The same samples in as few sections as they need, each series in one of them only; the later piece wins.

    >>> tick = lambda at, value: Section(np.array([at]), np.array([1, 2]), np.array([[value], [value]]))
    >>> (whole,) = joined([tick(10.0, 1.0), tick(30.0, 3.0), tick(20.0, 2.0), tick(20.0, 4.0)])
    >>> whole.times.tolist(), whole.values.tolist()
    ([10.0, 20.0, 30.0], [[1.0, 4.0, 3.0], [1.0, 4.0, 3.0]])
    """
    groups = by_slots(pieces)
    if groups is not None:
        return [in_a_row(group) for group in groups]
    sections = [whole(piece) for piece in pieces]
    ids = np.concatenate([np.repeat(one.slots, one.times.size) for one in sections])
    times = np.concatenate([np.tile(one.times, one.slots.size) for one in sections])
    return scattered(ids, times, np.concatenate([one.values.ravel() for one in sections]))


def by_slots(pieces: Sequence[Piece]) -> list[list[Piece]] | None:
    """Pieces of the same series beside each other; None where a series is in pieces that differ in others."""
    keys: dict[int, bytes] = {}  # by identity: pieces that were written by the same hand share the very same array
    groups: dict[bytes, list[Piece]] = {}
    slots = [piece.slots for piece in pieces]
    for piece, one in zip(pieces, slots, strict=True):
        key = keys.get(id(one)) or keys.setdefault(id(one), one.tobytes())
        groups.setdefault(key, []).append(piece)
    if len(groups) > 1:
        every = np.concatenate([group[0].slots for group in groups.values()])
        if not (np.diff(every) > 0).all() and np.unique(every).size < every.size:
            return None
    return list(groups.values())


def whole(piece: Piece) -> Section:
    """A piece with all of its samples in their place."""
    if isinstance(piece, Section):
        return piece
    values = np.empty((piece.slots.size, piece.times.size))
    piece.fill(values)
    return Section(piece.times, piece.slots, values)


def scattered(ids: Integers, times: Floats, values: Floats) -> list[Section]:
    """Samples (n,) in the order in which they were written, as sections."""
    order = np.lexsort((times, ids))  # stable: what was written later comes later
    ids, times, values = ids[order], times[order], values[order]
    stays = np.append((ids[1:] != ids[:-1]) | (times[1:] != times[:-1]), True)
    ids, times, values = ids[stays], times[stays], values[stays]
    begins = np.flatnonzero(np.append(True, ids[1:] != ids[:-1]))
    together: dict[bytes, list[int]] = {}
    ends = np.append(begins[1:], ids.size)
    for number, (begin, end) in enumerate(zip(begins.tolist(), ends.tolist(), strict=True)):
        together.setdefault(times[begin:end].tobytes(), []).append(number)
    return [
        Section(
            times[begins[numbers[0]] : ends[numbers[0]]],
            ids[begins[numbers]],
            np.stack([values[begins[number] : ends[number]] for number in numbers]),
        )
        for numbers in together.values()
    ]


def clipped(section: Section, start: float, end: float) -> Section | None:
    """What of it lies in start ≤ timestamp ≤ end; None where nothing does."""
    first, last = np.searchsorted(section.times, start), np.searchsorted(section.times, end, "right")
    if first >= last:
        return None
    if first == 0 and last == section.times.size:
        return section
    return Section(section.times[first:last], section.slots, section.values[:, first:last])


def count(sections: Iterable[Section]) -> int:
    """How many samples there are."""
    return sum(section.values.size for section in sections)


def in_a_row(group: Sequence[Piece]) -> Section:
    """Pieces of the same series, as one."""
    if len(group) == 1:
        return whole(group[0])
    times = np.concatenate([one.times for one in group])
    values = np.empty((group[0].slots.size, times.size))
    at = 0
    for one in group:
        one.fill(values[:, at : at + one.times.size])
        at += one.times.size
    if not (np.diff(times) > 0).all():
        order = np.argsort(times, kind="stable")
        order = order[_last_of_each(times[order])]
        times, values = times[order], values[:, order]
    return Section(times, group[0].slots, values)


def _last_of_each(times: Floats) -> NDArray[np.bool_]:
    return np.append(times[1:] != times[:-1], True)
