"""What an agent is made of; `assembly` fills it in, and nothing else knows which adapter is behind which port."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trimtab.analyze import Analyzer
from trimtab.domain.ports import MetricStore, Optimizer, Sensor
from trimtab.execute.executor import Executor
from trimtab.execute.regulation import Regulations
from trimtab.loop.attention import Attention
from trimtab.loop.clocks import VirtualClock, WallClock
from trimtab.loop.evidence import LastAnalysis
from trimtab.loop.inbox import Inbox
from trimtab.loop.pace import Pace
from trimtab.loop.schedule import Stage
from trimtab.loop.selfwatch import SelfGoals, SelfSensor
from trimtab.monitor import Monitor
from trimtab.plan import PlanSettings


@dataclass(slots=True)
class Origin:
    """Where an agent's settings come from, and what became of the last attempt to read them anew."""

    path: str  # of the configuration
    data: str  # the folder
    loaded_at: float  # Unix seconds
    problem: str | None = None  # why what is in the file now is not in use


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
    own_goals: SelfGoals = field(default_factory=SelfGoals)
    pace: Pace | None = None  # None: intervals stay as they are, whatever the agent costs
    attention: Attention | None = None  # None: all sensors alike
    cpu_seconds: Callable[[], float] = time.process_time  # that this process has used so far
    regulation: Regulations | None = None  # None: nothing is regulated
    settle_by_element: dict[str, float] = field(default_factory=dict)
    inbox: Inbox | None = None  # where metrics are pushed to
    window_seconds: float = 3600.0
    approval_seconds: float = 86_400.0
    retention_seconds: float = 30 * 86_400.0
    journal_retention_seconds: float = 400 * 86_400.0
    simulated: bool = False
    hold: Callable[[], AbstractContextManager[None]] = nullcontext  # held while the agent is open: one agent per data folder
    serve: Callable[[Any], AbstractAsyncContextManager[str | None]] | None = None  # the REST interface; yields its URL
    release: Callable[[], Awaitable[None]] | None = None  # awaited last: closes what the agent does not know of
    identity: Callable[[], str] = str  # secret of the data folder that the agent works on; raises `StoreError`
    pause_file: Path | None = None  # while it is there nothing new starts
    origin: Origin | None = None  # None where the agent was not made from a file
    reload: Callable[[str], Awaitable[Sequence[str]]] | None = None  # by whom it is asked → what changed
