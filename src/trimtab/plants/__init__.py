"""Simulated elements and the loads that they bear, for `simulate`, tests and benches.

Reads: values set at levers, virtual time, a random generator handed in. Produces: metrics for each step. May import: NumPy,
domain, stats. Never: a clock, the environment, the network, a room beside or above.

One plant a file: `service` (workers and a queue), `web_cluster` (servers that boot, a dimmer), `cache`, `batches`, `database` (a
missing index), `probes` (a lever that does nothing; a cliff). `loads` are what arrives, `noise` is how it is measured.
"""

from collections.abc import Callable, Mapping

from trimtab.domain.ports import Plant
from trimtab.plants.batches import BatchPipeline
from trimtab.plants.cache import CachePlant
from trimtab.plants.database import DatabasePlant
from trimtab.plants.probes import CliffPlant, NoisyNoop
from trimtab.plants.service import ServicePlant
from trimtab.plants.web_cluster import WebCluster

PLANTS: Mapping[str, Callable[..., Plant]] = {
    "service": ServicePlant,
    "web_cluster": WebCluster,
    "cache": CachePlant,
    "batches": BatchPipeline,
    "database": DatabasePlant,
    "noop": NoisyNoop,
    "cliff": CliffPlant,
}

__all__ = [
    "PLANTS",
    "BatchPipeline",
    "CachePlant",
    "CliffPlant",
    "DatabasePlant",
    "NoisyNoop",
    "ServicePlant",
    "WebCluster",
]
