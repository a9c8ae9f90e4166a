"""Prometheus: scrape targets that speak its text format, or ask a Prometheus server.

Reads: metrics pages, `/api/v1/query`. Produces: readings, with rates, ratios and quantiles derived between two scrapes.
May import: domain, config, `systems.net`. Never: another system's folder.
"""

from __future__ import annotations

from collections.abc import Mapping

from trimtab.domain.ports import Sensor
from trimtab.systems.kinds import LeverType, SensorType
from trimtab.systems.net import Net
from trimtab.systems.prometheus.options import PrometheusOptions


def _build(options: PrometheusOptions, element: str, net: Net) -> Sensor:
    from trimtab.systems.prometheus.query import QuerySensor
    from trimtab.systems.prometheus.scrape import ScrapeSensor

    return QuerySensor(options, element, net) if options.server else ScrapeSensor(options, element, net)


SENSORS: Mapping[str, SensorType] = {
    "prometheus": SensorType(PrometheusOptions, _build),
}
LEVERS: Mapping[str, LeverType] = {}
