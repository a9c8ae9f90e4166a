"""Where time comes from: the wall in production, a virtual clock in tests, simulation and replay. Both only ever go forward."""

from __future__ import annotations

import time

SLEW = 5e-4  # 500 ppm: how fast ntpd lets a clock drift towards the true time (RFC 5905, section 11.3)
_MONOTONIC = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # counts through a suspend, where the system can


class WallClock:
    """Unix time that never jumps back: anchored once, carried on by the monotonic clock, slewed slowly towards the system's.

    An operator who sets the system clock back by an hour neither freezes the schedule nor opens a cool-down.
    """

    def __init__(self) -> None:
        self._mark = time.clock_gettime(_MONOTONIC)
        self._now = time.time()

    def now(self) -> float:
        """Unix seconds, UTC; never less than at the call before."""
        mark = time.clock_gettime(_MONOTONIC)
        elapsed, self._mark = mark - self._mark, mark
        error = time.time() - (self._now + elapsed)
        self._now += elapsed + max(-SLEW * elapsed, min(SLEW * elapsed, error))
        return self._now


class VirtualClock:
    """Time that passes when it is told to.

    >>> clock = VirtualClock(100.0)
    >>> clock.advance_to(130.0)
    >>> clock.now()
    130.0
    """

    def __init__(self, start: float = 0.0) -> None:
        self._now = start

    def now(self) -> float:
        """Unix seconds, UTC, of the virtual world."""
        return self._now

    def advance_to(self, moment: float) -> None:
        """Let time pass until `moment`; a moment in the past changes nothing."""
        self._now = max(self._now, moment)
