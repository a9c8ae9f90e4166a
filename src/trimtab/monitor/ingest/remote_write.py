"""Prometheus remote write 1.0: a body, unpacked, into samples (https://prometheus.io/docs/specs/prw/remote_write_spec/).

A sender repeats the bytes of a series' labels unchanged, and behind them mostly sends one sample of 18 bytes. So what precedes
the last 18 bytes is looked up; where it is known, it was once parsed as whole labels, hence these 18 bytes are all that follows,
and if they have the form of a sample they are one. All such samples of a body are read at once. Everything else is parsed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.monitor.ingest import wire
from trimtab.monitor.ingest.catalog import Catalog
from trimtab.monitor.ingest.pushed import Malformed, Pushed, columns

SOURCE = "remote write"
NAME = "__name__"
TAIL = (
    18  # bytes: tag and length, tag and double, tag and a time of six bytes, which is any between 1971 and 2109 in milliseconds
)
_STALE = 0x7FF0000000000002  # the bits of Prometheus' mark of a series that came to its end
_FORM = {0: 0x12, 1: TAIL - 2, 2: 0x09, 11: 0x10}  # what stands where in such a sample
_TIME = slice(12, 18)


class RemoteWriteDecoder:
    """Decodes bodies one after the other; series keep their numbers in `catalog`."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def decode(self, body: bytes) -> Pushed:
        """The samples of an unpacked body. Raises `Malformed`, taking nothing; `Unavailable` without protobuf."""
        request = parsed(wire.remote_write()["WriteRequest"], body, "a remote-write request")
        numbers = self._catalog.numbers
        known: list[int] = []
        familiar: list[bytes] = []
        others: list[bytes] = []
        for one in request.timeseries:
            number = numbers.get(one[:-TAIL])
            if number is None:
                others.append(one)
            else:
                known.append(number)
                familiar.append(one)
        tails = np.frombuffer(b"".join([one[-TAIL:] for one in familiar]), dtype=np.uint8).reshape(-1, TAIL)
        good = _formed(tails)
        others.extend(familiar[place] for place in np.flatnonzero(~good))
        return self._together(np.array(known, dtype=np.int64)[good], tails[good], others)

    def _together(self, series: NDArray[np.int64], tails: NDArray[np.uint8], others: list[bytes]) -> Pushed:
        values = np.ascontiguousarray(tails[:, 3:11]).view("<f8").ravel()
        more: list[tuple[int, float, float]] = []
        unusable = sum(self._parse(one, more) for one in others)
        numbers, times, rest = (np.array(column) for column in zip(*more, strict=True)) if more else (np.empty(0),) * 3
        values = np.concatenate([values, rest])
        gone = values.view(np.uint64) == _STALE
        return columns(
            np.concatenate([series, numbers.astype(np.int64)])[~gone],
            np.concatenate([_times(tails), times])[~gone] / 1000.0,
            values[~gone],
            int(gone.sum()),
            unusable,
        )

    def _parse(self, one: bytes, into: list[tuple[int, float, float]]) -> int:
        """The samples of a series by the book; returns how many there are of a kind that is not kept."""
        message = parsed(wire.remote_write()["TimeSeries"], one, "a series")
        number = self._number(message.labels)
        into.extend((number, float(sample.timestamp), sample.value) for sample in message.samples)
        return len(message.histograms)

    def _number(self, labels: Any) -> int:
        raw = b"".join(b"\x0a" + _varint(len(label)) + label for label in labels)
        number = self._catalog.numbers.get(raw)
        return number if number is not None else self._new(raw, labels)

    def _new(self, raw: bytes, labels: Any) -> int:
        pairs = [parsed(wire.remote_write()["Label"], each, "a label") for each in labels]
        known = {pair.name: pair.value for pair in pairs}
        name = known.pop(NAME, "")
        if not name:
            raise Malformed(f"a series without a name: its labels are {known or 'none'}", remedy=f"Every series needs {NAME}")
        if len(known) + 1 != len(pairs):
            raise Malformed(f"the series {name} names a label twice")
        if "" in known:
            raise Malformed(f"the series {name} has a label without a name")
        return self._catalog.add(raw, name, {key: value for key, value in known.items() if value}, SOURCE)


def _formed(tails: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which rows (n, 18) have the form of one sample."""
    good = np.ones(tails.shape[0], dtype=bool)
    for place, byte in _FORM.items():
        good &= tails[:, place] == byte
    time = tails[:, _TIME]
    good &= (time[:, :-1] >= 0x80).all(axis=1) & (time[:, -1] < 0x80)
    return good


def _times(tails: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The times of rows (n, 18), in milliseconds: base-128 numbers of six bytes, the lowest first."""
    time = tails[:, _TIME].astype(np.int64) & 0x7F
    return np.asarray((time << (7 * np.arange(6))).sum(axis=1), dtype=np.float64)


def _varint(number: int) -> bytes:
    """A base-128 number, the lowest seven bits first.

    >>> _varint(300)
    b'\\xac\\x02'
    """
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def parsed(message: Any, body: bytes, what: str) -> Any:
    """`body` as a protobuf message. Raises `Malformed`."""
    from google.protobuf.message import DecodeError

    try:
        return message.FromString(body)
    except (DecodeError, UnicodeDecodeError, ValueError) as error:
        raise Malformed(f"the body is not {what}: {error}") from None
