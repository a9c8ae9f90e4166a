"""What the agent is told of the demo's service: the same for every seed, as an operator would write it. Written by `scene`.

Each part is an element with one goal. Its sensors read the service's own metrics page; its levers and jobs are what the service
offers, among them some that do not help. `counters` reads the same page by the same derivations, on its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trimtab.demo.workload import DATABASE
from trimtab.domain.direction import Direction
from trimtab.systems.prometheus.derive import Derivation

COOLDOWN_SECONDS = 5.0
MOST_ERRORS = 0.05  # the guards' limit, a ratio
HARMFUL = ("items/fetch_ahead", 48)  # each item fetched ahead costs every request 8 ms more of a worker's time


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the service as the agent and the demo see it: its element and its goal."""

    element: str
    title: str  # for people
    goal: Derivation
    target: float
    direction: Direction

    @property
    def metric(self) -> str:
        """The goal's metric."""
        return self.goal.name

    def met_by(self, value: float) -> bool:
        """Whether `value` reaches the goal."""
        return self.direction.sign * (value - self.target) >= 0.0


def _p95(element: str) -> Derivation:
    return Derivation(f"{element}_p95_seconds", quantile=0.95, of=f"{element}_seconds")


# The median, since few ask for accounts: of four answers a second the 95th per cent is just the slowest.
_MEDIAN = Derivation("orders_p50_seconds", quantile=0.5, of="orders_seconds")
_HITS = Derivation("pages_hit_ratio", ratio=("pages_hits_total", "pages_requests_total"))
PARTS: Mapping[str, Part] = {
    part.element: part
    for part in (
        Part("orders", "accounts from SQLite, median", _MEDIAN, 0.03, Direction.MINIMIZE),
        Part("pages", "pages found in the cache", _HITS, 0.8, Direction.MAXIMIZE),
        Part("scoring", "model's answers, p95", _p95("scoring"), 0.25, Direction.MINIMIZE),
        Part("items", "answers of the workers, p95", _p95("items"), 0.2, Direction.MINIMIZE),
    )
}

_TOP = """\
version: 1
storage: {{path: "{folder}/data"}}
api: {{host: 127.0.0.1, port: {api_port}}}
log: {{level: critical}}
monitoring: {{interval_seconds: 1, analysis_interval_seconds: 1, optimization_interval_seconds: 1, execution_interval_seconds: 1}}
corrective_action_cooldown_seconds: {cooldown:g}
max_concurrent_actions: 1                   # one change at a time
elements:
  - name: orders
    kind: database
    sensors:
      - {{type: prometheus, url: "{url}/metrics", metrics: [], derive: [{orders}]}}
    jobs:                                   # two indexes that somebody thought of; which one helps, if any, is to be found out
      - {{name: index_orders_amount, type: sqlite, database: "{database}", index: {{table: orders, columns: [amount]}},
         autonomy: act, risk_level: 0.2, priority: high, expected_improvement: 0.3, takes_seconds: 60, settle_seconds: 3,
         moves: {{orders_p50_seconds: down}}}}
      - {{name: index_orders_customer, type: sqlite, database: "{database}", index: {{table: orders, columns: [customer_id]}},
         autonomy: act, risk_level: 0.2, priority: high, expected_improvement: 0.3, takes_seconds: 60, settle_seconds: 3,
         moves: {{orders_p50_seconds: down}}}}
  - name: pages
    kind: cache
    sensors:
      - {{type: prometheus, url: "{url}/metrics", metrics: [], derive: [{pages}]}}
    levers:
      - {{name: cache_pages, type: http, url: "{url}/levers/cache_pages", kind: integer, bounds: [16, 2064], step: 8,
         autonomy: act, risk_level: 0.2, priority: high, expected_improvement: 0.3, settle_seconds: 8,
         moves: {{pages_hit_ratio: up}}}}
  - name: scoring
    kind: model
    sensors:
      - {{type: prometheus, url: "{url}/metrics", metrics: [], derive: [{scoring}, {scoring_errors}]}}
    levers:
      - {{name: batch_size, type: http, url: "{url}/levers/batch_size", kind: integer, bounds: [1, 256], step: 1, autonomy: act,
         risk_level: 0.2, priority: high, expected_improvement: 0.3, settle_seconds: 4, moves: {{scoring_p95_seconds: down}}}}
    guards:
      - {{metric_name: scoring_error_ratio, max: {errors}}}
  - name: items
    sensors:
      - {{type: prometheus, url: "{url}/metrics", metrics: [], derive: [{items}, {items_errors}]}}
    levers:
      - {{name: workers, type: http, url: "{url}/levers/workers", kind: integer, bounds: [1, 64], step: 1, autonomy: act,
         risk_level: 0.2, priority: high, expected_improvement: 0.3, settle_seconds: 4, moves: {{items_p95_seconds: down}}}}
      - {{name: log_level, type: http, url: "{url}/levers/log_level", kind: choice, choices: [debug, info, warning],
         autonomy: act, risk_level: 0.1, priority: low, settle_seconds: 4}}
      - {{name: fetch_ahead, type: http, url: "{url}/levers/fetch_ahead", kind: integer, bounds: [0, 64], step: 1, autonomy: act,
         risk_level: 0.3, priority: low, settle_seconds: 4, moves: {{items_p95_seconds: up}}}}
    guards:
      - {{metric_name: items_error_ratio, max: {errors}}}
goals:
{goals}
"""


def configuration(folder: Path, service_url: str, api_port: int) -> str:
    """The agent's configuration file."""
    derived = {part.element: _yaml(part.goal) for part in PARTS.values()}
    errors = {f"{name}_errors": _yaml(errors_of(name)) for name in ("scoring", "items")}
    goals = "\n".join(
        f"  - {{metric_name: {part.metric}, target_value: {part.target}, direction: {part.direction}}}" for part in PARTS.values()
    )
    return _TOP.format(folder=folder, url=service_url, api_port=api_port, cooldown=COOLDOWN_SECONDS, goals=goals,
                       database=folder / DATABASE, errors=MOST_ERRORS, **derived, **errors)  # fmt: skip


def errors_of(element: str) -> Derivation:
    """The share of a part's requests that are refused."""
    return Derivation(f"{element}_error_ratio", ratio=(f"{element}_errors_total", f"{element}_requests_total"))


def _yaml(what: Derivation) -> str:
    if what.ratio is not None:
        return f"{{name: {what.name}, ratio: [{', '.join(what.ratio)}]}}"
    return f"{{name: {what.name}, quantile: {what.quantile}, of: {what.of}}}"
