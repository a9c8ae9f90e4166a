"""The agent as Prometheus sees it. A registry of its own is filled anew for each scrape, so nothing global and nothing stale."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from trimtab.api.facade import AgentFacade
from trimtab.domain.actions import ActionState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"  # the format that every Prometheus reads


def expose(agent: AgentFacade, version: str) -> bytes:
    """The text of one scrape."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_AgentCollector(agent, version))
    return generate_latest(registry)


class _AgentCollector(Collector):
    def __init__(self, agent: AgentFacade, version: str) -> None:
        self._agent, self._version = agent, version

    def describe(self) -> list[Metric]:
        return []  # keeps the registry from collecting once just to learn the names

    def collect(self) -> Iterator[Metric]:
        status = self._agent.get_status()
        yield InfoMetricFamily("trimtab_build", "The program.", value={"version": self._version})
        yield from self._agent_itself(status)
        yield from self._actions(status)
        yield from self._goals()

    def _agent_itself(self, status: Mapping[str, Any]) -> Iterator[Metric]:
        state = GaugeMetricFamily("trimtab_agent_state", "1 for the state that the agent is in.", labels=["state"])
        state.add_metric([self._agent.state], 1.0)
        yield state
        yield _gauge("trimtab_ready", "1 where the loop turns on usable data and stores.", float(self._agent.ready[0]))
        uptime = max(0.0, self._agent.now() - self._agent.started_at)
        yield _gauge("trimtab_uptime_seconds", "Seconds since the agent started.", uptime)
        pushed = CounterMetricFamily(
            "trimtab_pushed_samples", "Samples that were pushed, by what became of them.", labels=["outcome"]
        )
        for outcome, count in (status.get("pushed") or {}).items():
            pushed.add_metric([outcome], float(count))
        yield pushed
        yield _gauge("trimtab_holds", "Reasons not to act, right now.", len(status.get("holds", ())))

    def _actions(self, status: Mapping[str, Any]) -> Iterator[Metric]:
        by_status = GaugeMetricFamily("trimtab_actions", "Actions by status.", labels=["status"])
        for name in ("pending", "active", "completed"):
            by_status.add_metric([name], float(status.get(f"{name}_actions", 0)))
        yield by_status
        by_state = GaugeMetricFamily("trimtab_actions_by_state", "Actions by state.", labels=["state"])
        for state in ActionState:
            by_state.add_metric([state.value], float(self._agent.counts.get(state, 0)))
        yield by_state
        for name, value in sorted(status.get("stats", {}).items()):
            if isinstance(value, int | float):
                yield _gauge(f"trimtab_stats_{_legal(name)}", "As in the status.", float(value))

    def _goals(self) -> Iterator[Metric]:
        labels = ["goal_id", "metric_name", "element"]
        families = {
            "target": GaugeMetricFamily("trimtab_goal_target", "The goal's target value.", labels=labels),
            "current": GaugeMetricFamily("trimtab_goal_current", "The goal's current value.", labels=labels),
            "progress": GaugeMetricFamily("trimtab_goal_progress", "0 to 1.", labels=labels),
            "achieved": GaugeMetricFamily("trimtab_goal_achieved", "1 where met; absent while unknown.", labels=labels),
            "hold": GaugeMetricFamily("trimtab_goal_hold", "1 while its data cannot be trusted.", labels=labels),
        }
        for state in self._agent.goal_states():
            values: dict[str, float | None] = {
                "target": state.goal.target_value,
                "current": state.current,
                "progress": state.progress,
                "achieved": None if state.achieved is None else float(state.achieved),
                "hold": 0.0 if state.trust.ok else 1.0,
            }
            for name, value in values.items():
                if value is not None:  # an unknown value is absent: a zero would be a lie
                    families[name].add_metric([state.goal.goal_id, state.goal.metric_name, state.element], value)
        yield from families.values()


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _legal(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_]", "_", name)
