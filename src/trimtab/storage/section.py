"""A matrix of samples as few bytes: several series over one common timeline. Pure.

Called by `shelves` for whoever seals; the way back is `unpacking`. Exact: what is read has the bits of what was written, −0.0
included. A row of numbers that were printed with a few decimals becomes whole numbers (Afroozeh et al. 2023, "ALP: Adaptive
Lossless floating-Point Compression"), any other row the whole numbers that its bits are; of these the distance from their level,
or from a straight line, is kept, whichever is shorter. Low bytes, next bytes and so on lie together (byte-split) and go through
zstd.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from zstandard import ZstdCompressor

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LEVEL = 1  # zstd: 3 saves nothing here, 9 saves 1 % and takes six times as long
UNPACKED = 8  # zstd's target length from which on literals stay as they are: a fifth more bytes in a fifth of the time
WINDOW = 14  # log2 of the bytes that the compressor looks back: a plane's are not much like each other beyond; tables of 170 KB
SLICE = 1 << 14  # samples that are worked on at once: what lies between takes some hundred kilobytes, however long the section is
DECIMALS = (0, 1, 2, 3, 4, 5, 6, 9)  # that a row is tried with; exporters print up to six, nanoseconds have nine
GLANCE = 8  # samples of a row that are looked at before all of it
EXACT = 2.0**52  # up to here every whole number is a float, and so is the half beside it
BITS, DELTA = 0x40, 0x80  # flags beside the number of decimals
HEAD = struct.Struct("<IHBI")  # samples of each row, rows, byte planes, bytes of the first frame
_FIRST_OF_WIDTH = np.array([1 << (8 * byte) for byte in range(8)], np.uint64)  # the least number that needs so many bytes
ROW = np.dtype([("slot", "<u2"), ("kind", "u1"), ("width", "u1"), ("shift", "u1"), ("base", "<i8"), ("slope", "<i8")])


@dataclass(frozen=True, slots=True)
class Section:
    """Rows of samples over one timeline. `times` (n,) Unix seconds, strictly rising; `slots` (k,); `values` (k, n), finite."""

    times: Floats
    slots: NDArray[np.int64]
    values: Floats

    def fill(self, out: Floats) -> None:
        """Write the samples to `out` (k, n)."""
        out[:] = self.values


def encode(section: Section, *, quick: bool = False) -> bytes:
    """The bytes of a section of at least one row and one sample. `quick`: a fifth more of them, for what is soon sealed anew.

    >>> whole = Section(np.arange(3.0), np.array([7]), np.array([[1.5, 2.5, 1.5]]))
    >>> from trimtab.storage.unpacking import decode
    >>> (again,) = decode(encode(whole))
    >>> again.slots.tolist(), again.values.tolist()
    ([7], [[1.5, 2.5, 1.5]])
    """
    compress = _compressor(UNPACKED if quick else 0).compress
    times, time_rows = _residuals(section.times[None, :])
    described, pieces = [], []
    for part in _slices(len(section.slots), section.times.size):
        left, rows = _residuals(section.values[part])
        rows["slot"] = section.slots[part]
        described.append(rows)
        pieces.append(list(_planes(left, rows["width"])))
    rows = np.concatenate(described)
    planes = [b"".join(parts) for parts in zip_longest(*pieces, fillvalue=b"")]
    clock = b"".join(_planes(times, time_rows["width"]))
    first = compress(time_rows.tobytes() + rows.tobytes() + clock)
    frames = [compress(plane) for plane in planes]
    head = HEAD.pack(section.times.size, len(rows), len(planes), len(first))
    lengths = np.array([len(frame) for frame in frames], "<u4").tobytes()
    body = b"".join((head, lengths, first, *frames))
    return struct.pack("<I", len(body)) + body


def decimals(values: Floats) -> NDArray[np.int64]:
    """With how many decimals each row (k, n) was printed, as far as that can be told; −1 where it cannot.

    >>> decimals(np.array([[1.0, 2.0], [0.25, 0.5], [1 / 3, 2 / 3]])).tolist()
    [0, 2, -1]
    """
    found = np.full(len(values), -1, np.int64)
    left = np.arange(len(values))
    for places in DECIMALS:
        seen = left[_printed(values[left, :GLANCE], places)]
        fit = seen[_printed(values[seen], places)]
        found[fit] = places
        left = left[found[left] < 0]
        if not left.size:
            break
    return found


def _printed(values: Floats, places: int) -> NDArray[np.bool_]:
    scale = 10.0**places
    with np.errstate(over="ignore"):
        whole = np.rint(values * scale) + 0.0  # no whole number is −0.0, and a float that is must stay one
        same = (whole / scale).view(np.int64) == values.view(np.int64)
        return np.asarray((same & (np.abs(whole) < EXACT)).all(axis=1))


def _residuals(values: Floats) -> tuple[NDArray[np.uint64], NDArray[Any]]:
    """What is left of each row once its level or its line is taken away, zigzag; and what brings it back."""
    values = np.ascontiguousarray(values)
    rows = np.zeros(len(values), ROW)
    places = decimals(values)
    bits = places < 0
    whole = np.empty(values.shape, np.int64)
    whole[bits] = values[bits].view(np.int64)
    whole[~bits] = np.rint(values[~bits] * 10.0 ** places[~bits, None]).astype(np.int64)
    shift = _trailing_zeros(np.bitwise_or.reduce(whole, axis=1))
    whole >>= shift[:, None]
    level = np.rint(np.mean(whole, axis=1)).astype(np.int64)
    steps = np.diff(whole, axis=1, prepend=whole[:, :1])
    slope = np.zeros_like(level)
    if steps.shape[1] > 1:
        slope[:] = np.rint(np.mean(steps[:, 1:], axis=1))
    steps[:, 1:] -= slope[:, None]
    flat, lined = _zigzag(whole - level[:, None]), _zigzag(steps)
    line = _length(lined) < _length(flat)
    left = np.where(line[:, None], lined, flat)
    rows["kind"] = np.where(bits, BITS, places) | np.where(line, DELTA, 0)
    rows["base"] = np.where(line, whole[:, 0], level)
    rows["slope"] = np.where(line, slope, 0)
    rows["shift"] = shift
    rows["width"] = (left.max(axis=1)[:, None] >= _FIRST_OF_WIDTH).sum(axis=1)
    return left, rows


def _zigzag(values: Integers) -> NDArray[np.uint64]:
    return ((values << 1) ^ (values >> 63)).view(np.uint64)


def _length(left: NDArray[np.uint64]) -> Floats:
    """Bits that the residuals of each row take, about."""
    return np.asarray(np.log2(left + 1.0).sum(axis=1))


def _trailing_zeros(values: Integers) -> Integers:
    lowest = (values & -values).view(np.uint64)
    return np.log2(np.maximum(lowest, 1).astype(np.float64)).astype(np.int64)


def _planes(left: NDArray[np.uint64], width: NDArray[np.uint8]) -> Iterator[bytes]:
    """The lowest bytes of all rows, the next ones of all rows that have them, and so on."""
    parts = left.view(np.uint8).reshape(*left.shape, 8)
    for place in range(int(width.max(initial=0))):
        yield parts[width > place, :, place].tobytes()


def _slices(rows: int, samples: int) -> Iterator[slice]:
    """Some rows after the other, of `SLICE` samples together where one row is not longer."""
    step = max(1, SLICE // samples)
    return (slice(first, first + step) for first in range(0, rows, step))


@cache
def _compressor(target_length: int) -> ZstdCompressor:
    import zstandard  # only who seals or reads a sealed block needs it

    plain = zstandard.ZstdCompressionParameters.from_level(
        LEVEL, window_log=WINDOW, hash_log=WINDOW - 2, chain_log=WINDOW - 2, target_length=target_length,
        format=zstandard.FORMAT_ZSTD1_MAGICLESS, write_content_size=False, write_checksum=False,
    )  # fmt: skip
    return zstandard.ZstdCompressor(compression_params=plain)
