"""Tell what is off from what is usual: goals missed, guards breached, limits passed, behaviour unlike the learned one.

Reads: the monitor's windows and trust, through `analyze.view`. Produces: one `domain.goals.Analysis` a turn. For whoever wants
the parts alone: the detectors `StreamDetector` and `FleetDetector`, `diagnose`, `forecast` and `crossing`, with what they answer.
May import: `domain`, `stats`, NumPy. Never: a clock, randomness, the network, a store, `monitor` itself.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trimtab.analyze.analyzer import Analyzer as Analyzer
    from trimtab.analyze.diagnosis import diagnose as diagnose
    from trimtab.analyze.fleet import FleetDetector as FleetDetector
    from trimtab.analyze.stream import Detection as Detection
    from trimtab.analyze.stream import StreamDetector as StreamDetector
    from trimtab.analyze.view import MonitorView as MonitorView
    from trimtab.stats.crossing import Crossing as Crossing
    from trimtab.stats.crossing import crossing as crossing
    from trimtab.stats.forecast import Forecast as Forecast
    from trimtab.stats.forecast import forecast as forecast

_HOMES = {
    "Analyzer": "analyze.analyzer",
    "Crossing": "stats.crossing",
    "Detection": "analyze.stream",
    "FleetDetector": "analyze.fleet",
    "Forecast": "stats.forecast",
    "MonitorView": "analyze.view",
    "StreamDetector": "analyze.stream",
    "crossing": "stats.crossing",
    "diagnose": "analyze.diagnosis",
    "forecast": "stats.forecast",
}

__all__ = [
    "Analyzer",
    "Crossing",
    "Detection",
    "FleetDetector",
    "Forecast",
    "MonitorView",
    "StreamDetector",
    "crossing",
    "diagnose",
    "forecast",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"trimtab.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'trimtab.analyze' has no attribute {name!r}")
