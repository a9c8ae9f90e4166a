"""Prometheus: scrape targets that speak its text format, ask a Prometheus server, or be told what is pushed.

Reads: metrics pages, `/api/v1/query`. Produces: readings, with rates, ratios and quantiles derived between two scrapes.
May import: domain, config, `systems.net`. Never: another system's folder.
"""

from __future__ import annotations

from collections.abc import Mapping

from trimtab.domain.ports import Sensor
from trimtab.systems.kinds import LeverType, SensorType
from trimtab.systems.net import Net
from trimtab.systems.prometheus.options import PrometheusOptions
from trimtab.systems.prometheus.pushed import PushedOptions, PushedSensor


def _build(options: PrometheusOptions, element: str, net: Net) -> Sensor:
    from trimtab.systems.prometheus.query import QuerySensor
    from trimtab.systems.prometheus.scrape import ScrapeSensor

    return QuerySensor(options, element, net) if options.server else ScrapeSensor(options, element, net)


def _build_pushed(options: PushedOptions, element: str, net: Net) -> Sensor:
    return PushedSensor(options, element)


SENSORS: Mapping[str, SensorType] = {
    "prometheus": SensorType(PrometheusOptions, _build),
    "pushed": SensorType(PushedOptions, _build_pushed),
}
LEVERS: Mapping[str, LeverType] = {}
