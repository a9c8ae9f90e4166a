"""A service with workers and a queue: one lever that helps, one that does nothing, one that breaks a guard beyond a point.

Driven by `simulate` and by tests, one step at a time. The same seed and settings give the same numbers. Waiting in a queue
with c servers follows Sakasegawa (1977), "An approximation formula L_q ≈ αρ^β/(1−ρ)", Ann. Inst. Stat. Math. 29.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

import numpy as np

from trimtab.plants.noise import Noise
from trimtab.plants.panel import Panel, Takes, number, one_of

BASE_REQUESTS_PER_SECOND = 30.0
REQUESTS_PER_SECOND_OF_A_WORKER = 10.0
LATENCY_P95_OVER_MEAN = 3.0  # ln 20: the 95th percentile of an exponential distribution
BATCH_GAIN = 0.02  # each further item of a batch makes a worker that much faster …
BATCH_SAFE = 8  # … until batches no longer fit into memory,
BATCH_ERRORS = 0.01  # and each further one makes so many more requests fail
BASE_ERROR_RATIO = 0.001
SATURATION = 0.98  # from this utilisation on the formula diverges, and the backlog tells the waiting
LEVERS: Mapping[str, float | str] = {"workers": 4, "batch": 4, "log_level": "info"}
TAKES: Mapping[str, Takes] = {"workers": number(1), "batch": number(1), "log_level": one_of("debug", "info", "warning", "error")}


class ServicePlant(Panel):
    """A `domain.ports.Plant`. Load doubles `fault_at` seconds after the first step; more workers mend it.

    `noise` is the relative standard deviation of every metric, `rho` how much of it carries over from step to step (0 to 1).

    >>> plant = ServicePlant(noise=0.0)
    >>> calm = plant.step(0.0, 1.0)["shop_p95_seconds"]
    >>> plant.set("workers", 8)
    >>> plant.step(1.0, 1.0)["shop_p95_seconds"] < calm
    True
    """

    def __init__(
        self,
        rng: np.random.Generator | None = None,
        *,
        name: str = "shop",
        fault_at: float | None = None,
        fault_factor: float = 2.0,
        noise: float = 0.05,
        rho: float = 0.0,
        **levers: float | str,
    ) -> None:
        self._name = name
        self._fault_at, self._fault_factor = fault_at, fault_factor
        self._noise = Noise(rng if rng is not None else np.random.default_rng(0), noise, rho)
        self._began: float | None = None
        self._backlog = 0.0  # requests that wait
        super().__init__(TAKES, {**LEVERS, **levers})

    def step(self, now: float, dt: float) -> Mapping[str, float]:
        """Serve for `dt` seconds up to `now`; means over the step."""
        self._began = now if self._began is None else self._began
        arriving = BASE_REQUESTS_PER_SECOND * (self._fault_factor if self._faulty(now) else 1.0)
        workers, batch = self._setting("workers"), self._setting("batch")
        capacity = workers * REQUESTS_PER_SECOND_OF_A_WORKER * (1.0 + BATCH_GAIN * (batch - 1.0))
        served = min(arriving + self._backlog / dt, capacity)
        self._backlog = max(0.0, self._backlog + (arriving - served) * dt)
        used = min(arriving / capacity, SATURATION)
        waiting = used ** (sqrt(2.0 * (workers + 1.0)) - 1.0) / (capacity * (1.0 - used)) + self._backlog / capacity
        metrics = {
            "p95_seconds": LATENCY_P95_OVER_MEAN * (waiting + workers / capacity),
            "requests_per_second": served,
            "error_ratio": BASE_ERROR_RATIO + BATCH_ERRORS * max(0.0, batch - BATCH_SAFE),
            "cpu_usage_percent": 100.0 * served / capacity,
            "queue_length": self._backlog + waiting * arriving,
        }
        return {f"{self._name}_{metric}": self._observed(metric, value) for metric, value in metrics.items()}

    def _faulty(self, now: float) -> bool:
        return self._fault_at is not None and self._began is not None and now - self._began >= self._fault_at

    def _observed(self, metric: str, value: float) -> float:
        observed = self._noise.measured(metric, value)
        return min(observed, 100.0) if metric.endswith("_percent") else observed
