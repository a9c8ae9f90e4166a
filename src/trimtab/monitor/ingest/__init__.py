"""What others push: Prometheus remote write and OTLP/HTTP, decoded into columns of samples.

Reads: request bodies. Produces: `Pushed`, and `Malformed` with the reason for what is none. May import: domain; protobuf and
cramjam (the extra `otlp`) when the first body comes. Never: a clock, a socket; half of a body.
"""

from __future__ import annotations

from trimtab.monitor.ingest.catalog import MOST_SERIES, Catalog
from trimtab.monitor.ingest.otlp import OtlpDecoder
from trimtab.monitor.ingest.pushed import Malformed, Pushed
from trimtab.monitor.ingest.remote_write import RemoteWriteDecoder
from trimtab.monitor.ingest.unpack import TooLarge, Unavailable, unpack_gzip, unpack_snappy

__all__ = [
    "MOST_SERIES",
    "Catalog",
    "Malformed",
    "OtlpDecoder",
    "Pushed",
    "RemoteWriteDecoder",
    "TooLarge",
    "Unavailable",
    "unpack_gzip",
    "unpack_snappy",
]
