"""The hands: every lever that the agent holds, what each last read, and whose hand moved it.

`look` and `put` are the only calls in trimtab that reach a lever. Both are bounded in time, and both compare what is read with
what we last left there: a value that changed without us was moved by somebody else. Called by the agent and by `executor`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace

from trimtab.domain.errors import LeverError, NotFound, Permanent, Retryable
from trimtab.domain.lever_series import lever_reading
from trimtab.domain.levers import LeverValue
from trimtab.domain.metrics import Health, Reading, Trust
from trimtab.domain.ports import Lever, Restorable
from trimtab.domain.situation import LeverState

EFFECT_TIMEOUT = 5.0  # seconds for one read or one set; after that the effect is in doubt and is probed


class LeverBook:
    """All levers by id, with their last known state."""

    def __init__(self, levers: Iterable[Lever], *, timeout: float = EFFECT_TIMEOUT) -> None:
        self._levers = {lever.spec.lever_id: lever for lever in levers}
        self._timeout = timeout
        unread = Trust(Health.MISSING, "not read yet")
        self._states = {key: LeverState(lever.spec, None, unread, 0.0) for key, lever in self._levers.items()}
        self._readings: list[Reading] = []  # what was read since they were taken last
        self._ours: dict[str, tuple[LeverValue, ...]] = {}  # values that do not betray a foreign hand: last seen, last asked for

    @property
    def states(self) -> Mapping[str, LeverState]:
        """Lever id → its last known state."""
        return self._states

    def lever(self, lever_id: str) -> Lever:
        """One lever; raises `NotFound`."""
        try:
            return self._levers[lever_id]
        except KeyError:
            known = ", ".join(sorted(self._levers)) or "none"
            raise NotFound(f"no lever {lever_id!r}", remedy=f"levers of this agent: {known}") from None

    async def look(self, lever_id: str, now: float) -> LeverValue:
        """Read a lever. Raises `LeverError`; what is known of the lever afterwards says why."""
        lever = self.lever(lever_id)
        try:
            raw = await asyncio.wait_for(lever.read(), self._timeout)
            value = lever.spec.coerce(raw)
        except TimeoutError:
            raise self._unreadable(lever_id, Retryable(f"{lever_id} did not answer within {self._timeout:g} s"), now) from None
        except ValueError as error:
            raise self._unreadable(lever_id, Permanent(f"{lever_id} reads nonsense: {error}"), now) from error
        except LeverError as error:
            raise self._unreadable(lever_id, error, now) from None
        except Exception as error:
            raise self._unreadable(lever_id, Permanent(f"{lever_id}: {type(error).__name__}: {error}"), now) from error
        self._saw(lever_id, value, now)
        return value

    async def put(self, lever_id: str, value: LeverValue, now: float, *, undo: bool = False) -> None:
        """Ask the target to hold `value`, with `undo` to hold it again.

        Raises `Permanent` where it refused, `Retryable` where the effect is in doubt.
        """
        lever = self.lever(lever_id)
        if not isinstance(value, str | bool) and lever.spec.bounds is not None and not lever.spec.allows(value):
            low, high = lever.spec.bounds
            raise Permanent(f"{lever_id} may not be set to {value}: outside of {low:g} to {high:g}")
        self._ours[lever_id] = (*self._ours.get(lever_id, ()), value)
        try:
            call = lever.restore if undo and isinstance(lever, Restorable) else lever.set
            await asyncio.wait_for(call(value), self._timeout)
        except TimeoutError:
            raise Retryable(f"{lever_id} did not acknowledge {value!r} within {self._timeout:g} s") from None
        except LeverError:
            raise
        except Exception as error:
            raise Retryable(f"{lever_id}: {type(error).__name__}: {error}") from error

    def take_readings(self) -> list[Reading]:
        """What levers were read to hold since the last call, as samples."""
        taken, self._readings = self._readings, []
        return taken

    def restorable(self, lever_id: str) -> bool:
        """Whether undoing has effects that reading the lever does not show, such as telling a program."""
        return isinstance(self.lever(lever_id), Restorable)

    def freeze(self, lever_id: str, reason: str) -> None:
        """Let nothing move the lever until a person has looked."""
        if lever_id in self._states:
            self._states[lever_id] = replace(self._states[lever_id], frozen=reason)

    def unfreeze(self, lever_id: str) -> None:
        """Allow the lever to be moved again."""
        if lever_id in self._states:
            self._states[lever_id] = replace(self._states[lever_id], frozen=None)

    def leave(self, lever_id: str, until: float | None) -> None:
        """Let regulation leave the lever to another hand until then (Unix seconds); None takes it up again."""
        if lever_id in self._states:
            self._states[lever_id] = replace(self._states[lever_id], left_until=until)

    async def close(self) -> None:
        """Release every lever."""
        for lever in self._levers.values():
            await lever.close()

    def _saw(self, lever_id: str, value: LeverValue, now: float) -> None:
        state = self._states[lever_id]
        if (reading := lever_reading(state.spec, value, now)) is not None:
            self._readings.append(reading)
        ours = self._ours.get(lever_id, ())
        on_its_way = len(ours) > 1 and any(state.spec.half_way(value, start, end) for start in ours for end in ours)
        foreign = bool(ours) and not on_its_way and not any(state.spec.same(value, own) for own in ours)
        self._ours[lever_id] = ours if on_its_way else (value,)
        moved = now if foreign else state.moved_by_others_at
        self._states[lever_id] = replace(state, value=value, trust=Trust(Health.OK), read_at=now, moved_by_others_at=moved)

    def _unreadable(self, lever_id: str, error: LeverError, now: float) -> LeverError:
        trust = Trust(Health.MISSING, f"HOLD: lever {lever_id} cannot be read: {error.message}")
        self._states[lever_id] = replace(self._states[lever_id], trust=trust, read_at=now)
        return error
