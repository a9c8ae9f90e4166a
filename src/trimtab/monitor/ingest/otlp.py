"""OTLP metrics, protobuf over HTTP (https://opentelemetry.io/docs/specs/otlp/), into samples named as Prometheus names them.

Names and units follow OpenTelemetry's rules for Prometheus: dots become underscores, the unit is spelled out behind the name,
sums that only rise end in `_total`. Resource attributes are labels, so that the same metric of two hosts stays two series. A
histogram becomes `_bucket`, `_sum` and `_count`; an exponential one is counted as unusable. Deltas are added up here, from zero.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from trimtab.monitor.ingest import wire
from trimtab.monitor.ingest.catalog import FULL, Catalog
from trimtab.monitor.ingest.pushed import Malformed, Pushed, columns
from trimtab.monitor.ingest.remote_write import parsed

SOURCE = "otlp"
DELTA = 1  # AggregationTemporality
NO_VALUE = 1  # a flag: the point says that there is none
_UNITS = {
    "s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds", "min": "minutes", "h": "hours", "d": "days",
    "By": "bytes", "KiBy": "kibibytes", "MiBy": "mebibytes", "kBy": "kilobytes", "MBy": "megabytes", "GBy": "gigabytes",
    "%": "percent", "Cel": "celsius", "Hz": "hertz", "V": "volts", "W": "watts",
}  # fmt: skip
_PER = {"s": "second", "min": "minute", "h": "hour", "d": "day"}
_ODD = re.compile(r"[^a-zA-Z0-9_:]+")


def metric_name(name: str, unit: str, *, gauge: bool = False, monotonic: bool = False) -> str:
    """The name under which a metric is kept.

    >>> metric_name("http.server.request.duration", "s"), metric_name("http.requests", "{request}", monotonic=True)
    ('http_server_request_duration_seconds', 'http_requests_total')
    >>> metric_name("cpu.utilization", "1", gauge=True), metric_name("net.io", "By/s")
    ('cpu_utilization_ratio', 'net_io_bytes_per_second')
    """
    spelled = _ODD.sub("_", name).strip("_")
    if spelled[:1].isdigit():
        spelled = f"_{spelled}"
    for part in _unit_words(unit, gauge):
        if not spelled.endswith(f"_{part}"):
            spelled = f"{spelled}_{part}"
    return f"{spelled}_total" if monotonic and not spelled.endswith("_total") else spelled


def _unit_words(unit: str, gauge: bool) -> list[str]:
    unit = re.sub(r"\{[^}]*\}", "", unit)
    if unit == "1":
        return ["ratio"] if gauge else []
    what, slash, per = unit.partition("/")
    words = [_UNITS.get(what, _ODD.sub("", what))]
    if slash:
        words.append(f"per_{_PER.get(per, _ODD.sub('', per))}")
    return [word for word in words if word not in ("", "per_")]


@dataclass(slots=True)
class _Columns:
    """What is filled while a body is read."""

    series: list[int] = field(default_factory=list)
    timestamps: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    unusable: int = 0

    def add(self, number: int, time: int, value: float) -> None:
        self.series.append(number)
        self.timestamps.append(time)
        self.values.append(value)


class OtlpDecoder:
    """Decodes bodies one after the other; series keep their numbers in `catalog`, and deltas their sums here."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._sums: dict[int, float] = {}  # of deltas, by series

    def decode(self, body: bytes) -> Pushed:
        """The samples of an unpacked body. Raises `Malformed`, taking nothing; `Unavailable` without protobuf."""
        request = parsed(wire.otlp()["Export"], body, "an OTLP metrics request")
        into, risen = _Columns(), dict[int, float]()
        for resource in request.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    self._metric(metric, resource.resource, into, risen)
        for number, more in risen.items():
            self._sums[number] = self._sums.get(number, 0.0) + more
        found = columns(into.series, np.array(into.timestamps) / 1e9, into.values, 0, into.unusable)
        return replace(found, deltas=risen)

    def take_back(self, pushed: Pushed) -> None:
        """What `decode` made of a body was not kept: its sender sends it again, and its deltas must not count twice."""
        for number, more in pushed.deltas.items():
            self._sums[number] -= more

    def _metric(self, metric: Any, resource: bytes, into: _Columns, risen: dict[int, float]) -> None:
        if not metric.name:
            raise Malformed("a metric without a name")
        if metric.HasField("gauge"):
            self._numbers(
                metric, metric.gauge.data_points, metric_name(metric.name, metric.unit, gauge=True), resource, into, None
            )
        elif metric.HasField("sum"):
            name = metric_name(metric.name, metric.unit, monotonic=metric.sum.monotonic)
            deltas = risen if metric.sum.temporality == DELTA else None
            self._numbers(metric, metric.sum.data_points, name, resource, into, deltas)
        elif metric.HasField("histogram"):
            self._histogram(metric, resource, into, risen if metric.histogram.temporality == DELTA else None)
        elif metric.HasField("summary"):
            self._summary(metric, resource, into)
        else:
            into.unusable += 1

    def _numbers(
        self, metric: Any, points: Any, name: str, resource: bytes, into: _Columns, deltas: dict[int, float] | None
    ) -> None:
        for point in points:
            if point.flags & NO_VALUE or not (point.HasField("as_double") or point.HasField("as_int")):
                into.unusable += 1
                continue
            number = self._number(name, "", "", point, resource)
            value = point.as_double if point.HasField("as_double") else float(point.as_int)
            into.add(number, point.time, self._risen(number, value, deltas))

    def _histogram(self, metric: Any, resource: bytes, into: _Columns, deltas: dict[int, float] | None) -> None:
        name = metric_name(metric.name, metric.unit)
        for point in metric.histogram.data_points:
            if point.flags & NO_VALUE:
                into.unusable += 1
                continue
            if point.counts and len(point.counts) != len(point.bounds) + 1:
                raise Malformed(f"the histogram {metric.name} has {len(point.counts)} counts for {len(point.bounds)} bounds")
            parts = [("_count", "", float(point.count))]
            if point.HasField("sum"):
                parts.append(("_sum", "", point.sum))
            total = 0
            for bound, count in zip((*point.bounds, float("inf")), point.counts, strict=False):
                total += count
                parts.append(("_bucket", "+Inf" if bound == float("inf") else f"{bound:g}", float(total)))
            for suffix, le, value in parts:
                number = self._number(name + suffix, "le" if le else "", le, point, resource)
                into.add(number, point.time, self._risen(number, value, deltas))

    def _summary(self, metric: Any, resource: bytes, into: _Columns) -> None:
        name = metric_name(metric.name, metric.unit)
        for point in metric.summary.data_points:
            if point.flags & NO_VALUE:
                into.unusable += 1
                continue
            into.add(self._number(f"{name}_count", "", "", point, resource), point.time, float(point.count))
            into.add(self._number(f"{name}_sum", "", "", point, resource), point.time, point.sum)
            for each in point.quantiles:
                number = self._number(name, "quantile", f"{each.quantile:g}", point, resource)
                into.add(number, point.time, each.value)

    def _risen(self, number: int, value: float, deltas: dict[int, float] | None) -> float:
        """A delta as what it adds up to; what is no delta as it is."""
        if deltas is None or number == FULL:
            return value
        deltas[number] = deltas.get(number, 0.0) + value
        return self._sums.get(number, 0.0) + deltas[number]

    def _number(self, name: str, extra: str, value: str, point: Any, resource: bytes) -> int:
        raw = b"\x00".join((b"", name.encode(), value.encode(), resource, *point.attributes))
        number = self._catalog.numbers.get(raw)
        if number is None:
            labels = {**self._resource(resource), **_attributes(point.attributes)}
            if extra:
                labels[extra] = value
            number = self._catalog.add(raw, name, labels, SOURCE)
        return number

    @staticmethod
    def _resource(resource: bytes) -> dict[str, str]:
        found = _pairs(parsed(wire.otlp()["Resource"], resource, "a resource").attributes)
        service = [found[key] for key in ("service_namespace", "service_name") if found.get(key)]
        if service:
            found["job"] = "/".join(service)  # as OpenTelemetry's rules for Prometheus have it
        if found.get("service_instance_id"):
            found["instance"] = found["service_instance_id"]
        return found


def _attributes(raw: Any) -> dict[str, str]:
    message = wire.otlp()["KeyValue"]
    return _pairs(parsed(message, each, "an attribute") for each in raw)


def _pairs(attributes: Any) -> dict[str, str]:
    return {_ODD.sub("_", each.key): text for each in attributes if each.key and (text := _text(each.value))}


def _text(value: Any) -> str:
    if value.HasField("string"):
        return str(value.string)
    if value.HasField("bool"):
        return "true" if value.bool else "false"
    if value.HasField("int"):
        return str(value.int)
    return f"{value.double:g}" if value.HasField("double") else ""
