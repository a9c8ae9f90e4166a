"""trimtab: a closed-loop controller for running software. Public names load on first use: importing costs next to nothing."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from trimtab.agent import AutonomousAgent as AutonomousAgent
    from trimtab.assembly import get_autonomous_agent as get_autonomous_agent
    from trimtab.domain.actions import ActionRecord as ActionRecord
    from trimtab.domain.actions import OptimizationAction as OptimizationAction
    from trimtab.domain.direction import Direction as Direction
    from trimtab.domain.goals import Goal as Goal
    from trimtab.domain.goals import Guard as Guard
    from trimtab.domain.levers import ActionPriority as ActionPriority
    from trimtab.domain.levers import LeverSpec as LeverSpec
    from trimtab.domain.metrics import MetricType as MetricType
    from trimtab.domain.verdicts import Verdict as Verdict
    from trimtab.sdk import lever as lever
    from trimtab.sdk import sensor as sensor

_HOMES = {
    "AutonomousAgent": "agent",
    "get_autonomous_agent": "assembly",
    "ActionRecord": "domain.actions",
    "OptimizationAction": "domain.actions",
    "Direction": "domain.direction",
    "Goal": "domain.goals",
    "Guard": "domain.goals",
    "ActionPriority": "domain.levers",
    "LeverSpec": "domain.levers",
    "MetricType": "domain.metrics",
    "Verdict": "domain.verdicts",
    "lever": "sdk",
    "sensor": "sdk",
}
_ROOMS = ("analyze", "verify", "domain", "plan", "learn", "sdk", "testing")

__all__ = ["__version__", *sorted(_HOMES)]


def __dir__() -> list[str]:
    return [*__all__, *_ROOMS]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"trimtab.{_HOMES[name]}"), name)
    if name in _ROOMS:
        return import_module(f"trimtab.{name}")
    raise AttributeError(f"module 'trimtab' has no attribute {name!r}")
