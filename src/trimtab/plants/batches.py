"""A pipeline that works in batches: larger ones cost less an item, make each wait longer, and at last do not fit into memory."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from trimtab.plants.loads import Constant, Load
from trimtab.plants.noise import Noise
from trimtab.plants.panel import Panel, number

CALL_SECONDS, ITEM_SECONDS = 0.040, 0.002  # what a batch costs, whatever is in it, and what each item adds
FITS = 64  # items; beyond that each further one makes so many items fail
FAILURES = 0.004


class BatchPipeline(Panel):
    """A `domain.ports.Plant` with the levers `batch_size` and `consumers`; a guard belongs on `pipeline_error_ratio`.

    >>> plant = BatchPipeline(noise=0.0)
    >>> slow = plant.step(10.0, 10.0)["pipeline_throughput_per_second"]
    >>> plant.set("batch_size", 32)
    >>> plant.step(20.0, 10.0)["pipeline_throughput_per_second"] > slow
    True
    """

    def __init__(
        self,
        rng: np.random.Generator | None = None,
        *,
        load: Load | None = None,
        batch_size: float = 1,
        consumers: float = 2,
        noise: float = 0.05,
        rho: float = 0.0,
    ) -> None:
        self._load = load or Constant(150.0)
        self._noise = Noise(rng if rng is not None else np.random.default_rng(0), noise, rho)
        super().__init__({"batch_size": number(1), "consumers": number(1)}, {"batch_size": batch_size, "consumers": consumers})
        self._backlog = self._elapsed = 0.0

    def step(self, now: float, dt: float) -> Mapping[str, float]:
        """Work for `dt` seconds; the backlog is carried on."""
        self._elapsed += dt
        arriving = self._load(self._elapsed)
        size, consumers = self._setting("batch_size"), self._setting("consumers")
        call = CALL_SECONDS + ITEM_SECONDS * size
        capacity = consumers * size / call
        done = min(arriving + self._backlog / dt, capacity)
        self._backlog = max(0.0, self._backlog + (arriving - done) * dt)
        filling = min(size / max(arriving, 1e-9), 1.0) / 2.0  # a batch is sent after a second at the latest
        return {
            "pipeline_throughput_per_second": self._noise.measured("throughput", done),
            "pipeline_lag": self._noise.measured("lag", self._backlog + arriving * call),
            "pipeline_latency_seconds": self._noise.measured("latency", filling + call + self._backlog / capacity),
            "pipeline_error_ratio": self._noise.measured("errors", 0.001 + FAILURES * max(0.0, size - FITS)),
        }
