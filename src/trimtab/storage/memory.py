"""Journal and metric store for the length of a simulation. Same fence, same chain, same answers as the files; nothing survives.

Used by `simulate`, replay and tests. Append-only memory: a simulation is bounded by its own length.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from trimtab.domain.actions import MOVE, MOVES_TOLD, ActionRecord, ActionState, JournalRow, pause_in_force
from trimtab.domain.metrics import Aggregate, Reading, Samples, Series, StoredSample
from trimtab.storage.chain import EMPTY, TRANSITION, Chain, Head, corrupt, fence
from trimtab.storage.codec import digest, encode, row_data
from trimtab.storage.columns import columns_do_not_fit, finite
from trimtab.storage.pruning import PRUNED, Checkpoint, last_words, outlives, said_again, sentence, stays
from trimtab.storage.rollups import Buckets, bucket_range


class MemoryJournal:
    """A `Journal` that forgets everything when the process ends."""

    def __init__(self, *, key: bytes | None = None) -> None:
        self._chain = Chain(key)
        self._rows: list[JournalRow] = []
        self._records: dict[str, ActionRecord] = {}  # in order of first appearance
        self._texts: dict[str, str] = {}

    async def record(self, record: ActionRecord, from_state: ActionState | None) -> JournalRow:
        """Write the step that led to `record`. Raises `Conflict` where the action does not stand at `from_state`."""
        text = encode(record)
        stored = self._records.get(record.action_id)
        fence(record.action_id, stored.state if stored else None, from_state)
        data = row_data(text, self._texts.get(record.action_id))
        row = self._chain.transition(self._head(), record, from_state, data)
        self._rows.append(row)
        self._records[record.action_id] = record
        self._texts[record.action_id] = text
        return row

    async def note(
        self,
        kind: str,
        reason: str,
        *,
        at: float,
        actor: str = "trimtab",
        data: Mapping[str, object] | None = None,
        action_id: str = "",
    ) -> JournalRow:
        """Write a row that moves no action."""
        row = self._chain.note(self._head(), kind, reason, at=at, actor=actor, data=data or {}, action_id=action_id)
        self._rows.append(row)
        return row

    async def unfinished(self) -> Sequence[ActionRecord]:
        """Actions that have not ended, and those on probation; oldest first."""
        watched = (r for r in self._records.values() if not r.state.terminal or r.state is ActionState.KEPT_ON_PROBATION)
        return sorted(watched, key=_age)

    async def recent(self, count: int) -> Sequence[ActionRecord]:
        """The latest `count` actions, newest first."""
        return sorted(self._records.values(), key=_age)[::-1][: max(count, 0)]

    async def get(self, action_id: str) -> ActionRecord | None:
        """One action."""
        return self._records.get(action_id)

    async def history(self, action_id: str) -> Sequence[JournalRow]:
        """Every row of an action, in order; of its moves only the latest `MOVES_TOLD`."""
        rows = [row for row in self._rows if row.action_id == action_id]
        moves = [row.seq for row in rows if row.kind == MOVE]
        first = moves[-MOVES_TOLD] if len(moves) > MOVES_TOLD else 0
        return [row for row in rows if row.kind != MOVE or row.seq >= first]

    async def notes(self, kinds: Sequence[str], limit: int = 100) -> Sequence[JournalRow]:
        """Rows of these kinds, newest first."""
        return [row for row in reversed(self._rows) if row.kind in kinds][: max(limit, 0)]

    async def counts(self) -> Mapping[ActionState, int]:
        """How many actions are in each state; states without any are absent."""
        return Counter(record.state for record in self._records.values())

    async def head(self) -> tuple[int, str]:
        """Sequence number and hash of the last row; (0, "") in an empty journal."""
        return self._head()

    async def verify(self, *, rest: float = 0.0) -> int:
        """Check the whole chain and that every action stands where its last row left it; returns the number of rows."""
        head = Checkpoint.of(self._last(PRUNED)).head
        last: dict[str, JournalRow] = {}
        for row in self._rows:
            head = self._chain.check(row, head)
            if row.kind == TRANSITION:
                last[row.action_id] = row
        for row in last.values():
            if row.data.get("record") != digest(self._texts[row.action_id]):
                raise corrupt(row.seq, f"and the stored state of action {row.action_id} disagree")
        return len(self._rows)

    async def prune(self, before: float, *, at: float) -> int:
        """Give up the oldest rows, as far as all their actions ended before `before`; returns how many."""
        before = min(before, at)
        in_force = pause_in_force(self._rows)
        rows = list(
            takewhile(lambda row: row is not in_force and not stays(row, self._records.get(row.action_id), before), self._rows)
        )
        if not rows:
            return 0
        self._write_again(rows, at)
        point, last = Checkpoint.of(self._last(PRUNED)), {row.action_id: row.seq for row in self._rows if row.kind == TRANSITION}
        over = [action_id for action_id, seq in last.items() if seq <= rows[-1].seq]
        for action_id in over:
            del self._records[action_id], self._texts[action_id]
        about, said = point.after(rows, len(over)).data(), sentence(len(rows), len(over))
        row = self._chain.note(self._head(), PRUNED, said, at=at, actor="trimtab", data=about, action_id="")
        self._rows = [*self._rows[len(rows) :], row]
        return len(rows)

    async def close(self) -> None:
        """Nothing is held."""

    def _write_again(self, rows: Sequence[JournalRow], at: float) -> None:
        """Write what has to outlive `rows`, which are given up."""
        left = self._rows[len(rows) :]
        for action_id in sorted({row.action_id for row in rows if row.action_id}):
            record = self._records.get(action_id)
            if record is None or not outlives(record, self._records.values()):
                continue
            if not any(row.kind == TRANSITION and row.action_id == action_id for row in left):
                data = row_data(self._texts[action_id], None)
                self._rows.append(self._chain.transition(self._head(), record, record.state, data, at=at))
            for row in last_words(rows, action_id):
                if not any(later.kind == row.kind and later.action_id == action_id for later in left):
                    data = dict(said_again(row))
                    self._rows.append(
                        self._chain.note(
                            self._head(), row.kind, row.reason, at=at, actor=row.actor, data=data, action_id=action_id
                        )
                    )

    def _last(self, kind: str) -> JournalRow | None:
        return next((row for row in reversed(self._rows) if row.kind == kind), None)

    def _head(self) -> Head:
        return (self._rows[-1].seq, self._rows[-1].hash) if self._rows else EMPTY


class MemoryMetricStore:
    """A `MetricStore` that forgets everything when the process ends."""

    def __init__(self) -> None:
        self._series: dict[str, Series] = {}
        self._times: dict[str, list[float]] = {}  # sorted; almost always appended to
        self._values: dict[str, dict[float, float]] = {}

    async def write(self, readings: Sequence[Reading]) -> None:
        """Keep finite samples; a sample of the same series and time replaces the earlier one."""
        self.take(readings)

    def take(self, readings: Iterable[Reading]) -> None:
        """The same, from anything that yields readings."""
        for reading in filter(finite, readings):
            metric_id, at = reading.series.metric_id, float(reading.timestamp)
            self._series[metric_id] = reading.series
            values = self._values.setdefault(metric_id, {})
            if at not in values:
                times = self._times.setdefault(metric_id, [])
                times.insert(bisect_left(times, at), at)
            values[at] = float(reading.value)

    async def write_columns(
        self, series: Sequence[Series], times: float | NDArray[np.float64], values: NDArray[np.float64]
    ) -> None:
        """The same for many series at once: `values` (n,), at one time or at `times` (n,)."""
        at, values = np.asarray(times, np.float64), np.asarray(values, np.float64)
        if at.size not in (1, len(series)) or values.shape != (len(series),):
            raise columns_do_not_fit(len(series), values.size, at.size)
        stamps = np.broadcast_to(at, values.shape).tolist()
        await self.write([Reading(*sample) for sample in zip(series, values.tolist(), stamps, strict=True)])

    async def query(self, metric_id: str, start: float, end: float) -> Sequence[tuple[float, float]]:
        """(timestamp, value) of a series with start ≤ timestamp ≤ end, in order of time."""
        times, values = self._times.get(metric_id, []), self._values.get(metric_id, {})
        return [(at, values[at]) for at in times[bisect_left(times, start) : bisect_right(times, end)]]

    async def read(self, metric_ids: Sequence[str], start: float, end: float) -> Mapping[str, Samples]:
        """The same of many series as columns; those without a sample in the range are absent."""
        found = {metric_id: await self.query(metric_id, start, end) for metric_id in metric_ids}
        return {metric_id: Samples(*np.array(samples).T) for metric_id, samples in found.items() if samples}

    async def downsampled(
        self, metric_id: str, start: float, end: float, step: float, aggregate: Aggregate
    ) -> Sequence[tuple[float, float]]:
        """(begin, figure) of each bucket of `step` seconds that overlaps the range and holds a sample."""
        begin, until = bucket_range(start, end, step)
        found = (await self.read([metric_id], begin, until)).get(metric_id)
        return [] if found is None else Buckets.of(found.times, found.values[None, :], step).pairs(aggregate)

    async def samples(self, metric_id: str, start: float, end: float) -> Sequence[StoredSample]:
        """The same, each sample whole."""
        found = await self.query(metric_id, start, end)
        return [_whole(self._series[metric_id], at, value) for at, value in found]

    async def series(self) -> Sequence[Series]:
        """Every series that was ever written, in order of its id."""
        return [self._series[metric_id] for metric_id in sorted(self._series)]

    async def prune(self, before: float) -> int:
        """Forget samples older than `before`; returns how many. The series stay known."""
        forgotten = 0
        for metric_id, times in self._times.items():
            cut = bisect_left(times, before)
            for at in times[:cut]:
                del self._values[metric_id][at]
            del times[:cut]
            forgotten += cut
        return forgotten

    async def tidy(self, now: float) -> None:
        """There is nothing to do."""

    async def close(self) -> None:
        """Nothing is held."""


def _age(record: ActionRecord) -> float:
    return record.action.created_at


def _whole(series: Series, at: float, value: float) -> StoredSample:
    return StoredSample(
        series.metric_id, series.metric_type, value, at, series.source, dict(series.metadata), dict(series.labels)
    )
