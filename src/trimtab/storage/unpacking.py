"""Blocks back into samples: of many blocks at once, and only what was asked for. Pure.

Called by `shelves` for whoever reads or seals anew; the way there is `section.encode`. Decompressing is cheap and a call of numpy
is not, so the rows of all blocks that share a timeline are brought back together, those that are alike at once. Nothing becomes a
number before `Packed.fill` is told where it is to stand: pages of memory that are new cost more than the arithmetic.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trimtab.storage.merging import whole
from trimtab.storage.section import BITS, DELTA, HEAD, ROW, Floats, Integers, Section

if TYPE_CHECKING:
    from zstandard import ZstdDecompressor

SLICE = 1 << 18  # bytes of numbers that are worked on at once: what lies between shall fit into memory that is there already
BATCH = 1 << 19  # samples of blocks that are decompressed at once
SLOTS = 1 << 16  # that a row may have
_SCALES = 10.0 ** np.arange(64)  # by the number of decimals
_SIZES = np.array([0, 1, 2, 4, 4, 8, 8, 8, 8], np.uint8)  # bytes of the least type that holds a residual, by its width
_TYPES = {size: np.dtype(f"<u{size}") for size in (1, 2, 4, 8)}


@dataclass(frozen=True, slots=True)
class Block:
    """What is to be read of a block: the rows whose slots are `wanted`, all where it is None. `base` is added to each slot.

    `key` orders blocks that may hold the same row: of these, the one with the higher key was written later.
    """

    key: tuple[int, int]
    base: int
    wanted: NDArray[np.bool_] | None  # by slot
    body: bytes


@dataclass(frozen=True, slots=True)
class _Frames:
    """The compressed planes of one section, and its rows; `picked` are those that are wanted, all where it is None."""

    every: NDArray[Any]
    picked: Integers | None
    samples: int
    planes: list[memoryview]

    @property
    def rows(self) -> NDArray[Any]:
        rows: NDArray[Any] = self.every if self.picked is None else self.every[self.picked]
        return rows

    def plane(self, place: int, last: int) -> NDArray[np.uint8]:
        """That byte of each row that has it, up to tick `last`."""
        has = self.every["width"] > place
        frame = _decompressor().decompress(self.planes[place], max_output_size=self.samples * int(has.sum()))
        matrix = np.frombuffer(frame, np.uint8).reshape(-1, self.samples)[:, :last]
        return matrix if self.picked is None else matrix[(has.cumsum() - 1)[self.picked[has[self.picked]]]]


@dataclass(slots=True)
class Packed:
    """Rows over one timeline that are no numbers yet: `slots` (k,), `times` (n,) within the range that was asked for."""

    times: Floats
    _first: int  # tick of the block that `times` begins with
    _slots: list[Integers] = field(default_factory=list)
    _frames: list[_Frames] = field(default_factory=list)

    @property
    def slots(self) -> Integers:
        """The rows, in the order of the blocks."""
        if len(self._slots) > 1:
            self._slots = [np.concatenate(self._slots)]
        return self._slots[0]

    def fill(self, out: Floats) -> None:
        """Write the samples to `out` (k, n), those of some blocks at a time."""
        last = self._first + self.times.size
        at = 0
        for some in self._batches(last):
            rows = np.frombuffer(b"".join([one.rows.tobytes() for one in some]), ROW)  # structures would be promoted first
            planes = []
            for place in range(max(len(one.planes) for one in some)):
                bytes_ = [one.plane(place, last) for one in some if len(one.planes) > place]
                planes.append(np.concatenate(bytes_) if len(bytes_) > 1 else bytes_[0])
            _restore(rows, planes, self._first, out[at : at + rows.size])
            at += rows.size

    def _batches(self, last: int) -> Iterator[list[_Frames]]:
        size = 0
        some: list[_Frames] = []
        for one in self._frames:
            some.append(one)
            size += one.every.size * last
            if size > BATCH:
                yield some
                size, some = 0, []
        if some:
            yield some

    def add(self, frames: _Frames, base: int) -> None:
        """More rows over the same timeline."""
        self._slots.append(frames.rows["slot"] + np.int64(base))
        self._frames.append(frames)


def unpacked(blocks: Iterable[Block], start: float = -math.inf, end: float = math.inf) -> list[Packed]:
    """What blocks hold with start ≤ timestamp ≤ end, what was written later further behind; none is empty.

    Raises `ValueError` where the bytes are none that `encode` made.
    """
    found: dict[tuple[tuple[int, int], bytes], Packed] = {}
    with _only_blocks():
        for block in blocks:
            for piece in _pieces(block.body):
                _unpack(piece, block, found, start, end)
    return [found[key] for key in sorted(found, key=lambda key: key[0]) if found[key]._frames]


def decode(body: bytes, slots: Iterable[int] | None = None, start: float = -math.inf, end: float = math.inf) -> list[Section]:
    """The sections of one block; of each only the rows of `slots`, where these are given, and what lies in the range.

    Raises `ValueError` where the bytes are none that `encode` made.

    >>> from trimtab.storage.section import encode
    >>> body = encode(Section(np.arange(3.0), np.array([7]), np.array([[1.5, 2.5, 1.5]])))
    >>> [(one.slots.tolist(), one.values.tolist()) for one in decode(body, start=1.0)]
    [([7], [[2.5, 1.5]])]
    """
    wanted = None
    if slots is not None:
        wanted = np.zeros(SLOTS, np.bool_)
        wanted[np.fromiter(slots, np.int64)] = True
    with _only_blocks():
        return [whole(packed) for packed in unpacked([Block((0, 0), 0, wanted, body)], start, end)]


def _pieces(body: bytes) -> Iterator[memoryview]:
    """The sections that lie one behind the other in a block."""
    view, at = memoryview(body), 0
    while at < len(view):
        (length,) = struct.unpack_from("<I", view, at)
        yield view[at + 4 : at + 4 + length]
        at += 4 + length


def _unpack(body: memoryview, block: Block, found: dict[tuple[tuple[int, int], bytes], Packed], start: float, end: float) -> None:
    """Decompress one section, as far as it is wanted, and add it to those of its timeline."""
    samples, count, planes, first = HEAD.unpack_from(body)
    lengths = struct.unpack_from(f"<{planes}I", body, HEAD.size)
    at, table = HEAD.size + 4 * planes, (count + 1) * ROW.itemsize
    head = _decompressor().decompress(body[at : at + first], max_output_size=table + 8 * samples)
    timeline = block.key, b"".join((body[:4], head[: ROW.itemsize], head[table:]))
    if timeline not in found:
        found[timeline] = _clipped(_clock(head, table, samples), start, end)
    packed = found[timeline]
    rows = np.frombuffer(head, ROW, count, ROW.itemsize)
    picked = None if block.wanted is None else block.wanted[rows["slot"]].nonzero()[0]
    if picked is not None and picked.size == count:
        picked = None
    if packed.times.size and (picked is None or picked.size):
        ends = list(accumulate(lengths, initial=at + first))
        frames = [body[begin:end] for begin, end in pairwise(ends)]
        packed.add(_Frames(rows, picked, samples, frames), block.base)


def _clock(head: bytes, table: int, samples: int) -> Floats:
    """The times of a section: the first row of its table, whose bytes come after the table."""
    row = np.frombuffer(head, ROW, 1)
    depth = int(row["width"][0])
    ticks = np.frombuffer(head, np.uint8, depth * samples, table).reshape(depth, 1, samples)
    times = np.empty((1, samples))
    _restore(row, list(ticks), 0, times)
    return times.ravel()


def _clipped(times: Floats, start: float, end: float) -> Packed:
    first, last = np.searchsorted(times, start), np.searchsorted(times, end, "right")
    return Packed(times[first:last], int(first))


def _restore(rows: NDArray[Any], planes: Sequence[NDArray[np.uint8]], first: int, out: Floats) -> None:
    """What `section._residuals` was given, from tick `first` on, into `out` (k, n)."""
    width = rows["width"]
    lines = [(width > place).cumsum() - 1 for place in range(len(planes))]  # where in a plane a row's bytes are
    kinds = _SIZES[width] | (rows["kind"] & (BITS | DELTA))
    for kind, mine in _alike(kinds, first + out.shape[1], out.shape[1]):
        left = _signed(planes, lines, width[mine], mine, kind & 0x0F, 0 if kind & DELTA else first, first + out.shape[1])
        number = _summed(left, rows[mine], first) if kind & DELTA else left + rows["base"][mine, None]
        if (shift := rows["shift"][mine, None]).any():
            number <<= shift.astype(np.int64)
        out[mine] = number.view(np.float64) if kind & BITS else number / _SCALES[rows["kind"][mine] & 0x3F, None]


def _summed(steps: NDArray[Any], rows: NDArray[Any], first: int) -> Integers:
    """Rows that were kept as steps, from tick `first` on; the step to the first tick of all is none."""
    number = steps[:, first:].astype(np.int64)
    if (slope := rows["slope"]).any():
        number += slope[:, None]
    number[:, 0] = rows["base"] + first * slope
    if first:
        number[:, 0] += steps[:, 1 : first + 1].sum(axis=1, dtype=np.int64)
    return number.cumsum(axis=1, out=number)


def _alike(kinds: NDArray[np.uint8], packed: int, ticks: int) -> Iterator[tuple[int, Integers]]:
    """Each kind, with some of the rows that are of it, which have so many ticks as residuals and as numbers."""
    for kind in sorted(set(kinds.tolist())):
        mine = (kinds == kind).nonzero()[0]
        most = max(1, SLICE // max((kind & 0x0F) * packed, 8 * ticks))
        for at in range(0, mine.size, most):
            yield kind, mine[at : at + most]


def _signed(
    planes: Sequence[NDArray[np.uint8]],
    lines: Sequence[Integers],
    width: NDArray[np.uint8],
    mine: Integers,
    size: int,
    begin: int,
    end: int,
) -> NDArray[Any]:
    """The residuals of the rows `mine`, which take `size` bytes each, from tick `begin` to `end`."""
    if not size:
        return np.zeros((mine.size, end - begin), np.int8)
    kind = _TYPES[size]
    left = planes[0][lines[0][mine], begin:].astype(kind, copy=False)
    for place in range(1, min(size, len(planes))):
        has = width > place
        some = slice(None) if has.all() else has
        left[some] |= np.left_shift(planes[place][lines[place][mine[some]], begin:], 8 * place, dtype=kind)
    sign = np.negative(left & kind.type(1))
    left >>= kind.type(1)
    left ^= sign
    return left.view(f"<i{size}")


@contextmanager
def _only_blocks() -> Iterator[None]:
    try:
        yield
    except (struct.error, IndexError, ValueError, _zstd_error()) as exc:
        raise ValueError(f"not a block: {exc}") from exc


@cache
def _decompressor() -> ZstdDecompressor:
    import zstandard  # only who reads a sealed block needs it

    return zstandard.ZstdDecompressor(format=zstandard.FORMAT_ZSTD1_MAGICLESS)


def _zstd_error() -> type[Exception]:
    import zstandard

    return zstandard.ZstdError
