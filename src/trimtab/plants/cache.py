"""A cache in front of a slow store: the larger it is the more it hits, until memory runs short.

The hit ratio of an LRU cache under independent requests follows Che, Tung & Wang (2002), "Hierarchical Web caching systems", IEEE
JSAC 20: a key of popularity p is there with probability 1 − exp(−p T), where T makes the expected number of keys its size.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from trimtab.plants.loads import Constant, Load
from trimtab.plants.noise import Noise
from trimtab.plants.panel import Panel, number

HIT_SECONDS, MISS_SECONDS = 0.002, 0.060
BYTES_AN_ENTRY = 128 * 1024
MEMORY_BYTES = 2 * 1024**3
OTHERS_BYTES = 1 * 1024**3  # what else the machine holds


class CachePlant(Panel):
    """A `domain.ports.Plant` with the lever `entries`; a guard belongs on `cache_memory_usage_percent`.

    >>> plant = CachePlant(noise=0.0)
    >>> small = plant.step(1.0, 1.0)["cache_hit_ratio"]
    >>> plant.set("entries", 4000)
    >>> plant.step(2.0, 1.0)["cache_hit_ratio"] > small
    True
    """

    def __init__(
        self,
        rng: np.random.Generator | None = None,
        *,
        keys: int = 40_000,
        zipf: float = 0.9,
        entries: float = 500,
        load: Load | None = None,
        noise: float = 0.03,
        rho: float = 0.0,
    ) -> None:
        popularity = 1.0 / np.arange(1, keys + 1) ** zipf
        self._popularity = popularity / popularity.sum()
        self._load = load or Constant(200.0)
        self._noise = Noise(rng if rng is not None else np.random.default_rng(0), noise, rho)
        self._hits: dict[float, float] = {}  # entries → hit ratio
        self._elapsed = 0.0
        super().__init__({"entries": number(1, keys - 1)}, {"entries": entries})

    def step(self, now: float, dt: float) -> Mapping[str, float]:
        """Serve for `dt` seconds."""
        self._elapsed += dt
        rate = self._load(self._elapsed)
        entries = self._setting("entries")
        hits = self._hit_ratio(entries)
        used = 100.0 * (OTHERS_BYTES + entries * BYTES_AN_ENTRY) / MEMORY_BYTES
        swapping = max(0.0, used - 95.0) / 5.0  # beyond it everything waits for the disk
        latency = hits * HIT_SECONDS + (1.0 - hits) * MISS_SECONDS + 0.2 * swapping
        return {
            "cache_hit_ratio": min(1.0, self._noise.measured("hits", hits)),
            "cache_latency_seconds": self._noise.measured("latency", latency),
            "cache_memory_usage_percent": min(100.0, used),
            "cache_requests_per_second": rate,
        }

    def _hit_ratio(self, entries: float) -> float:
        if entries not in self._hits:
            self._hits[entries] = _che(self._popularity, entries)
        return self._hits[entries]


def _che(popularity: NDArray[np.float64], entries: float) -> float:
    low, high = 0.0, 1e12
    for _ in range(200):  # bisection on the characteristic time T
        middle = (low + high) / 2.0
        low, high = (middle, high) if float((-np.expm1(-popularity * middle)).sum()) < entries else (low, middle)
    return float((popularity * -np.expm1(-popularity * low)).sum())
