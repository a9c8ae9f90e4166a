"""Every Protocol that two rooms meet at. The fewest methods that serve.

`trimtab.testing` has the conformance suites for what others bring: stores, sensors, levers and jobs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from trimtab.domain.access import Grant
from trimtab.domain.actions import ActionRecord, ActionState, JournalRow, OptimizationAction
from trimtab.domain.levers import LeverSpec, LeverValue
from trimtab.domain.metrics import Aggregate, Reading, Samples, Series, StoredSample, Trust
from trimtab.domain.situation import Situation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Clock(Protocol):
    """Where time comes from. `now` never runs backwards, whatever the system clock does."""

    def now(self) -> float:
        """Unix seconds, UTC."""
        ...


class Sensor(Protocol):
    """Reads series of one element. Silence is an error, never a zero.

    `metric_names` are the series promised: each that is absent from a read counts as missing. `interval` is None where the
    agent's own applies. `read` raises `SensorError` where nothing could be had.
    """

    name: str
    element: str
    interval: float | None

    @property
    def metric_names(self) -> Sequence[str]:
        """Names of the series that every read should yield; empty where that is not known beforehand."""
        ...

    async def read(self, now: float) -> Sequence[Reading]:
        """One sample of each series."""
        ...

    async def close(self) -> None:
        """Release what is held. Never raises."""
        ...


@runtime_checkable
class TellsAbsence(Protocol):
    """What a sensor may offer besides: the reason why its last read, which worked, was without a series that it promised."""

    def why_absent(self, name: str) -> Trust | None:
        """The reason, `warming_up` where it will pass by itself; None where there is none but that the target is without it."""
        ...


@runtime_checkable
class Listener(Protocol):
    """A sensor that is told: what others push, and carries the labels `match`, belongs to its element."""

    element: str
    match: Mapping[str, str]
    sources: Collection[str]  # names of the series that it makes others of

    def hear(self, series: Series, timestamp: float, value: float) -> None:
        """One sample, in Unix seconds; several of one series come in any order."""
        ...


class Lever(Protocol):
    """A setting that can be read, and set to an absolute value: setting twice is the same as once.

    Both raise `Retryable` where the effect is in doubt or the target is out of reach, `Permanent` where it refused.
    """

    spec: LeverSpec

    async def read(self) -> LeverValue:
        """The value that the target holds now."""
        ...

    async def set(self, value: LeverValue) -> None:
        """Ask the target to hold `value`."""
        ...

    async def close(self) -> None:
        """Release what is held. Never raises."""
        ...


@runtime_checkable
class Restorable(Protocol):
    """What a `Lever` may offer beside `set`, where an undo has to go through although a change would be refused."""

    async def restore(self, value: LeverValue) -> None:
        """Ask the target to hold `value` again, as it did before a change that is undone. Raises as `Lever.set` does."""
        ...


class Job(Protocol):
    """A run-once effect with a key: starting one key twice starts it once.

    All raise `Retryable` where the effect is in doubt or the target is out of reach, `Permanent` where it refused.
    """

    async def start(self, key: str) -> None:
        """Begin the effect, and return as soon as it is under way: within a few seconds."""
        ...

    async def probe(self, key: str) -> str:
        """absent | running | done | broken."""
        ...

    async def undo(self, key: str) -> None:
        """Take the effect back, also where it is under way; undoing what is absent changes nothing."""
        ...

    async def close(self) -> None:
        """Release what is held. Never raises."""
        ...


class Optimizer(Protocol):
    """Proposes actions from a situation. Pure: no clock, no I/O, no randomness."""

    def propose(self, situation: Situation) -> Sequence[OptimizationAction]:
        """At most a few proposals, each complete."""
        ...


class Plant(Protocol):
    """A simulated element. `dt` is the virtual time that one step covers, in seconds."""

    def get(self, lever: str) -> float | str:
        """The value of a lever."""
        ...

    def set(self, lever: str, value: float | str) -> None:
        """Set a lever."""
        ...

    def step(self, now: float, dt: float) -> Mapping[str, float]:
        """Move time forward; returns the metrics over the step."""
        ...


class MetricStore(Protocol):
    """Samples at rest. Losing the last tick at a power cut is allowed, losing a written one at a crash is not."""

    async def write(self, readings: Sequence[Reading]) -> None:
        """Keep finite samples; a sample of the same series and time replaces the earlier one."""
        ...

    async def write_columns(
        self, series: Sequence[Series], times: float | NDArray[np.float64], values: NDArray[np.float64]
    ) -> None:
        """The same for many series at once: `values` (n,), all at one time or at `times` (n,). A tuple given again is known."""
        ...

    async def query(self, metric_id: str, start: float, end: float) -> Sequence[tuple[float, float]]:
        """(timestamp, value) of a series with start ≤ timestamp ≤ end, in order of time."""
        ...

    async def read(self, metric_ids: Sequence[str], start: float, end: float) -> Mapping[str, Samples]:
        """The same of many series as columns; those without a sample in the range are absent."""
        ...

    async def downsampled(
        self, metric_id: str, start: float, end: float, step: float, aggregate: Aggregate
    ) -> Sequence[tuple[float, float]]:
        """(begin, figure) of each bucket of `step` seconds that overlaps the range and holds a sample, in order of time.

        Buckets begin at multiples of `step` and are whole. Where samples were forgotten, what they were summed up to serves.
        """
        ...

    async def samples(self, metric_id: str, start: float, end: float) -> Sequence[StoredSample]:
        """The same, each sample whole."""
        ...

    async def series(self) -> Sequence[Series]:
        """Every series that was ever written, in order of its id."""
        ...

    async def prune(self, before: float) -> int:
        """Forget samples older than `before`; returns how many."""
        ...

    async def tidy(self, now: float) -> None:
        """Do what keeps the store small and fast, as far as it is due, in steps that keep nobody waiting."""
        ...

    async def close(self) -> None:
        """Flush and release."""
        ...


class Journal(Protocol):
    """The write-ahead journal. When a call that writes returns, the row is durable; all rows form one hash chain."""

    async def record(self, record: ActionRecord, from_state: ActionState | None) -> JournalRow:
        """Write the transition that led to `record` (state, reason, actor, time), and `record` as where the action stands now."""
        ...

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
        """Write a row that moves no action; the kinds are those of `JournalRow`."""
        ...

    async def unfinished(self) -> Sequence[ActionRecord]:
        """Actions that have not ended, and those on probation; oldest first."""
        ...

    async def recent(self, count: int) -> Sequence[ActionRecord]:
        """The latest `count` actions, newest first."""
        ...

    async def get(self, action_id: str) -> ActionRecord | None:
        """One action."""
        ...

    async def history(self, action_id: str) -> Sequence[JournalRow]:
        """Every row of an action, in order; of its moves only the latest `MOVES_TOLD`."""
        ...

    async def notes(self, kinds: Sequence[str], limit: int = 100) -> Sequence[JournalRow]:
        """Rows of these kinds, newest first."""
        ...

    async def counts(self) -> Mapping[ActionState, int]:
        """How many actions are in each state."""
        ...

    async def head(self) -> tuple[int, str]:
        """Sequence number and hash of the last row; (0, "") in an empty journal."""
        ...

    async def verify(self, *, rest: float = 0.0) -> int:
        """Check the whole chain; returns its length, raises `JournalCorrupt` naming the first row that does not hold.

        Between two stretches `rest` seconds are left to others.
        """
        ...

    async def prune(self, before: float, *, at: float) -> int:
        """Give up the oldest rows, as far as all their actions ended before `before` for good; returns how many.

        A row of kind `pruned`, written at `at`, holds what `verify` goes on from. What recovery needs stays, whatever its age.
        """
        ...

    async def close(self) -> None:
        """Release the file."""
        ...


class Notifier(Protocol):
    """Tells people. Never raises into the loop."""

    async def notify(self, event: str, title: str, body: str) -> None:
        """`event` is approval, rollback, failed, foreign_write, …"""
        ...


class TokenChecker(Protocol):
    """Knows which tokens are valid. Raises `StoreError` where it cannot tell: nobody is let in on a guess."""

    def check(self, token: str, now: float) -> Grant | None:
        """What `token` grants at `now`; None where it is unknown or has expired."""
        ...

    @property
    def empty(self) -> bool:
        """Whether no token was ever made, or all were revoked. An expired one still counts."""
        ...
