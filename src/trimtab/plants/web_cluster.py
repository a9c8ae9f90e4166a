"""A cluster of web servers behind a load balancer: servers that take time to boot, and a dimmer for optional content.

The exemplar SWIM as a plant: Moreno, Schmerl & Garlan (2018), "SWIM: an exemplar for evaluation and comparison of self-adaptation
approaches for web applications", SEAMS. Requests arrive at random (Poisson) and go to the active servers in turn; each server
works through its queue in order. Response times come from the requests themselves, not from a formula.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from trimtab.plants.loads import Constant, Load

Array = NDArray[np.float64]
SERVICE_MEAN, SERVICE_SD = 0.030, 0.030  # seconds, normal, redrawn where negative: about 39 ms on average
DIMMED_SECONDS = 0.001  # a request without its optional content
THRESHOLD_SECONDS = 0.75  # of the mean response time
FULL, DIMMED = 1.5, 1.0  # revenue of a request with and without its optional content
SERVER_COST = 5.0  # a server-second
KAPPA = 22.46  # full requests a second that one server is reckoned to serve
MOST_SERVERS = 3


@dataclass(slots=True)
class _Server:
    active_from: float  # when it has booted
    free_at: float  # when it has worked through its queue


class WebCluster:
    """A `domain.ports.Plant` with the levers `servers` (1 to 3) and `dimmer` (0 to 1: share of requests with optional content).

    `utility` of a step is revenue less cost as SWIM counts it: see `utility_of`. The same seed and steps give the same numbers.

    >>> cluster = WebCluster(np.random.default_rng(1), load=Constant(20.0), servers=2)
    >>> 0.0 < cluster.step(60.0, 60.0)["cluster_response_seconds"] < 0.75
    True
    """

    def __init__(
        self,
        rng: np.random.Generator | None = None,
        *,
        load: Load | None = None,
        boot_delay: float = 120.0,
        servers: int = 3,
        dimmer: float = 1.0,
    ) -> None:
        self._rng = rng if rng is not None else np.random.default_rng(0)
        self._load, self._boot_delay = load or Constant(22.0), boot_delay
        self._began: float | None = None
        self._now = 0.0  # seconds since the beginning
        self._servers = [_Server(0.0, 0.0) for _ in range(servers)]
        self._dimmer = dimmer
        self._turn = 0  # whose turn it is at the load balancer
        self._late = np.empty((0, 2))  # arrival and completion of requests that were not answered when the last step ended

    def get(self, lever: str) -> float:
        """The value of a lever: servers booting count. Raises `KeyError`."""
        return {"servers": float(len(self._servers)), "dimmer": self._dimmer}[lever]

    def set(self, lever: str, value: float | str) -> None:
        """Set a lever. Raises `KeyError` for an unknown one, `ValueError` for a value that it cannot take."""
        number = float(value)
        if lever == "dimmer" and 0.0 <= number <= 1.0:
            self._dimmer = number
        elif lever == "servers" and number.is_integer() and 1 <= number <= MOST_SERVERS:
            self._resize(int(number))
        elif lever in ("servers", "dimmer"):
            raise ValueError(f"{lever} cannot be {value!r}")
        else:
            raise KeyError(lever)

    def step(self, now: float, dt: float) -> Mapping[str, float]:
        """Serve for `dt` seconds up to `now`; means over the step."""
        start = self._now
        self._now = end = start + dt
        arrivals = self._arrivals(start, end)
        full = self._rng.random(arrivals.size) < self._dimmer
        durations = self._durations(full)
        work = self._work_left(start) + float(durations.sum())
        completed = self._serve(arrivals, durations, start)
        answered = self._answered(arrivals, completed, end)
        response = float(np.mean(answered[:, 1] - answered[:, 0])) if answered.size else self._oldest_wait(end)
        active = sum(server.active_from <= end for server in self._servers)
        used = min(1.0, max(0.0, work - self._work_left(end)) / (dt * active))
        return {
            "cluster_response_seconds": response,
            "cluster_requests_per_second": arrivals.size / dt,
            "cluster_utilization_ratio": used,
            "cluster_active_servers": float(active),
            "cluster_servers": float(len(self._servers)),
            "cluster_dimmed_ratio": 1.0 - float(np.mean(full)) if full.size else 1.0 - self._dimmer,
            "cluster_utility": utility_of(int(full.sum()), int((~full).sum()), response, len(self._servers), dt),
        }

    def _resize(self, wanted: int) -> None:
        while len(self._servers) < wanted:
            ready = self._now + self._boot_delay
            self._servers.append(_Server(ready, ready))
        while len(self._servers) > wanted:
            self._servers.pop()  # the last to come goes first; what it holds is finished: its answers are reckoned already

    def _arrivals(self, start: float, end: float) -> Array:
        """Arrival times of a Poisson process whose rate is the load, second by second."""
        cells = max(1, min(10_000, round(end - start)))
        edges = np.linspace(start, end, cells + 1)
        width = (end - start) / cells
        rates = np.array([self._load(float(edge) + 0.5 * width) for edge in edges[:-1]])
        counts = self._rng.poisson(rates * width)
        times = np.repeat(edges[:-1], counts) + width * self._rng.random(int(counts.sum()))
        return np.sort(times)

    def _durations(self, full: NDArray[np.bool_]) -> Array:
        seconds = self._rng.normal(SERVICE_MEAN, SERVICE_SD, full.size)
        while (negative := seconds < 0.0).any():
            seconds[negative] = self._rng.normal(SERVICE_MEAN, SERVICE_SD, int(negative.sum()))
        return np.where(full, seconds, DIMMED_SECONDS)

    def _serve(self, arrivals: Array, durations: Array, start: float) -> Array:
        """When each request is answered: in turn to the servers that are up, and there by Lindley's recursion (1952)."""
        completed = np.empty_like(arrivals)
        switches = sorted({server.active_from for server in self._servers if server.active_from > start})
        begins = 0
        for since, until in pairwise([start, *switches, np.inf]):
            ends = int(np.searchsorted(arrivals, until))
            active = [server for server in self._servers if server.active_from <= since]
            for place, server in enumerate(active):
                mine = np.arange(begins + (place - self._turn) % len(active), ends, len(active))
                completed[mine] = self._at_one(server, arrivals[mine], durations[mine])
            self._turn = (self._turn + ends - begins) % len(active)
            begins = ends
        return completed

    @staticmethod
    def _at_one(server: _Server, arrivals: Array, durations: Array) -> Array:
        """C_k = D_1 + … + D_k + max over i ≤ k of (A_i − (D_1 + … + D_{i−1})): the recursion without a loop."""
        if not arrivals.size:
            return arrivals
        work = np.cumsum(durations)
        starts = np.maximum(arrivals, server.free_at) - (work - durations)
        done = work + np.maximum.accumulate(starts)
        server.free_at = float(done[-1])
        return np.asarray(done)

    def _answered(self, arrivals: Array, completed: Array, end: float) -> Array:
        """Arrival and completion (n, 2) of what was answered up to `end`; the rest is kept for later steps."""
        waiting = np.concatenate([self._late, np.column_stack([arrivals, completed])])
        done = waiting[:, 1] <= end
        self._late = waiting[~done]
        return np.asarray(waiting[done])

    def _oldest_wait(self, end: float) -> float:
        return float(end - self._late[:, 0].min()) if self._late.size else 0.0

    def _work_left(self, at: float) -> float:
        return sum(max(0.0, server.free_at - max(at, server.active_from)) for server in self._servers)


def utility_of(full: int, dimmed: int, response_seconds: float, servers: int, dt: float) -> float:
    """Revenue less cost of a step of `dt` seconds with so many requests of each kind, by SWIM's rule.

    Within the threshold every request pays; beyond it none does, and what three servers could not have earned anyway is forgiven.

    >>> utility_of(60, 0, 0.1, 1, 1.0), utility_of(60, 0, 2.0, 3, 1.0) < 0.0
    (85.0, True)
    """
    if response_seconds <= THRESHOLD_SECONDS:
        revenue = FULL * full + DIMMED * dimmed
    else:
        revenue = min(0.0, FULL * (full + dimmed) - FULL * MOST_SERVERS * KAPPA * dt)
    return revenue - SERVER_COST * servers * dt
