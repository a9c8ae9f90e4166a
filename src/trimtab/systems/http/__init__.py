"""HTTP: numbers out of JSON documents, and settings behind URLs.

Reads: JSON by GET. Produces: readings; lever values set by PUT. May import: domain, config, `systems.net`. Never: another
system's folder.
"""

from __future__ import annotations

from collections.abc import Mapping

from trimtab.domain.levers import LeverSpec
from trimtab.domain.ports import Lever, Sensor
from trimtab.systems.http.options import HttpJsonOptions, HttpLeverOptions
from trimtab.systems.kinds import LeverType, SensorType
from trimtab.systems.net import Net


def _build_sensor(options: HttpJsonOptions, element: str, net: Net) -> Sensor:
    from trimtab.systems.http.json_sensor import HttpJsonSensor

    return HttpJsonSensor(options, element, net)


def _build_lever(options: HttpLeverOptions, spec: LeverSpec, net: Net) -> Lever:
    from trimtab.systems.http.lever import HttpLever

    return HttpLever(options, spec, net)


SENSORS: Mapping[str, SensorType] = {
    "http_json": SensorType(HttpJsonOptions, _build_sensor),
}
LEVERS: Mapping[str, LeverType] = {
    "http": LeverType(HttpLeverOptions, _build_lever),
}
