"""What an agent is made of; `assembly` fills it in, and nothing else knows which adapter is behind which port."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from trimtab.analyze import Analyzer
from trimtab.domain.ports import MetricStore, Optimizer, Sensor
from trimtab.execute.executor import Executor
from trimtab.loop.clocks import VirtualClock, WallClock
from trimtab.loop.evidence import LastAnalysis
from trimtab.loop.schedule import Stage
from trimtab.loop.selfwatch import SelfSensor
from trimtab.monitor import Monitor
from trimtab.plan import PlanSettings


@dataclass(slots=True)
class Parts:
    """Ports and settings; times in seconds."""

    clock: WallClock | VirtualClock
    monitor: Monitor
    analyzer: Analyzer
    optimizers: Sequence[Optimizer]
    executor: Executor
    evidence: LastAnalysis
    store: MetricStore
    plan_settings: PlanSettings
    periods: dict[Stage, float]
    sensors: Sequence[Sensor] = ()
    selfwatch: SelfSensor = field(default_factory=SelfSensor)
    settle_by_element: dict[str, float] = field(default_factory=dict)
    window_seconds: float = 3600.0
    approval_seconds: float = 86_400.0
    retention_seconds: float = 30 * 86_400.0
    simulated: bool = False
    hold: Callable[[], AbstractContextManager[None]] = nullcontext  # held while the agent is open: one agent per data folder
    serve: Callable[[Any], AbstractAsyncContextManager[None]] | None = None  # the REST interface, while it runs
    release: Callable[[], Awaitable[None]] | None = None  # awaited last: closes what the agent does not know of
