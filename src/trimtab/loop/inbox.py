"""What others push, on its way into the metric store: bounded, and honest about what it leaves out.

A body is acknowledged once its samples are written. While more comes than can be written it is shed by priority: first what
nothing refers to, then what belongs to an element, last what goals, guards and sensors read. What is shed is counted by that
priority, and a body that finds no room at all is put off, so that its sender tries again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from trimtab.domain.errors import TrimtabError
from trimtab.domain.metrics import Series
from trimtab.domain.ports import MetricStore
from trimtab.loop.delivery import Delivery, Priority
from trimtab.monitor.ingest import Malformed, OtlpDecoder, Pushed, RemoteWriteDecoder, unpack_gzip, unpack_snappy

MOST_WAITING = 1_000_000  # samples that wait to be written: about 30 MB
BUSY_SHARE = 0.5  # of a core that decoding may take; the loop has other work
BUSY_WINDOW = 2.0  # seconds over which that share is taken
MOST_AHEAD = 120.0  # seconds that a sender's clock may be ahead of ours; a time to come would hide all that is sent till then

ROOM = {Priority.OTHER: 0.5, Priority.KNOWN: 0.75, Priority.NEEDED: 1.0}  # of `most_waiting` that each may fill


class Overloaded(TrimtabError):
    """There is no room now. Nothing was taken; it can be sent again."""


@dataclass(slots=True)
class Tally:
    """What became of all samples that were pushed since the start."""

    accepted: int = 0
    gone: int = 0  # series that came to their end
    unusable: int = 0
    refused: int = 0  # of series for which there was no room
    shed: dict[str, int] = field(default_factory=lambda: {each.name.lower(): 0 for each in Priority})
    put_off: int = 0  # bodies
    malformed: int = 0  # bodies
    early: int = 0  # samples whose time is yet to come

    def numbers(self) -> dict[str, int]:
        """As plain numbers, by name."""
        counts = {"accepted": self.accepted, "gone": self.gone, "unusable": self.unusable, "refused": self.refused}
        counts["early"] = self.early
        return counts | {f"shed_{name}": count for name, count in self.shed.items()}


class Inbox:
    """Takes bodies in, one after the other. `delivery` knows how much a series matters, and who wants to hear of it.

    `clock` tells seconds that pass steadily; decoding is measured by it. `now` tells Unix seconds, by which
    samples may be too early.
    """

    def __init__(
        self,
        store: MetricStore,
        delivery: Delivery,
        clock: Callable[[], float],
        now: Callable[[], float],
        *,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._store, self._delivery, self._clock, self._now = store, delivery, clock, now
        self._catalog = catalog = delivery.catalog
        self._otlp = OtlpDecoder(catalog)
        self._decoders: Mapping[str, Callable[[bytes], Pushed]] = {
            "remote write": RemoteWriteDecoder(catalog).decode,
            "otlp": self._otlp.decode,
        }
        self._most = most_waiting
        self._waiting: list[tuple[Pushed, asyncio.Future[None]]] = []
        self._samples_waiting = 0
        self._writer: asyncio.Task[None] | None = None
        self._busy, self._busy_since = 0.0, clock()
        self.tally = Tally()

    async def take(self, kind: str, encoding: str, body: bytes) -> None:
        """Take a body of `kind` ("remote write" | "otlp") in, and return once it is written.

        Raises `Malformed` where it holds no samples of that kind, `Overloaded` where there is no room, `StoreError` where it
        cannot be written, `Unavailable` where what decodes it is not installed.
        """
        self._refuse_when_busy()
        pushed = self._shed(self._timely(self._decoded(kind, encoding, body)))
        if len(pushed):
            await self._written(pushed)
        self.tally.accepted += len(pushed)
        self.tally.gone += pushed.gone
        self.tally.unusable += pushed.unusable
        self.tally.refused += pushed.refused

    def _decoded(self, kind: str, encoding: str, body: bytes) -> Pushed:
        began = self._clock()
        self._catalog.begin()
        try:
            return self._decoders[kind](_unpacked(encoding, body))
        except Malformed:
            self._catalog.forget()
            self.tally.malformed += 1
            raise
        finally:
            self._busy += self._clock() - began

    def _timely(self, pushed: Pushed) -> Pushed:
        """What a clock ahead of ours has not dated too late for us."""
        timely = pushed.timestamps <= self._now() + MOST_AHEAD
        early = int((~timely).sum())
        self.tally.early += early
        return pushed.only(timely) if early else pushed

    async def close(self) -> None:
        """Write what waits."""
        if self._writer is not None:
            await asyncio.gather(self._writer, return_exceptions=True)

    def _refuse_when_busy(self) -> None:
        now = self._clock()
        if now - self._busy_since > BUSY_WINDOW:
            self._busy_since, self._busy = now, 0.0
        if self._busy > BUSY_SHARE * BUSY_WINDOW or self._samples_waiting >= self._most:
            self.tally.put_off += 1
            raise Overloaded("more metrics are pushed than can be taken", remedy="Send them again in a few seconds")

    def _shed(self, pushed: Pushed) -> Pushed:
        """What there is room for: each priority finds what those above it have left of its share."""
        if self._samples_waiting + len(pushed) <= ROOM[Priority.OTHER] * self._most:
            return pushed
        priorities = self._delivery.priorities(pushed.series)
        keep = np.zeros(len(pushed), dtype=bool)
        taken = self._samples_waiting
        for priority in Priority:
            mine = priorities == priority
            count = int(mine.sum())
            if taken + count <= ROOM[priority] * self._most:
                keep |= mine
                taken += count
            else:
                self.tally.shed[priority.name.lower()] += count
        return pushed.only(keep)

    async def _written(self, pushed: Pushed) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((pushed, done))
        self._samples_waiting += len(pushed)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        await done

    async def _write(self) -> None:
        """Write all that waits at once, until nothing waits: bodies that come meanwhile share the next write."""
        while self._waiting:
            (batch, self._waiting), kept = (self._waiting, []), 0
            try:
                for pushed, done in batch:
                    series: Sequence[Series] = [self._catalog.series[number] for number in pushed.series.tolist()]
                    await self._store.write_columns(series, pushed.timestamps, pushed.values)
                    self._delivery.deliver(pushed)
                    kept += 1
                    _settle(done, None)
            except Exception as error:
                batch, self._waiting = batch + self._waiting, []  # what came meanwhile was added up upon what is now taken back
                for pushed, done in batch[kept:]:
                    self._otlp.take_back(pushed)
                    _settle(done, error)
            finally:
                self._samples_waiting -= sum(len(pushed) for pushed, _ in batch)


def _settle(done: asyncio.Future[None], error: Exception | None) -> None:
    if not done.done():
        done.set_result(None) if error is None else done.set_exception(error)


def _unpacked(encoding: str, body: bytes) -> bytes:
    match encoding.strip().lower():
        case "snappy":
            return unpack_snappy(body)
        case "gzip":
            return unpack_gzip(body)
        case "" | "identity":
            return body
    raise Malformed(f"Content-Encoding is {encoding[:40]!r}", remedy="Send snappy, gzip, or none")
