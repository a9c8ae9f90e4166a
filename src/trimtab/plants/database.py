"""A database whose most frequent query scans its table, because an index is missing."""

from __future__ import annotations

from collections.abc import Mapping
from math import log2

import numpy as np

from trimtab.domain.levers import ABSENT, DONE
from trimtab.plants.loads import Constant, Load
from trimtab.plants.noise import Noise
from trimtab.plants.panel import Panel, number, one_of

SECONDS_A_ROW = 4e-7  # scanned
SECONDS_A_PAGE = 2e-4  # looked up in a tree
BASE_SECONDS = 0.002
WRITE_SECONDS, WRITE_SECONDS_AN_INDEX = 0.004, 0.0015


class DatabasePlant(Panel):
    """A `domain.ports.Plant` with the levers `index_customer` (helps reads), `index_note` (does not) and `connections`.

    Both indices are `absent` or `done`, as a job's settings are, and make writes slower. The table grows by `growth` rows a
    second.

    >>> plant = DatabasePlant(noise=0.0)
    >>> scanned = plant.step(1.0, 1.0)["database_query_seconds"]
    >>> plant.set("index_customer", "done")
    >>> plant.step(2.0, 1.0)["database_query_seconds"] < scanned / 5
    True
    """

    def __init__(
        self,
        rng: np.random.Generator | None = None,
        *,
        rows: float = 500_000.0,
        growth: float = 0.0,
        load: Load | None = None,
        noise: float = 0.08,
        rho: float = 0.0,
    ) -> None:
        self._rows, self._growth = rows, growth
        self._load = load or Constant(20.0)
        self._noise = Noise(rng if rng is not None else np.random.default_rng(0), noise, rho)
        index = one_of(ABSENT, DONE)
        super().__init__(
            {"index_customer": index, "index_note": index, "connections": number(1, 200)},
            {"index_customer": ABSENT, "index_note": ABSENT, "connections": 8.0},
        )
        self._elapsed = 0.0

    def step(self, now: float, dt: float) -> Mapping[str, float]:
        """Answer queries for `dt` seconds."""
        self._elapsed += dt
        self._rows += self._growth * dt
        found = SECONDS_A_PAGE * log2(self._rows) if self._levers["index_customer"] == DONE else SECONDS_A_ROW * self._rows
        query = BASE_SECONDS + found
        rate, connections = self._load(self._elapsed), self._setting("connections")
        used = min(rate * query / connections, 0.98)
        indices = sum(self._levers[name] == DONE for name in ("index_customer", "index_note"))
        return {
            "database_query_seconds": self._noise.measured("query", query / (1.0 - used**connections)),
            "database_write_seconds": self._noise.measured("write", WRITE_SECONDS + WRITE_SECONDS_AN_INDEX * indices),
            "database_queries_per_second": rate,
            "database_rows": self._rows,
        }
