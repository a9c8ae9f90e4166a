"""The messages of remote write and OTLP, as far as they are read; made when the first body comes.

Field numbers are those of prometheus/prompb/remote.proto and types.proto (1.0) and opentelemetry/proto/metrics/v1/metrics.proto.
Where a message serves as a key it is declared as bytes, which is the same on the wire: what is known need not be parsed again.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from trimtab.monitor.ingest.unpack import missing

# message → its fields: name, number, type, and whether it is repeated. A type that is no scalar is another of these messages.
_Fields = tuple[tuple[str, int, str, bool], ...]
_REMOTE_WRITE: dict[str, _Fields] = {
    "WriteRequest": (("timeseries", 1, "bytes", True),),
    "TimeSeries": (
        ("labels", 1, "bytes", True),
        ("samples", 2, "Sample", True),
        ("histograms", 4, "bytes", True),
    ),
    "Sample": (("value", 1, "double", False), ("timestamp", 2, "int64", False)),
    "Label": (("name", 1, "string", False), ("value", 2, "string", False)),
}
_OTLP: dict[str, _Fields] = {
    "Export": (("resource_metrics", 1, "ResourceMetrics", True),),
    "ResourceMetrics": (("resource", 1, "bytes", False), ("scope_metrics", 2, "ScopeMetrics", True)),
    "Resource": (("attributes", 1, "KeyValue", True),),
    "ScopeMetrics": (("metrics", 2, "Metric", True),),
    "Metric": (
        ("name", 1, "string", False),
        ("unit", 3, "string", False),
        ("gauge", 5, "Gauge", False),
        ("sum", 7, "Sum", False),
        ("histogram", 9, "Histogram", False),
        ("exponential_histogram", 10, "bytes", False),
        ("summary", 11, "Summary", False),
    ),
    "Gauge": (("data_points", 1, "NumberPoint", True),),
    "Sum": (("data_points", 1, "NumberPoint", True), ("temporality", 2, "int32", False), ("monotonic", 3, "bool", False)),
    "Histogram": (("data_points", 1, "HistogramPoint", True), ("temporality", 2, "int32", False)),
    "Summary": (("data_points", 1, "SummaryPoint", True),),
    "NumberPoint": (
        ("attributes", 7, "bytes", True),
        ("time", 3, "fixed64", False),
        ("as_double", 4, "double", False),
        ("as_int", 6, "sfixed64", False),
        ("flags", 8, "uint32", False),
    ),
    "HistogramPoint": (
        ("attributes", 9, "bytes", True),
        ("time", 3, "fixed64", False),
        ("count", 4, "fixed64", False),
        ("sum", 5, "double", False),
        ("counts", 6, "fixed64", True),
        ("bounds", 7, "double", True),
        ("flags", 10, "uint32", False),
    ),
    "SummaryPoint": (
        ("attributes", 7, "bytes", True),
        ("time", 3, "fixed64", False),
        ("count", 4, "fixed64", False),
        ("sum", 5, "double", False),
        ("quantiles", 6, "Quantile", True),
        ("flags", 8, "uint32", False),
    ),
    "Quantile": (("quantile", 1, "double", False), ("value", 2, "double", False)),
    "KeyValue": (("key", 1, "string", False), ("value", 2, "AnyValue", False)),
    "AnyValue": (
        ("string", 1, "string", False),
        ("bool", 2, "bool", False),
        ("int", 3, "int64", False),
        ("double", 4, "double", False),
    ),
}
_ONE_OF = {"NumberPoint": ("as_double", "as_int"), "AnyValue": ("string", "bool", "int", "double"), "HistogramPoint": ("sum",)}


@cache
def remote_write() -> Any:
    """Message classes by name, of remote write 1.0. Raises `Unavailable`."""
    return _classes("trimtab.remote_write", _REMOTE_WRITE)


@cache
def otlp() -> Any:
    """Message classes by name, of OTLP metrics 1.x. Raises `Unavailable`."""
    return _classes("trimtab.otlp", _OTLP)


def _classes(package: str, messages: dict[str, _Fields]) -> dict[str, Any]:
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    except ImportError:
        raise missing("protobuf") from None
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for field, number, kind, repeated in fields:
            scalar = getattr(kinds, f"TYPE_{kind.upper()}", None)
            added = message.field.add(name=field, number=number, label=3 if repeated else 1)
            added.type = kinds.TYPE_MESSAGE if scalar is None else scalar
            if scalar is None:
                added.type_name = f".{package}.{kind}"
            if field in _ONE_OF.get(name, ()):  # only of these is it told apart whether they are zero or not there
                added.oneof_index, added.proto3_optional = len(message.oneof_decl), True
                message.oneof_decl.add(name=f"_{field}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in messages}
