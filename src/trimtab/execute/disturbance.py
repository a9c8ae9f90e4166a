"""When our own changes disturbed an element, so that nothing measured then is taken for how it behaves by itself.

Pure. Read by `executor` (such samples prove nothing about the next trial) and by the agent (a trial waits until the last has
settled). Without this, the recovery from one trial's harm would be credited to the trial that follows it.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from trimtab.domain.actions import ActionRecord

Span = tuple[float, float]  # Unix seconds, from and to


def disturbances(records: Iterable[ActionRecord], locks: frozenset[str]) -> tuple[Span, ...]:
    """From when to when the elements behind `locks` were not at rest because of these actions, oldest first."""
    spans = (disturbance(record) for record in records if record.action.locks & locks)
    return tuple(sorted(span for span in spans if span is not None))


def disturbance(record: ActionRecord) -> Span | None:
    """The span of one action: until a kept change has settled, or until its undoing has.

    None where the lever was never moved, or where moving it had no effect: then undoing it has none either.
    """
    if record.executed_at is None or record.simulated:
        return None
    settle = record.action.settle_seconds
    if record.rollback_reason is None or record.ended_at is None:
        return (record.executed_at, record.executed_at + settle)
    if record.verdict is not None and record.verdict.futile and record.guard_breached is None:
        return None
    return (record.executed_at, record.ended_at + settle)


def undisturbed(t: NDArray[np.float64], spans: Iterable[Span]) -> NDArray[np.bool_]:
    """Which of the times `t` (n,) lie outside of all spans.

    >>> undisturbed(np.array([1.0, 2.0, 3.0]), [(1.5, 2.5)]).tolist()
    [True, False, True]
    """
    keep = np.ones(t.size, dtype=bool)
    for start, end in spans:
        keep &= (t < start) | (t >= end)
    return keep
