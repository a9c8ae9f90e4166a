"""The whole configuration as frozen models, with the defaults of requirements F2, F3 and A10.

Built by `loader.load` from a YAML file, or directly in Python. Read by `assembly`, which hands each room only what it needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, field_validator, model_validator

from trimtab.config.elements import ElementSettings as ElementSettings
from trimtab.config.elements import GoalSettings as GoalSettings
from trimtab.config.elements import GuardSettings as GuardSettings
from trimtab.config.elements import dependencies
from trimtab.config.options import JobOptions as JobOptions
from trimtab.config.options import LeverOptions as LeverOptions
from trimtab.config.options import SensorOptions as SensorOptions
from trimtab.config.parts import URL_FORM, Context, Duration, Fraction, Part, Period, rule
from trimtab.config.relations import mistakes
from trimtab.config.thresholds import MetricThreshold as MetricThreshold
from trimtab.config.thresholds import merge_defaults
from trimtab.config.windows import FreezeSettings as FreezeSettings
from trimtab.config.windows import WindowSettings as WindowSettings
from trimtab.config.windows import Zone
from trimtab.domain.metrics import MetricType, Threshold

DATA_FOLDER = "./trimtab-data"
NO_FILE = Path("off")  # of log.file

Concurrent = Annotated[int, Field(ge=1, le=100)]
NotificationEvent = Literal["approval", "rollback", "failed", "foreign_write", "storm"]  # what people are told of


class MonitoringSettings(Part):
    """Periods of the stages of the loop, in seconds, and how closely is looked.

    Periods are upper bounds: what is urgent wakes a stage at once.
    """

    interval_seconds: Period = 30.0
    analysis_interval_seconds: Period = 60.0
    optimization_interval_seconds: Period = 300.0
    execution_interval_seconds: Period = 10.0
    adaptive: bool = True  # what is read less often, and looked at again, follows what it is worth and what it has shown
    deep_series: Annotated[int, Field(ge=0, le=1_000_000)] = 5_000  # that have a detector each; all are screened


class ThresholdSettings(Part):
    """What is worth doing, what is too risky, and from where on a metric is bad."""

    min_improvement_threshold: Fraction = 0.05
    max_risk_threshold: Fraction = 0.7
    max_concurrent_actions: Concurrent = 3
    metrics: Annotated[dict[MetricType, MetricThreshold], BeforeValidator(merge_defaults), Field(validate_default=True)] = Field(
        default_factory=dict
    )

    def by_type(self) -> Mapping[MetricType, Threshold]:
        """Limits of each metric type, those not configured as in F3.

        >>> ThresholdSettings().by_type()[MetricType.CPU_USAGE]
        Threshold(warning=75.0, critical=90.0, lower_is_worse=False)
        """
        return {kind: limits.threshold(kind) for kind, limits in self.metrics.items()}


class StormSettings(Part):
    """How many of the agent's own changes may do harm, within how long, before nothing new starts."""

    harmful_actions: Annotated[int, Field(ge=1, le=1000)] = 5
    window_seconds: Period | None = None  # None: twelve cool-downs


class SafetySettings(Part):
    """Ceilings over everything that levers allow."""

    enable_automatic_actions: bool = True
    require_approval_for_critical: bool = True
    rollback_on_failure: bool = True
    simulation_mode: bool = False
    storm_halt: StormSettings = Field(default_factory=StormSettings)


class DecisionSettings(Part):
    """How proposals are weighed and how long things wait."""

    risk_model: Literal["odds", "fixed"] = "odds"
    deadband: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.05  # relative hysteresis around a goal
    approval_expiry_seconds: Period = 86_400.0
    look_ahead: bool = True  # a goal or guard that a steady trend will cross is a symptom before it is missed
    verify_seconds: Period | None = None  # None: as long as the verdict needs


class OverheadSettings(Part):
    """What the agent itself may cost. Rather than use more processor time it reads less often; the rest are goals to be seen."""

    cpu_percent: Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)] = 2.0  # of one core
    memory_megabytes: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 100.0  # resident
    loop_lag_seconds: Period = 1.0  # how late a turn may begin
    store_write_seconds: Period = 0.5  # how long a write may take, to the metric store or to the journal


class StorageSettings(Part):
    """Where metrics and the journal are kept. `journal_key` keys the HMAC of the journal's chain."""

    path: Path = Path(DATA_FOLDER)
    url: str | None = None
    journal_retention_days: Annotated[int, Field(ge=1, le=36_500)] = 400
    five_minute_retention_days: Annotated[int, Field(ge=1, le=36_500)] = 90
    hourly_retention_days: Annotated[int, Field(ge=1, le=36_500)] = 400
    journal_key: Annotated[SecretStr, Field(min_length=1)] | None = None

    @property
    def hmac_key(self) -> bytes | None:
        """The journal's key as the journal wants it; None where its rows are hashed without one."""
        return self.journal_key.get_secret_value().encode() if self.journal_key is not None else None

    @field_validator("path")
    @classmethod
    def _path(cls, value: Path, info: ValidationInfo) -> Path:
        return Context.of(info.context).locate(value)

    @field_validator("url")
    @classmethod
    def _url(cls, value: str | None) -> str | None:
        if value is not None:
            raise rule(
                "databases are not supported yet in this version", "remove url and keep the data in a folder: storage.path"
            )
        return value


class ApiSettings(Part):
    """The REST interface."""

    enabled: bool = True
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535)] = 8642
    allowed_hosts: tuple[str, ...] = ()


class LogSettings(Part):
    """What is logged, where to, and how it looks."""

    level: Literal["debug", "info", "warning", "error", "critical"] = "info"
    file: Path | None = None  # None: trimtab.log in the data folder
    format: Literal["console", "json"] = "console"

    @field_validator("file")
    @classmethod
    def _file(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        return value if value in (None, NO_FILE) else Context.of(info.context).locate(value)


class NotificationSettings(Part):
    """Whom to tell, of what. `url` often holds a token: show it only through `Settings.redact`."""

    url: Annotated[str, Field(pattern=URL_FORM)]
    on: tuple[NotificationEvent, ...] = ("approval", "rollback", "failed", "storm")


class Settings(Part):
    """The effective configuration.

    >>> Settings(collection_interval_seconds=5).monitoring.interval_seconds
    5.0
    """

    version: Literal[1] = 1
    timezone: Zone = "UTC"  # for windows and for times in sentences; storage is UTC
    collection_interval_seconds: Period = 30.0  # one setting with monitoring.interval_seconds
    analysis_window_minutes: Annotated[float, Field(gt=0, le=525_600, allow_inf_nan=False)] = 60.0
    anomaly_threshold_stddev: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] = 2.5
    corrective_action_cooldown_seconds: Duration = 300.0
    max_concurrent_actions: Concurrent = 3  # one setting with thresholds.max_concurrent_actions
    retention_days: Annotated[int, Field(ge=1, le=36_500)] = 30
    monitoring: MonitoringSettings = Field(default_factory=MonitoringSettings)
    thresholds: ThresholdSettings = Field(default_factory=ThresholdSettings)
    safety: SafetySettings = Field(default_factory=SafetySettings)
    decision: DecisionSettings = Field(default_factory=DecisionSettings)
    storage: StorageSettings = Field(default_factory=StorageSettings)
    api: ApiSettings = Field(default_factory=ApiSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    overhead: OverheadSettings = Field(default_factory=OverheadSettings)
    elements: tuple[ElementSettings, ...] = ()
    goals: tuple[GoalSettings, ...] = ()
    notifications: tuple[NotificationSettings, ...] = ()
    maintenance_windows: tuple[WindowSettings, ...] = ()
    change_freezes: tuple[FreezeSettings, ...] = ()

    @model_validator(mode="after")
    def _whole(self, info: ValidationInfo) -> Settings:
        if not isinstance(info.context, Context):  # built in Python; `load` checks by itself, to name lines
            found = mistakes(self.model_dump(exclude_unset=True))
            if found:
                raise rule(found[0].what, found[0].remedy)
        return self._twins_agree()

    def _twins_agree(self) -> Settings:
        """Two names of one setting show one value, whichever was given."""
        interval = (
            self.collection_interval_seconds
            if "collection_interval_seconds" in self.model_fields_set
            else self.monitoring.interval_seconds
        )
        at_once = (
            self.max_concurrent_actions
            if "max_concurrent_actions" in self.model_fields_set
            else self.thresholds.max_concurrent_actions
        )
        agreed: dict[str, Any] = {
            "collection_interval_seconds": interval,
            "max_concurrent_actions": at_once,
            "monitoring": self.monitoring.model_copy(update={"interval_seconds": interval}),
            "thresholds": self.thresholds.model_copy(update={"max_concurrent_actions": at_once}),
        }
        self.__dict__.update(agreed)  # frozen for everyone else
        return self

    @property
    def log_file(self) -> Path | None:
        """Where the log goes besides standard error; None where it is switched off.

        >>> Settings(log={"file": "off"}).log_file, Settings().log_file
        (None, PosixPath('trimtab-data/trimtab.log'))
        """
        if self.log.file == NO_FILE:
            return None
        return self.log.file or self.storage.path / "trimtab.log"

    def redact(self, text: str) -> str:
        """`text` with every secret of this configuration replaced by `***`."""
        return self._secrets.redact(text)


def locks_of(settings: Settings, element_name: str) -> frozenset[str]:
    """The element and everything that it depends on, transitively: what an action on it may not share with another.

    >>> web = ElementSettings(name="web", depends_on=("db",))
    >>> sorted(locks_of(Settings(elements=(web, ElementSettings(name="db"))), "web"))
    ['db', 'web']
    """
    return dependencies({element.name: element.depends_on for element in settings.elements}, element_name)
