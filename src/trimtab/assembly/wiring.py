"""Put an agent together from settings: sensors, levers, stores, interface. Nothing here starts anything."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from zoneinfo import ZoneInfo

import structlog

import trimtab
from trimtab.agent import AutonomousAgent
from trimtab.analyze import Analyzer
from trimtab.config import Settings, locks_of
from trimtab.domain.goals import Guard
from trimtab.domain.ports import Journal, Lever, Listener, MetricStore, Optimizer, Plant, Sensor
from trimtab.domain.windows import Calendar
from trimtab.execute.book import Book
from trimtab.execute.executor import Executor
from trimtab.execute.levers import LeverBook
from trimtab.execute.policy_lever import policy_levers
from trimtab.execute.regulation import Regulations
from trimtab.execute.trial import TrialRules
from trimtab.loop.attention import Attention
from trimtab.loop.clocks import VirtualClock, WallClock
from trimtab.loop.delivery import Delivery
from trimtab.loop.evidence import LastAnalysis
from trimtab.loop.inbox import Inbox
from trimtab.loop.pace import Pace
from trimtab.loop.parts import Parts
from trimtab.loop.schedule import Stage
from trimtab.loop.selfwatch import SelfGoals, SelfSensor
from trimtab.monitor import Monitor
from trimtab.notify import LogNotifier
from trimtab.plan import LeverSearch, PlanSettings, PolicyStart
from trimtab.plan.settings import StormRules
from trimtab.storage.folder import DataFolder
from trimtab.storage.journal import SqliteJournal
from trimtab.storage.mending import MendingMetricStore
from trimtab.storage.metrics import Retention, SqliteMetricStore
from trimtab.storage.tokens import TokenStore
from trimtab.systems.net import Net
from trimtab.systems.registry import Registry, registry
from trimtab.systems.simulated import SimulatedLever

COOLDOWNS_OF_A_STORM = 12  # an hour at the default; see decision 11


@dataclass(slots=True)
class Stores:
    """Where an agent keeps what it knows, and what keeps a second agent away from it."""

    journal: Journal
    metrics: MetricStore
    lock: Callable[[], AbstractContextManager[None]] = nullcontext
    tokens: TokenStore | None = None
    identity: Callable[[], str] = str  # secret of the data folder; see `DataFolder.identity`
    pause_file: Path | None = None  # see `DataFolder.pause_path`


def assemble(
    settings: Settings,
    *,
    clock: WallClock | VirtualClock | None = None,
    stores: Stores | None = None,
    plants: Mapping[str, Plant] | None = None,
    optimizers: Sequence[Optimizer] | None = None,
    sensors: Sequence[Sensor] | None = None,
    levers: Sequence[Lever] | None = None,
    serve: bool = True,
) -> AutonomousAgent:
    """The agent that `settings` describe. Raises `ConfigError`, `StoreError`.

    `stores`, `plants` and a virtual `clock` serve simulation and tests, as do `sensors` and `levers` that take the place of those
    in the settings; `serve=False` leaves out the REST interface.
    """
    clock = clock or WallClock()
    stores = stores or on_disk(settings)
    net, types = Net(plants, step_seconds=settings.monitoring.interval_seconds), registry()
    _say_what_is_left_out(settings, types)
    selfwatch = SelfSensor()
    watches_itself = isinstance(clock, WallClock)  # in virtual time the real process is no part of the story
    sensors = [*(sensors if sensors is not None else _sensors(settings, types, net)), *([selfwatch] if watches_itself else [])]
    levers = levers if levers is not None else _levers(settings, types, net)
    levers = [SimulatedLever(lever) for lever in levers] if settings.safety.simulation_mode else levers
    monitor = Monitor(
        sensors,
        interval_seconds=settings.monitoring.interval_seconds,
        window_seconds=60.0 * settings.analysis_window_minutes,
    )
    evidence = LastAnalysis(monitor, {element.name: locks_of(settings, element.name) for element in settings.elements})
    analyzer = _analyzer(settings)
    listeners = [sensor for sensor in sensors if isinstance(sensor, Listener)]
    book = Book(selfwatch.timed(stores.journal), LogNotifier())
    policies = policy_levers(levers)
    executor = Executor(
        book, LeverBook([*levers, *policies]), evidence, clock, _trial_rules(settings), at_once=settings.max_concurrent_actions
    )
    return AutonomousAgent(
        Parts(
            clock=clock,
            monitor=monitor,
            analyzer=analyzer,
            optimizers=tuple(optimizers) if optimizers is not None else (LeverSearch(), PolicyStart()),
            executor=executor,
            evidence=evidence,
            store=stores.metrics,
            plan_settings=_plan_settings(settings),
            periods=_periods(settings),
            sensors=sensors,
            selfwatch=selfwatch,
            own_goals=SelfGoals(_overhead(settings) if watches_itself else {}),
            pace=Pace(settings.overhead.cpu_percent) if watches_itself else None,
            attention=Attention(monitor, analyzer.screen, analyzer.worth) if settings.monitoring.adaptive else None,
            regulation=Regulations(executor, policies, sample_seconds=settings.monitoring.interval_seconds),
            settle_by_element=_settle_by_element(levers),
            window_seconds=60.0 * settings.analysis_window_minutes,
            approval_seconds=settings.decision.approval_expiry_seconds,
            retention_seconds=86_400.0 * settings.retention_days,
            journal_retention_seconds=86_400.0 * settings.storage.journal_retention_days,
            simulated=settings.safety.simulation_mode,
            hold=stores.lock,
            serve=_server(settings, stores) if serve and settings.api.enabled else None,
            inbox=Inbox(stores.metrics, Delivery(listeners, analyzer.named), monotonic, clock.now),
            release=net.close,
            identity=stores.identity,
            pause_file=stores.pause_file,
        )
    )


def _say_what_is_left_out(settings: Settings, types: Registry) -> None:
    log = structlog.get_logger("trimtab")
    for problem in types.problems:
        log.warning("System left out", reason=problem)
    if settings.notifications:
        log.warning("Notifications are only written to the log in this version", configured=len(settings.notifications))


def on_disk(settings: Settings) -> Stores:
    """The stores of the data folder. Raises `StoreError`."""
    folder = DataFolder(settings.storage.path)
    journal = SqliteJournal(folder.journal_path, key=settings.storage.hmac_key)
    journal.examine()  # nothing is carried out on a journal that does not hold
    days = settings.storage
    retention = Retention(86_400.0 * days.five_minute_retention_days, 86_400.0 * days.hourly_retention_days)
    make = partial(SqliteMetricStore, retention=retention, say=_say_damaged)
    metrics = MendingMetricStore(folder.metrics_path, make, _say_damaged)
    tokens = TokenStore(folder.access_path)
    identity = partial(folder.identity, create=True)
    return Stores(journal, metrics, folder.lock, tokens, identity, folder.pause_path)


def _say_damaged(sentence: str) -> None:
    structlog.get_logger("trimtab").error("Metric store damaged", reason=sentence)


def _sensors(settings: Settings, types: Registry, net: Net) -> list[Sensor]:
    return [types.build_sensor(options, element.name, net) for element in settings.elements for options in element.sensors]


def _levers(settings: Settings, types: Registry, net: Net) -> list[Lever]:
    levers: list[Lever] = []
    for element in settings.elements:
        locks = locks_of(settings, element.name)
        for options in element.levers:
            levers.append(types.build_lever(options, options.spec(element.name, locks), net))
        for job in element.jobs:
            levers.append(types.build_job(job, job.spec(element.name, locks), net))
    return levers


def _analyzer(settings: Settings) -> Analyzer:
    guards: dict[str, Sequence[Guard]] = {
        element.name: [guard.guard(element.name) for guard in element.guards] for element in settings.elements
    }
    return Analyzer(
        [goal.goal() for goal in settings.goals],
        guards,
        settings.thresholds.by_type(),
        deadband=settings.decision.deadband,
        threshold_stddev=settings.anomaly_threshold_stddev,
        graph={element.name: element.depends_on for element in settings.elements},
        look_ahead=settings.decision.look_ahead,
        deep_series=settings.monitoring.deep_series,
        screen_seconds=settings.monitoring.interval_seconds,
        zone=ZoneInfo(settings.timezone),
    )


def _trial_rules(settings: Settings) -> TrialRules:
    return TrialRules(
        min_effect=settings.thresholds.min_improvement_threshold,
        cooldown=settings.corrective_action_cooldown_seconds,
        verify_seconds=settings.decision.verify_seconds,
        sample_seconds=settings.monitoring.interval_seconds,
        rollback_on_failure=settings.safety.rollback_on_failure,
    )


def _plan_settings(settings: Settings) -> PlanSettings:
    return PlanSettings(
        min_improvement_threshold=settings.thresholds.min_improvement_threshold,
        max_risk_threshold=settings.thresholds.max_risk_threshold,
        max_concurrent_actions=settings.max_concurrent_actions,
        cooldown_seconds=settings.corrective_action_cooldown_seconds,
        enable_automatic_actions=settings.safety.enable_automatic_actions,
        require_approval_for_critical=settings.safety.require_approval_for_critical,
        risk_model=settings.decision.risk_model,
        storm=_storm_rules(settings),
        calendar=Calendar(
            tuple(window.window(settings.timezone) for window in settings.maintenance_windows),
            tuple(freeze.window(settings.timezone) for freeze in settings.change_freezes),
        ),
    )


def _storm_rules(settings: Settings) -> StormRules:
    given, cooldown = settings.safety.storm_halt, settings.corrective_action_cooldown_seconds
    within = given.window_seconds if given.window_seconds is not None else COOLDOWNS_OF_A_STORM * cooldown
    return StormRules(given.harmful_actions, within, settings.timezone)


def _periods(settings: Settings) -> dict[Stage, float]:
    monitoring = settings.monitoring
    return {
        Stage.MONITOR: monitoring.interval_seconds,
        Stage.ANALYZE: monitoring.analysis_interval_seconds,
        Stage.PLAN: monitoring.optimization_interval_seconds,
        Stage.EXECUTE: monitoring.execution_interval_seconds,
        Stage.LEARN: monitoring.optimization_interval_seconds,
    }


def _settle_by_element(levers: Sequence[Lever]) -> dict[str, float]:
    longest: dict[str, float] = {}
    for lever in levers:
        longest[lever.spec.element] = max(longest.get(lever.spec.element, 0.0), lever.spec.settle_seconds)
    return longest


def _overhead(settings: Settings) -> Mapping[str, float]:
    """The agent's own goals: series name → the most that it should be."""
    most = settings.overhead
    return {
        "trimtab_cpu_usage_percent": most.cpu_percent,
        "trimtab_memory_bytes": 1e6 * most.memory_megabytes,
        "trimtab_loop_lag_seconds": most.loop_lag_seconds,
        "trimtab_store_write_seconds": most.store_write_seconds,
        "trimtab_journal_write_seconds": most.store_write_seconds,
    }


def _server(settings: Settings, stores: Stores) -> Callable[[AutonomousAgent], AbstractAsyncContextManager[str]]:
    @asynccontextmanager
    async def serving(agent: AutonomousAgent) -> AsyncIterator[str]:
        from trimtab.api import Server

        server = Server(agent, tokens=stores.tokens, host=settings.api.host, port=settings.api.port,
                        allowed_hosts=settings.api.allowed_hosts, version=trimtab.__version__,
                        intake=agent.parts.inbox)  # fmt: skip
        await server.start()
        try:
            yield server.url
        finally:
            await server.stop()

    return serving
