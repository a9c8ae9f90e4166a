"""Tell what is off from what is usual: goals missed, guards breached, limits passed, behaviour unlike the learned one.

Reads: the monitor's windows and trust, through `analyze.view`. Produces: one `domain.goals.Analysis` a turn, and the detectors
`StreamDetector` and `FleetDetector` for whoever wants them alone.
May import: `domain`, `stats`, NumPy. Never: a clock, randomness, the network, a store, `monitor` itself.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trimtab.analyze.analyzer import Analyzer as Analyzer
    from trimtab.analyze.diagnosis import diagnose as diagnose
    from trimtab.analyze.fleet import FleetDetector as FleetDetector
    from trimtab.analyze.outlook import crossing as crossing
    from trimtab.analyze.outlook import forecast as forecast
    from trimtab.analyze.stream import Detection as Detection
    from trimtab.analyze.stream import StreamDetector as StreamDetector
    from trimtab.analyze.view import MonitorView as MonitorView

_HOMES = {
    "Analyzer": "analyzer",
    "Detection": "stream",
    "FleetDetector": "fleet",
    "MonitorView": "view",
    "StreamDetector": "stream",
    "crossing": "outlook",
    "diagnose": "diagnosis",
    "forecast": "outlook",
}

__all__ = ["Analyzer", "Detection", "FleetDetector", "MonitorView", "StreamDetector", "crossing", "diagnose", "forecast"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"trimtab.analyze.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'trimtab.analyze' has no attribute {name!r}")
