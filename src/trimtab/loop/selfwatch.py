"""The agent as an element of its own: what it costs and how late it is are series like any other, under the element `trimtab`."""

from __future__ import annotations

from collections.abc import Sequence

from trimtab.domain.metrics import Reading, Series

ELEMENT = "trimtab"
_NAMES = ("trimtab_cpu_usage_percent", "trimtab_memory_bytes", "trimtab_loop_lag_seconds", "trimtab_turn_seconds",
          "trimtab_store_write_seconds")  # fmt: skip


class SelfSensor:
    """Reads the agent's own process; the loop notes its lag, the length of its turns and the store's latency here.

    `lag` is how late the last turn began (s), `turn` how long it took (s), `store_write` the last write to the metric store (s).
    """

    name = "self"
    element = ELEMENT
    interval: float | None = None

    def __init__(self) -> None:
        self.lag = self.turn = self.store_write = 0.0
        self._process: object | None = None
        self._series = tuple(Series.named(name, ELEMENT, source="self") for name in _NAMES)

    @property
    def metric_names(self) -> Sequence[str]:
        """All of them, at every read."""
        return _NAMES

    async def read(self, now: float) -> Sequence[Reading]:
        """CPU (per cent of one core since the last read), resident memory, and what was noted since."""
        import psutil

        if self._process is None:
            self._process = psutil.Process()
            self._process.cpu_percent(None)  # the first call only sets the mark
        process = self._process
        assert isinstance(process, psutil.Process)
        values = (process.cpu_percent(None), float(process.memory_info().rss), self.lag, self.turn, self.store_write)
        return [Reading(series, value, now) for series, value in zip(self._series, values, strict=True)]

    async def close(self) -> None:
        """Nothing is held."""
