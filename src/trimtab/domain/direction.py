"""Which way a goal wants its metric to go."""

from __future__ import annotations

from enum import StrEnum


class Direction(StrEnum):
    """`minimize`: lower is better (latency, cost). `maximize`: higher is better (throughput, hit rate)."""

    MINIMIZE = "minimize"
    MAXIMIZE = "maximize"

    @property
    def sign(self) -> int:
        """+1 where a rise is good, -1 where a fall is good.

        >>> Direction.MINIMIZE.sign
        -1
        """
        return 1 if self is Direction.MAXIMIZE else -1
